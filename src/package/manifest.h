// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace strata::package {

// One dimension of a parameter: `factor` alone, or `factor` times the run-time value of `symbol`.
struct Extent {
  std::int64_t factor = 1;
  std::string symbol;  // empty: constant
};

// A tensor that a caller hands to an entry point. Its bytes are dtype size x the product of its extents; a state
// (the key/value cache) keeps its content between calls.
struct Parameter {
  enum class Kind { kInput, kOutput, kState };
  std::string name;
  Kind kind = Kind::kInput;
  DType dtype = DType::kF32;
  std::vector<Extent> extents;
  std::string layout;  // the IR's text form, for people: "<16@1>"; empty: row-major
};

// A symbol's inclusive range. In an entry: the values for which its code may be called.
struct SymbolRange {
  std::int64_t min = 1;
  std::int64_t max = 1;
  std::int64_t multiple = 1;  // the value must be a multiple of this (lanes of a packed axis)
};

// One compiled function with C linkage:
//   void SYMBOL(const strata::tensor::Team& team, void* const* parameters, const std::int64_t* symbols,
//               std::byte* arena, const std::byte* weights);
// called by every thread of the team at once. `symbols` follows Manifest::symbols. Several entries may carry the same
// `function`: versions by range; the first whose ranges hold is called.
struct Entry {
  std::string function;  // "forward", "forward_one", "forward_none", "head"
  std::string symbol;    // name in the code section
  std::map<std::string, SymbolRange> ranges;
  std::vector<Parameter> parameters;
  std::int64_t arena_bytes = 0;        // planned peak, 64-byte aligned
  std::int64_t arena_lower_bound = 0;  // largest sum of bytes live at once
  std::int64_t scratch_bytes = 0;      // beside it for each thread (Team::scratch), 64-byte aligned
};

// A weight as it lies in the weights section.
struct Weight {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::string layout;
  std::int64_t offset = 0;  // from the section's start
  std::int64_t bytes = 0;
};

// What a package says of itself; stored as JSON in the section "manifest".
struct Manifest {
  std::string producer;         // "strata 0.1.0"
  std::string model_name;       // the folder's or file's base name
  std::string architecture;     // "Qwen3ForCausalLM"
  std::string model_type;       // "qwen3 0.6B F32", as llama-bench prints models
  std::string dtype;            // weights: "bf16"
  std::int64_t parameters = 0;  // number of weights' elements
  std::int64_t weight_bytes = 0;
  std::int64_t layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_context = 0;
  std::string machine;                  // "native-znver5"
  std::string target;                   // "x86_64"
  std::vector<std::string> features;    // processor features that the code needs: "avx512f", ...
  std::string compiler;                 // "clang++ 19.1.7 -O3 -march=native"
  std::vector<std::string> options;     // what changes the result: "--without=..."
  std::vector<std::int64_t> mesh = {};  // of the ranks that run it together, by axis; empty: one process runs it
  std::int64_t rank = 0;                // whose package it is
  std::vector<std::string> symbols;     // names of the run-time dimensions, in the order of the entries' argument
  std::map<std::string, SymbolRange> symbol_ranges;
  std::vector<Entry> entries;
  std::vector<Weight> weights;
  std::string code;  // XXH3 of the code section; empty: there is none
};

// A digest of all that the manifest says but `code`. The code section exports it as the text kContractSymbol: code and
// manifest that were not made together don't fit, whatever their checksums.
std::string contract_of(Manifest manifest);
inline constexpr const char* kContractSymbol = "strata_contract";

// What Manifest::code is for this section.
std::string code_digest(std::span<const std::byte> code);

std::string to_json(const Manifest& manifest);

// Throws model_error naming `origin` for anything malformed or out of range.
Manifest manifest_from_json(std::string_view json, const std::string& origin);

// Names of the sections of a package.
inline constexpr std::string_view kManifestSection = "manifest";
inline constexpr std::string_view kCodeSection = "code";        // an ELF shared object
inline constexpr std::string_view kSourceSection = "source";    // the generated C++, for people
inline constexpr std::string_view kWeightsSection = "weights";  // used in place
inline constexpr std::string_view kPlanSection = "plan";        // JSON: what was decided (plan/plan.h)
// Text files of the model are stored under their own names: "tokenizer.json", "tokenizer_config.json",
// "generation_config.json", "config.json", "chat_template.jinja", "tool_use.jinja".

}  // namespace strata::package
