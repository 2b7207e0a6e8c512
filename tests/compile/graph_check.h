// SPDX-License-Identifier: Apache-2.0
// Many modules compiled as one unit, so that the compiler starts and reads the tensor library once, run, and compared
// with the interpreter. All in a child process: a crash or a hang of one is a finding like another.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/text_file.h"
#include "compiled_function.h"

namespace strata::compile {

// What a module is compiled for.
struct GraphTarget {
  std::string machine = "native";
  std::vector<std::string> without = {};
  bool optimised = true;  // by the C++ compiler as packages are; otherwise -O1, in half the time
  std::optional<Fusion> fusion = {};

  bool shares_code_with(const GraphTarget& other) const {
    return machine == other.machine && optimised == other.optimised;
  }
};

struct GraphCase {
  std::string text;
  GraphTarget target;      // one machine in a batch
  std::uint64_t seed = 0;  // of the arguments and weights
};

// "" or what is wrong: its kind, a colon, details.
using Verdict = std::string;

// What rounding may change an element of a type by, relatively; of f32, arithmetic and approximations included.
inline double rounding(DType dtype) {
  return dtype == DType::kBF16 ? 0x1p-8 : dtype == DType::kF16 ? 0x1p-11 : 0x1p-20;
}

// Factors 1 + rounding or 1 - rounding; the name ends with the type's.
inline ir::Value rounding_noise(const ir::Expr& weight, std::uint64_t draw) {
  std::mt19937_64 random(std::hash<std::string>{}(weight.name) + draw);
  ir::Value noise{weight.type(),
                  std::vector<double>(static_cast<std::size_t>(ir::max_element_count(weight.type().shape)))};
  const double size = rounding(*parse_dtype(weight.name.substr(weight.name.rfind('_') + 1)));
  for (double& factor : noise.data) factor = random() % 2 == 0 ? 1 + size : 1 - size;
  return noise;
}

// The module for these sizes, with rounding errors: weights noise_N_DTYPE, one factor per element, multiply each op's
// result and the f32 parameters and weights that an op reads. The error of a sum is relative to its terms, not to what
// is left of them, so it is as if the operands had been rounded; that of a whole tensor cancels in a softmax or a norm,
// so each element has its own. The left side of a product with bf16 weights is rounded to bf16 by dot-product units,
// and so are queries and weights of an attention over bf16 caches; that is drawn too, and not computed, as a rule may
// have moved a factor out of what is rounded. How far the results move says how exact they can be asked to be.
class RoundingNoise {
 public:
  static ir::Module add_to(const ir::Module& module, const Symbols& symbols) {
    RoundingNoise noise;
    return ir::rebuild_module(ir::specialise(module, {symbols.begin(), symbols.end()}),
                              [&](ir::Module& into, const ir::Expr& old, std::vector<const ir::Expr*> arguments) {
                                return noise.rewrite(into, old, std::move(arguments));
                              });
  }

 private:
  using Expr = ir::Expr;

  const Expr* rewrite(ir::Module& into, const Expr& old, std::vector<const Expr*> arguments) {
    static const std::set<std::string> kExact = {"slice", "transpose", "reshape",      "concat", "gather", "neg",
                                                 "abs",   "cast",      "cache_append", "pack",   "unpack"};
    if (old.kind != Expr::Kind::kOp || kExact.contains(old.op->name())) {
      return ir::copy_expr(into, old, std::move(arguments));
    }
    for (const Expr*& argument : arguments) {
      const bool is_leaf = argument->kind == Expr::Kind::kParameter || argument->kind == Expr::Kind::kWeight;
      if (is_leaf && argument->type().dtype == DType::kF32) argument = noisy(into.pool(), argument);
    }
    const bool is_attention = old.op->name().ends_with("attention");
    const bool is_product = is_attention || old.op->name().find("matmul") != std::string::npos;
    const bool meets_pairs = is_product && arguments[1]->type().dtype == DType::kBF16;
    const bool is_wider = arguments[0]->type().dtype != DType::kBF16;  // f16 numbers too have more digits
    if (meets_pairs && is_wider) {
      arguments[0] = noisy(into.pool(), arguments[0], DType::kBF16);
    }
    const Expr* const x = arguments[0];
    const Expr* made = ir::copy_expr(into, old, std::move(arguments));
    made = noisy(into.pool(), made, is_attention && meets_pairs ? DType::kBF16 : made->type().dtype);
    return old.op->name().starts_with("gelu") ? with_tail(into.pool(), made, x) : made;
  }

