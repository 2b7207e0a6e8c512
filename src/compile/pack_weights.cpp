// SPDX-License-Identifier: Apache-2.0
#include "compile/pack_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "compile/constant_reader.h"
#include "compile/parallel_for.h"
#include "import/block_parts.h"

namespace strata::compile {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{16} << 20;

using codegen::WeightMap;

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
    case 16:
      return interleave<std::array<std::uint64_t, 2>>(rows, lanes, units, out);
    default:
      STRATA_CHECK(false, "no packing of units of " + std::to_string(unit_bytes) + " bytes");
  }
}

bool fills_panels(const ir::TensorType& type) {
  const auto& packs = type.layout.packs;
  if (type.rank() != 2 || packs.empty() || packs.size() > 2 || packs[0].axis != 0) return false;
  if (packs.size() == 2 && packs[1].axis != 1) return false;
  const std::int64_t unit = dtype_size(type.dtype) * type.layout.group();
  return unit == 2 || unit == 4 || unit == 8 || unit == 16;
}

// A matrix [n, k] in panels of `lanes` rows, `group` neighbours of k together:
// [ceil(n/lanes)][ceil(k/group)][lanes][group].
class PanelPacker {
 public:
  PanelPacker(const ElementSource& source, const ir::TensorType& stored)
      : source_(source),
        n_(stored.shape[0].factor()),
        k_(stored.shape[1].factor()),
        lanes_(stored.layout.packs[0].lanes),
        group_(stored.layout.group()),
        dtype_(stored.dtype),
        row_bytes_((k_ + group_ - 1) / group_ * group_ * dtype_size(dtype_)),
        rows_(static_cast<std::size_t>(lanes_ * row_bytes_)) {}

  std::int64_t panel_bytes() const { return lanes_ * row_bytes_; }

  void pack(std::int64_t panel, std::byte* out) {
    std::ranges::fill(rows_, std::byte{0});
    for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
      source_.read((panel * lanes_ + lane) * k_, k_, dtype_, rows_.data() + lane * row_bytes_);
    }
    const std::int64_t unit = group_ * dtype_size(dtype_);
    interleave(rows_.data(), lanes_, row_bytes_ / unit, unit, out);
  }

 private:
  const ElementSource& source_;
  std::int64_t n_, k_, lanes_, group_;
  DType dtype_;
  std::int64_t row_bytes_;
  std::vector<std::byte> rows_;  // a panel's rows one after another, converted and padded
};

void pack_panels(const ElementSource& source, const ir::TensorType& stored, std::int64_t begin, std::int64_t end,
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

// Number of the element that lies at a position of a packed tensor; nothing for padding.
std::optional<std::int64_t> element_at(const ir::TensorType& type, std::int64_t position) {
  std::vector<std::int64_t> inside(type.shape.size(), 0);
  for (auto pack = type.layout.packs.rbegin(); pack != type.layout.packs.rend(); ++pack) {
    inside[static_cast<std::size_t>(pack->axis)] = position % pack->lanes;
    position /= pack->lanes;
  }
  std::vector<std::int64_t> index(type.shape.size());
  for (std::size_t axis = type.shape.size(); axis-- > 0;) {
    const std::int64_t lanes = type.layout.lanes(static_cast<int>(axis));
    const std::int64_t blocks = (type.shape[axis].factor() + lanes - 1) / lanes;
    index[axis] = position % blocks * lanes + inside[axis];
    position /= blocks;
    if (index[axis] >= type.shape[axis].factor()) return std::nullopt;
  }
  std::int64_t element = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) element = element * type.shape[axis].factor() + index[axis];
  return element;
}

// Any layout, an element at a time.
void gather_elements(const ElementSource& source, const ir::TensorType& stored, std::int64_t begin, std::int64_t end,
                     std::byte* out) {
  const std::int64_t size = dtype_size(stored.dtype);
  for (std::int64_t at = begin; at < end; at += size, out += size) {
    if (const auto element = element_at(stored, at / size)) {
      source.read(*element, 1, stored.dtype, out);
    } else {
      std::memset(out, 0, static_cast<std::size_t>(size));
    }
  }
}

// A constant of the map while its bytes are made.
struct Job {
  const WeightMap::Entry* entry;
  StoredConstant constant;
};

// What lies in [begin, end) of the section: into the buffer, which starts at `begin`.
void read_pieces(const std::vector<Job>& jobs, std::int64_t begin, std::int64_t end, std::vector<std::byte>& buffer) {
  const auto offset = [](const Job& job) { return job.entry->offset; };
  auto job = std::ranges::upper_bound(jobs, begin, {}, offset);
  if (job != jobs.begin()) --job;
  for (; job != jobs.end() && job->entry->offset < end; ++job) {
    const std::int64_t from = std::max(begin, job->entry->offset);
    const std::int64_t to = std::min(end, job->entry->offset + job->entry->bytes);
    if (from >= to) continue;
    job->constant.read(from - job->entry->offset, to - job->entry->offset, buffer.data() + (from - begin));
  }
}

