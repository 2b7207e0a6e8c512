// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_types.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <vector>

#include "base/words.h"

namespace strata::importer {
namespace {

// Plain elements, and blocks that Strata doesn't decode. The others are src/blocks/format.cpp's.
constexpr std::array<GgufType, 19> kOthers = {{{0, "F32", 1, 4, DType::kF32},
                                               {1, "F16", 1, 2, DType::kF16},
                                               {30, "BF16", 1, 2, DType::kBF16},
                                               {9, "Q8_1", 32, 40, {}},
                                               {15, "Q8_K", 256, 292, {}},
                                               {16, "IQ2_XXS", 256, 66, {}},
                                               {17, "IQ2_XS", 256, 74, {}},
                                               {18, "IQ3_XXS", 256, 98, {}},
                                               {19, "IQ1_S", 256, 50, {}},
                                               {21, "IQ3_S", 256, 110, {}},
                                               {22, "IQ2_S", 256, 82, {}},
                                               {24, "I8", 1, 1, {}},
                                               {25, "I16", 1, 2, {}},
                                               {26, "I32", 1, 4, {}},
                                               {27, "I64", 1, 8, {}},
                                               {28, "F64", 1, 8, {}},
                                               {29, "IQ1_M", 256, 56, {}},
                                               {34, "TQ1_0", 256, 54, {}},
                                               {41, "Q1_0", 128, 18, {}}}};

std::vector<GgufType> make_types() {
  std::vector<GgufType> types(kOthers.begin(), kOthers.end());
  for (const blocks::Format& format : blocks::all_formats()) {
    types.push_back({format.gguf_type, format.name, format.elements, format.bytes, std::nullopt, &format});
  }
  return types;
}

const std::vector<GgufType>& all_types() {
  static const std::vector<GgufType> types = make_types();
  return types;
}

}  // namespace

const GgufType* find_gguf_type(std::uint32_t id) {
  const auto found = std::ranges::find(all_types(), id, &GgufType::id);
  return found == all_types().end() ? nullptr : &*found;
}

std::string supported_gguf_types() {
  return joined(all_types() | std::views::filter(&GgufType::is_supported) | std::views::transform(&GgufType::name));
}

}  // namespace strata::importer
