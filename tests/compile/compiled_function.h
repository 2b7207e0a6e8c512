// SPDX-License-Identifier: Apache-2.0
// A function of an IR text, taken through the whole compiler and called: what differential tests compare with the
// interpreter.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/temp_dir.h"
#include "buffer/barriers.h"
#include "compile/pack_weights.h"
#include "compile/pipeline.h"
#include "compile/schedule_pass.h"
#include "compile/toolchain.h"
#include "compile/weight_statistics.h"
#include "ir/interpreter.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/attention_tree.h"
#include "schedule/region.h"
#include "schedule/tile_choice.h"
#include "schedule/verify.h"
#include "tensor/team.h"
#include "tensor/vec.h"
#include "vectorize/layout_rules.h"

namespace strata::compile {

using Symbols = std::map<std::string, std::int64_t>;

inline std::int64_t size_of(const ir::Dim& dim, const Symbols& symbols) {
  return dim.is_constant() ? dim.factor() : dim.factor() * symbols.at(dim.symbol()->name);
}

inline std::vector<std::int64_t> sizes_of(const ir::TensorType& type, const Symbols& symbols) {
  std::vector<std::int64_t> sizes;
  for (const ir::Dim& dim : type.shape) sizes.push_back(size_of(dim, symbols));
  return sizes;
}

// The type with its symbols replaced by their values.
inline ir::TensorType concrete(ir::TensorType type, const Symbols& symbols) {
  for (ir::Dim& dim : type.shape) dim = ir::Dim(size_of(dim, symbols));
  return type;
}

// Position in memory of the element with this row-major number, for any layout; a definition by the book.
inline std::int64_t physical_offset(const ir::TensorType& type, std::int64_t element) {
  const std::vector<std::int64_t> sizes = sizes_of(type, {});
  std::vector<std::int64_t> index(sizes.size());
  for (std::size_t axis = sizes.size(); axis-- > 0; element /= sizes[axis]) index[axis] = element % sizes[axis];
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    const std::int64_t lanes = type.layout.lanes(static_cast<int>(axis));
    offset = offset * ((sizes[axis] + lanes - 1) / lanes) + index[axis] / lanes;
  }
  for (const ir::Pack& pack : type.layout.packs) offset = offset * pack.lanes + index[pack.axis] % pack.lanes;
  return offset;
}

inline void store_element(DType dtype, double value, std::byte* to) {
  const auto put = [&](auto element) { std::memcpy(to, &element, sizeof(element)); };
  switch (dtype) {
    case DType::kF32:
      return put(static_cast<float>(value));
    case DType::kF16:
      return put(tensor::f16(static_cast<float>(value)));
    case DType::kBF16:
      return put(tensor::bf16(static_cast<float>(value)));
    case DType::kI32:
      return put(static_cast<std::int32_t>(value));
    case DType::kI64:
      return put(static_cast<std::int64_t>(value));
    case DType::kI8:
      return put(static_cast<std::int8_t>(value));
    default:
      return put(static_cast<std::uint8_t>(value));
  }
}

inline double load_element(DType dtype, const std::byte* from) {
  const auto get = [&](auto element) {
    std::memcpy(&element, from, sizeof(element));
    return element;
  };
  switch (dtype) {
    case DType::kF32:
      return get(float{});
    case DType::kF16:
      return static_cast<float>(get(tensor::f16{}));
    case DType::kBF16:
      return static_cast<float>(get(tensor::bf16{}));
    case DType::kI32:
      return get(std::int32_t{});
    case DType::kI64:
      return static_cast<double>(get(std::int64_t{}));
    case DType::kI8:
      return get(std::int8_t{});
    default:
      return get(std::uint8_t{});
  }
}

// What a value becomes when it is stored as dtype.
inline double rounded(DType dtype, double value) {
  std::byte bytes[8];
  store_element(dtype, value, bytes);
  return load_element(dtype, bytes);
}

inline std::vector<std::byte> to_memory(const ir::Value& value) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(ir::max_bytes(value.type)));
  const std::int64_t size = dtype_size(value.type.dtype);
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    const std::int64_t at = physical_offset(value.type, static_cast<std::int64_t>(i)) * size;
    store_element(value.type.dtype, value.data[i], bytes.data() + at);
  }
  return bytes;
}

