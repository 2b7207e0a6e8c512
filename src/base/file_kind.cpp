// SPDX-License-Identifier: Apache-2.0
#include "base/file_kind.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "base/text_file.h"

namespace strata {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kLfsVersion = "version https://git-lfs.github.com/spec/";
constexpr std::size_t kHeadBytes = 64;

struct Row {
  std::string_view magic;  // the file's first bytes
  FileKind kind;
};

constexpr FileKind kPickle = {"a PyTorch checkpoint", "save the model as safetensors"};
constexpr FileKind kWebPage = {"a web page", "download the file again"};
constexpr FileKind kArchive = {"a compressed file", "unpack it first"};

constexpr std::array<Row, 11> kKinds = {{
    {"GGUF"sv, {"a GGUF file", "give the file itself as the model"}},
    {kLfsVersion, {"a git-LFS pointer instead of the file itself", "run git lfs pull in its folder"}},
    {"PK\x03\x04"sv, kPickle},
    {"\x80\x02\x8a\x0al\xfc\x9c"sv, kPickle},
    {"\x89HDF\r\n"sv, {"a Keras or TensorFlow checkpoint", "save the model as safetensors"}},
    {"<!DOCTYPE"sv, kWebPage},
    {"<!doctype"sv, kWebPage},
    {"<html"sv, kWebPage},
    {"\x1f\x8b"sv, kArchive},
    {"\x28\xb5\x2f\xfd"sv, kArchive},
    {"\xfd\x37zXZ"sv, kArchive},
}};

constexpr FileKind kSafetensors = {"one file of a model", "give the folder that holds it and its config.json"};

// The length of its header, of at most 100 MB, and the header, a JSON object.
bool is_safetensors(std::string_view head) {
  constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
  std::uint64_t length = 0;
  if (head.size() <= sizeof(length) || head[sizeof(length)] != '{') return false;
  std::memcpy(&length, head.data(), sizeof(length));
  return length <= kMaxHeaderBytes;
}

}  // namespace

const FileKind kLfsPointer = kKinds[1].kind;

bool is_lfs_pointer(std::string_view text) { return text.starts_with(kLfsVersion); }

const FileKind* find_file_kind(std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const Row& row : kKinds) {
    if (text.starts_with(row.magic)) return &row.kind;
  }
  return is_safetensors(text) ? &kSafetensors : nullptr;
}

const FileKind* find_file_kind(const std::string& path) {
  const std::string head = read_head(path, kHeadBytes);
  return find_file_kind(std::as_bytes(std::span(head)));
}

}  // namespace strata
