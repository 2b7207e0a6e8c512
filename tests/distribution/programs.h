// SPDX-License-Identifier: Apache-2.0
// Small decoders, and machines to divide them among.
#pragma once

#include <string>
#include <vector>

#include "distribution/plan.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "ops/register.h"

namespace strata::distribution::fixtures {

struct Sizes {
  int hidden = 256, heads = 4, kv_heads = 4, head = 64, mlp = 1024, vocab = 1024, layers = 2;
};

inline std::string replaced_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

inline std::string with_sizes(std::string text, const Sizes& sizes) {
  text = replaced_all(text, "HIDDEN", std::to_string(sizes.hidden));
  text = replaced_all(text, "QUERY", std::to_string(sizes.heads * sizes.head));
  text = replaced_all(text, "SHARED", std::to_string(sizes.kv_heads * sizes.head));
  text = replaced_all(text, "KV", std::to_string(sizes.kv_heads));
  text = replaced_all(text, "HEADS", std::to_string(sizes.heads));
  text = replaced_all(text, "DIM", std::to_string(sizes.head));
  text = replaced_all(text, "MLP", std::to_string(sizes.mlp));
  return replaced_all(text, "VOCAB", std::to_string(sizes.vocab));
}

// Calls of a layer, each with weights of its own; `weights` by their names and types.
inline std::string forward_text(const std::vector<std::pair<std::string, std::string>>& weights, bool has_caches,
                                int layers) {
  std::string parameters, body, results = "%y", x = "%x0";
  const std::string cache = "bf16[KV, ctx, DIM]", hidden = "f32[seq, HIDDEN]";
  for (int layer = 0; layer < layers; ++layer) {
    const std::string n = std::to_string(layer);
    std::string arguments = x;
    if (has_caches) {
      parameters += ", %kc" + n + ": " + cache + ", %vc" + n + ": " + cache;
      arguments += ", %positions, %kc" + n + ", %vc" + n;
    }
    for (const auto& [name, type] : weights) {
      body += "    %" + name + n + " = weight \"" + n + "." + name + "\" : " + type + "\n";
      arguments += ", %" + name + n;
    }
    const std::string types = has_caches ? "(" + hidden + ", " + cache + ", " + cache + ")" : hidden;
    body += "    %c" + n + " = call @layer(" + arguments + ") : " + types + "\n";
    x = "%c" + n;
    if (!has_caches) continue;
    x = "%x" + std::to_string(layer + 1);
    body += "    " + x + " = get(%c" + n + ") {index = 0} : " + hidden + "\n";
    body += "    %kc" + n + "b = get(%c" + n + ") {index = 1} : " + cache + "\n";
    body += "    %vc" + n + "b = get(%c" + n + ") {index = 2} : " + cache + "\n";
    results += ", %kc" + n + "b, %vc" + n + "b";
  }
  return "  func @forward(%tokens: i32[seq], %positions: i32[seq]" + parameters +
         ") {\n    %e = weight \"embed.weight\" : bf16[VOCAB, HIDDEN]\n    %x0 = gather(%e, %tokens) : f32[seq, "
         "HIDDEN]\n" +
         body + "    %n = weight \"norm.weight\" : f32[HIDDEN]\n    %y = rms_norm(" + x +
         ", %n) {eps = 1e-06} : f32[seq, HIDDEN]\n    return " + results + "\n  }\n";
}

inline constexpr const char* kHead = R"(
  func @head(%hidden: f32[seq, HIDDEN]) {
    %e = weight "embed.weight" : bf16[VOCAB, HIDDEN]
    %0 = matmul_nt(%hidden, %e) : f32[seq, VOCAB]
    return %0
  }
)";

inline constexpr const char* kMlp = R"(
    %m0 = rms_norm(%x, %norm2.weight) {eps = 1e-06} : f32[seq, HIDDEN]
    %m1 = matmul_nt(%m0, %gate.weight) : f32[seq, MLP]
    %m2 = silu(%m1) : f32[seq, MLP]
    %m3 = matmul_nt(%m0, %up.weight) : f32[seq, MLP]
    %m4 = mul(%m2, %m3) : f32[seq, MLP]
    %m5 = matmul_nt(%m4, %down.weight) : f32[seq, HIDDEN]
    %m6 = add(%x, %m5) : f32[seq, HIDDEN]
)";

