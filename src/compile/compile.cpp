// SPDX-License-Identifier: Apache-2.0
#include "compile/compile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <span>

#include "base/atomic_file.h"
#include "base/cache_folder.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/ranges.h"
#include "base/record_file.h"
#include "base/scratch_file.h"
#include "base/trust.h"
#include "base/words.h"
#include "compile/pack_weights.h"
#include "compile/package_cache.h"
#include "compile/pipeline.h"
#include "compile/plan_report.h"
#include "compile/quantise_weights.h"
#include "compile/rank_program.h"
#include "compile/solved_tiles_file.h"
#include "compile/tensor_headers.h"
#include "compile/toolchain.h"
#include "compile/tune_tiles.h"
#include "compile/weight_statistics.h"
#include "import/checkpoint.h"
#include "import/decoder.h"
#include "import/model_folder.h"
#include "import/wanted_rows.h"
#include "machine/cpu.h"
#include "ops/register.h"
#include "package/package.h"
#include "vectorize/layout_rules.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kProducer = "strata 0.1.0";
constexpr std::array<std::string_view, 6> kWeightTypes = {"f32", "f16", "bf16", "keep", "q8", "q4"};
constexpr std::array<std::string_view, 4> kCacheTypes = {"f32", "f16", "bf16", "keep"};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int thread_count(const CompileOptions& options) {
  return options.threads > 0 ? options.threads : machine::allowed_threads();
}

void check_tuning(const CompileOptions& options) {
  const std::string remedy = "leave one of them out";
  if (options.machine != "native")
    throw usage_error("--tune measures this machine, not '" + options.machine + "'", remedy);
  if (std::ranges::count(options.without, "tiles") > 0)
    throw usage_error("--tune measures tiles, which --without tiles takes as they are", remedy);
}

void check_type(const std::string& what, const std::string& type, std::span<const std::string_view> types) {
  if (contains(types, type)) return;
  throw usage_error(what + " can't be stored as '" + type + "'", "use " + joined(types));
}

void check_options(const CompileOptions& options) {
  check_switch_names(options.without);
  if (options.measure) check_tuning(options);
  check_type("weights", options.dtype, kWeightTypes);
  check_type("caches", options.cache_type, kCacheTypes);
}

package::SymbolRange package_range(const ir::Symbol& symbol) { return {symbol.min, symbol.max, symbol.multiple}; }

package::Parameter package_parameter(const std::string& name, package::Parameter::Kind kind,
                                     const ir::TensorType& type) {
  package::Parameter parameter{name, kind, type.dtype, {}, type.layout.text()};
  for (const ir::Dim& dim : type.shape) {
    parameter.extents.push_back({dim.factor(), dim.is_constant() ? "" : dim.symbol()->name});
  }
  return parameter;
}

// Parameters that a result is updated in place are states; what is left of the results follows as outputs. Sizes are
// those of the function before it was specialised, so that all entries of a function have the same parameters.
package::Entry package_entry(const ir::Module& imported, const codegen::PlannedVersion& planned,
                             const std::string& name) {
  const ir::Function& general = *imported.find(name);
  const ir::Function& function = *planned.module.find(name);
  const buffer::FunctionPlan& plan = planned.buffers.at(&function);
  package::Entry entry{name,
                       codegen::entry_symbol(name, planned.version.tag),
                       {},
                       {},
                       plan.arena_bytes,
                       plan.lower_bound,
                       plan.scratch_bytes};
  for (const auto& [symbol, range] : planned.version.symbols) entry.ranges[symbol] = package_range(range);
  using Kind = package::Parameter::Kind;
  std::vector<Kind> kinds(function.parameters.size(), Kind::kInput);
  for (const buffer::ResultPlace& result : plan.results) {
    if (result.parameter) kinds[*result.parameter] = Kind::kState;
  }
  for (std::size_t i = 0; i < function.parameters.size(); ++i) {
    ir::TensorType type = function.parameters[i]->type();
    type.shape = general.parameters[i]->type().shape;
    entry.parameters.push_back(package_parameter(function.parameters[i]->name, kinds[i], type));
  }
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    if (plan.results[i].parameter) continue;
    const std::string output = name == "head" ? "logits" : "hidden";
    entry.parameters.push_back(package_parameter(output, Kind::kOutput, general.results[i]->type()));
  }
  return entry;
}

