// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace strata::jinja {

// Whose fault it is that a template could not be parsed or rendered.
enum class Fault {
  kTemplate,  // a syntax error, an unknown filter
  kLimit,     // one of RenderLimits is exceeded, by the template or by what it is given
  kData,      // an operation on values that do not fit, mostly messages of an unexpected form
  kRefusal,   // the template called raise_exception
};

// Internal to the template engine; ChatTemplate turns it into strata::Error. `line` 0: not known yet.
struct TemplateError : std::runtime_error {
  TemplateError(Fault fault_, const std::string& message, int line_ = 0)
      : std::runtime_error(message), fault(fault_), line(line_) {}

  Fault fault;
  int line;
};

}  // namespace strata::jinja