inline ir::Value from_memory(const ir::TensorType& type, const std::vector<std::byte>& bytes) {
  ir::Value value{type, std::vector<double>(static_cast<std::size_t>(ir::max_element_count(type.shape)))};
  const std::int64_t size = dtype_size(type.dtype);
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    const std::int64_t at = physical_offset(type, static_cast<std::int64_t>(i)) * size;
    value.data[i] = load_element(type.dtype, bytes.data() + at);
  }
  return value;
}

// Values in [-1, 1] that the dtype represents exactly; integers in [0, limit).
inline ir::Value random_value(const ir::TensorType& type, std::mt19937_64& random, std::int64_t limit = 1) {
  ir::Value value{type, std::vector<double>(static_cast<std::size_t>(ir::max_element_count(type.shape)))};
  for (double& element : value.data) {
    const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    if (is_floating(type.dtype)) {
      element = rounded(type.dtype, 2 * uniform - 1);
    } else if (type.dtype == DType::kI8) {
      element = std::floor(uniform * 256) - 128;
    } else {
      element = std::floor(uniform * static_cast<double>(limit));
    }
  }
  return value;
}

struct CompileCase {
  std::string machine = "native";
  std::vector<std::string> without = {};
  std::map<std::string, DType> checkpoint_dtypes = {};  // of weights that the checkpoint has in another type
  std::optional<DType> checkpoint_dtype = {};           // of all others
  std::optional<Fusion> fusion = {};                    // of a team of two; nothing: as packages are compiled
  int codes = 256;                                      // numbers that weights of i8 have, around zero
  int code_step = 1;                                    // from one of these to the next
  int odd_weights = 0;                                  // of each, far from the others: tiny, or beyond 2 in f16
  std::int64_t parts = 0;                               // of the context of attentions; 0: as planned
  std::int64_t row_tiles = 0;  // of the units in which threads share products in blocks, by rows too; 0: as planned
};

using CodeEntry = void (*)(const tensor::Team&, void* const*, const std::int64_t*, std::byte*, const std::byte*);

// A shared object in this process.
class LoadedCode {
 public:
  explicit LoadedCode(const std::string& bytes) {
    const TempDir folder(std::filesystem::temp_directory_path(), "strata-test");
    const auto path = folder.path() / "code.so";
    write_file(path, bytes);
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw std::runtime_error(dlerror());
  }
  ~LoadedCode() { dlclose(library_); }
  LoadedCode(const LoadedCode&) = delete;
  LoadedCode& operator=(const LoadedCode&) = delete;

  CodeEntry entry(const std::string& symbol) const {
    return reinterpret_cast<CodeEntry>(dlsym(library_, symbol.c_str()));
  }

 private:
  void* library_ = nullptr;
};

// Objects are kept for the next run of the test. They are less optimised than packages' are, unless STRATA_SOAK is set.
inline std::string build_code(const std::vector<codegen::Unit>& units, const machine::Machine& machine) {
  const std::filesystem::path cache = std::filesystem::temp_directory_path() / "strata-test-objects";
  Toolchain toolchain = Toolchain::find(machine);
  if (std::getenv("STRATA_SOAK") == nullptr) toolchain.add_flag("-O1");
  return toolchain.build(units, cache, 1, {});
}

inline constexpr std::size_t kGuardBytes = 256;
inline constexpr std::byte kGuard{0x5a};

// Aligned as code wants it, with guards behind it.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::int64_t bytes)
      : bytes_(static_cast<std::size_t>(bytes)), memory_(bytes_ + kAlignment + kGuardBytes, std::byte{0x7f}) {
    std::ranges::fill(guard(), kGuard);
  }

  std::byte* data() {
    void* at = memory_.data();
    std::size_t space = memory_.size();
    return static_cast<std::byte*>(std::align(kAlignment, bytes_ + kGuardBytes, at, space));
  }
  bool is_intact() {
    return std::ranges::all_of(guard(), [](std::byte b) { return b == kGuard; });
  }

 private:
  static constexpr std::size_t kAlignment = 64;

  std::span<std::byte> guard() { return {data() + bytes_, kGuardBytes}; }

  std::size_t bytes_;
  std::vector<std::byte> memory_;
};

