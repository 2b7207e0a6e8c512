// SPDX-License-Identifier: Apache-2.0
// Expressions of weights: stored in place of code, each once, and evaluated as the interpreter does.
#include "ir/constants.h"

#include "base/temp_dir.h"
#include "op_case.h"
#include "package/package.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

int stored_as(const CompiledFunction& compiled, const std::string& name) {
  int found = 0;
  for (const auto& entry : compiled.weights().entries()) found += entry.name == name;
  return found;
}

struct ConstantCase {
  OpCase op;
  std::vector<std::string> stored;  // names of all that the package holds
  std::map<std::string, DType> checkpoint_dtypes = {};
};

const std::vector<ConstantCase>& constant_cases() {
  static const std::vector<ConstantCase> kCases = {
      {{"joined_and_packed", "%x: f32[seq, 20]",
        R"(    %a = weight "a" : f16[33, 20]
    %b = weight "b" : f16[15, 20]
    %c = concat(%a, %b) {axis = 0} : f16[48, 20]
    %w = pack(%c) {layout = <16@0>} : f16[48, 20]<16@0>
    %p = pack(%x) {layout = <4@0>} : f32[seq, 20]<4@0>
    %y = matmul_nt(%p, %w) : f32[seq, 48]
    %u = slice(%y) {axis = 1, begin = 0, end = 33} : f32[seq, 33]
    %v = slice(%y) {axis = 1, begin = 33, end = 48} : f32[seq, 15]
    %1 = exp(%u) : f32[seq, 33]
    %2 = exp(%v) : f32[seq, 15]
)",
        "%1, %2", 2e-6},
       {"a + b"},
       {{"a", DType::kF32}, {"b", DType::kBF16}}},
      {{"tied_embedding", "%ids: i32[seq]",
        R"(    %w = weight "w" : bf16[31, 33]
    %e = gather(%w, %ids) : f32[seq, 33]
    %c = cast(%w) {dtype = f32} : f32[31, 33]
    %p = pack(%c) {layout = <16@0>} : f32[31, 33]<16@0>
    %x = pack(%e) {layout = <4@0>} : f32[seq, 33]<4@0>
    %y = matmul_nt(%x, %p) : f32[seq, 31]
)",
        "%y, %e"},
       {"w", "w as f32[31, 33]<16@0>"}},
      {{"scaled_by_a_vector", "%x: f32[seq, 20]",
        R"(    %a = weight "a" : f32[33, 20]
    %s = weight "s" : f32[20]
    %h = scalar 0.5 : f32
    %t = add(%s, %h) : f32[20]
    %m = mul(%a, %t) : f32[33, 20]
    %y = matmul_nt(%x, %m) : f32[seq, 33]
)",
        "%y"},
       {"a + s"}},
      {{"moved", "%x: f32[20, 3]",
        R"(    %a = weight "a" : f32[4, 3, 20]
    %r = reshape(%a) {shape = [12, 20]} : f32[12, 20]
    %t = transpose(%r) {perm = [1, 0]} : f32[20, 12]
    %s = slice(%t) {axis = 1, begin = 2, end = 5} : f32[20, 3]
    %n = transpose(%s) {perm = [1, 0]} : f32[3, 20]
    %u = transpose(%n) {perm = [1, 0]} : f32[20, 3]
    %y = add(%x, %u) : f32[20, 3]
)",
        "%y"},
       {"a"}},
      {{"reduced", "%x: f32[seq, 12]",
        R"(    %a = weight "a" : f32[12, 20]
    %r = reduce_sum(%a) : f32[12]
    %n = softmax(%r) : f32[12]
    %y = mul(%x, %n) : f32[seq, 12]
)",
        "%y"},
       {"a"}},
      // A result is made for the caller, whatever it is made of.
      {{"constant_result", "%x: f32[seq, 12]",
        R"(    %a = weight "a" : f32[5, 12]
    %b = weight "b" : f32[12]
    %n = exp(%b) : f32[12]
    %r = mul(%a, %n) : f32[5, 12]
    %s = slice(%a) {axis = 0, begin = 1, end = 3} : f32[2, 12]
    %v = reshape(%a) {shape = [12, 5]} : f32[12, 5]
    %y = mul(%x, %n) : f32[seq, 12]
)",
        "%y, %r, %s, %v"},
       {"b", "a"}},
      {{"scalars_alone", "%x: f32[seq, 12]",
        R"(    %a = scalar 3.0 : f32
    %b = scalar 4.0 : f32
    %c = mul(%a, %b) : f32
    %y = mul(%x, %c) : f32[seq, 12]
)",
        "%y"},
       {"constant"}},
  };
  return kCases;
}

