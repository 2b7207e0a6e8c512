// SPDX-License-Identifier: Apache-2.0
#include "compile/convert.h"

#include <cstring>
#include <vector>

#include "base/error.h"
#include "tensor/vec.h"

namespace strata::compile {
namespace {

// Elements of `from` at p converted to T at out.
template <class From, class To>
void convert_elements(const std::byte* p, std::int64_t count, std::byte* out) {
  if constexpr (std::is_same_v<From, To>) {
    std::memcpy(out, p, static_cast<std::size_t>(count) * sizeof(To));
  } else {
    constexpr tensor::Lanes<1> kOne;
    for (std::int64_t i = 0; i < count; ++i) {
      From from;
      To to;
      std::memcpy(&from, p + i * static_cast<std::int64_t>(sizeof(From)), sizeof(From));
      tensor::store(kOne, &to, tensor::load(kOne, &from));
      std::memcpy(out + i * static_cast<std::int64_t>(sizeof(To)), &to, sizeof(To));
    }
  }
}

template <class From>
void convert_from(const std::byte* p, std::int64_t count, DType to, std::byte* out) {
  switch (to) {
    case DType::kF32:
      return convert_elements<From, float>(p, count, out);
    case DType::kF16:
      return convert_elements<From, tensor::f16>(p, count, out);
    case DType::kBF16:
      return convert_elements<From, tensor::bf16>(p, count, out);
    case DType::kI8:
      return convert_elements<From, std::int8_t>(p, count, out);
    default:
      STRATA_CHECK(false, "weights are floating-point, or bytes");
  }
}

}  // namespace

void convert(DType from, const std::byte* p, std::int64_t count, DType to, std::byte* out) {
  switch (from) {
    case DType::kF32:
      return convert_from<float>(p, count, to, out);
    case DType::kF16:
      return convert_from<tensor::f16>(p, count, to, out);
    case DType::kBF16:
      return convert_from<tensor::bf16>(p, count, to, out);
    case DType::kI8:
      return convert_from<std::int8_t>(p, count, to, out);
    default:
      STRATA_CHECK(false, "weights are floating-point, or bytes");
  }
}

void convert(const double* p, std::int64_t count, DType to, std::byte* out) {
  const std::vector<float> rounded(p, p + count);
  convert(DType::kF32, reinterpret_cast<const std::byte*>(rounded.data()), count, to, out);
}

}  // namespace strata::compile
