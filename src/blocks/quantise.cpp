// SPDX-License-Identifier: Apache-2.0
#include "blocks/quantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>

#include "base/error.h"
#include "tensor/vec.h"

namespace strata::blocks {
namespace {

using tensor::f16;

constexpr int kMostCode = 127;
constexpr int kMostScaleCode = 127;
constexpr int kSums = 8;  // partial sums: vectors hold several of them

// To which code a number is rounded that was divided by its scale.
class Rounding {
 public:
  virtual ~Rounding() = default;
  virtual void round(std::span<const float> numbers, float inverse, float* codes) const = 0;
  // The codes at which a group's number of the largest magnitude may lie, the usual one first.
  virtual std::span<const float> ends() const = 0;
};

float between(float low, float number, float high) {
  const float above = number > low ? number : low;
  return above < high ? above : high;
}

class ToInteger : public Rounding {
 public:
  void round(std::span<const float> numbers, float inverse, float* codes) const override {
    constexpr float kWhole = 12582912;  // what is added to it is a whole number, to the nearest, ties to even
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      codes[i] = (between(-kMostCode, numbers[i] * inverse, kMostCode) + kWhole) - kWhole;
    }
  }
  std::span<const float> ends() const override { return kEnds; }

 private:
  static constexpr std::array<float, 6> kEnds = {127, 126.75F, 126.5F, 126, 125.5F, 125};
};

class ToTable : public Rounding {
 public:
  explicit ToTable(std::span<const std::int8_t> table) {
    std::size_t place = 0;
    for (std::size_t i = 0; i < nearest_.size(); ++i) {
      const int twice = static_cast<int>(i) - kZero;
      while (place + 1 < table.size() && table[place] + table[place + 1] <= twice) ++place;
      nearest_[i] = static_cast<float>(table[place]);
    }
    const auto low = static_cast<float>(table.front()), high = static_cast<float>(table.back());
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      ends_[2 * i] = low * kParts[i];
      ends_[2 * i + 1] = high * kParts[i];
    }
  }

  void round(std::span<const float> numbers, float inverse, float* codes) const override {
    constexpr float kEnd = kZero / 2 - 1;
    std::array<int, kMaxElements> halves;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      halves[i] = static_cast<int>(between(-kEnd, numbers[i] * inverse, kEnd) * 2 + kZero);
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) codes[i] = nearest_[static_cast<std::size_t>(halves[i])];
  }
  std::span<const float> ends() const override { return ends_; }

 private:
  static constexpr int kZero = 258;  // where zero is
  static constexpr std::array<float, 5> kParts = {1, 0.87F, 0.94F, 1.07F, 1.14F};

  // Of numbers from half to half, the code next to them: where two are, the sum of both is a whole number of halves.
  std::array<float, 2 * kZero> nearest_{};
  std::array<float, 2 * kParts.size()> ends_{};
};

float sum(const std::array<float, kSums>& parts) {
  return ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]));
}

// Groups have multiples of eight elements.
float product(std::span<const float> a, const float* b) {
  std::array<float, kSums> parts{};
  for (std::size_t i = 0; i < a.size(); i += kSums) {
    for (std::size_t j = 0; j < kSums; ++j) parts[j] += a[i + j] * b[i + j];
  }
  return sum(parts);
}

float squared_error(std::span<const float> numbers, const float* codes, float scale) {
  std::array<float, kSums> parts{};
  for (std::size_t i = 0; i < numbers.size(); i += kSums) {
    for (std::size_t j = 0; j < kSums; ++j) {
      const float error = numbers[i + j] - scale * codes[i + j];
      parts[j] += error * error;
    }
  }
  return sum(parts);
}

float largest(std::span<const float> numbers) {
  return *std::ranges::max_element(numbers, {}, [](float x) { return std::abs(x); });
}

float inverse_of(float scale) {
  const float inverse = 1 / scale;
  return scale == 0 || !std::isfinite(inverse) ? 0 : inverse;
}

// The numbers of a block, divided by a power of two so that no square is beyond f32, or lost.
class Block {
 public:
  Block(const Format& format, const Rounding& rounding) : format_(format), rounding_(rounding) {
    for (int bits = 0; bits < 1 << format.codes.low.width; ++bits) {
      const bool has_table = !format.codes.table.empty();
      const int code = has_table ? format.codes.table[static_cast<std::size_t>(bits)] : static_cast<std::int8_t>(bits);
      if (code >= -kMostCode) bits_[static_cast<std::size_t>(code + kMostCode)] = static_cast<std::uint8_t>(bits);
    }
  }