TEST(Constants, AreStoredAndEqualTheInterpreter) {
  std::mt19937_64 random(41);
  for (const ConstantCase& c : constant_cases()) {
    CompiledFunction compiled(module_text(c.op), {"native", {"egraph"}, c.checkpoint_dtypes}, random);
    std::vector<std::string> names;
    for (const auto& entry : compiled.weights().entries()) names.push_back(entry.name);
    std::vector<std::string> wanted = c.stored;
    std::ranges::sort(names);
    std::ranges::sort(wanted);
    EXPECT_EQ(names, wanted) << c.op.name;
    expect_equal(compiled, c.op, random);
  }
}

TEST(Constants, AreArgumentsOfCalls) {
  const std::string layer = R"(  func @layer(%x: f32[seq, 16], %w: f32[16, 16]<16@0>, %s: f32[16]) {
    %p = pack(%x) {layout = <4@0>} : f32[seq, 16]<4@0>
    %y = matmul_nt(%p, %w) : f32[seq, 16]
    %z = mul(%y, %s) : f32[seq, 16]
    return %z
  }
)";
  const OpCase c = {"layers", "%x: f32[seq, 16]",
                    R"(    %a = weight "a" : bf16[12, 16]
    %b = weight "b" : bf16[4, 16]
    %ab = concat(%a, %b) {axis = 0} : bf16[16, 16]
    %abf = cast(%ab) {dtype = f32} : f32[16, 16]
    %w0 = pack(%abf) {layout = <16@0>} : f32[16, 16]<16@0>
    %ba = concat(%b, %a) {axis = 0} : bf16[16, 16]
    %baf = cast(%ba) {dtype = f32} : f32[16, 16]
    %w1 = pack(%baf) {layout = <16@0>} : f32[16, 16]<16@0>
    %s = weight "s" : f32[16]
    %e = exp(%s) : f32[16]
    %0 = call @layer(%x, %w0, %e) : (f32[seq, 16])
    %1 = call @layer(%0, %w1, %s) : (f32[seq, 16])
    %2 = call @layer(%1, %w0, %e) : (f32[seq, 16])
)",
                    "%2", 1e-5};
  std::mt19937_64 random(43);
  CompiledFunction compiled(module_text(c, layer), {"native", {"vectorize"}, {}}, random);
  EXPECT_EQ(compiled.weights().entries().size(), 4u);
  EXPECT_EQ(stored_as(compiled, "a + b"), 1);
  EXPECT_EQ(stored_as(compiled, "b + a"), 1);
  expect_equal(compiled, c, random);
}

TEST(Constants, OfEqualTextAreStoredOnceForAllModules) {
  ops::register_all();
  const auto module = [](const std::string& seq) {
    return ir::parse_module("module m {\n  symbol seq in " + seq + R"(
  func @f(%x: f32[seq, 4]) {
    %0 = weight "a" : f32[3, 4]
    %1 = weight "b" : f32[5, 4]
    %2 = concat(%0, %1) {axis = 0} : f32[8, 4]
    %3 = matmul_nt(%x, %2) : f32[seq, 8]
    return %3
  }
  func @unused(%x: f32[4]) {
    %0 = weight "c" : f32[4]
    %1 = add(%x, %0) : f32[4]
    return %1
  }
}
)",
                            "test");
  };
  const ir::Module one = module("1..1");
  const ir::Module many = module("2..32");
  codegen::WeightMap weights;
  weights.add(one, {"f"});
  weights.add(many, {"f"});
  ASSERT_EQ(weights.entries().size(), 1u);
  EXPECT_EQ(weights.entries()[0].name, "a + b");
  EXPECT_EQ(weights.total_bytes(), 256);
}

// Random expressions of weights, written as constants of a random layout.
class ConstantWriter {
 public:
  explicit ConstantWriter(std::uint64_t seed) : random_(seed) {}

  // A module whose function @main returns the constant.
  std::string write() {
    Matrix value = weight();
    const int ops = static_cast<int>(random_() % 7);
    for (int i = 0; i < ops; ++i) value = apply(value);
    if (random_() % 3 != 0) value = pack(value);
    return "module test {\n  func @main() {\n" + body_ + "    return " + value.name + "\n  }\n}\n";
  }

 private:
  struct Matrix {
    std::string name;
    std::int64_t rows, columns;
    std::string dtype = "f32";
  };

  std::int64_t pick(std::initializer_list<std::int64_t> choices) { return choices.begin()[random_() % choices.size()]; }
  std::string any_dtype() { return std::array{"f32", "f16", "bf16"}[random_() % 3]; }

