// SPDX-License-Identifier: Apache-2.0
// Products by weights in blocks that share a scale, and perhaps a shift, in compiled code against the interpreter.
#include "encoding/encoding.h"
#include "machine/cost.h"
#include "op_case.h"

namespace strata::compile {
namespace {

constexpr int kDepth = 512;
constexpr int kColumns = 37;  // no multiple of any lanes

// Weights in blocks, [37, 512]: the scales of which type, of so many elements, and those of how many there are outer
// ones; 0: none.
struct BlockCase {
  int size;
  const char* scales;
  int outer = 0;
};
constexpr BlockCase kBlocks[] = {{16, "f16"},  {32, "bf16"},     {64, "f32"},
                                 {256, "f16"}, {16, "f16", 256}, {32, "bf16", 64}};

// Rows of numbers or of codes, up to so many; the kernel that multiplies them.
struct Rows {
  const char* name;
  bool are_codes;
  int min, max;
  const char* kernel;

  friend std::ostream& operator<<(std::ostream& out, const Rows& rows) { return out << rows.name; }
};
const Rows kRows[] = {{"OneRow", false, 1, 1, "tensor::gemv_scaled<"},
                      {"Rows", false, 2, 40, "tensor::gemm_block_scaled<"},
                      {"OneRowOfCodes", true, 1, 1, "tensor::gemv_scaled_quads<"},
                      {"FewRowsOfCodes", true, 2, 2, "tensor::gemm_few_scaled_quads<"},
                      {"RowsOfCodes", true, 2, 40, "tensor::gemm_block_scaled_quads<"}};

std::string matrix(const std::string& type, int rows, int columns) {
  return type + "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

// A product by each of kBlocks.
std::string products(const Rows& rows) {
  std::string parameters = rows.are_codes ? "%a: i8[seq, 512]" : "%a: f32[seq, 512]", body, results;
  int number = 0;
  const auto weight = [&](const std::string& type) {
    const std::string name = std::to_string(number++);
    body += "    %" + name + " = weight \"w" + name + "\" : " + type + "\n";
    return ", %" + name;
  };
  for (const BlockCase& blocks : kBlocks) {
    std::string operands = "%a";
    if (rows.are_codes) {
      const std::string of_rows = "%r" + std::to_string(number);
      parameters += ", " + of_rows + ": f32[seq, " + std::to_string(kDepth / blocks.size) + "]";
      operands += ", " + of_rows;
    }
    operands += weight(matrix("i8", kColumns, kDepth));
    operands += weight(matrix(blocks.outer == 0 ? blocks.scales : "i8", kColumns, kDepth / blocks.size));
    if (blocks.outer != 0) operands += weight(matrix(blocks.scales, kColumns, kDepth / blocks.outer));
    const std::string result = "%" + std::to_string(number++);
    const std::string op = std::string(blocks.outer == 0 ? "scaled_" : "nested_") + (rows.are_codes ? "rows_" : "");
    body += "    " + result + " = " + op + "matmul_nt(" + operands + ") : f32[seq, 37]\n";
    results += (results.empty() ? "" : ", ") + result;
  }
  return "module test {\n  symbol seq in " + std::to_string(rows.min) + ".." + std::to_string(rows.max) +
         "\n  func @main(" + parameters + ") {\n" + body + "    return " + results + "\n  }\n}\n";
}

// A file of the machine, but weights are far away, so that it pays to hold them in few bits, or products of f32 are
// slow, so that it pays to round rows to bytes.
class ChangedMachine {
 public:
  ChangedMachine(const std::string& name, double memory, double floats) {
    machine::Machine machine = machine::load(name);
    for (std::size_t i = 1; i < machine.memory.size(); ++i) {
      for (auto& [threads, rate] : machine.memory[i].read_bytes_per_s) rate *= memory;
    }
    for (machine::Unit& unit : machine.units) {
      if (unit.dtype == DType::kF32) unit.ops_per_s *= floats;
    }
    write_file(path(), machine::to_json(machine));
  }
  std::string path() const { return (folder_.path() / "changed.json").string(); }

 private:
  const TempDir folder_{std::filesystem::temp_directory_path(), "strata-test"};
};

// Results for these rows, by one thread and by two.
void expect_near(const CompiledFunction& compiled, int rows, double tolerance, std::mt19937_64& random) {
  const Symbols symbols = {{"seq", rows}};
  auto arguments = random_arguments(compiled.function(), symbols, random);
  for (ir::Value& argument : arguments) {
    if (argument.type.dtype != DType::kI8) continue;
    for (double& code : argument.data) code = std::max(code, -127.0);  // as quantise makes them
  }
  const auto expected = compiled.reference(arguments, symbols);
  for (const int threads : {1, 2}) {
    const auto got = compiled.run(arguments, symbols, threads);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_LE(relative_error(got[i], expected[i]), tolerance) << "result " << i << " rows " << rows;
  }
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// How many codes weights have, how far apart, and the encoding that holds them in fewer bits; null: none does.
struct Codes {
  int count, step;
  const char* encoding = nullptr;

  friend std::ostream& operator<<(std::ostream& out, const Codes& codes) {
    return out << (codes.encoding == nullptr ? "bytes" : codes.encoding);
  }
};
const Codes kCodes[] = {{16, 1, "i8_small_4"}, {256, 1}};
const Codes kOtherCodes[] = {{16, 7, "i8_4"}, {32, 1, "i8_5"}, {64, 1, "i8_6"}};

class ScaledProducts : public ::testing::TestWithParam<std::tuple<std::string, Rows, Codes>> {};

TEST_P(ScaledProducts, EqualTheInterpreter) {
  const auto& [name, rows, codes] = GetParam();
  if (!can_run(name)) GTEST_SKIP() << "this processor can't run the code";
  const machine::Machine described = machine::load(name);
  const auto* const encoding = codes.encoding == nullptr ? nullptr : encoding::find_encoding(codes.encoding);
  const bool has_unit = !rows.are_codes || machine::dot_unit(described, DType::kI8) != nullptr;
  const bool can_decode = encoding != nullptr && (!encoding->looks_up || described.vector_registers.byte_lookup);
  const bool is_encoded = can_decode && (has_unit || rows.max == 1);
  // Of one small row plain loops may be as fast; rows of codes need a unit for bytes.
  const bool has_kernel = is_encoded || (has_unit && rows.max > 1);
  std::mt19937_64 random(23);
  // Codes of a byte each are multiplied by a processor with fast units for floats as soon as they are there.
  const bool are_bytes = encoding == nullptr;
  const ChangedMachine machine(name, are_bytes ? 1 : 0.02, are_bytes && rows.are_codes ? 0.1 : 1);
  CompileCase options;
  options.machine = machine.path();
  options.codes = codes.count;
  options.code_step = codes.step;
  const CompiledFunction compiled(products(rows), options, random);
  if (has_kernel) EXPECT_TRUE(contains(compiled.generated(), rows.kernel)) << compiled.generated();
  if (encoding != nullptr) {
    EXPECT_EQ(contains(ir::to_text(compiled.planned().module), ", " + std::string(encoding->name) + ">"), is_encoded);
  }
  for (const int count : {rows.min, (rows.min + rows.max) / 2, rows.max}) expect_near(compiled, count, 2e-6, random);
}

std::string product_name(const testing::TestParamInfo<ScaledProducts::ParamType>& instance) {
  const auto& [machine, rows, codes] = instance.param;
  std::string name = machine + "_" + rows.name + "_" + testing::PrintToString(codes);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Machines, ScaledProducts,
                         ::testing::Combine(::testing::Values("native", "avx2-generic", "x86-64-baseline"),
                                            ::testing::ValuesIn(kRows), ::testing::ValuesIn(kCodes)),
                         product_name);

// On this machine; the kernels of the others are the library's, with fewer lanes.
INSTANTIATE_TEST_SUITE_P(Native, ScaledProducts,
                         ::testing::Combine(::testing::Values("native"),
                                            ::testing::Values(kRows[0], kRows[2], kRows[4]),
                                            ::testing::ValuesIn(kOtherCodes)),
                         product_name);

// Blocks of k in the cache begin and end where blocks of the weights do.
TEST(ScaledProductSums, BeginAndEndWithBlocks) {
  const char* const kText = R"(module test {
  symbol seq in 2..40
  func @main(%a: f32[seq, 4608], %q: i8[seq, 4608], %r: f32[seq, 18]) {
    %0 = weight "w" : i8[40, 4608]
    %1 = weight "s" : f16[40, 18]
    %2 = scaled_matmul_nt(%a, %0, %1) : f32[seq, 40]
    %3 = scaled_rows_matmul_nt(%q, %r, %0, %1) : f32[seq, 40]
    return %2, %3
  }
}
)";
  std::mt19937_64 random(29);
  const CompiledFunction compiled(kText, {}, random);
  for (const int rows : {2, 17, 40}) expect_near(compiled, rows, 2e-6, random);
}

// A matrix in blocks with shifts, as a checkpoint gives it: its codes are multiplied, and rows of it looked up.
constexpr const char* kShifted = R"(module test {
  symbol seq in MIN..MAX
  func @main(%x: f32[seq, 512], %ids: i32[seq]) {
    %0 = weight "codes" : i8[37, 512]
    %1 = weight "scale_codes" : i8[37, 16]
    %2 = weight "scales" : f16[37, 2]
    %3 = weight "shift_codes" : i8[37, 16]
    %4 = weight "shifts" : f16[37, 2]
    %5 = scale_blocks(%1, %2) : f32[37, 16]
    %6 = scale_blocks(%3, %4) : f32[37, 16]
    %7 = affine_blocks(%0, %5, %6) : f32[37, 512]
    %8 = matmul_nt(%x, %7) : f32[seq, 37]
    %9 = gather(%7, %ids) : f32[seq, 512]
    return %9, %8
  }
}
)";

