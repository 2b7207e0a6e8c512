// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "cli/console.h"
#include "compile/compile.h"
#include "runtime/session.h"
#include "text/text_model.h"

namespace strata::cli {

// A MODEL, and what of its compilation every command may choose.
struct ModelSource {
  std::string path;
  std::string cache_type = "keep";
  std::int64_t sequences = 1;  // that are computed together
  std::string machine = "native";
};

// MODEL and --cache-type; of a model that is run --machine too.
void add_model_source(CLI::App& app, ModelSource& source);
void add_model_to_run(CLI::App& app, ModelSource& source);

// The tokenizer, chat template and end tokens of a MODEL: a folder or a package, read without compiling. Throws
// model_error when the model is missing, malformed, or has no tokenizer.json. `verify`: of a package, check the weights
// too.
text::TextModel load_model_text(const std::filesystem::path& model, bool verify = false);

// Opens a compiled package; where several ranks run, each its own.
std::unique_ptr<runtime::Session> open_package(const std::filesystem::path& package,
                                               const runtime::SessionOptions& options);

// A loaded model: compiled into the cache first unless it is a package or in the cache already. Shows progress.
std::unique_ptr<runtime::Session> open_session(Console& console, const ModelSource& model,
                                               const runtime::SessionOptions& options);

// Says so, in a line, when -t asks for more threads than this process may use. 0: not given.
void warn_of_threads(Console& console, std::int64_t threads);

// The same of a plan for a machine: of another one than this, its cores work.
void warn_of_threads(Console& console, std::int64_t threads, const std::string& machine);

// Throws usage_error where `model` is a package whose caches have another type than the chosen one.
void check_cache_type(const ModelSource& model);

// Compiles `model` into the cache if need be and returns the package's path. `verify`: believe nothing remembered.
std::filesystem::path compiled_package(Console& console, const ModelSource& model, int threads, bool verify = false);

// Says what a compilation warns of.
void warn(Console& console, const compile::CompileReport& report);

// A sentence on a finished compilation: the seconds of its stages, or that it came from the cache.
std::string describe(const compile::CompileReport& report);

// Says that a search met a limit; nothing where `limit` is empty.
void warn_of_limit(Console& console, const std::string& limit);

}  // namespace strata::cli