// A module's function `main`, planned; weights get random values. `tag` names its code.
class PlannedFunction {
 public:
  PlannedFunction(const std::string& text, const CompileCase& options, machine::Machine machine,
                  std::mt19937_64& random, const std::string& tag = "test")
      : machine_(std::move(machine)), source_(ir::parse_module(text, "test")) {
    make_weights(options, random);
    const TensorSource tensors = [&](const std::string& name) { return views_.at(name); };
    const encoding::WeightStatistics statistics = count_elements(source_, tensors, vectorize::decodable(machine_), 1);
    planned_.emplace(
        std::move(plan_versions(source_, {{tag, nullptr, {"main"}}}, {machine_, options.without, {}, statistics})[0]));
    if (options.fusion) {
      Schedule schedule = schedule_module(planned_->module, machine_, {2, *options.fusion});
      planned_->schedule = std::move(schedule.functions);
      planned_->buffers = std::move(schedule.buffers);
    }
    if (options.parts != 0) divide_contexts(options.parts);
    if (options.row_tiles != 0) share_rows(options.row_tiles);
    weights_.add(planned_->module, {"main"},
                 [&](const ir::Expr& constant) { return constant_fit(constant, statistics, tensors); });
    for (const auto& symbol : source_.symbols()) symbols_.push_back(symbol->name);
    weight_bytes_.resize(static_cast<std::size_t>(weights_.total_bytes()));
    for (const auto& entry : weights_.entries()) {
      StoredConstant(*entry.constant, tensors, entry.fit).read(0, entry.bytes, weight_bytes_.data() + entry.offset);
    }
  }
  PlannedFunction(const PlannedFunction&) = delete;
  PlannedFunction& operator=(const PlannedFunction&) = delete;

  const ir::Module& source() const { return source_; }
  const ir::Function& function() const { return *source_.find("main"); }
  const ir::Function& planned_function() const { return *planned_->module.find("main"); }
  const codegen::PlannedVersion& planned() const { return *planned_; }
  const codegen::WeightMap& weights() const { return weights_; }
  const machine::Machine& machine() const { return machine_; }
  const std::byte* weight_bytes() const { return weight_bytes_.data(); }

  // Regions of several ops.
  int regions() const {
    int count = 0;
    for (const auto& function : planned_->schedule) {
      count +=
          static_cast<int>(std::ranges::count_if(function.ops, [](const auto& op) { return op.parts.size() > 1; }));
    }
    return count;
  }

  std::vector<codegen::Unit> units() const {
    return codegen::generate(*planned_, {"main"}, symbols_, weights_, machine_);
  }

