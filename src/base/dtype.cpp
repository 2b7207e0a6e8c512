// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

#include <array>

namespace strata {
namespace {

struct DTypeRow {
  std::string_view name;
  std::int64_t bytes;
  double roundoff;  // 0: no floating type
};

// Indexed by DType.
constexpr std::array<DTypeRow, 8> kRows = {{{"f32", 4, 0x1p-24},
                                            {"f16", 2, 0x1p-11},
                                            {"bf16", 2, 0x1p-8},
                                            {"i8", 1, 0},
                                            {"i32", 4, 0},
                                            {"i64", 8, 0},
                                            {"u8", 1, 0},
                                            {"bool", 1, 0}}};

const DTypeRow& row(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }
std::int64_t dtype_size(DType dtype) { return row(dtype).bytes; }
bool is_floating(DType dtype) { return row(dtype).roundoff > 0; }
double unit_roundoff(DType dtype) { return row(dtype).roundoff; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace strata