codegen::Unit contract_unit(const std::string& contract) {
  const std::string declaration = std::string("const char ") + package::kContractSymbol + "[]";
  return {"contract.cpp", "extern \"C\" {\nextern __attribute__((visibility(\"default\"))) " + declaration + ";\n" +
                              declaration + " = \"" + contract + "\";\n}\n"};
}

// "qwen3 0.6B BF16", as llama-bench names models.
std::string model_type_text(const std::string& family, std::int64_t parameters, const std::string& dtype) {
  char size[32];
  const auto count = static_cast<double>(parameters);
  std::snprintf(size, sizeof(size), count >= 1e8 ? "%.1fB" : "%.1fM", count >= 1e8 ? count / 1e9 : count / 1e6);
  std::string upper = dtype;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return family + " " + size + " " + upper;
}

CompileOptions with_switches(CompileOptions options) {
  if (options.exact_activations)
    std::ranges::move(vectorize::rounded_rows_rules(), std::back_inserter(options.without));
  return options;
}

// One compilation, stage by stage; the whole compiler reads from top to bottom in run().
class Compilation {
 public:
  Compilation(const fs::path& model, const CompileOptions& options, const Progress& progress)
      : options_(with_switches(options)), progress_(progress), model_(model) {
    ops::register_all();
    check_options(options_);
  }

  // A package for the cache holds what its key is made of, and nothing else.
  enum class Contents { kAll, kWithoutTexts };

  CompileReport run(const fs::path& output, Contents contents) {
    const auto start = Clock::now();
    import();
    find_toolchain();
    contents_ = contents;
    package::PackageWriter writer(output);
    plan();
    if (contents_ == Contents::kAll) read_texts();
    const std::string source = generate();
    const std::string code = build();
    pack(writer, code, source);
    report_.package = output;
    report_.total_s = seconds_since(start);
    return report_;
  }

  // Whether a limit ended the search.
  bool is_limited() {
    import();
    plan();
    return !report_.search_limit.empty();
  }

  ModelPlan plan_only() {
    import();
    plan();
    ModelPlan planned{plan_report(), memory_use(manifest(), options_.workload, team()), team()};
    planned.has_values = checkpoint_->has_values();
    planned.warning = report_.warning;
    planned.search_limit = report_.search_limit;
    return planned;
  }

  // Of this program itself: another build may plan otherwise.
  static std::string program_hash() { return hash128(MappedFile::open("/proc/self/exe").bytes()).hex(); }

  // What the package depends on, to find it again in the cache.
  std::string inputs_key() {
    import();
    Hasher hasher;
    hasher.field(program_hash()).field(checkpoint_->identity(options_.verify)).field(options_.dtype);
    hasher.field(options_.cache_type);
    hasher.field(machine::to_json(machine_)).field(tensor_library_hash());
    for (const std::string& name : options_.without) hasher.field(name);
    hasher.field(std::to_string(options_.work)).field(to_text(options_.workload));
    if (options_.exact_activations) hasher.field("exact activations");
    if (options_.ranks > 1) hasher.field("rank " + std::to_string(options_.rank));
    if (options_.measure) hasher.field("tune");
    return hasher.digest128().hex();
  }

  // Throws toolchain_error when there is no compiler.
  std::string making_key() {
    find_toolchain();
    return Hasher().field(toolchain_->description()).field(std::to_string(team())).digest128().hex();
  }

  // About the size of the package.
  std::uint64_t checkpoint_bytes() {
    import();
    return static_cast<std::uint64_t>(checkpoint_->parameters() * dtype_size(checkpoint_->weight_dtype()));
  }

 private:
  void progress(std::string_view stage, double done) const {
    if (progress_) progress_(stage, done);
  }

  void import() {
    if (checkpoint_) return;
    const auto start = Clock::now();
    progress("reading", 0);
    using importer::Checkpoint;
    checkpoint_ = options_.needs_weights ? Checkpoint::open(model_) : Checkpoint::open_shapes(model_);
    machine_ = machine::load(options_.machine);
    set_ranks(machine_, options_.ranks);
    machine_.has_whole_reductions = contains(options_.without, "split");
    machine_.has_whole_rows = contains(options_.without, "grid");
    machine_.has_fixed_tiles = contains(options_.without, "tiles");
    report_.import_s = seconds_since(start);
  }

