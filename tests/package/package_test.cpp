// SPDX-License-Identifier: Apache-2.0
#include "package/package.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "base/file_memory.h"
#include "base/temp_dir.h"
#include "base/text_file.h"
#include "encoding/encoding.h"
#include "package/format.h"
#include "tests/base/expect_error.h"
#include "tests/package/small_manifest.h"

namespace strata::package {
namespace {

namespace fs = std::filesystem;
using strata::fixtures::expect_error;
using strata::fixtures::small_code;
using strata::fixtures::small_manifest;

constexpr std::size_t kWeightBytes = 5000;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string weights() {
  std::string text;
  for (std::size_t i = 0; i < kWeightBytes; ++i) text += static_cast<char>(i * 31 + i / 256);
  return text;
}

class PackageTest : public ::testing::Test {
 protected:
  fs::path path(const char* name = "a.strata") const { return dir_.path() / name; }

  void write(const Manifest& manifest, const fs::path& target) const {
    PackageWriter writer(target, 10'000);
    writer.add(kManifestSection, to_json(manifest));
    writer.reserve(kWeightsSection, kWeightBytes);
    writer.add("tokenizer.json", "{\"model\": {}}");
    writer.write_at(kWeightsSection, 0, bytes(weights()));
    writer.add(kCodeSection, small_code());
    writer.commit();
  }
  std::string package() const {
    write(small_manifest(), path());
    return read_text_file(path(), std::size_t{1} << 30);
  }
  static void refused(const std::string& file, const std::string& part, bool verify_weights = false) {
    expect_error(ExitCode::kModel, {part, "x.strata"},
                 [&] { Package::from_bytes(bytes(file), "x.strata", verify_weights); });
  }
  // Where a section lies.
  static std::pair<std::size_t, std::size_t> section(const std::string& file, std::string_view name) {
    const Package package = Package::from_bytes(bytes(file), "x.strata");
    const auto found = package.section(name);
    return {static_cast<std::size_t>(found.data() - bytes(file).data()), found.size()};
  }

  TempDir dir_{fs::temp_directory_path(), "package-test"};
};

// Changes a table and makes its checksum right again.
template <class Edit>
std::string with_table(std::string file, const Edit& edit) {
  Header header{};
  std::memcpy(&header, file.data(), sizeof(header));
  std::vector<SectionRow> rows(header.sections);
  std::memcpy(rows.data(), file.data() + sizeof(header), rows.size() * sizeof(SectionRow));
  edit(header, rows);
  header.checksum = table_checksum(header, rows);
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), rows.data(), rows.size() * sizeof(SectionRow));
  return file;
}

TEST_F(PackageTest, SectionsComeBack) {
  write(small_manifest(), path());
  const Package package = Package::open(path(), true);
  EXPECT_EQ(to_json(package.manifest()), to_json(small_manifest()));
  EXPECT_EQ(package.text("tokenizer.json"), "{\"model\": {}}");
  EXPECT_EQ(package.text(kCodeSection), small_code());
  EXPECT_EQ(package.text(kWeightsSection), weights());
  EXPECT_TRUE(package.has(kCodeSection));
  EXPECT_FALSE(package.has("nosuch"));
  EXPECT_TRUE(package.section("nosuch").empty());
  EXPECT_EQ(package.sections().size(), 4U);
  for (const auto& [name, section] : package.sections()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(section.data()) % kPage, 0U) << name;
  }
}

TEST_F(PackageTest, SectionsOutliveAMove) {
  write(small_manifest(), path());
  Package first = Package::open(path());
  const Package second = std::move(first);
  EXPECT_EQ(second.text(kWeightsSection), weights());
}

TEST_F(PackageTest, TheSameContentGivesTheSameFile) {
  write(small_manifest(), path("a.strata"));
  write(small_manifest(), path("b.strata"));
  EXPECT_EQ(read_text_file(path("a.strata"), 1 << 20), read_text_file(path("b.strata"), 1 << 20));
  Manifest other = small_manifest();
  other.layers = 3;
  write(other, path("c.strata"));
  const std::string fingerprint = Package::open(path("a.strata")).fingerprint();
  EXPECT_EQ(fingerprint.size(), 16U);
  EXPECT_EQ(Package::open(path("b.strata")).fingerprint(), fingerprint);
  EXPECT_NE(Package::open(path("c.strata")).fingerprint(), fingerprint);
}

