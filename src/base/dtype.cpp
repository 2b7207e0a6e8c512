// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

#include <array>

namespace strata {
namespace {

struct DTypeRow {
  std::string_view name;
  std::int64_t bytes;
  bool floating;
};

// Indexed by DType.
constexpr std::array<DTypeRow, 8> kRows = {{{"f32", 4, true},
                                            {"f16", 2, true},
                                            {"bf16", 2, true},
                                            {"i8", 1, false},
                                            {"i32", 4, false},
                                            {"i64", 8, false},
                                            {"u8", 1, false},
                                            {"bool", 1, false}}};

const DTypeRow& row(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }
std::int64_t dtype_size(DType dtype) { return row(dtype).bytes; }
bool is_floating(DType dtype) { return row(dtype).floating; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace strata