inline constexpr const char* kAttention = R"(
    %a0 = rms_norm(%x, %norm1.weight) {eps = 1e-06} : f32[seq, HIDDEN]
    %q0 = matmul_nt(%a0, %q.weight) : f32[seq, QUERY]
    %q1 = reshape(%q0) {shape = [-1, HEADS, DIM]} : f32[seq, HEADS, DIM]
    %k0 = matmul_nt(%a0, %k.weight) : f32[seq, SHARED]
    %k1 = reshape(%k0) {shape = [-1, KV, DIM]} : f32[seq, KV, DIM]
    %v0 = matmul_nt(%a0, %v.weight) : f32[seq, SHARED]
    %v1 = reshape(%v0) {shape = [-1, KV, DIM]} : f32[seq, KV, DIM]
    %k2 = cache_append(%k_cache, %k1, %positions) : bf16[KV, ctx, DIM]
    %v2 = cache_append(%v_cache, %v1, %positions) : bf16[KV, ctx, DIM]
    %a1 = attention(%q1, %k2, %v2, %positions) {scale = 0.125} : f32[seq, HEADS, DIM]
    %a2 = reshape(%a1) {shape = [-1, QUERY]} : f32[seq, QUERY]
    %a3 = matmul_nt(%a2, %o.weight) : f32[seq, HIDDEN]
    %a4 = add(%x, %a3) : f32[seq, HIDDEN]
)";

using Weights = std::vector<std::pair<std::string, std::string>>;

inline const Weights kMlpWeights = {{"norm2.weight", "f32[HIDDEN]"},
                                    {"gate.weight", "bf16[MLP, HIDDEN]"},
                                    {"up.weight", "bf16[MLP, HIDDEN]"},
                                    {"down.weight", "bf16[HIDDEN, MLP]"}};
inline const Weights kAttentionWeights = {{"norm1.weight", "f32[HIDDEN]"},
                                          {"q.weight", "bf16[QUERY, HIDDEN]"},
                                          {"k.weight", "bf16[SHARED, HIDDEN]"},
                                          {"v.weight", "bf16[SHARED, HIDDEN]"},
                                          {"o.weight", "bf16[HIDDEN, QUERY]"}};

inline std::string parameters_text(const Weights& weights) {
  std::string text;
  for (const auto& [name, type] : weights) text += ", %" + name + ": " + type;
  return text;
}

inline ir::Module parsed(const std::string& layer, const Weights& weights, bool has_caches, const Sizes& sizes) {
  ops::register_all();
  const std::string text = "module m {\n  symbol seq in 1..4096\n  symbol ctx in 64..1048576 multiple 64\n" + layer +
                           forward_text(weights, has_caches, sizes.layers) + kHead + "}\n";
  return ir::parse_module(with_sizes(text, sizes), "test");
}

inline ir::Module mlp_program(const Sizes& sizes = {}) {
  const std::string layer =
      "  func @layer(%x: f32[seq, HIDDEN]" + parameters_text(kMlpWeights) + ") {" + kMlp + "    return %m6\n  }\n";
  return parsed(layer, kMlpWeights, false, sizes);
}

// Of a matrix in blocks of 32, with a scale for each.
inline ir::Module blocks_program(const Sizes& sizes = {}) {
  const std::string blocks = std::to_string(sizes.hidden / 32);
  const Weights weights = {{"square.codes", "i8[HIDDEN, HIDDEN]"}, {"square.scales", "f32[HIDDEN, " + blocks + "]"}};
  const std::string layer = "  func @layer(%x: f32[seq, HIDDEN]" + parameters_text(weights) +
                            ") {\n    %w = scale_blocks(%square.codes, %square.scales) : f32[HIDDEN, HIDDEN]\n"
                            "    %0 = matmul_nt(%x, %w) : f32[seq, HIDDEN]\n"
                            "    %1 = add(%x, %0) : f32[seq, HIDDEN]\n    return %1\n  }\n";
  return parsed(layer, weights, false, sizes);
}

