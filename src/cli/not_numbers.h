// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/console.h"
#include "cli/model_source.h"

namespace strata::cli {

// A model whose logits are NaN, or infinite: nothing that is made from them means anything.
class NotNumbers : public Error {
 public:
  // After the tokens `before` had been fed, `last` were, and the logits of the last one, at `position`, are none.
  NotNumbers(std::int64_t position, std::vector<std::int32_t> before, std::vector<std::int32_t> last);

  const std::vector<std::int32_t>& before() const { return before_; }
  const std::vector<std::int32_t>& last() const { return last_; }

 private:
  std::vector<std::int32_t> before_, last_;
};

// With -v, runs the model up to there once more, on one thread, looks at its memory after each op, and says which op
// was the first to leave a NaN. Costs nothing before.
void trace_not_numbers(Console& console, const ModelSource& model, const NotNumbers& error);

// The same of a package; empty: no op leaves one.
std::string first_op_with_nan(const std::filesystem::path& package, const NotNumbers& error);

}  // namespace strata::cli