  void read_texts() {
    texts_ = checkpoint_->texts();
    if (texts_.problem.empty()) return;
    if (!report_.warning.empty()) report_.warning += "; ";
    report_.warning += "the package has no tokenizer: " + texts_.problem;
  }

  void find_toolchain() {
    if (!toolchain_) toolchain_ = Toolchain::find(machine_);
  }

  void plan() {
    if (!planned_.empty()) return;
    const auto start = Clock::now();
    progress("planning", 0);
    const importer::ModelConfig& config = checkpoint_->config();
    report_.warning = importer::unused_warning(checkpoint_->unused_tensors());
    importer::DecoderOptions decoder_options;
    decoder_options.dtype = options_.dtype;
    decoder_options.cache_type = options_.cache_type;
    decoder_options.exact_activations = options_.exact_activations;
    decoder_options.max_chunk = std::min(decoder_options.max_chunk, config.max_positions);
    // Of a memory that software manages no plan has copies of pages, and ranks have one sequence.
    const bool has_pages = machine::managed_level(machine_) == nullptr && options_.ranks == 1;
    if (has_pages) decoder_options.sequences = options_.workload.batch;
    const bool wanted_rows = !contains(options_.without, "rows");
    decoder_options.wanted_rows = wanted_rows && options_.ranks == 1;
    decoder_ = importer::import_decoder(*checkpoint_, decoder_options);
    if (!options_.dump.empty()) fs::create_directories(options_.dump);
    if (options_.ranks > 1) divide(decoder_options.max_chunk, wanted_rows);
    for (const auto& symbol : decoder_->module.symbols()) symbols_.push_back(symbol->name);
    if (checkpoint_->has_values()) quantise();
    weight_source_.emplace(*checkpoint_, *decoder_);
    const encoding::WeightStatistics statistics = count_elements();
    const PassContext context = {machine_,      options_.without, options_.dump,    statistics,
                                 options_.work, team(),           options_.explains};
    const SolvedTilesFile solved_tiles(machine_, program_hash());
    planned_ = plan_versions(decoder_->module, default_versions(decoder_->module, options_.workload), context);
    remove_slower_than_spare(planned_, context);
    solved_tiles.keep();
    if (options_.measure) tune(context);
    const plan::SearchStats& stats = planned_.front().stats;
    if (stats.is_limited) report_.search_limit = stats.stop_reason;
    const auto fit_of = [&](const ir::Expr& constant) { return constant_fit(*own(constant), statistics, tensors()); };
    for (const auto& planned : planned_) weights_.add(planned.module, planned.version.entries, fit_of);
    report_.plan_s = seconds_since(start);
  }

  // The program of each rank in place of the whole one.
  void divide(std::int64_t max_chunk, bool wanted_rows) {
    machine::Machine device = machine_;
    device.cores = team();
    const std::int64_t context = checkpoint_->config().max_positions;
    const auto plan = plan_for_ranks(decoder_->module, device, options_.workload, max_chunk, context);
    decoder_->module = program_for_ranks(decoder_->module, plan);
    if (wanted_rows) importer::add_wanted_rows(decoder_->module);
  }

  // A constant as this rank stores it.
  const ir::Expr* own(const ir::Expr& constant) {
    if (options_.ranks == 1) return &constant;
    return of_rank(own_constants_, constant, mesh_extents(machine_), options_.rank);
  }

  void quantise() {
    quantised_ = quantise_weights(*checkpoint_, decoder_->blocks, thread_count(options_),
                                  [&](double done) { progress("quantising", done); });
  }

  // What was measured before, on this machine by code of this compiler, isn't measured again.
  void tune(const PassContext& context) {
    find_toolchain();
    make_private_folder(cache_folder());
    const std::string owner = Hasher()
                                  .field(machine::to_json(machine_))
                                  .field(toolchain_->description())
                                  .field(tensor_library_hash())
                                  .digest128()
                                  .hex();
    const fs::path path = cache_folder() / "tiles" / ("measured-" + owner + ".txt");
    const Records before = load_records(path, owner);
    Records known = before;
    report_.tuning = tune_tiles(planned_, context, symbols_, known, options_.measure);
    planned_.front().stats.tuning = report_.tuning;
    if (known != before) save_records(path, known, owner);
  }

  // Threads that the plan is for: those of another machine are all its cores.
  int team() const {
    const int allowed = options_.machine == "native" ? machine::allowed_threads() : machine_.cores;
    return std::clamp(options_.team > 0 ? options_.team : allowed, 1, machine_.cores);
  }

