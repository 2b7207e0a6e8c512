// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/record_file.h"

// Any text is records or none; what was taken prints to the text that it came from. The seal is made right, or hardly
// any text would get past it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (parse_records(text, "m") && to_text(*parse_records(text, "m"), "m") != text) std::abort();
  const std::string sealed = std::string(text) + hash128(text).hex() + "\n";
  const auto records = parse_records(sealed, "m");
  if (records && to_text(*records, "m") != sealed) std::abort();
  return 0;
}
