// SPDX-License-Identifier: Apache-2.0
// Constants in coded layouts: as a package stores them, and in compiled code against the interpreter.
#include "tensor/coded.h"

#include "base/temp_dir.h"
#include "compile/weight_exponents.h"
#include "op_case.h"
#include "tensor/gather.h"

namespace strata::compile {
namespace {

// A weight in code, and its elements.
class CodedWeight {
 public:
  CodedWeight(std::int64_t n, std::int64_t k, const std::vector<std::uint16_t>& elements)
      : n_(n), k_(k), bits_(elements) {
    ops::register_all();
    const std::string shape = "bf16[" + std::to_string(n) + ", " + std::to_string(k) + "]";
    module_ = ir::parse_module("module m {\n  func @main() {\n    %0 = weight \"w\" : " + shape +
                                   "\n    %1 = pack(%0) {layout = <16@0, 2@1, coded>} : " + shape +
                                   "<16@0, 2@1, coded>\n    return %1\n  }\n}\n",
                               "test");
    const TensorSource tensors = [this](const std::string&) { return view(); };
    exponents_ = count_exponents(*module_, tensors, 2);
    const ir::Expr& constant = *module_->find("main")->results[0];
    code_ = constant_code(constant, exponents_, tensors);
    bytes_ = ir::max_bytes(constant.type()) + ir::exceptions_bytes(constant.type(), code_.exceptions);
    stored_.emplace(constant, tensors, code_);
  }

  const ir::ExponentCode& code() const { return code_; }
  const ir::ExponentCounts& counts() const { return exponents_.at("w"); }

  std::vector<std::byte> read(std::int64_t piece) const {
    std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_), std::byte{0x7f});
    for (std::int64_t begin = 0; begin < bytes_; begin += piece) {
      stored_->read(begin, std::min(bytes_, begin + piece), bytes.data() + begin);
    }
    return bytes;
  }

  // As the kernels read it.
  std::vector<std::uint16_t> decoded(const std::vector<std::byte>& bytes) const {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(n_));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
    std::vector<float> values(bits_.size());
    tensor::gather_coded_rows<16>(reinterpret_cast<const tensor::Coded<tensor::bf16>*>(bytes.data()), ids.data(), n_,
                                  k_, values.data(), k_);
    std::vector<std::uint16_t> bits;
    for (const float value : values)
      bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
    return bits;
  }

 private:
  importer::TensorView view() const { return {"w", DType::kBF16, {n_, k_}, std::as_bytes(std::span(bits_))}; }

  std::int64_t n_, k_;
  std::vector<std::uint16_t> bits_;
  std::optional<ir::Module> module_;
  ir::WeightExponents exponents_;
  ir::ExponentCode code_;
  std::int64_t bytes_ = 0;
  std::optional<StoredConstant> stored_;
};

// Elements with exponents around 120, and now and then with any.
std::vector<std::uint16_t> random_elements(std::int64_t count, std::uint64_t odd_one_in) {
  std::mt19937_64 random(7);
  std::vector<std::uint16_t> elements;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool is_odd = random() % odd_one_in == 0;
    const std::uint64_t exponent = is_odd ? random() % 256 : 113 + random() % 12;
    elements.push_back(static_cast<std::uint16_t>((random() & 0x807f) | exponent << 7));
  }
  return elements;
}

TEST(CodedConstant, HoldsEveryBitPattern) {
  std::vector<std::uint16_t> all(1 << 16);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const CodedWeight weight(256, 256, all);
  EXPECT_EQ(weight.code().exceptions, 240 * 256) << "each of 256 exponents as often as the others, 16 have codes";
  EXPECT_EQ(weight.decoded(weight.read(1 << 20)), all);
}

TEST(CodedConstant, IsTheSameInPiecesOfAnySize) {
  for (const auto& [n, k] : {std::pair(1, 1), {16, 4}, {33, 7}, {100, 130}}) {
    const auto elements = random_elements(n * k, 50);
    const CodedWeight weight(n, k, elements);
    const auto whole = weight.read(1 << 20);
    EXPECT_EQ(weight.decoded(whole), elements) << n << " x " << k;
    for (const std::int64_t piece : {1, 63, 1000}) EXPECT_EQ(weight.read(piece), whole) << n << " x " << k;
  }
}

TEST(CodedConstant, WithoutExceptionsHasNoLists) {
  const auto elements = random_elements(48 * 64, std::uint64_t{1} << 60);
  const CodedWeight weight(48, 64, elements);
  EXPECT_EQ(weight.code().exceptions, 0);
  EXPECT_EQ(std::ssize(weight.read(1 << 20)), 64 + 48 * 64 * 3 / 2);
  EXPECT_EQ(weight.decoded(weight.read(1 << 20)), elements);
}