  // x * (1 + erf(...)) / 2 is as exact as its operand, even where 1 + erf(...) is next to nothing.
  const Expr* with_tail(ir::ExprPool& pool, const Expr* gelu, const Expr* x) {
    if (x->type().dtype != DType::kF32 || !x->type().layout.is_row_major()) return gelu;
    const Expr* const error = pool.op(ir::get_op("sub"), {noisy(pool, x), x}, {});
    return pool.op(ir::get_op("add"), {gelu, error}, {});
  }

  const Expr* noisy(ir::ExprPool& pool, const Expr* value) { return noisy(pool, value, value->type().dtype); }

  const Expr* noisy(ir::ExprPool& pool, const Expr* value, DType rounded) {
    const ir::TensorType& type = value->type();
    if (!is_floating(type.dtype) || !type.layout.is_row_major()) return value;
    const std::string name = "noise_" + std::to_string(count_++) + "_" + std::string(dtype_name(rounded));
    return pool.op(ir::get_op("mul"), {value, pool.weight(name, {DType::kF32, type.shape, {}, {}})}, {});
  }

  int count_ = 0;
};

// ||a - b|| / ||b|| over the elements of b that are finite in f16; a may differ by `floor` per element more.
inline double graph_error(const ir::Value& a, const ir::Value& b) {
  constexpr double kFloor = 1e-3;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.data.size(); ++i) {
    if (!(std::abs(b.data[i]) < 65000)) continue;
    if (!std::isfinite(a.data[i])) return INFINITY;
    difference += (a.data[i] - b.data[i]) * (a.data[i] - b.data[i]);
    norm += std::max(b.data[i] * b.data[i], kFloor * kFloor);
  }
  return norm == 0 ? 0 : std::sqrt(difference / norm);
}

// f32 arithmetic in another order may round a value to the other neighbour where an op's result is narrower.
inline double base_tolerance(const ir::Module& module) {
  double tolerance = 1e-5;
  for (const auto& function : module.functions()) {
    for (const ir::Expr* value : ir::topological_order(*function)) {
      if (value->kind != ir::Expr::Kind::kOp) continue;
      const DType dtype = value->type().dtype;
      tolerance = std::max(tolerance, dtype == DType::kBF16 ? 4e-3 : dtype == DType::kF16 ? 5e-4 : 0);
    }
  }
  return tolerance;
}

inline std::int64_t id_limit(const std::string& name) {
  return name.starts_with("ids_") ? std::stoll(name.substr(4)) : 1;
}

// Floats in [-1, 1]; what the parameters of RandomGraph hold.
inline std::vector<ir::Value> graph_arguments(const ir::Function& function, const Symbols& symbols,
                                              std::mt19937_64& random) {
  const std::int64_t past = static_cast<std::int64_t>(random() % 2);
  std::vector<ir::Value> arguments;
  for (const ir::Expr* parameter : function.parameters) {
    arguments.push_back(random_value(concrete(parameter->type(), symbols), random, id_limit(parameter->name)));
    if (parameter->name != "positions") continue;
    std::vector<double>& positions = arguments.back().data;
    const std::int64_t shift = positions.size() < 33 ? past : 0;
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<double>(i + shift);
  }
  return arguments;
}