TEST_F(PackageTest, WithoutCommitNothingIsLeft) {
  {
    PackageWriter writer(path());
    writer.add(kManifestSection, "{}");
  }
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(PackageTest, EmptySectionsAndNoWeights) {
  Manifest manifest = small_manifest();
  manifest.weights.clear();
  manifest.entries.clear();
  manifest.code.clear();
  PackageWriter writer(path());
  writer.add("config.json", "");
  writer.add(kManifestSection, to_json(manifest));
  writer.add("tokenizer.json", "");
  writer.commit();
  const Package package = Package::open(path(), true);
  EXPECT_TRUE(package.has("tokenizer.json"));
  EXPECT_TRUE(package.section("tokenizer.json").empty());
}

// The pieces in which the weights arrive, and by how many threads, must not show in the file.
TEST_F(PackageTest, ChecksumsDoNotDependOnTheWriting) {
  const std::size_t size = 2 * kChecksumBlock + 12'345;
  std::string content(size, '\0');
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 2654435761U >> 13);
  const auto write_pieces = [&](const char* name, std::size_t piece, int threads) {
    PackageWriter writer(path(name));
    writer.add(kManifestSection, to_json(small_manifest()));
    writer.add(kCodeSection, small_code());
    writer.reserve(kWeightsSection, size);
    {
      std::vector<std::jthread> team;
      for (int t = 0; t < threads; ++t) {
        team.emplace_back([&, t] {
          for (std::size_t at = static_cast<std::size_t>(t) * piece; at < size;
               at += piece * static_cast<std::size_t>(threads)) {
            writer.write_at(kWeightsSection, at, bytes(content).subspan(at, std::min(piece, size - at)));
          }
        });
      }
    }
    writer.commit(threads);
    const Package package = Package::open(path(name), true);
    EXPECT_TRUE(package.text(kWeightsSection) == content);
    EXPECT_EQ(
        static_cast<std::size_t>(package.section(kWeightsSection).data() - package.section(kManifestSection).data()) +
            kHeaderBytes,
        kHugePage);
    return package.fingerprint();
  };
  const std::string whole = write_pieces("whole", size, 1);
  EXPECT_EQ(write_pieces("blocks", kChecksumBlock, 2), whole);
  EXPECT_EQ(write_pieces("pieces", 3'000'001, 4), whole);
}

TEST_F(PackageTest, OverwritingABlockPartlyRenewsItsChecksum) {
  PackageWriter writer(path());
  Manifest manifest = small_manifest();
  writer.add(kManifestSection, to_json(manifest));
  writer.add(kCodeSection, small_code());
  writer.reserve(kWeightsSection, kWeightBytes);
  writer.write_at(kWeightsSection, 0, bytes(weights()));
  writer.write_at(kWeightsSection, 100, bytes("changed"));
  writer.commit();
  EXPECT_EQ(Package::open(path(), true).text(kWeightsSection).substr(100, 7), "changed");
}

TEST_F(PackageTest, WritingBeyondASectionIsOurMistake) {
  PackageWriter writer(path());
  writer.reserve(kWeightsSection, 10);
  EXPECT_THROW(writer.write_at(kWeightsSection, 8, bytes("abc")), std::logic_error);
  EXPECT_THROW(writer.write_at("nosuch", 0, bytes("abc")), std::logic_error);
  EXPECT_THROW(writer.add(kWeightsSection, "again"), std::logic_error);
  EXPECT_THROW(writer.add("../x", "bad name"), std::logic_error);
}

TEST_F(PackageTest, OtherFilesAreNotPackages) {
  refused("", "not a Strata package");
  refused("hello", "not a Strata package");
  refused(std::string(8192, 'x'), "not a Strata package");
  expect_error(ExitCode::kModel, {"no such file"}, [&] { Package::open(path("nosuch")); });
  EXPECT_FALSE(Package::is_package(path("nosuch")));
  EXPECT_FALSE(Package::is_package(dir_.path()));
  std::ofstream(path("text")) << "STRATA";
  EXPECT_FALSE(Package::is_package(path("text")));
  write(small_manifest(), path());
  EXPECT_TRUE(Package::is_package(path()));
}

TEST_F(PackageTest, AnotherVersionIsNamed) {
  std::string file = package();
  file[8] = 7;
  refused(file, "format version 7");
  file[8] = 1;  // whose layouts have other words
  refused(file, "format version 1");
}

