// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/hash.h"
#include "package/format.h"
#include "package/package.h"

namespace strata::package {
namespace {

constexpr std::uint64_t kReadBack = std::uint64_t{1} << 20;

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// Runs `body` once on each of `threads` threads, this one among them, and rethrows the first exception.
void run_team(int threads, const std::function<void()>& body) {
  std::exception_ptr failure;
  std::mutex mutex;
  const auto guarded = [&] {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(guarded);
    guarded();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

struct PackageWriter::Section {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::mutex mutex;                                  // guards `hashes`
  std::vector<std::optional<std::uint64_t>> hashes;  // per block; nullopt: to be read back

  // Notes that the range was written. Blocks that it covers are hashed from memory, those that it cuts are unknown.
  void note_written(std::uint64_t at, std::span<const std::byte> data) {
    const std::uint64_t end = at + data.size();
    for (std::uint64_t block = at / kChecksumBlock; block * kChecksumBlock < end; ++block) {
      const std::uint64_t begin = block * kChecksumBlock;
      const std::uint64_t length = std::min(kChecksumBlock, bytes - begin);
      std::optional<std::uint64_t> hash;
      if (begin >= at && begin + length <= end) hash = hash64(data.subspan(begin - at, length));
      const std::lock_guard lock(mutex);
      hashes[block] = hash;
    }
  }
};

PackageWriter::PackageWriter(const std::filesystem::path& target, std::uint64_t expected_bytes)
    : file_(target, expected_bytes), end_(kHeaderBytes) {}

PackageWriter::~PackageWriter() = default;

PackageWriter::Section& PackageWriter::append(std::string_view name, std::uint64_t bytes) {
  STRATA_CHECK(is_section_name(name), "bad section name " + std::string(name));
  const std::lock_guard lock(mutex_);
  STRATA_CHECK(sections_.size() < kMaxSections, "too many sections");
  for (const auto& other : sections_) STRATA_CHECK(other->name != name, "section added twice: " + std::string(name));
  auto section = std::make_unique<Section>();
  section->name = name;
  section->offset = align_up(end_, section_alignment(bytes));
  section->bytes = bytes;
  section->hashes.resize((bytes + kChecksumBlock - 1) / kChecksumBlock);
  end_ = section->offset + bytes;
  file_.reserve(end_);
  sections_.push_back(std::move(section));
  return *sections_.back();
}

PackageWriter::Section& PackageWriter::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(sections_.begin(), sections_.end(), [&](const auto& s) { return s->name == name; });
  STRATA_CHECK(at != sections_.end(), "no section " + std::string(name));
  return **at;
}

void PackageWriter::add(std::string_view name, std::span<const std::byte> bytes) {
  Section& section = append(name, bytes.size());
  file_.write_at(section.offset, bytes);
  section.note_written(0, bytes);
}

void PackageWriter::reserve(std::string_view name, std::uint64_t bytes) { append(name, bytes); }

void PackageWriter::write_at(std::string_view name, std::uint64_t offset, std::span<const std::byte> bytes) {
  Section& section = find(name);
  STRATA_CHECK(offset <= section.bytes && bytes.size() <= section.bytes - offset, "write beyond the section");
  file_.write_at(section.offset + offset, bytes);
  section.note_written(offset, bytes);
}

// The hash of a block as it is in the file.
std::uint64_t PackageWriter::read_back(const Section& section, std::uint64_t block) const {
  const std::uint64_t begin = block * kChecksumBlock;
  const std::uint64_t length = std::min(kChecksumBlock, section.bytes - begin);
  std::vector<std::byte> buffer(std::min(kReadBack, length));
  Hasher hasher;
  for (std::uint64_t done = 0; done < length; done += buffer.size()) {
    const auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), length - done));
    file_.read_at(section.offset + begin + done, part);
    hasher.bytes(part);
  }
  return hasher.digest64();
}

void PackageWriter::hash_missing_blocks(int threads) {
  std::vector<std::pair<Section*, std::size_t>> missing;
  for (const auto& section : sections_) {
    for (std::size_t block = 0; block < section->hashes.size(); ++block) {
      if (!section->hashes[block]) missing.emplace_back(section.get(), block);
    }
  }
  std::atomic<std::size_t> next = 0;
  run_team(std::min(threads, static_cast<int>(std::min<std::size_t>(missing.size(), 1024))), [&] {
    for (std::size_t i = next++; i < missing.size(); i = next++) {
      const auto [section, block] = missing[i];
      section->hashes[block] = read_back(*section, block);
    }
  });
}

void PackageWriter::commit(int threads) {
  hash_missing_blocks(threads);
  std::vector<SectionRow> rows;
  for (const auto& section : sections_) {
    std::vector<std::uint64_t> hashes;
    for (const auto& hash : section->hashes) hashes.push_back(*hash);
    SectionRow row{
        .name = {}, .offset = section->offset, .bytes = section->bytes, .checksum = combine_block_hashes(hashes)};
    std::copy(section->name.begin(), section->name.end(), row.name.begin());
    rows.push_back(row);
  }
  Header header{.magic = kMagic,
                .version = kFormatVersion,
                .sections = static_cast<std::uint32_t>(rows.size()),
                .file_bytes = end_,
                .checksum = 0,
                .zero = {}};
  header.checksum = table_checksum(header, rows);
  file_.reserve(end_);
  file_.write_at(0, std::as_bytes(std::span(&header, 1)));
  file_.write_at(sizeof(header), std::as_bytes(std::span(rows)));
  file_.commit();
}

}  // namespace strata::package