  // All results in order, those updated in place included. Throws when the code writes what it must not.
  std::vector<ir::Value> run(const LoadedCode& code, const std::vector<ir::Value>& arguments, const Symbols& symbols,
                             int threads) const {
    const ir::Function& target = planned_function();
    const buffer::FunctionPlan& plan = planned_->buffers.at(&target);
    std::vector<std::vector<std::byte>> memory;
    std::vector<bool> is_written(arguments.size());
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      memory.push_back(to_memory({concrete(target.parameters[i]->type(), symbols), arguments[i].data}));
    }
    for (std::size_t i = 0; i < target.results.size(); ++i) {
      if (plan.results[i].parameter) {
        is_written[static_cast<std::size_t>(*plan.results[i].parameter)] = true;
      } else {
        memory.emplace_back(static_cast<std::size_t>(ir::max_bytes(concrete(target.results[i]->type(), symbols))),
                            std::byte{0x7f});
      }
    }
    const std::vector<std::vector<std::byte>> before(memory.begin(), memory.begin() + std::ssize(arguments));
    call(code, memory, symbols, threads, plan);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!is_written[i] && memory[i] != before[i]) throw std::runtime_error("an argument was overwritten");
    }
    std::vector<ir::Value> results;
    std::size_t next = arguments.size();
    for (std::size_t i = 0; i < target.results.size(); ++i) {
      const std::size_t at = plan.results[i].parameter ? static_cast<std::size_t>(*plan.results[i].parameter) : next++;
      results.push_back(from_memory(concrete(target.results[i]->type(), symbols), memory[at]));
    }
    return results;
  }

  std::vector<ir::Value> reference(const std::vector<ir::Value>& arguments, const Symbols& symbols) const {
    return reference(source_, arguments, symbols);
  }

  // Of a module that has the same weights, and `others`.
  std::vector<ir::Value> reference(const ir::Module& module, const std::vector<ir::Value>& arguments,
                                   const Symbols& symbols, const ir::WeightSource& others = {}) const {
    return ir::interpret(module, *module.find("main"), arguments, symbols, [&](const ir::Expr& weight) {
      const auto known = weight_values_.find(weight.name);
      return known == weight_values_.end() ? others(weight) : known->second;
    });
  }

 private:
  void divide_contexts(std::int64_t parts) {
    change_trees([&](const schedule::ScheduledFunction&, schedule::ScheduledOp& op) {
      if (op.attention) op.tree = schedule::attention_tree(op, machine_, {.parts = parts});
    });
  }

  // In whole tiles of the product's rows, and of those that a region packs behind it.
  void share_rows(std::int64_t tiles) {
    change_trees([&](const schedule::ScheduledFunction& function, schedule::ScheduledOp& op) {
      if (!schedule::has_tile_choice(op)) return;
      const schedule::ScheduledOp& product = op.products.empty() ? op : op.parts[op.products[0].part];
      const std::int64_t unit = schedule::block_unit(product, *product.contraction->only(ir::IteratorClass::kM));
      const std::int64_t packed = op.leaf->loop.takes_row_tiles ? op.value->type().layout.lanes(0) : 1;
      schedule::TileChoice choice = schedule::predicted_choice(op, machine_);
      choice.rows = tiles * std::lcm(unit, packed);
      op = schedule::with_tiles(op, machine_, schedule::leaving(function, op), choice);
    });
  }

  void change_trees(const auto& change) {
    buffer::remove_barriers(planned_->schedule);
    for (auto& function : planned_->schedule) {
      for (schedule::ScheduledOp& op : function.ops) {
        if (!op.is_call() && op.has_code()) change(function, op);
      }
      schedule::verify(function, machine_);
    }
    planned_->buffers = buffer::plan_buffers(planned_->schedule);
    buffer::place_barriers(planned_->schedule, planned_->buffers);
    for (auto& function : planned_->schedule) {
      schedule::verify(function, machine_);
      buffer::verify_barriers(function, planned_->buffers.at(function.function));
    }
  }

  // The checkpoint's tensors.
  void make_weights(const CompileCase& options, std::mt19937_64& random) {
    for (const auto& function : source_.functions()) {
      for (const ir::Expr* value : ir::topological_order(*function)) {
        if (value->kind != ir::Expr::Kind::kWeight || weight_values_.contains(value->name)) continue;
        ir::TensorType type = value->type();
        const DType dtype = type.dtype;
        if (options.checkpoint_dtype && is_floating(dtype)) type.dtype = *options.checkpoint_dtype;
        if (options.checkpoint_dtypes.contains(value->name)) type.dtype = options.checkpoint_dtypes.at(value->name);
        type.layout = {};
        ir::Value tensor = random_value(type, random);
        if (dtype == DType::kI8) make_few(tensor, options.codes, options.code_step);
        make_some_odd(tensor, options.odd_weights, random);
        tensors_[value->name] = to_memory(tensor);
        views_[value->name] = {value->name, type.dtype, sizes_of(type, {}), tensors_[value->name]};
        for (double& element : tensor.data) element = rounded(dtype, element);
        weight_values_[value->name] = {value->type(), std::move(tensor.data)};
      }
    }
  }

  // So many numbers around zero, so far apart.
  static void make_few(ir::Value& tensor, int count, int step) {
    for (double& element : tensor.data) element = step * std::floor(element * count / 256);
  }

  static void make_some_odd(ir::Value& tensor, int count, std::mt19937_64& random) {
    const double factor = tensor.type.dtype == DType::kF16 ? 0x1p7 : 0x1p-30;
    for (int i = 0; i < count; ++i) {
      double& element = tensor.data[random() % tensor.data.size()];
      element = rounded(tensor.type.dtype, element * factor);
    }
  }

  // Everything that the code may write has guards behind it.
  void call(const LoadedCode& code, std::vector<std::vector<std::byte>>& memory, const Symbols& symbols, int threads,
            const buffer::FunctionPlan& plan) const {
    std::vector<void*> parameters;
    for (auto& bytes : memory) {
      bytes.resize(bytes.size() + kGuardBytes, kGuard);
      parameters.push_back(bytes.data());
    }
    std::vector<std::int64_t> values;
    for (const std::string& name : symbols_) values.push_back(symbols.at(name));
    GuardedMemory arena(plan.arena_bytes);
    std::vector<GuardedMemory> scratch;
    for (int rank = 0; rank < threads; ++rank) scratch.emplace_back(plan.scratch_bytes);
    run_team(code, parameters, values, arena.data(), scratch);
    const auto is_guard = [](std::byte b) { return b == kGuard; };
    if (!arena.is_intact()) throw std::runtime_error("writes behind the arena");
    for (GuardedMemory& of_thread : scratch) {
      if (!of_thread.is_intact()) throw std::runtime_error("writes behind the scratch memory");
    }
    for (auto& bytes : memory) {
      if (!std::all_of(bytes.end() - kGuardBytes, bytes.end(), is_guard)) {
        throw std::runtime_error("writes behind a parameter or result");
      }
      bytes.resize(bytes.size() - kGuardBytes);
    }
  }

  void run_team(const LoadedCode& code, const std::vector<void*>& parameters, const std::vector<std::int64_t>& values,
                std::byte* arena, std::vector<GuardedMemory>& scratch) const {
    const int threads = static_cast<int>(scratch.size());
    const CodeEntry entry = code.entry(codegen::entry_symbol("main", planned_->version.tag));
    tensor::Barrier barrier(threads);
    const auto run = [&](int rank) {
      std::byte* const own = scratch[static_cast<std::size_t>(rank)].data();
      entry(tensor::Team{rank, threads, &barrier, nullptr, own}, parameters.data(), values.data(), arena,
            weight_bytes_.data());
    };
    std::vector<std::jthread> team;
    for (int rank = 1; rank < threads; ++rank) team.emplace_back(run, rank);
    run(0);
  }

  machine::Machine machine_;
  ir::Module source_;
  std::optional<codegen::PlannedVersion> planned_;
  codegen::WeightMap weights_;
  std::vector<std::string> symbols_;
  std::vector<std::byte> weight_bytes_;
  std::map<std::string, ir::Value> weight_values_;
  std::map<std::string, std::vector<std::byte>> tensors_;
  std::map<std::string, importer::TensorView> views_;
};

