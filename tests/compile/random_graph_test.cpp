// SPDX-License-Identifier: Apache-2.0
// Random programs of awkward shapes through the whole compiler, against the float64 interpreter. A failure prints the
// program's text and its seed.
#include <gtest/gtest.h>

#include "compiled_function.h"

namespace strata::compile {
namespace {

// Writes a random module: matrices of a few widths, one dynamic axis.
class GraphWriter {
 public:
  explicit GraphWriter(std::uint64_t seed) : random_(seed) {}

  std::string write() {
    const std::int64_t width = pick({1, 7, 17, 31, 33, 64});
    values_ = {{"%x", width}, {"%y", width}};
    const std::string parameters = "%x: " + type(width) + ", %y: " + type(width);
    const int ops = 3 + static_cast<int>(random_() % 10);
    for (int i = 0; i < ops; ++i) add_op();
    return "module test {\n  symbol seq in 1..20\n  func @main(" + parameters + ") {\n" + body_ + "    return " +
           values_.back().name + "\n  }\n}\n";
  }

 private:
  struct Matrix {
    std::string name;
    std::int64_t width;
  };

  std::int64_t pick(std::initializer_list<std::int64_t> choices) { return choices.begin()[random_() % choices.size()]; }
  // Recent values are likelier, so that the last one depends on many.
  Matrix pick_value() {
    const std::size_t span = std::min<std::size_t>(values_.size(), 4);
    return values_[values_.size() - 1 - random_() % span];
  }
  static std::string type(std::int64_t width) { return "f32[seq, " + std::to_string(width) + "]"; }

  std::string emit(const std::string& expression, const std::string& type) {
    const std::string name = "%" + std::to_string(count_++);
    body_ += "    " + name + " = " + expression + " : " + type + "\n";
    return name;
  }
  void push(const std::string& expression, std::int64_t width) {
    values_.push_back({emit(expression, type(width)), width});
  }
  std::string weight(const std::string& type) { return emit("weight \"w" + std::to_string(count_) + "\"", type); }

  void add_op() {
    const Matrix a = pick_value();
    const std::string w = std::to_string(a.width);
    switch (random_() % 11) {
      case 0:
        return push(std::string(pick({0, 1}) == 0 ? "silu" : "tanh") + "(" + a.name + ")", a.width);
      case 1:
        return push("rms_norm(" + a.name + ", " + weight("f32[" + w + "]") + ") {eps = 1e-05}", a.width);
      case 2:
        return push("softmax(" + a.name + ")", a.width);
      case 3: {
        const std::int64_t n = pick({1, 7, 17, 33, 100});
        const std::string dtype = pick({0, 1}) == 0 ? "f32" : "f16";
        return push("matmul_nt(" + a.name + ", " + weight(dtype + "[" + std::to_string(n) + ", " + w + "]") + ")", n);
      }
      case 4:
        return push("add(" + a.name + ", " + weight("f32[" + w + "]") + ")", a.width);
      case 5: {
        const Matrix b = pick_value();
        if (b.width != a.width) return push("mul(" + a.name + ", " + a.name + ")", a.width);
        return push("sub(" + a.name + ", " + b.name + ")", a.width);
      }
      case 6: {
        const Matrix b = pick_value();
        return push("concat(" + a.name + ", " + b.name + ") {axis = 1}", a.width + b.width);
      }
      case 7: {
        if (a.width < 3) return push("sigmoid(" + a.name + ")", a.width);
        return push("slice(" + a.name + ") {axis = 1, begin = 1, end = " + std::to_string(a.width - 1) + "}",
                    a.width - 2);
      }
      case 8: {
        const std::string across = emit("transpose(" + a.name + ") {perm = [1, 0]}", "f32[" + w + ", seq]");
        const std::string mapped = emit("tanh(" + across + ")", "f32[" + w + ", seq]");
        return push("transpose(" + (pick({0, 1}) == 0 ? across : mapped) + ") {perm = [1, 0]}", a.width);
      }
      case 9: {
        if (a.width % 2 != 0) return push("sigmoid(" + a.name + ")", a.width);
        const std::string half = std::to_string(a.width / 2);
        const std::string split =
            emit("reshape(" + a.name + ") {shape = [-1, 2, " + half + "]}", "f32[seq, 2, " + half + "]");
        const std::string swapped = emit("transpose(" + split + ") {perm = [0, 2, 1]}", "f32[seq, " + half + ", 2]");
        return push("reshape(" + swapped + ") {shape = [-1, " + w + "]}", a.width);
      }
      default: {
        const std::string split =
            emit("reshape(" + a.name + ") {shape = [-1, " + w + ", 1]}", "f32[seq, " + w + ", 1]");
        const std::string cubic = emit("mul(" + split + ", " + split + ")", "f32[seq, " + w + ", 1]");
        return push("reshape(" + cubic + ") {shape = [-1, " + w + "]}", a.width);
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<Matrix> values_;
  std::string body_;
  int count_ = 0;
};

TEST(RandomGraphs, EqualTheInterpreter) {
  const char* const wanted = std::getenv("STRATA_RANDOM_GRAPHS");
  const std::uint64_t graphs = wanted == nullptr ? 16 : std::strtoull(wanted, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
    const std::string text = GraphWriter(seed).write();
    std::mt19937_64 random(seed);
    CompiledFunction compiled(text, {}, random);
    for (const std::int64_t seq : {1, 7, 20}) {
      const Symbols symbols = {{"seq", seq}};
      std::vector<ir::Value> arguments;
      for (const ir::Expr* parameter : compiled.function().parameters) {
        arguments.push_back(random_value(concrete(parameter->type(), symbols), random));
      }
      const auto expected = compiled.reference(arguments, symbols);
      for (const int threads : {1, 2}) {
        EXPECT_LE(relative_error(compiled.run(arguments, symbols, threads)[0], expected[0]), 2e-5)
            << "seed " << seed << " seq " << seq << " threads " << threads << "\n"
            << text;
      }
    }
  }
}

}  // namespace
}  // namespace strata::compile