// A weight in any encoding, and one that only looks so: a kernel would follow a header that says nothing.
TEST_F(PackageTest, AWeightThatIsNotEncodedAsItSaysIsRefused) {
  const auto expect_refused = [&](const std::string& layout, const std::string& message) {
    Manifest manifest = small_manifest();
    manifest.weights = {{.name = "w", .dtype = DType::kF32, .shape = {16, 32}, .layout = layout, .bytes = 4096}};
    write(manifest, path());
    refused(read_text_file(path(), std::size_t{1} << 30), message);
  };
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    const std::string layout = encoding::layout_text(*encoding, 16);
    expect_refused(layout, "the weight \"w\" is not encoded as " + layout);
  }
  for (const std::string layout : {"<16@0, 2@1, bf16_3>", "<3@0, f16_15>", "<16@0, coded>"}) {
    expect_refused(layout, "lies as " + layout + ", an encoding that isn't known");
  }
}

TEST_F(PackageTest, TruncationIsFoundEverywhere) {
  const std::string file = package();
  std::vector<std::size_t> cuts = {0, 7, 8, sizeof(Header) - 1, sizeof(Header), 100, kHeaderBytes - 1, kHeaderBytes};
  for (const std::string_view name :
       {kManifestSection, kWeightsSection, kCodeSection, std::string_view("tokenizer.json")}) {
    const auto [begin, size] = section(file, name);
    for (const std::size_t edge : {begin, begin + size}) {
      cuts.insert(cuts.end(), {edge - 1, edge, edge + 1});
    }
  }
  for (const std::size_t cut : cuts) {
    if (cut < file.size()) refused(file.substr(0, cut), "package");
  }
  refused(file + '\0', "instead of");
}

TEST_F(PackageTest, FlippedBitsAreFound) {
  const std::string file = package();
  const auto [weights_begin, weights_size] = section(file, kWeightsSection);
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    const std::size_t at = std::uniform_int_distribution<std::size_t>(0, file.size() - 1)(random);
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    const bool in_weights = at >= weights_begin && at < weights_begin + weights_size;
    refused(damaged, "package", true);
    if (in_weights) {
      EXPECT_NO_THROW(Package::from_bytes(bytes(damaged), "x.strata"));
    } else {
      refused(damaged, "package");
    }
  }
}

TEST_F(PackageTest, IsVerifiedOncePerFile) {
  ::setenv("STRATA_CACHE", (dir_.path() / "cache").c_str(), 1);
  const auto flip_last_bit = [&](std::string file) {
    file.back() = static_cast<char>(file.back() ^ 1);
    std::ofstream(path(), std::ios::binary) << file;
  };
  Manifest manifest = small_manifest();
  {
    PackageWriter writer(path());
    writer.add(kManifestSection, to_json(manifest));
    writer.add(kCodeSection, small_code());
    writer.add(kWeightsSection, weights());
    writer.commit();
  }
  EXPECT_NO_THROW(Package::open_verified(path()));
  std::string whole = read_text_file(path(), 1 << 20);
  flip_last_bit(whole);
  expect_error(ExitCode::kModel, {"\"weights\" is wrong"}, [&] { Package::open_verified(path()); });
  EXPECT_NO_THROW(Package::open(path()));
  // As if the disk had erred in a file that was found whole before.
  const FileStamp stamp = MappedFile::open(path()).stamp();
  const std::string fingerprint = Package::open(path()).fingerprint();
  const std::int64_t later = stamp.ctime_ns + 10'000'000'000;
  FileMemory::in_cache().remember("verified-package", stamp, fingerprint, later);
  EXPECT_NO_THROW(Package::open_verified(path()));
  expect_error(ExitCode::kModel, {"\"weights\" is wrong"}, [&] { Package::open_verified(path(), true); });
  FileMemory::in_cache().remember("verified-package", stamp, "another", later);
  expect_error(ExitCode::kModel, {"\"weights\" is wrong"}, [&] { Package::open_verified(path()); });
  ::unsetenv("STRATA_CACHE");
}

TEST_F(PackageTest, DamageNamesTheSection) {
  std::string file = package();
  const std::string whole = file;
  for (const std::string_view name : {kManifestSection, kCodeSection, std::string_view("tokenizer.json")}) {
    file = whole;
    file[section(file, name).first] ^= 1;
    refused(file, "the section \"" + std::string(name) + "\" is wrong");
  }
  file = whole;
  const std::size_t at = section(file, kWeightsSection).first;
  file[at] ^= 1;
  refused(file, "the section \"weights\" is wrong", true);
  refused(file, "compile it again", true);
}

