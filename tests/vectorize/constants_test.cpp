// SPDX-License-Identifier: Apache-2.0
// How the search has weights lie: in which encoding, and in how many copies.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "changed_machine.h"
#include "encoding/encoding.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"
#include "vectorize/search.h"

namespace strata::vectorize {
namespace {

using machine::Machine;

// One table that is looked up in and multiplied by: fastest is a copy for each.
std::string plan_table(const Machine& machine) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module table {
  func @look_up(%tokens: i32[1]) {
    %0 = weight "table" : bf16[512, 64]
    %1 = gather(%0, %tokens) : f32[1, 64]
    return %1
  }
  func @multiply(%x: f32[1, 64]) {
    %0 = weight "table" : bf16[512, 64]
    %1 = matmul_nt(%x, %0) : f32[1, 512]
    return %1
  }
}
)",
                                             "test");
  const SearchResult found = search({{"all", &module, {"look_up", "multiply"}, {{1e9}}}}, machine, {});
  return ir::to_text(found.modules[0]);
}

encoding::Statistics exponents_between(int first, int last, std::int64_t each) {
  encoding::Statistics statistics;
  auto& bins = statistics.bins(encoding::find_encoding("bf16_12")->statistics[0]);
  for (int i = first; i <= last; ++i) bins[static_cast<std::size_t>(i)] = each;
  statistics.elements = (last - first + 1) * each;
  return statistics;
}

// Of so many numbers of f16, so many below 2 and so many that are numbers of bf16 with one exponent.
encoding::Statistics numbers_of_f16(std::int64_t elements, std::int64_t small, std::int64_t bf16) {
  encoding::Statistics statistics = exponents_between(120, 120, bf16);
  statistics.elements = elements;
  statistics.bins(encoding::find_encoding("f16_15")->statistics[0])[0] = small;
  return statistics;
}

// Whether any of a plan's constants is encoded.
bool has_encoding(const std::string& plan) {
  return std::ranges::any_of(encoding::all_encodings(), [&](const encoding::Encoding* encoding) {
    return contains(plan, std::string(encoding->name));
  });
}

constexpr std::int64_t kCount = 4096 * 1024;  // elements of the table

// A table that rows are looked up in and a row is multiplied by, planned with what is known of its elements.
std::string plan_known_table(const encoding::WeightStatistics& statistics, const Machine& machine,
                             const std::set<std::string>& without = {}, const std::string& dtype = "bf16") {
  ops::register_all();
  std::string text = R"(module table {
  func @layer(%x: f32[1, 1024], %w: bf16[4096, 1024]) {
    %0 = matmul_nt(%x, %w) : f32[1, 4096]
    return %0
  }
  func @main(%token: i32[1]) {
    %0 = weight "table" : bf16[4096, 1024]
    %1 = gather(%0, %token) : f32[1, 1024]
    %2 = call @layer(%1, %0) : f32[1, 4096]
    return %2
  }
}
)";
  for (std::size_t at = 0; (at = text.find("bf16", at)) != std::string::npos; at += dtype.size()) {
    text.replace(at, 4, dtype);
  }
  const ir::Module module = ir::parse_module(text, "test");
  SearchOptions options;
  options.statistics = statistics;
  options.without = without;
  const SearchResult found = search({{"all", &module, {"main"}, {{1e6}}}}, machine, options);
  ir::verify(found.modules[0]);
  return ir::to_text(found.modules[0]);
}

// Where memory is what decoding waits for, weights whose exponents are few are encoded for all their users, through
// calls.
TEST(Constants, WeightsOfFewExponentsAreEncoded) {
  const encoding::WeightStatistics few = {{"table", exponents_between(110, 124, 1 << 18)}};
  const std::string encoded = "bf16[4096, 1024]<16@0, 2@1, bf16_12>";
  const std::string text = plan_known_table(few, zen5());
  EXPECT_TRUE(contains(text, "%w: " + encoded)) << text;
  EXPECT_TRUE(contains(text, "pack(%0) {layout = <16@0, 2@1, bf16_12>} : " + encoded)) << text;
  EXPECT_TRUE(contains(text, "{layout = <2@1>} : bf16")) << text;

  const encoding::WeightStatistics many = {{"table", exponents_between(100, 124, 1 << 18)}};
  EXPECT_FALSE(has_encoding(plan_known_table(many, zen5()))) << "ten exponents of 25 are not in the table";
  EXPECT_FALSE(has_encoding(plan_known_table({}, zen5()))) << "nothing is known of the elements";
  EXPECT_FALSE(has_encoding(plan_known_table(few, zen5(), {"encode-matmul_nt-bf16_12"})));
  const Machine fast = changed([](Machine& m) {
    for (auto& [threads, rate] : m.memory.back().read_bytes_per_s) rate *= 20;
  });
  EXPECT_FALSE(has_encoding(plan_known_table(few, fast))) << "decoding takes longer than reading";
  const Machine lanes =
      changed([](Machine& m) { std::erase_if(m.units, [](const machine::Unit& unit) { return unit.k > 1; }); });
  const std::string widened = plan_known_table(few, lanes);
  EXPECT_TRUE(contains(widened, "%w: " + encoded)) << widened;
  EXPECT_FALSE(contains(widened, "{layout = <2@1>} : bf16")) << "no unit multiplies pairs";
  const Machine slow = changed([](Machine& m) { m.vector_registers.byte_lookup = false; });
  EXPECT_FALSE(has_encoding(plan_known_table(few, slow))) << "no instruction looks bytes up";
}

