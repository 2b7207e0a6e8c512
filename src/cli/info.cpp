// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/hash.h"
#include "cli/caches.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "encoding/encoding.h"
#include "import/checkpoint.h"
#include "import/gguf.h"
#include "import/tensor_specs.h"
#include "import/wrong_model.h"
#include "package/format.h"
#include "package/package.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

// Larger weights are read for their checksum only on demand.
constexpr std::int64_t kVerifiedUnasked = std::int64_t{1} << 30;

struct InfoOptions {
  std::string model;
  bool verify = false;
};

// Lines "name    value", aligned. The texts are a file's: none may speak to the terminal.
class Table {
 public:
  void row(const std::string& name, const std::string& value) {
    rows_.emplace_back(escape_controls(name), escape_controls(value));
  }
  void row(const std::string& name, std::int64_t value) { row(name, std::to_string(value)); }

  std::string text() const {
    std::size_t width = 0;
    for (const auto& [name, value] : rows_) width = std::max(width, name.size());
    std::string lines;
    for (const auto& [name, value] : rows_) lines += name + std::string(width + 2 - name.size(), ' ') + value + "\n";
    return lines;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

std::string joined_or_none(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text.empty() ? "none" : text;
}

struct Geometry {
  std::int64_t layers, hidden, heads, kv_heads, head_dim, intermediate, vocabulary, context;
};

void add_geometry(Table& table, const Geometry& geometry) {
  table.row("layers", geometry.layers);
  table.row("hidden size", geometry.hidden);
  table.row("attention", std::to_string(geometry.heads) + " heads of " + std::to_string(geometry.head_dim) + ", " +
                             std::to_string(geometry.kv_heads) + " key/value heads");
  table.row("intermediate", geometry.intermediate);
  table.row("vocabulary", geometry.vocabulary);
  table.row("context", geometry.context);
}

// "2 x bf16, 113 x f32": the tensors by what they are stored as.
std::string counts_text(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [form, count] : counts) parts.push_back(std::to_string(count) + " x " + form);
  return joined_or_none(parts);
}

std::string form_of(const package::Weight& weight) {
  return encoding::form_text(weight.dtype, encoding::parse_layout(weight.layout).encoding);
}

void add_text(Table& table, const std::vector<std::string>& names) { table.row("text files", joined_or_none(names)); }

void describe_checkpoint(const fs::path& model, Console& console) {
  auto checkpoint = importer::Checkpoint::open(model);
  const auto& config = checkpoint.config();
  std::map<std::string, std::int64_t> forms;
  std::int64_t bytes = 0;
  for (const auto& spec : importer::tensor_specs(config)) {
    const auto& tensor = checkpoint.at(spec.name);
    ++forms[tensor.form()];
    bytes += tensor.byte_count();
  }
  const importer::ModelTexts texts = checkpoint.texts();
  std::vector<std::string> names;
  for (const auto& [name, text] : texts.files) names.push_back(name);
  Table table;
  table.row("model", model.string());
  table.row("format", checkpoint.is_gguf() ? "GGUF" : "Hugging Face folder");
  table.row("architecture", config.architecture);
  table.row("parameters", checkpoint.parameters());
  table.row("weights", format_bytes(bytes) + " (" + counts_text(forms) + ")");
  add_geometry(table, {config.layers, config.hidden_size, config.heads, config.kv_heads, config.head_dim,
                       config.intermediate_size, config.vocab_size, config.max_positions});
  table.row("output head", config.tied_head ? "the embedding table" : "own weights");
  if (const std::string unused = importer::unused_warning(checkpoint.unused_tensors()); !unused.empty()) {
    table.row("warning", unused);
  }
  if (!texts.problem.empty()) table.row("warning", "no tokenizer: " + texts.problem);
  add_text(table, names);
  console.out(table.text());
}

void add_code(Table& table, const package::Manifest& manifest) {
  table.row("machine", manifest.machine + " (" + manifest.target + ")");
  table.row("features", joined_or_none(manifest.features));
  table.row("compiler", manifest.compiler);
  table.row("options", joined_or_none(manifest.options));
  table.row("producer", manifest.producer);
  for (const auto& entry : manifest.entries) {
    std::string ranges;
    for (const auto& [symbol, range] : entry.ranges) {
      ranges += " " + symbol + " " + std::to_string(range.min) + ".." + std::to_string(range.max);
    }
    table.row("code " + entry.symbol, "arena peak " + format_bytes(entry.arena_bytes) + ", lower bound " +
                                          format_bytes(entry.arena_lower_bound) + ", scratch of a thread " +
                                          format_bytes(entry.scratch_bytes) + ";" + ranges);
  }
}

void describe_package(const InfoOptions& options, Console& console) {
  auto size = static_cast<std::int64_t>(fs::file_size(options.model));
  bool verify = options.verify || size < kVerifiedUnasked;
  auto package = package::Package::open(options.model, verify);
  const auto& manifest = package.manifest();
  std::map<std::string, std::int64_t> forms;
  for (const auto& weight : manifest.weights) ++forms[form_of(weight)];
  Table table;
  table.row("package", options.model);
  table.row("size", format_bytes(size));
  table.row("fingerprint", package.fingerprint());
  table.row("checksums", verify ? "all are right" : "right; weights not read (--verify reads them)");
  table.row("model",
            manifest.model_name.empty() ? manifest.model_type : manifest.model_name + " (" + manifest.model_type + ")");
  table.row("architecture", manifest.architecture);
  table.row("parameters", manifest.parameters);
  table.row("weights", format_bytes(manifest.weight_bytes) + " (" + counts_text(forms) + ")");
  table.row("caches",
            cache_types_text(manifest) + ", " + format_bytes(cache_bytes_per_token(manifest)) + " for each token");
  add_geometry(table, {manifest.layers, manifest.hidden_size, manifest.heads, manifest.kv_heads, manifest.head_dim,
                       manifest.intermediate_size, manifest.vocab_size, manifest.max_context});
  add_code(table, manifest);
  for (const auto& [name, bytes] : package.sections()) {
    std::string checksum = verify ? ", xxh3 " + hex(package::section_checksum(bytes)) : "";
    table.row("section " + name, format_bytes(std::ssize(bytes)) + checksum);
  }
  console.out(table.text());
}

void info(const InfoOptions& options, Console& console) {
  std::error_code ignored;
  if (fs::is_directory(options.model, ignored) || importer::is_gguf(options.model)) {
    describe_checkpoint(options.model, console);
  } else if (package::Package::is_package(options.model)) {
    describe_package(options, console);
  } else {
    throw importer::wrong_model(options.model, "config.json");
  }
}

}  // namespace

Action declare_info(CLI::App& app, Console& console) {
  auto options = std::make_shared<InfoOptions>();
  add_model(app, options->model);
  add_verify(app, options->verify);
  return [options, &console] { info(*options, console); };
}

}  // namespace strata::cli