TEST_F(PackageTest, TablesThatLieAreRefused) {
  const std::string file = package();
  using Rows = std::vector<SectionRow>;
  const auto edited = [&](auto edit) { return with_table(file, [&](Header&, Rows& rows) { edit(rows); }); };
  refused(with_table(file, [](Header& header, Rows&) { header.file_bytes += 1; }), "instead of");
  refused(edited([](Rows& rows) { rows[1].offset += 1; }), "\"weights\" is misplaced");
  refused(edited([](Rows& rows) { rows[1].offset += kPage; }), "\"weights\" is misplaced");
  refused(edited([](Rows& rows) { rows[1].offset = ~std::uint64_t{0} & ~(kPage - 1); }), "\"weights\" is misplaced");
  refused(edited([](Rows& rows) { rows[1].bytes = ~std::uint64_t{0}; }), "\"weights\" is misplaced");
  refused(edited([](Rows& rows) { rows[3].bytes += 1; }), "\"code\" is misplaced");
  refused(edited([](Rows& rows) { rows[3].bytes -= 1; }), "\"code\" is wrong");
  refused(edited([](Rows& rows) { rows[2].name = rows[1].name; }), "\"weights\" is there twice");
  refused(edited([](Rows& rows) { rows[2].name.fill('x'); }), "a section's name");
  refused(edited([](Rows& rows) { rows[2].name = {}; }), "a section's name");
  refused(edited([](Rows& rows) { rows[2].name[0] = '/'; }), "a section's name");
  refused(edited([](Rows& rows) { rows[2].name.back() = 'x'; }), "a section's name");
  refused(edited([](Rows& rows) { rows[0].name[0] = 'x'; }), "no manifest");
  refused(edited([](Rows& rows) { rows[3].name[0] = 'x'; }), "no code");
}

// Every checksum is right: parts of two packages that were put together.
TEST_F(PackageTest, AManifestOfOtherCodeIsRefused) {
  const auto refused_with = [&](const std::string& code) {
    PackageWriter writer(path());
    writer.add(kManifestSection, to_json(small_manifest()));
    writer.reserve(kWeightsSection, kWeightBytes);
    writer.add(kCodeSection, code);
    writer.commit();
    expect_error(ExitCode::kModel, {"its manifest belongs to other code"}, [&] { Package::open(path()); });
  };
  refused_with(small_code().substr(1500));
  refused_with(small_code() + "c");
  refused_with("");
}

TEST_F(PackageTest, ContractsFollowTheManifest) {
  const std::string contract = contract_of(small_manifest());
  EXPECT_EQ(contract.size(), 32U);
  Manifest manifest = small_manifest();
  manifest.code = "other";
  EXPECT_EQ(contract_of(manifest), contract) << "the code holds the contract: it can't be part of it";
  manifest.entries[0].parameters.pop_back();
  EXPECT_NE(contract_of(manifest), contract);
}

TEST_F(PackageTest, MoreSectionsThanFitAreRefused) {
  std::string file = package();
  const std::uint32_t many = 0xffffffff;
  std::memcpy(file.data() + 12, &many, sizeof(many));
  refused(file, "too many sections");
}

TEST_F(PackageTest, StrayBytesInThePaddingAreFound) {
  const std::string file = package();
  std::string spoiled = file;
  spoiled[kHeaderBytes - 1] = 'x';
  refused(spoiled, "stray bytes after the table");
  spoiled = file;
  spoiled[section(file, kWeightsSection).first - 1] = 'x';
  refused(spoiled, "stray bytes before the section \"weights\"");
}

TEST_F(PackageTest, WeightsOutsideOfTheirSectionAreRefused) {
  Manifest manifest = small_manifest();
  manifest.weights[1].offset = static_cast<std::int64_t>(kWeightBytes) - 31;
  write(manifest, path());
  expect_error(ExitCode::kModel, {"the weight \"b\" lies outside"}, [&] { Package::open(path()); });
  manifest.weights[1].offset = std::int64_t{1} << 62;
  manifest.weights[1].bytes = std::int64_t{1} << 62;
  write(manifest, path());
  expect_error(ExitCode::kModel, {"the weight \"b\" lies outside"}, [&] { Package::open(path()); });
}

TEST_F(PackageTest, AFolderThatDoesNotExistIsNamed) {
  expect_error(ExitCode::kResource, {"nosuch/x.strata"}, [&] { PackageWriter writer(path("nosuch") / "x.strata"); });
}

}  // namespace
}  // namespace strata::package