  // For encodings.
  encoding::WeightStatistics count_elements() const {
    return compile::count_elements(decoder_->module, tensors(), vectorize::decodable(machine_), thread_count(options_),
                                   [&](double done) { progress("reading", done); });
  }

  TensorSource tensors() const {
    return [this](const std::string& name) { return weight_source_->at(name); };
  }

  plan::Plan plan_report() const {
    plan::Plan report{machine_, planned_.front().stats, {}};
    report.stats.regions.clear();
    for (const auto& planned : planned_) {
      add_entries(planned, machine_, thread_count(options_), options_.explains, report);
      if (options_.explains) add_arenas(planned, report);
      for (const plan::RegionSearch& search : planned.stats.regions) report.stats.regions.push_back(search);
    }
    return report;
  }

  // The units' text, one after another, for people.
  std::string generate() {
    const auto start = Clock::now();
    std::string source;
    for (const auto& planned : planned_) {
      for (codegen::Unit& unit : codegen::generate(planned, planned.version.entries, symbols_, weights_, machine_)) {
        source += "// " + unit.file + "\n" + unit.source + "\n";
        if (!options_.dump.empty()) write_file(options_.dump / unit.file, unit.source);
        units_.push_back(std::move(unit));
      }
    }
    report_.codegen_s = seconds_since(start);
    return source;
  }

  std::string build() {
    const auto start = Clock::now();
    progress("compiling", 0);
    make_private_folder(cache_folder());
    manifest_ = manifest();
    units_.push_back(contract_unit(package::contract_of(manifest_)));
    std::string code = toolchain_->build(units_, cache_folder() / "objects", thread_count(options_),
                                         [&](double done) { progress("compiling", done); });
    report_.toolchain_s = seconds_since(start);
    return code;
  }

  void pack(package::PackageWriter& writer, const std::string& code, const std::string& source) {
    const auto start = Clock::now();
    manifest_.code = package::code_digest(std::as_bytes(std::span(code)));
    writer.add(package::kManifestSection, package::to_json(manifest_));
    writer.add(package::kCodeSection, code);
    writer.add(package::kSourceSection, source);
    writer.add(package::kPlanSection, plan::to_json(plan_report()));
    if (contents_ == Contents::kAll) {
      for (const auto& [name, content] : texts_.files) writer.add(name, content);
    }
    writer.reserve(package::kWeightsSection, static_cast<std::uint64_t>(weights_.total_bytes()));
    const codegen::WeightMap own_weights = weights_.with_constants([&](const ir::Expr& c) { return own(c); });
    pack_weights(writer, own_weights, tensors(), thread_count(options_),
                 [&](double done) { progress("packing", done); });
    progress("writing", 0);
    checkpoint_->require_unchanged();
    writer.commit(thread_count(options_));
    report_.pack_s = seconds_since(start);
  }

  package::Manifest manifest() const {
    const importer::ModelConfig& config = checkpoint_->config();
    package::Manifest manifest;
    manifest.producer = kProducer;
    if (contents_ == Contents::kAll) manifest.model_name = importer::model_name(checkpoint_->folder());
    manifest.architecture = config.architecture;
    manifest.dtype = options_.dtype == "keep" ? std::string(dtype_name(checkpoint_->weight_dtype())) : options_.dtype;
    manifest.parameters = checkpoint_->parameters();
    manifest.model_type = model_type_text(config.model_type, manifest.parameters, manifest.dtype);
    manifest.weight_bytes = weights_.total_bytes();
    manifest.layers = config.layers;
    manifest.hidden_size = config.hidden_size;
    manifest.heads = config.heads;
    manifest.kv_heads = config.kv_heads;
    manifest.head_dim = config.head_dim;
    manifest.intermediate_size = config.intermediate_size;
    manifest.vocab_size = config.vocab_size;
    manifest.max_context = config.max_positions;
    manifest.machine = machine_.name;
    manifest.target = machine_.target.arch;
    manifest.features = machine_.target.features;
    if (toolchain_) manifest.compiler = toolchain_->description();
    for (const std::string& name : options_.without) manifest.options.push_back("--without=" + name);
    if (options_.cache_type != "keep") manifest.options.push_back("--cache-type=" + options_.cache_type);
    if (options_.measure) manifest.options.emplace_back("--tune");
    manifest.options.push_back("--threads=" + std::to_string(team()));
    manifest.options.push_back("--workload=" + to_text(options_.workload));
    if (options_.ranks > 1) {
      manifest.mesh = mesh_extents(machine_);
      manifest.rank = options_.rank;
    }
    manifest.symbols = symbols_;
    for (const auto& symbol : decoder_->module.symbols()) manifest.symbol_ranges[symbol->name] = package_range(*symbol);
    for (const auto& planned : planned_) {
      for (const std::string& name : planned.version.entries) {
        manifest.entries.push_back(package_entry(decoder_->module, planned, name));
      }
    }
    for (const auto& entry : weights_.entries()) {
      package::Weight weight{entry.name, entry.type.dtype, {}, entry.type.layout.text(), entry.offset, entry.bytes};
      for (const ir::Dim& dim : entry.type.shape) weight.shape.push_back(dim.factor());
      manifest.weights.push_back(std::move(weight));
    }
    return manifest;
  }