// Numbers of f16 take 15 bits, on any machine.
TEST(Constants, WeightsOfSmallF16AreEncoded) {
  const encoding::WeightStatistics small = {{"table", numbers_of_f16(kCount, kCount, 0)}};
  const std::string encoded = "f16[4096, 1024]<16@0, f16_15>";
  const std::string text = plan_known_table(small, zen5(), {}, "f16");
  EXPECT_TRUE(contains(text, "%w: " + encoded)) << text;
  EXPECT_TRUE(contains(text, "pack(%0) {layout = <16@0, f16_15>} : " + encoded)) << text;
  EXPECT_FALSE(has_encoding(plan_known_table({}, zen5(), {}, "f16"))) << "nothing is known of the elements";
  EXPECT_FALSE(has_encoding(plan_known_table(small, zen5(), {"encode-matmul_nt-f16_15"}, "f16")));
  const Machine slow = changed([](Machine& m) { m.vector_registers.byte_lookup = false; });
  EXPECT_TRUE(contains(plan_known_table(small, slow, {}, "f16"), encoded)) << "nothing is looked up";
  const encoding::WeightStatistics large = {{"table", numbers_of_f16(kCount, kCount - 4097, 0)}};
  EXPECT_FALSE(has_encoding(plan_known_table(large, zen5(), {}, "f16"))) << "too many numbers of 2 and more";
}

// Matrices that a conversion made wider than their numbers are: read as what they were, multiplied as what they are.
TEST(Constants, WeightsOfNarrowerNumbersAreEncoded) {
  const encoding::WeightStatistics narrow = {{"table", numbers_of_f16(kCount, kCount, kCount)}};
  for (const std::string dtype : {"f32", "f16"}) {
    const std::string text = plan_known_table(narrow, zen5(), {}, dtype);
    EXPECT_TRUE(contains(text, "%w: " + dtype + "[4096, 1024]<16@0, 2@1, bf16_12>")) << text;
    EXPECT_FALSE(contains(text, "dtype = bf16")) << "the row keeps its precision: " << text;
    const std::string as_f16 = plan_known_table(narrow, zen5(), {"encode-matmul_nt-bf16_12"}, dtype);
    EXPECT_TRUE(contains(as_f16, "%w: " + dtype + "[4096, 1024]<16@0, f16_15>")) << as_f16;
  }
  EXPECT_FALSE(has_encoding(plan_known_table(narrow, zen5(), {"encode-matmul_nt-bf16_12"}))) << "bf16 has one encoding";
}

// A row of codes times a matrix of codes, in blocks of so many, planned with what is known of the codes: their
// encodings.
std::string encodings_of_codes(const std::vector<int>& codes, int block, const Machine& machine) {
  ops::register_all();
  const std::string blocks = std::to_string(1024 / block);
  const ir::Module module = ir::parse_module("module m {\n  func @main(%x: i8[1, 1024], %r: f32[1, " + blocks + R"(]) {
    %0 = weight "codes" : i8[4096, 1024]
    %1 = weight "scales" : f16[4096, )" + blocks +
                                                 R"(]
    %2 = scaled_rows_matmul_nt(%x, %r, %0, %1) : f32[1, 4096]
    return %2
  }
}
)",
                                             "test");
  encoding::Statistics statistics;
  for (const int code : codes) {
    statistics.bins(encoding::find_encoding("i8_4")->statistics[0])[static_cast<std::uint8_t>(code)] = 1;
    ++statistics.elements;
  }
  SearchOptions options;
  options.statistics = {{"codes", statistics}};
  const std::string plan = ir::to_text(search({{"all", &module, {"main"}, {{1e6}}}}, machine, options).modules[0]);
  std::string found;
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    if (contains(plan, ", " + std::string(encoding->name) + ">")) found += std::string(encoding->name) + " ";
  }
  return found;
}

