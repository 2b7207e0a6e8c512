// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace strata::egraph {

// A list of 32-bit ids in 16 bytes, two of them in place: most classes have one node and few parents.
class IdList {
 public:
  IdList() = default;
  IdList(IdList&& other) noexcept { swap(other); }
  IdList& operator=(IdList&& other) noexcept {
    IdList moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~IdList() { release(); }

  std::size_t size() const { return size_; }
  std::uint32_t* data() { return in_place() ? storage_.ids : storage_.heap; }
  const std::uint32_t* data() const { return in_place() ? storage_.ids : storage_.heap; }
  std::span<const std::uint32_t> ids() const { return {data(), size_}; }
  std::span<std::uint32_t> ids() { return {data(), size_}; }

  void push_back(std::uint32_t id) {
    if (size_ == capacity_) grow(size_ + 1);
    data()[size_++] = id;
  }
  void append(std::span<const std::uint32_t> ids) {
    if (size_ + ids.size() > capacity_) grow(size_ + ids.size());
    std::copy(ids.begin(), ids.end(), data() + size_);
    size_ += static_cast<std::uint32_t>(ids.size());
  }
  void truncate(std::size_t size) { size_ = static_cast<std::uint32_t>(size); }
  void clear() {
    release();
    size_ = 0;
    capacity_ = kInPlace;
  }
  std::size_t heap_bytes() const { return in_place() ? 0 : capacity_ * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kInPlace = 2;

  bool in_place() const { return capacity_ == kInPlace; }
  void release() {
    if (!in_place()) delete[] storage_.heap;
  }
  void grow(std::size_t needed) {
    const std::size_t capacity = std::max<std::size_t>(needed, std::size_t{capacity_} * 2);
    auto larger = std::make_unique_for_overwrite<std::uint32_t[]>(capacity);
    std::copy_n(data(), size_, larger.get());
    release();
    storage_.heap = larger.release();
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  void swap(IdList& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(storage_, other.storage_);
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = kInPlace;
  union {
    std::uint32_t ids[kInPlace];
    std::uint32_t* heap;
  } storage_ = {};
};

static_assert(sizeof(IdList) == 16);

}  // namespace strata::egraph
