// SPDX-License-Identifier: Apache-2.0
#include "package/code_check.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <vector>

namespace strata::package {
namespace {

constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 40;

bool fits(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return offset <= size && length <= size - offset;
}

// A copy: the bytes may lie at any address.
template <class T>
std::vector<T> read_table(std::span<const std::byte> elf, std::uint64_t offset, std::uint64_t count) {
  std::vector<T> table(count);
  if (count > 0) std::memcpy(table.data(), elf.data() + offset, count * sizeof(T));
  return table;
}

bool is_shared_object(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_type == ET_DYN && header.e_phentsize == sizeof(Elf64_Phdr);
}

// Where the file's bytes for an address lie.
class Segments {
 public:
  explicit Segments(const std::vector<Elf64_Phdr>& headers) {
    std::ranges::copy_if(headers, std::back_inserter(loads_),
                         [](const auto& header) { return header.p_type == PT_LOAD; });
  }

  bool are_sound(std::uint64_t file_size) const {
    const auto is_sound = [&](const Elf64_Phdr& load) {
      return fits(load.p_offset, load.p_filesz, file_size) && load.p_filesz <= load.p_memsz &&
             fits(load.p_vaddr, load.p_memsz, kMaxAddress);
    };
    return !loads_.empty() && std::ranges::all_of(loads_, is_sound) &&
           std::ranges::is_sorted(loads_, {}, &Elf64_Phdr::p_vaddr);
  }

  bool hold(std::uint64_t address, std::uint64_t length) const {
    return std::ranges::any_of(loads_, [&](const Elf64_Phdr& load) {
      return address >= load.p_vaddr && fits(address - load.p_vaddr, length, load.p_filesz);
    });
  }

 private:
  std::vector<Elf64_Phdr> loads_;
};

// A dynamic section names tables by address and, in another entry, by size.
struct Table {
  std::int64_t address;
  std::int64_t size;  // 0: a size that isn't told
  bool is_needed;
};
constexpr Table kTables[] = {{DT_STRTAB, DT_STRSZ, true},     {DT_SYMTAB, 0, true},
                             {DT_GNU_HASH, 0, true},          {DT_RELA, DT_RELASZ, false},
                             {DT_JMPREL, DT_PLTRELSZ, false}, {DT_INIT_ARRAY, DT_INIT_ARRAYSZ, false},
                             {DT_VERSYM, 0, false},           {DT_VERNEED, 0, false}};

bool tables_are_there(const std::vector<Elf64_Dyn>& dynamic, const Segments& segments) {
  const auto value = [&](std::int64_t tag) -> std::optional<std::uint64_t> {
    const auto found = std::ranges::find(dynamic, tag, &Elf64_Dyn::d_tag);
    return found == dynamic.end() ? std::nullopt : std::optional(found->d_un.d_val);
  };
  return std::ranges::all_of(kTables, [&](const Table& table) {
    const auto address = value(table.address);
    if (!address) return !table.is_needed;
    const std::uint64_t size = table.size == 0 ? 1 : value(table.size).value_or(~std::uint64_t{0});
    return segments.hold(*address, size);
  });
}

}  // namespace

std::string fault_of_code(std::span<const std::byte> elf) {
  Elf64_Ehdr header{};
  if (elf.size() < sizeof(header)) return "it is no shared object";
  std::memcpy(&header, elf.data(), sizeof(header));
  if (!is_shared_object(header)) return "it is no 64-bit shared object";
  if (!fits(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), elf.size())) return "it is cut";
  const auto headers = read_table<Elf64_Phdr>(elf, header.e_phoff, header.e_phnum);
  // The loader makes it when a thread first uses it, and ends the process where it can't.
  if (std::ranges::find(headers, std::uint32_t{PT_TLS}, &Elf64_Phdr::p_type) != headers.end()) {
    return "it has thread-local storage";
  }
  const Segments segments(headers);
  if (!segments.are_sound(elf.size())) return "it is cut, or its segments are wrong";
  const auto dynamic_header = std::ranges::find(headers, std::uint32_t{PT_DYNAMIC}, &Elf64_Phdr::p_type);
  if (dynamic_header == headers.end()) return "it has no dynamic section";
  if (!fits(dynamic_header->p_offset, dynamic_header->p_filesz, elf.size()) ||
      !segments.hold(dynamic_header->p_vaddr, dynamic_header->p_filesz)) {
    return "its dynamic section is misplaced";
  }
  auto dynamic = read_table<Elf64_Dyn>(elf, dynamic_header->p_offset, dynamic_header->p_filesz / sizeof(Elf64_Dyn));
  const auto end = std::ranges::find(dynamic, std::int64_t{DT_NULL}, &Elf64_Dyn::d_tag);
  if (end == dynamic.end()) return "its dynamic section has no end";
  dynamic.erase(end, dynamic.end());
  if (!tables_are_there(dynamic, segments)) return "its dynamic section names tables that it lacks";
  return "";
}

}  // namespace strata::package