TEST(WeightExponents, AreThoseOfTheElementsAsTheyAreStored) {
  std::vector<std::uint16_t> elements(300, 0x3f80);  // 1: exponent 127
  elements[7] = 0x4000;                              // 2: 128
  elements[8] = 0x8000;                              // -0
  const CodedWeight weight(3, 100, elements);
  EXPECT_EQ(weight.counts()[127], 298);
  EXPECT_EQ(weight.counts()[128], 1);
  EXPECT_EQ(weight.counts()[0], 1);
}

// The code of a constant that computes is that of its values, not that of the weights.
TEST(WeightExponents, OfAComputedConstantAreCounted) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @main() {
    %0 = weight "w" : bf16[2, 32]
    %1 = scalar 4.0 : f32
    %2 = mul(%0, %1) : bf16[2, 32]
    return %2
  }
}
)",
                                             "test");
  const std::vector<std::uint16_t> ones(64, 0x3f80);
  const TensorSource tensors = [&](const std::string&) {
    return importer::TensorView{"w", DType::kBF16, {2, 32}, std::as_bytes(std::span(ones))};
  };
  const ir::WeightExponents exponents = count_exponents(module, tensors, 1);
  EXPECT_EQ(exponents.at("w")[127], 64);
  const ir::ExponentCode code = constant_code(*module.find("main")->results[0], exponents, tensors);
  EXPECT_EQ(code.exponents[1], 129);
}

constexpr const char* kTied = R"(module tied {
  symbol seq in MIN..MAX
  func @main(%ids: i32[seq], %x: f32[seq, 200]) {
    %0 = weight "table" : bf16[330, 200]
    %1 = gather(%0, %ids) : f32[seq, 200]
    %2 = add(%1, %x) : f32[seq, 200]
    %3 = matmul_nt(%2, %0) : f32[seq, 330]
    %4 = weight "a" : bf16[70, 330]
    %5 = weight "b" : bf16[30, 330]
    %6 = matmul_nt(%3, %4) : f32[seq, 70]
    %7 = matmul_nt(%3, %5) : f32[seq, 30]
    return %1, %6, %7
  }
}
)";

std::string tied(int min, int max) {
  std::string text = kTied;
  text.replace(text.find("MIN"), 3, std::to_string(min));
  return text.replace(text.find("MAX"), 3, std::to_string(max));
}

class CodedCode : public ::testing::TestWithParam<std::tuple<std::string, int>> {};

// One row, one row tile, more than one block of rows; with a unit that multiplies pairs and without.
TEST_P(CodedCode, EqualsTheInterpreter) {
  const auto& [name, rows] = GetParam();
  std::mt19937_64 random(static_cast<std::uint64_t>(rows));
  if (!can_run(name)) GTEST_SKIP() << "this processor is no " << name;
  if (!machine::load(name).vector_registers.byte_lookup) GTEST_SKIP() << "no instruction looks codes up here";
  CompileCase options;
  options.machine = name;
  options.tiny_weights = 9;
  const CompiledFunction compiled(tied(rows == 1 ? 1 : 2, std::max(rows, 1)), options, random);
  const std::string plan = ir::to_text(compiled.planned().module);
  EXPECT_NE(plan.find("coded>"), std::string::npos) << plan;
  std::int64_t exceptions = 0;
  for (const auto& entry : compiled.weights().entries()) exceptions += entry.code.exceptions;
  EXPECT_GT(exceptions, 0);
  const Symbols symbols = {{"seq", rows}};
  std::vector<ir::Value> arguments;
  for (const ir::Expr* parameter : compiled.function().parameters) {
    arguments.push_back(random_value(concrete(parameter->type(), symbols), random, 330));
  }
  const auto expected = compiled.reference(arguments, symbols);
  for (const int threads : {1, 3}) {
    const auto got = compiled.run(arguments, symbols, threads);
    EXPECT_EQ(got[0].data, expected[0].data) << "rows of the table are exact";
    for (const std::size_t i : {1, 2}) EXPECT_LE(relative_error(got[i], expected[i]), 1e-2) << "result " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, CodedCode,
                         ::testing::Combine(::testing::Values("native", "avx2-generic"),
                                            ::testing::Values(1, 2, 5, 6, 7, 300)),
                         [](const auto& instance) {
                           std::string test = std::get<0>(instance.param);
                           std::ranges::replace(test, '-', '_');
                           return test + "_" + std::to_string(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace strata::compile