class ShiftedWeights : public ::testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(ShiftedWeights, EqualTheInterpreter) {
  const auto& [name, most] = GetParam();
  if (!can_run(name)) GTEST_SKIP() << "this processor can't run the code";
  const ChangedMachine machine(name, 1, 0.02);
  const bool has_unit = machine::dot_unit(machine::load(name), DType::kI8) != nullptr;
  std::string text = kShifted;
  text.replace(text.find("MIN"), 3, most == 1 ? "1" : "2");
  text.replace(text.find("MAX"), 3, std::to_string(most));
  for (const bool is_rounded : {true, false}) {
    std::mt19937_64 random(31);
    CompileCase options;
    options.machine = machine.path();
    options.codes = 16;
    if (!is_rounded) options.without = {"round-rows-of-scale_blocks", "round-rows-of-affine_blocks"};
    const CompiledFunction compiled(text, options, random);
    const bool has_codes = contains(compiled.generated(), "scaled_quads<");
    EXPECT_EQ(has_codes, is_rounded && has_unit);
    for (const int rows : {most == 1 ? 1 : 2, most}) {
      const Symbols symbols = {{"seq", rows}};
      const auto arguments = random_arguments(compiled.function(), symbols, random);
      const auto expected = compiled.reference(arguments, symbols);
      const auto got = compiled.run(arguments, symbols, 2);
      EXPECT_LE(relative_error(got[0], expected[0]), 1e-6) << "rows of the matrix";
      EXPECT_LE(relative_error(got[1], expected[1]), is_rounded && has_unit ? 1e-2 : 1e-5) << compiled.generated();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, ShiftedWeights,
                         ::testing::Combine(::testing::Values("native", "avx2-generic", "x86-64-baseline"),
                                            ::testing::Values(1, 40)));

}  // namespace
}  // namespace strata::compile