  static std::string type(const Matrix& m) {
    return m.dtype + "[" + std::to_string(m.rows) + ", " + std::to_string(m.columns) + "]";
  }
  Matrix emit(const std::string& expression, Matrix m, const std::string& layout = "") {
    m.name = "%" + std::to_string(count_++);
    body_ += "    " + m.name + " = " + expression + " : " + type(m) + layout + "\n";
    return m;
  }
  Matrix weight(std::int64_t rows, std::int64_t columns, const std::string& dtype) {
    return emit("weight \"w" + std::to_string(count_) + "\"", {"", rows, columns, dtype});
  }
  Matrix weight() { return weight(pick({1, 3, 16, 33}), pick({1, 7, 16, 20}), any_dtype()); }

  Matrix apply(const Matrix& a) {
    switch (random_() % 8) {
      case 0:
      case 1:
        return join(a);
      case 2:
        return emit("transpose(" + a.name + ") {perm = [1, 0]}", {"", a.columns, a.rows, a.dtype});
      case 3:
        return cut(a);
      case 4:
        return emit(
            "reshape(" + a.name + ") {shape = [" + std::to_string(a.columns) + ", " + std::to_string(a.rows) + "]}",
            {"", a.columns, a.rows, a.dtype});
      case 5: {
        const std::string dtype = any_dtype();
        return emit("cast(" + a.name + ") {dtype = " + dtype + "}", {"", a.rows, a.columns, dtype});
      }
      case 6:
        return emit("mul(" + a.name + ", " + weight(1, a.columns, "f32").name + ")", a);
      default:
        return emit("add(" + a.name + ", " + weight(a.rows, a.columns, a.dtype).name + ")", a);
    }
  }

  Matrix join(const Matrix& a) {
    const bool below = random_() % 2 == 0;
    const std::int64_t more = pick({1, 5, 16});
    const Matrix b = below ? weight(more, a.columns, a.dtype) : weight(a.rows, more, a.dtype);
    return emit("concat(" + a.name + ", " + b.name + ") {axis = " + (below ? "0" : "1") + "}",
                {"", below ? a.rows + more : a.rows, below ? a.columns : a.columns + more, a.dtype});
  }

  Matrix cut(const Matrix& a) {
    const std::int64_t axis = static_cast<std::int64_t>(random_() % 2);
    const std::int64_t size = axis == 0 ? a.rows : a.columns;
    const auto begin = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(size));
    const std::int64_t length = 1 + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(size - begin));
    return emit("slice(" + a.name + ") {axis = " + std::to_string(axis) + ", begin = " + std::to_string(begin) +
                    ", end = " + std::to_string(begin + length) + "}",
                {"", axis == 0 ? length : a.rows, axis == 0 ? a.columns : length, a.dtype});
  }

  Matrix pack(const Matrix& a) {
    const std::string layout = std::array{"<16@0>", "<4@0, 2@1>", "<8@1>", "<2@1, 4@0>"}[random_() % 4];
    const std::string dtype = any_dtype();
    const Matrix rounded = emit("round(" + a.name + ") {dtype = " + dtype + "}", {"", a.rows, a.columns, dtype});
    return emit("pack(" + rounded.name + ") {layout = " + layout + "}", rounded, layout);
  }

  std::mt19937_64 random_;
  std::string body_;
  int count_ = 0;
};

// In pieces of random sizes.
std::vector<std::byte> read_all(const StoredConstant& constant, const ir::TensorType& type, std::mt19937_64& random) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(ir::max_bytes(type)), std::byte{0x7f});
  const auto size = static_cast<std::size_t>(dtype_size(type.dtype));
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.size(), begin + (1 + random() % 300) * size);
    constant.read(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end), bytes.data() + begin);
    begin = end;
  }
  return bytes;
}

TEST(Constants, OfRandomExpressionsEqualTheInterpreter) {
  ops::register_all();
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const std::string text = ConstantWriter(seed).write();
    const ir::Module module = ir::parse_module(text, "test");
    const ir::Function& function = *module.find("main");
    std::mt19937_64 random(seed);
    std::map<std::string, ir::Value> values;
    std::map<std::string, std::vector<std::byte>> tensors;
    std::map<std::string, importer::TensorView> views;
    for (const ir::Expr* weight : ir::weights_of(*function.results[0])) {
      ir::TensorType type = weight->type();
      values[weight->name] = random_value(type, random);
      if (random() % 2 == 0) type.dtype = DType::kF32;
      tensors[weight->name] = to_memory({type, values[weight->name].data});
      views[weight->name] = {weight->name, type.dtype, sizes_of(type, {}), tensors[weight->name]};
    }
    const auto expected = ir::interpret(module, function, {}, {}, [&](const ir::Expr& e) { return values.at(e.name); });
    const ir::TensorType& type = function.results[0]->type();
    const StoredConstant constant(*function.results[0], [&](const std::string& name) { return views.at(name); });
    const auto bytes = read_all(constant, type, random);
    // Arithmetic in f16 and bf16 is rounded by the interpreter at every step, and here at the end.
    const bool is_exact = text.find("mul(") == std::string::npos && text.find("add(") == std::string::npos;
    const bool is_narrow = text.find("f16") != std::string::npos;
    const ir::Value got = from_memory(type, bytes);
    EXPECT_LE(relative_error(got, expected[0]), is_exact    ? 0
                                                : is_narrow ? 2e-2
                                                            : 1e-6)
        << "seed " << seed << "\n"
        << text;
    if (is_exact) {
      EXPECT_EQ(bytes, to_memory({type, expected[0].data})) << "seed " << seed << "\n" << text;
    }
  }
}