// A planned function with its code.
class CompiledFunction : public PlannedFunction {
 public:
  CompiledFunction(const std::string& text, const CompileCase& options, std::mt19937_64& random)
      : PlannedFunction(text, options, (ops::register_all(), machine::load(options.machine)), random),
        generated_(units()),
        code_(build_code(generated_, machine())) {}

  std::string generated() const {
    std::string text;
    for (const codegen::Unit& unit : generated_) text += unit.source;
    return text;
  }

  std::vector<ir::Value> run(const std::vector<ir::Value>& arguments, const Symbols& symbols, int threads) const {
    return PlannedFunction::run(code_, arguments, symbols, threads);
  }

  // What one rank of a team does, whoever else there is: no barrier waits.
  void run_rank(int rank, int size, const std::vector<void*>& parameters) const {
    tensor::Barrier nobody(1);
    code_.entry(codegen::entry_symbol("main", planned().version.tag))(
        tensor::Team{rank, size, &nobody}, parameters.data(), nullptr, nullptr, weight_bytes());
  }

 private:
  std::vector<codegen::Unit> generated_;
  LoadedCode code_;
};

// ||a - b|| / ||b||; infinite when a is not finite.
inline double relative_error(const ir::Value& a, const ir::Value& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.data.size(); ++i) {
    if (!std::isfinite(a.data[i])) return INFINITY;
    difference += (a.data[i] - b.data[i]) * (a.data[i] - b.data[i]);
    norm += b.data[i] * b.data[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

}  // namespace strata::compile