  [[nodiscard]] bool quantise(const float* values, std::byte* out) {
    const auto count = static_cast<std::size_t>(format_.elements);
    float most = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i])) return false;
      most = std::max(most, std::abs(values[i]));
    }
    std::fill_n(out, format_.bytes, std::byte{0});
    exponent_ = most == 0 ? 0 : std::ilogb(most);
    const double factor = std::ldexp(1.0, -exponent_);
    for (std::size_t i = 0; i < count; ++i) numbers_[i] = static_cast<float>(values[i] * factor);
    return format_.scale.integers ? quantise_nested(out) : quantise_plain(out);
  }

 private:
  std::span<const float> group(int g) const {
    return {numbers_.data() + static_cast<std::ptrdiff_t>(g) * format_.group, static_cast<std::size_t>(format_.group)};
  }

  // A scale as it is stored.
  f16 stored(float scale) const { return f16(std::ldexp(scale, exponent_)); }
  float read(f16 scale) const { return std::ldexp(static_cast<float>(scale), -exponent_); }

  // The squared error of a group with a scale, and what its codes are.
  float try_scale(std::span<const float> numbers, float scale) {
    rounding_.round(numbers, inverse_of(scale), codes_.data());
    return squared_error(numbers, codes_.data(), scale);
  }

  // The scale that leaves the least error, whatever numbers a scale may be.
  float best_scale(std::span<const float> numbers) {
    const float end = largest(numbers);
    if (end == 0) return 0;
    float best = 0, least = -1;
    for (const float code : rounding_.ends()) {
      rounding_.round(numbers, code / end, codes_.data());
      const float square = product({codes_.data(), numbers.size()}, codes_.data());
      const float both = product(numbers, codes_.data());
      if (square > 0 && both * both > least * square) {  // what the error is less than the sum of all squares
        least = both * both / square;
        best = both / square;
      }
    }
    return best;
  }

  bool quantise_plain(std::byte* out) {
    for (int g = 0; g < format_.groups(); ++g) {
      const std::span<const float> numbers = group(g);
      const f16 usual = stored(largest(numbers) / rounding_.ends()[0]);
      const f16 found = stored(best_scale(numbers));
      const bool is_better = try_scale(numbers, read(found)) < try_scale(numbers, read(usual));
      const f16 scale = is_better ? found : usual;
      if (!std::isfinite(static_cast<float>(scale))) return false;
      std::memcpy(out + format_.scale.first + static_cast<std::ptrdiff_t>(g) * format_.scale.stride, &scale, 2);
      write_codes(g, read(scale), out);
    }
    return true;
  }

  bool quantise_nested(std::byte* out) {
    std::array<float, kMaxGroups> scales{};
    float most = 0;
    for (int g = 0; g < format_.groups(); ++g) {
      scales[static_cast<std::size_t>(g)] = best_scale(group(g));
      most = std::max(most, std::abs(scales[static_cast<std::size_t>(g)]));
    }
    const f16 whole = stored(most / kMostScaleCode);
    if (!std::isfinite(static_cast<float>(whole))) return false;
    std::memcpy(out + format_.scale.first, &whole, 2);
    for (int g = 0; g < format_.groups(); ++g) {
      const int code = best_scale_code(group(g), scales[static_cast<std::size_t>(g)], read(whole));
      out[format_.scale.integers->low.first / 8 + g] = static_cast<std::byte>(static_cast<std::int8_t>(code));
      write_codes(g, read(whole) * static_cast<float>(code), out);
    }
    return true;
  }

  // Of the multiples about a scale that one which leaves the least error.
  int best_scale_code(std::span<const float> numbers, float scale, float whole) {
    const float multiple = std::clamp(scale * inverse_of(whole), -127.0F, 127.0F);
    const int nearest = static_cast<int>(std::lround(multiple));
    int best = nearest;
    float least = -1;
    for (const int code : {nearest, nearest - 1, nearest + 1}) {
      if (std::abs(code) > kMostScaleCode) continue;
      const float error = try_scale(numbers, whole * static_cast<float>(code));
      if (least >= 0 && error >= least) continue;
      least = error;
      best = code;
    }
    return best;
  }

  void write_codes(int g, float scale, std::byte* out) {
    const std::span<const float> numbers = group(g);
    rounding_.round(numbers, inverse_of(scale), codes_.data());
    for (int i = 0; i < format_.group; ++i) write_code(g * format_.group + i, codes_[static_cast<std::size_t>(i)], out);
  }

  // Codes have whole bytes, or halves of them.
  void write_code(int item, float code, std::byte* out) const {
    const BitField& field = format_.codes.low;
    const auto& [outer, middle, inner] = field.digits;
    const int bit = field.first + item / inner.extent * middle.stride + item % inner.extent * inner.stride;
    const unsigned bits = bits_[static_cast<std::size_t>(static_cast<int>(code) + kMostCode)];
    out[bit / 8] |= static_cast<std::byte>(bits << (bit % 8));
  }

  const Format& format_;
  const Rounding& rounding_;
  int exponent_ = 0;
  std::array<std::uint8_t, 2 * kMostCode + 1> bits_{};  // of each code, the least first
  std::array<float, kMaxElements> numbers_{};
  std::array<float, kMaxElements> codes_{};
};

}  // namespace

bool quantise(const Format& format, const float* values, std::int64_t count, std::byte* out) {
  STRATA_CHECK(format.group % kSums == 0 && format.has_offset == Offset::kNone, "a format of our own");
  const ToInteger to_integer;
  std::optional<ToTable> to_table;
  if (!format.codes.table.empty()) to_table.emplace(format.codes.table);
  const Rounding& rounding = to_table ? static_cast<const Rounding&>(*to_table) : to_integer;
  Block block(format, rounding);
  for (; count > 0; --count, values += format.elements, out += format.bytes) {
    if (!block.quantise(values, out)) return false;
  }
  return true;
}

}  // namespace strata::blocks
