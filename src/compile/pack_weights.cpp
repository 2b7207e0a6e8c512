// SPDX-License-Identifier: Apache-2.0
#include "compile/pack_weights.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/error.h"
#include "compile/parallel_for.h"
#include "tensor/vec.h"

namespace strata::compile {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{16} << 20;

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
    default:
      STRATA_CHECK(false, "weights are floating-point");
  }
}

void convert(DType from, const std::byte* p, std::int64_t count, DType to, std::byte* out) {
  switch (from) {
    case DType::kF32:
      return convert_from<float>(p, count, to, out);
    case DType::kF16:
      return convert_from<tensor::f16>(p, count, to, out);
    case DType::kBF16:
      return convert_from<tensor::bf16>(p, count, to, out);
    default:
      STRATA_CHECK(false, "weights are floating-point");
  }
}

// out[i][lane] = rows[lane][i], in units of several elements that stay together.
template <class Unit>
void interleave(const std::byte* rows, std::int64_t lanes, std::int64_t units, std::byte* out) {
  constexpr std::int64_t kTile = 64;  // units of one row per step: a row's piece is a cache line or a few
  for (std::int64_t first = 0; first < units; first += kTile) {
    const std::int64_t last = std::min(first + kTile, units);
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      for (std::int64_t i = first; i < last; ++i) {
        std::memcpy(out + (i * lanes + lane) * static_cast<std::int64_t>(sizeof(Unit)),
                    rows + (lane * units + i) * static_cast<std::int64_t>(sizeof(Unit)), sizeof(Unit));
      }
    }
  }
}

void interleave(const std::byte* rows, std::int64_t lanes, std::int64_t units, std::int64_t unit_bytes,
                std::byte* out) {
  switch (unit_bytes) {
    case 2:
      return interleave<std::uint16_t>(rows, lanes, units, out);
    case 4:
      return interleave<std::uint32_t>(rows, lanes, units, out);
    case 8:
      return interleave<std::uint64_t>(rows, lanes, units, out);
    default:
      STRATA_CHECK(false, "no packing of units of " + std::to_string(unit_bytes) + " bytes");
  }
}

// A matrix [n, k] in panels of `lanes` rows, `group` neighbours of k together:
// [ceil(n/lanes)][ceil(k/group)][lanes][group].
class PanelPacker {
 public:
  PanelPacker(const importer::TensorView& source, const ir::TensorType& stored)
      : source_(source),
        n_(stored.shape[0].factor()),
        k_(stored.shape[1].factor()),
        lanes_(stored.layout.packs[0].lanes),
        group_(stored.layout.packs.size() == 2 ? stored.layout.packs[1].lanes : 1),
        dtype_(stored.dtype),
        row_bytes_((k_ + group_ - 1) / group_ * group_ * dtype_size(dtype_)),
        rows_(static_cast<std::size_t>(lanes_ * row_bytes_)) {
    const auto& packs = stored.layout.packs;
    STRATA_CHECK(
        stored.rank() == 2 && packs[0].axis == 0 && (packs.size() == 1 || packs[1].axis == 1) && packs.size() <= 2,
        "no packing of weights as " + stored.text());
  }

  std::int64_t panel_bytes() const { return lanes_ * row_bytes_; }

  void pack(std::int64_t panel, std::byte* out) {
    const std::int64_t size = dtype_size(source_.dtype);
    std::ranges::fill(rows_, std::byte{0});
    for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
      const std::byte* row = source_.bytes.data() + (panel * lanes_ + lane) * k_ * size;
      convert(source_.dtype, row, k_, dtype_, rows_.data() + lane * row_bytes_);
    }
    const std::int64_t unit = group_ * dtype_size(dtype_);
    interleave(rows_.data(), lanes_, row_bytes_ / unit, unit, out);
  }

 private:
  const importer::TensorView& source_;
  std::int64_t n_, k_, lanes_, group_;
  DType dtype_;
  std::int64_t row_bytes_;
  std::vector<std::byte> rows_;  // a panel's rows one after another, converted and padded
};

void pack_panels(const importer::TensorView& source, const ir::TensorType& stored, std::int64_t begin, std::int64_t end,
                 std::byte* out) {
  PanelPacker packer(source, stored);
  const std::int64_t bytes = packer.panel_bytes();
  std::vector<std::byte> panel(static_cast<std::size_t>(bytes));
  for (std::int64_t p = begin / bytes; p * bytes < end; ++p) {
    const std::int64_t first = std::max(begin, p * bytes);
    const std::int64_t last = std::min(end, (p + 1) * bytes);
    if (last - first == bytes) {
      packer.pack(p, out + (first - begin));
    } else {
      packer.pack(p, panel.data());
      std::memcpy(out + (first - begin), panel.data() + (first - p * bytes), static_cast<std::size_t>(last - first));
    }
  }
}

void convert_range(const importer::TensorView& source, const ir::TensorType& stored, std::int64_t begin,
                   std::int64_t end, std::byte* out) {
  const std::int64_t size = dtype_size(stored.dtype);
  STRATA_CHECK(begin % size == 0 && end % size == 0, "blocks cut no element");
  convert(source.dtype, source.bytes.data() + begin / size * dtype_size(source.dtype), (end - begin) / size,
          stored.dtype, out);
}

}  // namespace

importer::TensorView WeightSource::at(const std::string& name) const {
  const auto computed = computed_.find(name);
  if (computed == computed_.end()) return checkpoint_.at(name);
  const auto& values = computed->second;
  return {name, DType::kF32, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

void pack_range(const importer::TensorView& source, const ir::TensorType& stored, std::int64_t begin, std::int64_t end,
                std::byte* out) {
  stored.layout.is_row_major() ? convert_range(source, stored, begin, end, out)
                               : pack_panels(source, stored, begin, end, out);
}

void pack_weights(package::PackageWriter& writer, const codegen::WeightMap& weights, const WeightSource& source,
                  int threads, const std::function<void(double done)>& progress) {
  const auto& entries = weights.entries();
  const std::int64_t blocks = (weights.total_bytes() + kBlockBytes - 1) / kBlockBytes;
  std::atomic<std::int64_t> finished = 0;
  parallel_for(static_cast<std::size_t>(blocks), threads, [&](std::size_t block) {
    const std::int64_t begin = static_cast<std::int64_t>(block) * kBlockBytes;
    const std::int64_t end = std::min(begin + kBlockBytes, weights.total_bytes());
    std::vector<std::byte> buffer(static_cast<std::size_t>(end - begin));
    const auto first = std::ranges::upper_bound(entries, begin, {}, &codegen::WeightMap::Entry::offset) - 1;
    for (auto entry = first; entry != entries.end() && entry->offset < end; ++entry) {
      const std::int64_t from = std::max(begin, entry->offset);
      const std::int64_t to = std::min(end, entry->offset + entry->bytes);
      if (from >= to) continue;
      pack_range(source.at(entry->name), entry->type, from - entry->offset, to - entry->offset,
                 buffer.data() + (from - begin));
    }
    writer.write_at(package::kWeightsSection, static_cast<std::uint64_t>(begin), buffer);
    if (progress) progress(static_cast<double>(++finished) / static_cast<double>(blocks));
  });
}

}  // namespace strata::compile
