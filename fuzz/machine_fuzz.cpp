// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "machine/machine.h"

// Any text is a machine or refused with an Error that says the model is at fault; what was read prints to a text that
// reads to the same text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata;
  try {
    const std::string text =
        machine::to_json(machine::machine_from_json({reinterpret_cast<const char*>(data), size}, "fuzz.json"));
    if (machine::to_json(machine::machine_from_json(text, "printed.json")) != text) std::abort();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kModel) std::abort();
  }
  return 0;
}
