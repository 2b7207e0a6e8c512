// SPDX-License-Identifier: Apache-2.0
// Sessions on the program of fake_program.cpp.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "machine/cpu.h"
#include "package/package.h"
#include "runtime/session.h"
#include "tests/base/expect_error.h"
#include "tests/runtime/fake_program.h"

namespace strata::runtime {

using fixtures::expect_error;
using package::Entry;
using package::Manifest;
using package::Parameter;
using Kind = Parameter::Kind;
using Tokens = std::vector<std::int32_t>;

inline constexpr float kFirstWeight = 0.5F;
inline constexpr float kSecondWeight = 0.25F;

inline Entry forward_entry(const std::string& symbol, package::SymbolRange seq) {
  return {.function = "forward",
          .symbol = symbol,
          .ranges = {{"seq", seq}},
          .parameters = {{"cache", Kind::kState, DType::kI32, {{1, "ctx"}}, ""},
                         {"positions", Kind::kInput, DType::kI32, {{1, "seq"}}, ""},
                         {"tokens", Kind::kInput, DType::kI32, {{1, "seq"}}, ""},
                         {"hidden", Kind::kOutput, DType::kF32, {{1, "seq"}, {fake::kHidden, ""}}, ""}},
          .arena_bytes = 4096,
          .arena_lower_bound = 64,
          .scratch_bytes = fake::kScratch};
}

// A forward for one token and one for two to eight, a head for up to eight rows.
inline Manifest fake_manifest() {
  Manifest manifest;
  manifest.hidden_size = fake::kHidden;
  manifest.vocab_size = fake::kVocab;
  manifest.max_context = 5000;
  manifest.target = machine::host_arch();
  manifest.symbols = {"ctx", "seq"};
  manifest.symbol_ranges = {{"ctx", {1, 8192, 16}}, {"seq", {1, 8192, 1}}};
  manifest.entries = {forward_entry("fake_forward_one", {1, 1, 1}),
                      forward_entry("fake_forward_many", {2, 8, 1}),
                      {.function = "head",
                       .symbol = "fake_head",
                       .ranges = {{"seq", {1, 8, 1}}},
                       .parameters = {{"logits", Kind::kOutput, DType::kF32, {{1, "seq"}, {fake::kVocab, ""}}, ""},
                                      {"hidden", Kind::kInput, DType::kF32, {{1, "seq"}, {fake::kHidden, ""}}, ""}},
                       .arena_bytes = 0,
                       .arena_lower_bound = 0}};
  return manifest;
}

inline std::string file_content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Tokens counting(std::size_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), 3);
  for (std::int32_t& token : tokens) token %= fake::kVocab;
  return tokens;
}

// What the program's checksum is after these tokens.
inline float checksum(const Tokens& tokens) {
  std::int64_t sum = 0;
  for (std::size_t p = 0; p < tokens.size(); ++p) sum += static_cast<std::int64_t>(p + 1) * tokens[p];
  return static_cast<float>(sum);
}

// The fake program as if it had been made for this manifest.
inline std::string code_for(const Manifest& manifest) {
  std::string code = file_content(FAKE_PROGRAM);
  const std::string contract = package::contract_of(manifest);
  const std::size_t at = code.find(fake::kNoContract);
  EXPECT_NE(at, std::string::npos);
  return code.replace(at, contract.size(), contract);
}

class Sessions : public testing::Test {
 protected:
  Sessions() : folder_(std::filesystem::temp_directory_path()) {}

  std::filesystem::path pack(const Manifest& manifest) { return pack(manifest, code_for(manifest)); }

  // All checksums are right, whatever the parts.
  std::filesystem::path pack(Manifest manifest, const std::string& code) {
    manifest.code = package::code_digest(std::as_bytes(std::span(code)));
    const auto path = folder_.path() / ("model" + std::to_string(++packages_) + ".strata");
    const std::vector<float> weights = {kFirstWeight, kSecondWeight};
    package::PackageWriter writer(path);
    writer.add(package::kManifestSection, package::to_json(manifest));
    writer.add(package::kCodeSection, code);
    writer.add("tokenizer.json", std::string_view("{}"));
    writer.add(package::kWeightsSection, std::as_bytes(std::span(weights)));
    writer.commit();
    return path;
  }

  std::unique_ptr<Session> open(const Manifest& manifest = fake_manifest(), const SessionOptions& options = {}) {
    return Session::open(pack(manifest), options);
  }

  TempDir folder_;
  int packages_ = 0;
};

}  // namespace strata::runtime