// The symbols' smallest and largest values, and some in between.
inline std::vector<Symbols> sizes_to_try(const ir::Module& module) {
  std::vector<Symbols> all(module.symbols().empty() ? 1 : 3);
  for (const auto& symbol : module.symbols()) {
    const std::int64_t steps = (symbol->max - symbol->min) / symbol->multiple;
    all[0][symbol->name] = symbol->min;
    all[1][symbol->name] = symbol->min + steps / 2 * symbol->multiple;
    all[2][symbol->name] = symbol->max;
  }
  return all;
}

inline std::string sizes_text(const Symbols& symbols) {
  std::string text;
  for (const auto& [name, value] : symbols) text += " " + name + "=" + std::to_string(value);
  return text;
}

// By how much rounding moves each of the results: the most of several draws, as one draw's errors may cancel.
inline std::vector<double> rounding_errors(const PlannedFunction& planned, const std::vector<ir::Value>& arguments,
                                           const Symbols& symbols, const std::vector<ir::Value>& expected) {
  constexpr std::uint64_t kDraws = 8;
  const ir::Module module = RoundingNoise::add_to(planned.source(), symbols);
  std::vector<double> errors(expected.size());
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
    const auto noisy =
        planned.reference(module, arguments, {}, [&](const ir::Expr& weight) { return rounding_noise(weight, draw); });
    for (std::size_t i = 0; i < errors.size(); ++i) errors[i] = std::max(errors[i], graph_error(noisy[i], expected[i]));
  }
  return errors;
}

// Runs it with these sizes by one thread and by two.
inline Verdict compare(const PlannedFunction& planned, const LoadedCode& code, const Symbols& symbols,
                       std::mt19937_64& random) {
  const auto arguments = graph_arguments(planned.function(), symbols, random);
  const auto expected = planned.reference(arguments, symbols);
  const double base = base_tolerance(planned.source());
  std::vector<double> moved;
  for (const int threads : {1, 2}) {
    const auto got = planned.run(code, arguments, symbols, threads);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double error = graph_error(got[i], expected[i]);
      if (error <= base) continue;
      if (moved.empty()) moved = rounding_errors(planned, arguments, symbols, expected);
      const double tolerance = base + 2 * moved[i];
      if (error <= tolerance) continue;
      return "wrong result: result " + std::to_string(i) + " is off by " + std::to_string(error) + ", tolerance " +
             std::to_string(tolerance) + ", threads=" + std::to_string(threads) + sizes_text(symbols);
    }
  }
  return "";
}

// Compiles and runs a batch in this process.
class GraphBatch {
 public:
  explicit GraphBatch(const std::vector<GraphCase>& cases)
      : cases_(cases), planned_(cases.size()), verdicts_(cases.size()) {}

  std::vector<Verdict> run() {
    ops::register_all();
    const machine::Machine machine = machine::load(cases_[0].target.machine);
    codegen::Unit all{"batch.cpp", ""};
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      attempt(i, "planning", [&] {
        std::mt19937_64 random(cases_[i].seed);
        CompileCase options{cases_[i].target.machine, cases_[i].target.without};
        options.fusion = cases_[i].target.fusion;
        if (cases_[i].seed % 3 == 0) options.checkpoint_dtype = DType::kBF16;  // wide types with narrow numbers
        planned_[i] =
            std::make_unique<PlannedFunction>(cases_[i].text, options, machine, random, "g" + std::to_string(i));
        regions_ += planned_[i]->regions() > 0 ? 1 : 0;
        for (const codegen::Unit& unit : planned_[i]->units()) all.source += unit.source;
      });
    }
    const TempDir objects(std::filesystem::temp_directory_path(), "strata-test");
    Toolchain toolchain = Toolchain::find(machine);
    if (!cases_[0].target.optimised) toolchain.add_flag("-O1");
    const LoadedCode code(toolchain.build({all}, objects.path(), 1, {}));
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (planned_[i]) attempt(i, "running", [&] { check(i, code); });
    }
    return verdicts_;
  }

  // Cases with a region of several ops.
  int with_regions() const { return regions_; }

 private:
  void attempt(std::size_t i, const std::string& stage, const std::function<void()>& work) {
    try {
      work();
    } catch (const std::exception& error) {
      verdicts_[i] = stage + ": " + error.what();
      planned_[i].reset();
    }
  }

  void check(std::size_t i, const LoadedCode& code) {
    std::mt19937_64 random(cases_[i].seed + 1);
    for (const Symbols& symbols : sizes_to_try(planned_[i]->source())) {
      verdicts_[i] = compare(*planned_[i], code, symbols, random);
      if (!verdicts_[i].empty()) return;
    }
  }

  const std::vector<GraphCase>& cases_;
  std::vector<std::unique_ptr<PlannedFunction>> planned_;
  std::vector<Verdict> verdicts_;
  int regions_ = 0;
};