// Writes ranges of the section in blocks that its checksum is made of, several at a time.
class SectionWriter {
 public:
  SectionWriter(package::PackageWriter& writer, std::int64_t bytes, int threads,
                const std::function<void(double done)>& progress)
      : writer_(writer), bytes_(bytes), threads_(threads), progress_(progress) {}

  void write(const std::vector<Job>& jobs, std::int64_t begin, std::int64_t end) {
    if (begin >= end) return;
    const std::int64_t first = begin / kBlockBytes;
    const std::int64_t blocks = (end + kBlockBytes - 1) / kBlockBytes - first;
    parallel_for(static_cast<std::size_t>(blocks), threads_, [&](std::size_t i) {
      const std::int64_t block = (first + static_cast<std::int64_t>(i)) * kBlockBytes;
      write_block(jobs, std::max(begin, block), std::min(end, block + kBlockBytes));
    });
  }

 private:
  void write_block(const std::vector<Job>& jobs, std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> buffer(static_cast<std::size_t>(end - begin));
    read_pieces(jobs, begin, end, buffer);
    writer_.write_at(package::kWeightsSection, static_cast<std::uint64_t>(begin), buffer);
    report(end - begin);
  }

  void report(std::int64_t written) {
    const std::lock_guard lock(reporting_);
    finished_ += written;
    if (progress_) progress_(static_cast<double>(finished_) / static_cast<double>(bytes_));
  }

  package::PackageWriter& writer_;
  const std::int64_t bytes_;
  const int threads_;
  const std::function<void(double done)>& progress_;
  std::mutex reporting_;  // progress is told by one thread at a time, in rising order
  std::int64_t finished_ = 0;
};

}  // namespace

StoredConstant::StoredConstant(const ir::Expr& constant, const TensorSource& tensors, const encoding::Fit& fit)
    : type_(constant.type()), elements_(read_constant(constant, tensors)) {
  for (std::size_t i = 0; i < type_.layout.packs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      STRATA_CHECK(type_.layout.packs[i].axis != type_.layout.packs[j].axis,
                   "no packing of weights as " + type_.text());
    }
  }
  const bool is_simple = ir::is_row_major_in_memory(type_) || fills_panels(type_);
  if (!is_simple) elements_ = read_at_once(std::move(elements_), ir::max_element_count(type_.shape));
  if (type_.layout.encoding != nullptr) encoded_ = std::make_unique<EncodedConstant>(*elements_, type_, fit);
}

bool StoredConstant::needs_memory() const { return elements_->needs_memory(); }

void StoredConstant::read(std::int64_t begin, std::int64_t end, std::byte* out) const {
  if (encoded_) return encoded_->read(begin, end, out);
  const std::int64_t size = dtype_size(type_.dtype);
  STRATA_CHECK(begin % size == 0 && end % size == 0, "blocks cut no element");
  if (ir::is_row_major_in_memory(type_)) {
    return elements_->read(begin / size, (end - begin) / size, type_.dtype, out);
  }
  fills_panels(type_) ? pack_panels(*elements_, type_, begin, end, out)
                      : gather_elements(*elements_, type_, begin, end, out);
}

importer::TensorView WeightSource::at(const std::string& name) const {
  const auto computed = decoder_.computed.find(name);
  if (computed == decoder_.computed.end()) {
    const auto part = importer::parse_leaf_name(name);
    if (!part) return checkpoint_.at(name);
    const auto made = decoder_.blocks.find(part->weight);
    return importer::part_of(made == decoder_.blocks.end() ? checkpoint_.at(part->weight) : made->second, part->part);
  }
  const auto& values = computed->second;
  return {name, DType::kF32, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

void pack_weights(package::PackageWriter& writer, const WeightMap& weights, const TensorSource& tensors, int threads,
                  const std::function<void(double done)>& progress) {
  SectionWriter section(writer, weights.total_bytes(), threads, progress);
  std::vector<Job> streamed;
  std::vector<const WeightMap::Entry*> evaluated;
  for (const WeightMap::Entry& entry : weights.entries()) {
    StoredConstant constant(*entry.constant, tensors, entry.fit);
    if (constant.needs_memory()) {
      evaluated.push_back(&entry);
    } else {
      streamed.push_back({&entry, std::move(constant)});
    }
  }
  std::int64_t begin = 0;
  for (const WeightMap::Entry* entry : evaluated) {
    section.write(streamed, begin, entry->offset);
    std::vector<Job> one;
    one.push_back({entry, StoredConstant(*entry->constant, tensors, entry->fit)});
    begin = entry->offset + entry->bytes;
    section.write(one, entry->offset, begin);
  }
  section.write(streamed, begin, weights.total_bytes());
}

}  // namespace strata::compile
