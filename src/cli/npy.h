// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/atomic_file.h"

namespace strata::cli {

// Writes a float32 matrix as a NumPy file (format 1.0), row by row; the file appears whole or not at all.
class NpyWriter {
 public:
  // Throws resource_error when the file can't be made or there is no room for it.
  NpyWriter(const std::filesystem::path& path, std::int64_t rows, std::int64_t columns);

  // Appends whole rows, row-major.
  void append(std::span<const float> values);

  // Throws std::logic_error unless exactly rows x columns values were given.
  void commit();

 private:
  std::int64_t values_;  // that the file will hold
  std::int64_t written_ = 0;
  AtomicFile file_;
};

}  // namespace strata::cli