// The least that a layer can be.
inline ir::Module product_program(const Sizes& sizes = {}) {
  const Weights weights = {{"square.weight", "bf16[HIDDEN, HIDDEN]"}};
  const std::string layer = "  func @layer(%x: f32[seq, HIDDEN]" + parameters_text(weights) +
                            ") {\n    %0 = matmul_nt(%x, %square.weight) : f32[seq, HIDDEN]\n"
                            "    %1 = add(%x, %0) : f32[seq, HIDDEN]\n    return %1\n  }\n";
  return parsed(layer, weights, false, sizes);
}

inline const std::string kCaches = ", %positions: i32[seq], %k_cache: bf16[KV, ctx, DIM], %v_cache: bf16[KV, ctx, DIM]";

inline ir::Module attention_program(const Sizes& sizes = {}) {
  const std::string layer = "  func @layer(%x: f32[seq, HIDDEN]" + kCaches + parameters_text(kAttentionWeights) +
                            ") {" + kAttention + "    return %a4, %k2, %v2\n  }\n";
  return parsed(layer, kAttentionWeights, true, sizes);
}

inline ir::Module decoder_program(const Sizes& sizes = {}) {
  Weights weights = kAttentionWeights;
  weights.insert(weights.end(), kMlpWeights.begin(), kMlpWeights.end());
  const std::string layer = "  func @layer(%x: f32[seq, HIDDEN]" + kCaches + parameters_text(weights) + ") {" +
                            kAttention + replaced_all(kMlp, "%x", "%a4") + "    return %m6, %k2, %v2\n  }\n";
  return parsed(layer, weights, true, sizes);
}

// One core's worth of a server, so many times.
inline machine::Machine machine_of(const std::vector<int>& extents, double latency_s, double bytes_per_s) {
  machine::Machine machine = machine::load("avx512-zen4");
  machine.barrier_s = machine.op_overhead_s = 1e-9;
  const std::vector<std::string> names = {"node", "device", "part"};
  for (std::size_t i = 0; i < extents.size(); ++i) {
    machine.machines.push_back({names[i], extents[i], machine::Link{{{0, latency_s}}, bytes_per_s}});
  }
  return machine;
}

inline Phase decode(std::int64_t context, std::int64_t sequences = 1, double runs = 1) {
  const std::int64_t room = (context + 63) / 64 * 64;
  return {"decode", runs, sequences, {{"seq", 1}, {"ctx", context}}, {{"ctx", room}}, {{"seq", 1}}};
}

inline Phase prefill(std::int64_t rows, std::int64_t sequences = 1, double runs = 1) {
  return {"prefill", runs, sequences, {{"seq", rows}, {"ctx", rows}}, {{"ctx", (rows + 63) / 64 * 64}}, {{"seq", 1}}};
}

inline DistributionPlan planned(const ir::Module& module, const machine::Machine& machine, std::vector<Phase> phases,
                                const SearchOptions& options = {}) {
  const Graph graph = graph_of(module, {"forward", "head"});
  return plan_distribution(graph, mesh_of(machine), machine, phases, options);
}

// "all-reduce layer.down", of the collectives in the layers, in order.
inline std::vector<std::string> layer_collectives(const PhasePlan& phase) {
  std::vector<std::string> found;
  for (const PlacedCollective& collective : phase.collectives) {
    if (collective.function == "layer") found.push_back(collective.kind + " " + collective.value);
  }
  return found;
}

inline const PlacedOp& op_of(const PhasePlan& phase, const std::string& name) {
  for (const PlacedOp& op : phase.ops) {
    if (op.name == name) return op;
  }
  throw std::out_of_range(name);
}

inline std::string state_of(const DistributionPlan& plan, const std::string& name) {
  for (const PlacedStore& store : plan.stores) {
    if (store.name == name) return store.state;
  }
  throw std::out_of_range(name);
}

}  // namespace strata::distribution::fixtures