  const CompileOptions options_;
  const Progress& progress_;
  const fs::path model_;
  Contents contents_ = Contents::kAll;
  CompileReport report_;
  std::optional<importer::Checkpoint> checkpoint_;
  importer::ModelTexts texts_;
  machine::Machine machine_;
  std::optional<Toolchain> toolchain_;
  std::optional<importer::Decoder> decoder_;
  ScratchFile quantised_;  // the bytes of decoder_->blocks
  std::optional<WeightSource> weight_source_;
  std::vector<std::string> symbols_;
  std::vector<codegen::PlannedVersion> planned_;
  codegen::WeightMap weights_;
  ir::ExprPool own_constants_;  // of a rank
  std::vector<codegen::Unit> units_;
  package::Manifest manifest_;
};

}  // namespace

CompileReport compile_to_file(const fs::path& model, const fs::path& output, const CompileOptions& options,
                              const Progress& progress) {
  return Compilation(model, options, progress).run(output, Compilation::Contents::kAll);
}

ModelPlan plan_model(const fs::path& model, const CompileOptions& options, const Progress& progress) {
  return Compilation(model, options, progress).plan_only();
}

namespace {

// Nothing where there is no compiler to make a key with.
std::optional<PackageKey> key_of(Compilation& compilation, const std::string& inputs) {
  try {
    return PackageKey{inputs, compilation.making_key()};
  } catch (const Error& error) {
    if (error.code() != ExitCode::kToolchain) throw;
    return std::nullopt;
  }
}

// One whose search met a limit lies under a name that no key finds, nor the beginning of one.
fs::path place_of(const PackageCache& cache, const std::string& key, Compilation& compilation) {
  return cache.path_of(compilation.is_limited() ? "limited-" + key : key);
}

CompileReport compile_into(const PackageCache& cache, const std::string& key, Compilation& compilation) {
  cache.make_room(compilation.checkpoint_bytes());
  const fs::path package = place_of(cache, key, compilation);
  std::error_code ignored;
  fs::remove(package, ignored);
  const PrivateFiles for_this_user_alone;
  return compilation.run(package, Compilation::Contents::kWithoutTexts);
}

}  // namespace

CompileReport compile_cached(const fs::path& model, const CompileOptions& options, const Progress& progress) {
  if (package::Package::is_package(model)) return {model, true};
  const auto start = Clock::now();
  Compilation compilation(model, options, progress);
  const PackageCache cache(cache_folder() / "packages");
  const std::string inputs = compilation.inputs_key();
  const std::optional<PackageKey> key = key_of(compilation, inputs);
  const auto find = [&] {
    return key ? cache.find(key->text(), options.verify) : cache.find_any(inputs, options.verify);
  };
  const auto from_cache = [&](const fs::path& package) {
    cache.touch(package);
    CompileReport report{package, true};
    report.total_s = seconds_since(start);
    return report;
  };
  if (const auto package = find()) return from_cache(*package);
  if (!key) compilation.making_key();  // says what is missing
  std::optional<FileLock> lock;
  try {
    cache.create();
    lock.emplace(cache.lock_of(key->text()));
  } catch (const Error& error) {
    // In a cache that is read-only there may be one that was planned for another team.
    const auto other = cache.find_any(inputs, options.verify);
    if (!other) throw;
    return from_cache(*other);
  }
  if (const auto package = find()) return from_cache(*package);
  return compile_into(cache, key->text(), compilation);
}

}  // namespace strata::compile
