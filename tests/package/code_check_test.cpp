// SPDX-License-Identifier: Apache-2.0
#include "package/code_check.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

namespace strata::package {
namespace {

// The test itself is a position-independent program, which to the loader is a shared object; its thread-local storage
// is taken for something else.
class CodeCheck : public ::testing::Test {
 protected:
  CodeCheck() {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    text_ = {std::istreambuf_iterator<char>(file), {}};
    std::memcpy(&header_, text_.data(), sizeof(header_));
    segments_.resize(header_.e_phnum);
    std::memcpy(segments_.data(), text_.data() + header_.e_phoff, segments_.size() * sizeof(Elf64_Phdr));
    for (Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_TLS) segment.p_type = PT_NOTE;
    }
    (void)fault();
  }

  std::string fault() {
    std::memcpy(text_.data(), &header_, sizeof(header_));
    std::memcpy(text_.data() + header_.e_phoff, segments_.data(), segments_.size() * sizeof(Elf64_Phdr));
    return fault_of_code(std::as_bytes(std::span(text_)));
  }

  Elf64_Phdr& segment(std::uint32_t type) {
    for (Elf64_Phdr& segment : segments_) {
      if (segment.p_type == type) return segment;
    }
    throw std::logic_error("no such segment");
  }

  std::string text_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
};

TEST_F(CodeCheck, ASharedObjectIsSound) { EXPECT_EQ(fault(), ""); }

TEST_F(CodeCheck, OtherFilesAreNone) {
  for (const std::string& text : {std::string(), std::string("no ELF"), std::string(5000, 'x')}) {
    EXPECT_NE(fault_of_code(std::as_bytes(std::span(text))), "") << text.size();
  }
}

TEST_F(CodeCheck, CutsAreFound) {
  std::uint64_t end = 0;
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  const auto bytes = std::as_bytes(std::span(text_));
  for (std::uint64_t size = 0; size < end; size += 1 + end / 100) {
    EXPECT_NE(fault_of_code(bytes.first(size)), "") << size << " of " << end;
  }
  EXPECT_NE(fault_of_code(bytes.first(end - 1)), "");
  EXPECT_EQ(fault_of_code(bytes.first(end)), "") << "the loader needs no section headers";
}

TEST_F(CodeCheck, PartsBeyondTheFileAreFound) {
  segment(PT_LOAD).p_filesz = ~std::uint64_t{0};
  EXPECT_NE(fault(), "");
}

TEST_F(CodeCheck, AnAddressBeyondAllIsFound) {
  segment(PT_LOAD).p_memsz = std::uint64_t{1} << 60;
  EXPECT_NE(fault(), "");
}

TEST_F(CodeCheck, AMisplacedDynamicSectionIsFound) {
  segment(PT_DYNAMIC).p_vaddr += std::uint64_t{1} << 30;
  EXPECT_EQ(fault(), "its dynamic section is misplaced");
}

TEST_F(CodeCheck, ADynamicSectionOfNothingIsFound) {
  const Elf64_Phdr& dynamic = segment(PT_DYNAMIC);
  std::memset(text_.data() + dynamic.p_offset, 0, dynamic.p_filesz);
  EXPECT_EQ(fault(), "its dynamic section names tables that it lacks");
}

TEST_F(CodeCheck, TooManySegmentsAreFound) {
  Elf64_Ehdr forged = header_;
  forged.e_phoff = text_.size() - 8;
  std::memcpy(text_.data(), &forged, sizeof(forged));
  EXPECT_EQ(fault_of_code(std::as_bytes(std::span(text_))), "it is cut");
}

TEST_F(CodeCheck, ThreadLocalStorageIsFound) {
  segment(PT_NOTE).p_type = PT_TLS;
  EXPECT_EQ(fault(), "it has thread-local storage");
}

TEST_F(CodeCheck, AnotherKindOfFileIsFound) {
  header_.e_type = ET_REL;
  EXPECT_EQ(fault(), "it is no 64-bit shared object");
}

}  // namespace
}  // namespace strata::package
