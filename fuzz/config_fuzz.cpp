// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "import/model_config.h"
#include "import/tensor_specs.h"

// Any text is a configuration whose tensors all have sizes, or is refused by a model_error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    auto config = strata::importer::parse_model_config(text, "config.json");
    config.layers = 1;  // the list of tensors is as long as the model is deep, and nothing else changes
    for (const auto& spec : strata::importer::tensor_specs(config)) {
      std::int64_t bytes = 4;
      for (const std::int64_t extent : spec.shape) {
        if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes)) std::abort();
      }
    }
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kModel) std::abort();
  }
  return 0;
}
