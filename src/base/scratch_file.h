// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace strata {

// Bytes in a file without a name that is mapped: what is made once and read several times, and may be larger than the
// memory. It is gone with this object, whatever ends the process.
class ScratchFile {
 public:
  ScratchFile() = default;
  // `size` zeros, in a file system that has room for them: of `folder`, which exists. Throws resource_error.
  ScratchFile(const std::filesystem::path& folder, std::uint64_t size);
  ~ScratchFile();
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&& other) noexcept;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // From several threads at once, where their ranges are others.
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace strata
