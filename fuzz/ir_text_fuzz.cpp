// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"

// Any text is parsed or refused with an Error; what was parsed prints to a text that parses to the same text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata;
  ops::register_all();
  std::string printed;
  try {
    const ir::Module module = ir::parse_module({reinterpret_cast<const char*>(data), size}, "fuzz");
    ir::verify(module, ir::VerifyLevel::kStructure);
    printed = ir::to_text(module);
  } catch (const Error&) {
    return 0;
  }
  if (ir::to_text(ir::parse_module(printed, "printed")) != printed) std::abort();
  return 0;
}