// The fewest bits that hold them, where blocks are whole groups of it; a table only where they don't follow one
// another.
TEST(Constants, CodesAreEncodedInTheFewestBits) {
  EXPECT_EQ(encodings_of_codes({0, 15}, 8, zen5()), "i8_small_4 ");
  EXPECT_EQ(encodings_of_codes({-8, 0, 7}, 32, zen5()), "i8_small_4 ");
  EXPECT_EQ(encodings_of_codes({-8, 8}, 32, zen5()), "i8_4 ") << "two codes that are in no row of 16";
  EXPECT_EQ(encodings_of_codes({-127, 1, 113}, 32, zen5()), "i8_4 ");
  const auto row = [](int first, int count) {
    std::vector<int> codes;
    for (int i = 0; i < count; ++i) codes.push_back(first + i);
    return codes;
  };
  EXPECT_EQ(encodings_of_codes(row(-16, 17), 32, zen5()), "i8_5 ");
  EXPECT_EQ(encodings_of_codes(row(0, 32), 64, zen5()), "i8_5 ");
  EXPECT_EQ(encodings_of_codes(row(0, 32), 16, zen5()), "i8_6 ") << "a group of i8_5 has 32 values of k";
  EXPECT_EQ(encodings_of_codes(row(-32, 64), 16, zen5()), "i8_6 ");
  EXPECT_EQ(encodings_of_codes(row(-32, 64), 8, zen5()), "") << "a group of i8_6 has 16 values of k";
  EXPECT_EQ(encodings_of_codes(row(-32, 65), 32, zen5()), "");
  const Machine plain = changed([](Machine& m) { m.vector_registers.byte_lookup = false; });
  EXPECT_EQ(encodings_of_codes({-8, 7}, 32, plain), "i8_small_4 ") << "nothing is looked up";
  EXPECT_EQ(encodings_of_codes({-8, 8}, 32, plain), "i8_5 ");
  const Machine slow = changed([](Machine& m) { m.core.decode_slots["i8_small_4"] = 0.6; });
  EXPECT_EQ(encodings_of_codes({-8, 7}, 32, slow), "i8_4 ") << "looking up is faster";
}

// Weights that one encoding fits by itself, but not both: a merged product would have an exception for every other
// element.
TEST(Constants, WeightsOfDifferentExponentsAreNotEncodedTogether) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @main(%x: f32[1, 1024]) {
    %0 = weight "a" : bf16[2048, 1024]
    %1 = weight "b" : bf16[2048, 1024]
    %2 = matmul_nt(%x, %0) : f32[1, 2048]
    %3 = matmul_nt(%x, %1) : f32[1, 2048]
    return %2, %3
  }
}
)",
                                             "test");
  const auto planned = [&](int first_of_b) {
    SearchOptions options;
    options.statistics = {{"a", exponents_between(110, 124, 1 << 17)},
                          {"b", exponents_between(first_of_b, first_of_b + 14, 1 << 17)}};
    return ir::to_text(search({{"all", &module, {"main"}, {{1e6}}}}, zen5(), options).modules[0]);
  };
  EXPECT_FALSE(contains(planned(90), "bf16[4096, 1024]<16@0, 2@1, bf16_12>")) << planned(90);
  EXPECT_TRUE(contains(planned(90), "bf16[2048, 1024]<16@0, 2@1, bf16_12>")) << planned(90);
  EXPECT_TRUE(contains(planned(110), "bf16_12>")) << planned(110);
}

Machine with_memory(std::int64_t bytes) {
  return changed([&](Machine& m) { m.memory.back().capacity_bytes = bytes; });
}

TEST(Constants, ASecondCopyOfAWeightMustFitTheMemory) {
  constexpr std::int64_t kTable = 512 * 64 * 2;
  const std::string with_room = plan_table(with_memory(std::int64_t{1} << 30));
  EXPECT_TRUE(contains(with_room, "%0 = weight \"table\" : bf16[512, 64]\n    %1 = gather(%0, %tokens)")) << with_room;
  // A third of the memory is left to the system: two copies fit just not.
  const std::string tight = plan_table(with_memory(2 * kTable * 3 / 2 - 64));
  EXPECT_TRUE(contains(tight, "gather(%1, %tokens)")) << tight;
  const std::string packed = "pack(%0) {layout = <16@0, 2@1>} : bf16[512, 64]<16@0, 2@1>\n    %";
  EXPECT_TRUE(contains(tight, packed + "2 = matmul_nt(%x, %1)")) << tight;
}

TEST(Constants, WeightsThatDontFitAreRefusedByName) {
  try {
    plan_table(with_memory(64 * 1024));
    FAIL() << "two thirds of the memory hold no table";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResource);
    EXPECT_TRUE(contains(error.what(), "memory for constants")) << error.what();
  }
}

// What a call binds to a parameter may be a parameter itself, of the same name or another one.
TEST(Constants, AreKnownThroughCallsOfCalls) {
  ops::register_all();
  for (const std::string name : {"w", "v"}) {
    const ir::Module module = ir::parse_module(R"(module m {
  func @inner(%x: f32[1, 1024], %w: bf16[4096, 1024]) {
    %0 = matmul_nt(%x, %w) : f32[1, 4096]
    return %0
  }
  func @outer(%x: f32[1, 1024], %)" + name + R"(: bf16[4096, 1024]) {
    %0 = call @inner(%x, %)" + name + R"() : f32[1, 4096]
    return %0
  }
  func @main(%x: f32[1, 1024]) {
    %0 = weight "table" : bf16[4096, 1024]
    %1 = call @outer(%x, %0) : f32[1, 4096]
    return %1
  }
}
)",
                                               "test");
    SearchOptions options;
    options.statistics = {{"table", exponents_between(110, 124, 1 << 18)}};
    const std::string text = ir::to_text(search({{"all", &module, {"main"}, {{1e6}}}}, zen5(), options).modules[0]);
    EXPECT_TRUE(has_encoding(text)) << text;
  }
}

}  // namespace
}  // namespace strata::vectorize