// A process that runs a batch, beside its parent and other ones.
class GraphChild {
 public:
  explicit GraphChild(std::vector<GraphCase> cases) : cases_(std::move(cases)) {
    id_ = fork();
    if (id_ < 0) throw std::runtime_error("fork fails");
    if (id_ == 0) work();
  }

  const std::vector<GraphCase>& cases() const { return cases_; }
  pid_t id() const { return id_; }
  int with_regions() const { return regions_; }  // of its cases, when it has answered

  // Its answer, or nothing when it died; then `death` says how.
  std::optional<std::vector<Verdict>> wait(std::string& death) const {
    int status = 0;
    waitpid(id_, &status, 0);
    death = "crash: ended by signal " + std::to_string(WTERMSIG(status));
    if (!WIFEXITED(status) || !std::filesystem::exists(answer())) return std::nullopt;
    const auto json = nlohmann::json::parse(read_text_file(answer(), std::size_t{1} << 24));
    if (json.is_object()) {
      regions_ = json["regions"];
      return json["verdicts"].get<std::vector<Verdict>>();
    }
    death = json.get<std::string>();
    return std::nullopt;
  }

 private:
  std::filesystem::path answer() const { return folder_.path() / "verdicts.json"; }

  [[noreturn]] void work() const {
    constexpr unsigned kSeconds = 300;
    alarm(kSeconds);
    limit_memory();
    try {
      GraphBatch batch(cases_);
      const nlohmann::json verdicts = batch.run();
      write_file(answer(), nlohmann::json({{"verdicts", verdicts}, {"regions", batch.with_regions()}}).dump());
    } catch (const std::exception& error) {
      write_file(answer(), nlohmann::json(std::string("building: ") + error.what()).dump());
    }
    _exit(0);
  }

  // What takes more is a finding, not the end of other processes. Sanitizers map terabytes.
  static void limit_memory() {
    constexpr rlim_t kBytes = rlim_t{4} << 30;
    const rlimit limit{kBytes, kBytes};
    if (!is_sanitized()) setrlimit(RLIMIT_AS, &limit);
  }

  static constexpr bool is_sanitized() {
#if defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
  }

  const std::vector<GraphCase> cases_;
  const TempDir folder_{std::filesystem::temp_directory_path(), "strata-test"};
  pid_t id_ = 0;
  mutable int regions_ = 0;
};

// All verdicts of a child. When the whole batch fails, its cases are tried in ever smaller groups.
inline std::vector<Verdict> verdicts_of(const GraphChild& child) {
  std::string death;
  if (auto verdicts = child.wait(death)) return *verdicts;
  const std::vector<GraphCase>& cases = child.cases();
  if (cases.size() == 1) return {death};
  const auto middle = cases.begin() + std::ssize(cases) / 2;
  std::vector<Verdict> verdicts = verdicts_of(GraphChild({cases.begin(), middle}));
  for (Verdict& verdict : verdicts_of(GraphChild({middle, cases.end()}))) verdicts.push_back(std::move(verdict));
  return verdicts;
}

inline std::vector<Verdict> check_graphs(const std::vector<GraphCase>& cases) {
  return cases.empty() ? std::vector<Verdict>{} : verdicts_of(GraphChild(cases));
}

}  // namespace strata::compile