TEST(Constants, ARoundedWeightIsRoundedOnce) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @main() {
    %0 = weight "w" : bf16[1]
    %1 = scalar 256.0 : f32
    %2 = mul(%0, %1) : bf16[1]
    return %2
  }
}
)",
                                             "test");
  // Between two values of bf16: rounded first, the product would be the lower one.
  const float value = 1.0f + 0x1p-8f + 0x1p-12f;
  const importer::TensorView view{"w", DType::kF32, {1}, std::as_bytes(std::span(&value, 1))};
  std::byte got[2];
  StoredConstant(*module.find("main")->results[0], [&](const std::string&) { return view; }).read(0, 2, got);
  EXPECT_EQ(load_element(DType::kBF16, got), rounded(DType::kBF16, 256.0 * static_cast<double>(value)));
}

TEST(Constants, AMissizedTensorIsNamed) {
  ops::register_all();
  const ir::Module module =
      ir::parse_module("module m {\n  func @f() {\n    %0 = weight \"w.x\" : f32[3]\n    return %0\n  }\n}\n", "test");
  const float value = 1;
  const importer::TensorView view{"w.x", DType::kF32, {1}, std::as_bytes(std::span(&value, 1))};
  strata::fixtures::expect_error(ExitCode::kModel, {"w.x", "1 elements"}, [&] {
    StoredConstant(*module.find("f")->results[0], [&](const std::string&) { return view; });
  });
}

// More than one block, evaluated and streamed constants side by side.
TEST(Constants, FillTheSectionOfAPackage) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  func @f(%x: f32[1, 1500]) {
    %a = weight "a" : f32[2000, 1500]
    %b = weight "b" : bf16[1000, 1500]
    %d = cast(%b) {dtype = f32} : f32[1000, 1500]
    %c = concat(%a, %d) {axis = 0} : f32[3000, 1500]
    %q = pack(%c) {layout = <16@0>} : f32[3000, 1500]<16@0>
    %t = transpose(%c) {perm = [1, 0]} : f32[1500, 3000]
    %r = round(%t) {dtype = bf16} : bf16[1500, 3000]
    %p = pack(%r) {layout = <16@0, 2@1>} : bf16[1500, 3000]<16@0, 2@1>
    %y = matmul_nt(%x, %q) : f32[1, 3000]
    %z = matmul_nt(%y, %p) : f32[1, 1500]
    %v = matmul_nt(%z, %d) : f32[1, 1000]
    return %v
  }
}
)",
                                             "test");
  std::mt19937_64 random(47);
  std::map<std::string, std::vector<std::byte>> tensors;
  tensors["a"] = to_memory(random_value({DType::kF32, {2000, 1500}, {}, {}}, random));
  tensors["b"] = to_memory(random_value({DType::kBF16, {1000, 1500}, {}, {}}, random));
  const TensorSource source = [&](const std::string& name) {
    return importer::TensorView{name, name == "a" ? DType::kF32 : DType::kBF16, {}, tensors.at(name)};
  };
  codegen::WeightMap weights;
  weights.add(module, {"f"});
  ASSERT_EQ(weights.entries().size(), 3u);
  const TempDir folder(std::filesystem::temp_directory_path(), "strata-test");
  const auto path = folder.path() / "a.strata";
  package::Manifest manifest;
  manifest.weight_bytes = weights.total_bytes();
  {
    package::PackageWriter writer(path);
    writer.add(package::kManifestSection, package::to_json(manifest));
    writer.reserve(package::kWeightsSection, static_cast<std::uint64_t>(weights.total_bytes()));
    double done = 0;
    pack_weights(writer, weights, source, 2, [&](double now) { done = std::max(done, now); });
    EXPECT_EQ(done, 1.0);
    writer.commit(2);
  }
  const auto package = package::Package::open(path, true);
  const auto section = package.section(package::kWeightsSection);
  ASSERT_EQ(std::ssize(section), weights.total_bytes());
  for (const auto& entry : weights.entries()) {
    std::vector<std::byte> expected(static_cast<std::size_t>(entry.bytes));
    StoredConstant(*entry.constant, source).read(0, entry.bytes, expected.data());
    EXPECT_EQ(std::memcmp(section.data() + entry.offset, expected.data(), expected.size()), 0) << entry.name;
  }
}

}  // namespace
}  // namespace strata::compile
