// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_types.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"

namespace strata::importer {
namespace {

struct Numbered {
  std::uint32_t id;
  std::string_view format;  // of src/blocks/format.cpp
};

constexpr std::array<Numbered, 15> kBlocks = {{{2, "Q4_0"},
                                               {3, "Q4_1"},
                                               {6, "Q5_0"},
                                               {7, "Q5_1"},
                                               {8, "Q8_0"},
                                               {10, "Q2_K"},
                                               {11, "Q3_K"},
                                               {12, "Q4_K"},
                                               {13, "Q5_K"},
                                               {14, "Q6_K"},
                                               {20, "IQ4_NL"},
                                               {23, "IQ4_XS"},
                                               {35, "TQ2_0"},
                                               {39, "MXFP4"},
                                               {40, "NVFP4"}}};

// The others: plain elements, and blocks that Strata doesn't decode.
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

const blocks::Format& format_named(std::string_view name) {
  const auto formats = blocks::all_formats();
  const auto found = std::ranges::find(formats, name, &blocks::Format::name);
  STRATA_CHECK(found != formats.end(), "no format " + std::string(name));
  return *found;
}

std::vector<GgufType> make_types() {
  std::vector<GgufType> types(kOthers.begin(), kOthers.end());
  for (const auto& [id, name] : kBlocks) {
    const blocks::Format& format = format_named(name);
    types.push_back({id, name, format.elements, format.bytes, std::nullopt, &format});
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
  std::string names;
  for (const GgufType& type : all_types()) {
    if (type.is_supported()) names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names;
}

}  // namespace strata::importer
