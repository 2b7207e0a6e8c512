// SPDX-License-Identifier: Apache-2.0
#include "cli/npy.h"

#include <bit>
#include <string>

#include "base/error.h"

namespace strata::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "written as '<f4'");

// Magic, version, length of the text, and the text padded so that the values start at a multiple of 64 bytes.
std::string header(std::int64_t rows, std::int64_t columns) {
  constexpr std::size_t kPreamble = 10, kAlignment = 64;
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                     std::to_string(columns) + "), }";
  std::size_t padding = kAlignment - (kPreamble + text.size() + 1) % kAlignment;
  text += std::string(padding, ' ') + "\n";
  std::string preamble = "\x93NUMPY";
  preamble += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return preamble + text;
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& path, std::int64_t rows, std::int64_t columns)
    : values_(rows * columns), file_(path, static_cast<std::uint64_t>(values_) * sizeof(float)) {
  file_.append(header(rows, columns));
}

void NpyWriter::append(std::span<const float> values) {
  written_ += std::ssize(values);
  file_.append(std::as_bytes(values));
}

void NpyWriter::commit() {
  STRATA_CHECK(written_ == values_, "every row of the matrix is written");
  file_.commit();
}

}  // namespace strata::cli
