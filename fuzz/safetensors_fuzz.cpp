// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "import/safetensors.h"

// Any bytes are a file with a consistent header, or are refused by a model_error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const auto header = strata::importer::parse_safetensors(file, "fuzz.safetensors");
    std::uint64_t end = 0;
    for (const auto& entry : header.entries) {
      if (entry.begin != end || entry.end < entry.begin) std::abort();
      end = entry.end;
    }
    if (header.data_offset + end != size) std::abort();
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kModel) std::abort();
  }
  return 0;
}
