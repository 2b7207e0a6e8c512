// SPDX-License-Identifier: Apache-2.0
#include "cli/model_source.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/text_file.h"
#include "cli/caches.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/progress.h"
#include "cli/rank_group.h"
#include "import/gguf.h"
#include "import/gguf_tokenizer.h"
#include "import/model_folder.h"
#include "import/wrong_model.h"
#include "machine/cpu.h"
#include "machine/machine.h"
#include "package/package.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20;

std::string read_if_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) ? read_text_file(path, kMaxTextBytes) : "";
}

}  // namespace

text::TextModel load_model_text(const fs::path& model, bool verify) {
  std::error_code ignored;
  if (fs::is_directory(model, ignored)) {
    const fs::path folder = importer::resolve_model_folder(model);
    // The text side needs no config.json.
    if (!fs::exists(folder / "tokenizer.json", ignored)) importer::require_model_folder(folder);
    return text::read_text_model([&](const std::string& name) { return read_if_exists(folder / name); },
                                 folder.string());
  }
  if (importer::is_gguf(model)) {
    const auto files = importer::read_gguf_texts(model);
    return text::read_text_model(
        [&](const std::string& name) {
          const auto file = std::ranges::find(files, name, &std::pair<std::string, std::string>::first);
          return file == files.end() ? std::string() : file->second;
        },
        model.string());
  }
  if (!package::Package::is_package(model)) throw importer::wrong_model(model, "tokenizer.json");
  auto package = package::Package::open(model, verify);
  // A package has no folders, only names.
  return text::read_text_model(
      [&](const fs::path& name) { return std::string(package.text(name.filename().string())); }, model.string());
}

void warn_of_threads(Console& console, std::int64_t threads) {
  const int allowed = machine::allowed_threads();
  if (threads <= allowed) return;
  console.info("strata: warning: -t " + std::to_string(threads) + " is more than this process may use: " +
               (allowed == 1 ? "1 thread works" : std::to_string(allowed) + " threads work"));
}

void warn_of_threads(Console& console, std::int64_t threads, const std::string& machine) {
  if (machine == "native") return warn_of_threads(console, threads);
  const int cores = machine::load(machine).cores;
  if (threads <= cores) return;
  console.info("strata: warning: -t " + std::to_string(threads) + " is more than the cores of the machine '" + machine +
               "': planned for " + std::to_string(cores));
}

void add_model_source(CLI::App& app, ModelSource& source) {
  add_model(app, source.path);
  add_cache_type(app, source.cache_type);
}

void add_model_to_run(CLI::App& app, ModelSource& source) {
  add_model_source(app, source);
  reads(app.add_option("--machine", source.machine, "Machine to compile for: a name, a file, or native"));
}

void check_cache_type(const ModelSource& model) {
  if (model.cache_type == "keep" || !package::Package::is_package(model.path)) return;
  const std::string made = cache_types_text(package::Package::open(model.path).manifest());
  if (made == model.cache_type) return;
  throw usage_error(
      "--cache-type " + model.cache_type + ": the package was made with caches of type " + made + ", " + model.path,
      "give the model that it was made from");
}

fs::path compiled_package(Console& console, const ModelSource& source, int threads, bool verify) {
  check_cache_type(source);
  const fs::path model = source.path;
  compile::CompileOptions options;
  options.cache_type = source.cache_type;
  options.workload.batch = source.sequences;
  options.machine = source.machine;
  options.threads = threads;
  options.verify = verify;
  ProgressReport progress(console, "compiling " + model.filename().string());
  const auto update = [&](std::string_view stage, double done) { progress.update(stage, done); };
  RankGroup* const ranks = RankGroup::current();
  auto report =
      ranks != nullptr ? ranks->compile(model, options, update) : compile::compile_cached(model, options, update);
  warn(console, report);
  warn_of_limit(console, report.search_limit);
  console.detail("package: " + report.package.string() + " (" + describe(report) + ")");
  return report.package;
}

void warn(Console& console, const compile::CompileReport& report) {
  if (!report.warning.empty()) console.info("strata: warning: " + report.warning);
}

std::unique_ptr<runtime::Session> open_package(const fs::path& package, const runtime::SessionOptions& options) {
  RankGroup* const ranks = RankGroup::current();
  return ranks != nullptr ? ranks->open(package, options) : runtime::Session::open(package, options);
}

std::unique_ptr<runtime::Session> open_session(Console& console, const ModelSource& model,
                                               const runtime::SessionOptions& options) {
  warn_of_threads(console, options.threads);
  auto session = open_package(compiled_package(console, model, options.threads, options.verify), options);
  console.detail("context: " + std::to_string(session->context()) +
                 " tokens, threads: " + std::to_string(session->threads()));
  return session;
}

void warn_of_limit(Console& console, const std::string& limit) {
  if (limit.empty()) return;
  console.info("strata: warning: the search for a plan ended early (" + limit +
               "), there may be a faster one; give it more work: compile --time-limit");
}

std::string describe(const compile::CompileReport& report) {
  std::string total = format_fixed(report.total_s, 2) + " s";
  if (report.from_cache) return "from the cache, " + total;
  std::string text;
  auto add = [&](const char* stage, double seconds) { text += std::string(stage) + format_fixed(seconds, 2) + " s, "; };
  add("import ", report.import_s);
  add("plan ", report.plan_s);
  add("codegen ", report.codegen_s);
  add("toolchain ", report.toolchain_s);
  add("pack ", report.pack_s);
  return text + "total " + total;
}

}  // namespace strata::cli
