// SPDX-License-Identifier: Apache-2.0
// Random modules for differential tests: 1 to 20 ops of every family on awkward and dynamic shapes.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ops/register.h"
#include "random_values.h"

namespace strata::compile {

// Writes one module whose function `main` takes floats, `ids_N` (integers below N) and `positions` (rising integers
// below the context).
class RandomGraph : RandomValues {
 public:
  explicit RandomGraph(std::uint64_t seed) : RandomValues(seed) {}

  std::string write() {
    wanted_ops_ = 1 + static_cast<int>(below(20));
    choose_sizes();
    Body main;
    const std::optional<Layer> layer = chance(30) ? std::optional<Layer>(write_layer()) : std::nullopt;
    main.values = {parameter(main, "x", {DType::kF32, {rows_, width_}, {}, {}})};
    if (chance(40)) main.values.push_back(parameter(main, "y", {DType::kF32, {rows_, width_}, {}, {}}));
    if (chance(30)) main.values.push_back(parameter(main, "z", {DType::kF32, random_shape(), {}, {}}));
    if (layer) call_layer(main, *layer);
    while (ops_ < wanted_ops_) add_ops(main);
    module_.add({"main", main.parameters, choose_results(main)});
    return ir::to_text(module_);
  }

 private:
  struct Layer {
    const ir::Function* function = nullptr;
    Body body;
  };

  // One op, or a few that belong together. What doesn't fit the values at hand is left out.
  void add_ops(Body& body) {
    using Maker = void (RandomGraph::*)(Body&);
    static const Maker kMakers[] = {&RandomGraph::add_unary,     &RandomGraph::add_unary,   &RandomGraph::add_binary,
                                    &RandomGraph::add_binary,    &RandomGraph::add_binary,  &RandomGraph::add_scales,
                                    &RandomGraph::add_blocks,    &RandomGraph::add_norm,    &RandomGraph::add_norm,
                                    &RandomGraph::add_reduction, &RandomGraph::add_matmuls, &RandomGraph::add_matmuls,
                                    &RandomGraph::add_matmuls,   &RandomGraph::add_matmuls, &RandomGraph::add_product,
                                    &RandomGraph::add_product,   &RandomGraph::add_batch,   &RandomGraph::add_cast,
                                    &RandomGraph::add_concat,    &RandomGraph::add_slice,   &RandomGraph::add_slice,
                                    &RandomGraph::add_reshape,   &RandomGraph::add_reshape, &RandomGraph::add_transpose,
                                    &RandomGraph::add_gather,    &RandomGraph::add_rope,    &RandomGraph::add_attention,
                                    &RandomGraph::add_packed,    &RandomGraph::add_gate};
    try {
      (this->*kMakers[below(std::size(kMakers))])(body);
    } catch (const Error&) {
      return;
    }
  }

  void add_unary(Body& body) {
    const Expr* const x = any(body);
    const char* const name = pick({"neg", "abs", "sin", "cos", "tanh", "erf", "sigmoid", "silu", "gelu", "gelu_tanh",
                                   "exp", "log", "sqrt", "rsqrt"});
    const std::string op_name = name;
    if (op_name == "exp") return add(body, op("exp", {magnitude(x) > 4 ? raw("tanh", {x}) : x}, 20));
    if (op_name == "log" || op_name == "sqrt" || op_name == "rsqrt") {
      const Expr* const positive = raw("add", {raw("abs", {x}), module_.pool().scalar(0.25, DType::kF32)});
      return add(body, op(op_name, {positive}, std::max(2.0, magnitude(x))));
    }
    add(body, same_size(op_name, x));
  }

  // Something that broadcasts against x.
  const Expr* partner(Body& body, const Expr* x) {
    const ir::TensorType& type = x->type();
    switch (below(5)) {
      case 0:
        return module_.pool().scalar(pick({0.5, -1.25, 3.0}), DType::kF32);
      case 1:
        return constant(body, {pick({DType::kF32, DType::kBF16}), {last(x)}, {}, {}});
      case 2: {
        const Expr* const reduced = raw(pick({"reduce_mean", "reduce_max", "reduce_min"}), {x});
        std::vector<std::int64_t> shape;
        for (const Dim& dim : reduced->type().shape) shape.push_back(dim.is_constant() ? dim.factor() : -1);
        shape.push_back(1);
        magnitudes_[reduced] = magnitude(x);
        return op("reshape", {reduced}, magnitude(x), {{"shape", shape}});
      }
      default:
        for (std::size_t i = 0; i < body.values.size(); ++i) {
          const Expr* const other = any(body);
          if (other->type().shape == type.shape) return other;
        }
        return x;
    }
  }

  void add_binary(Body& body) {
    const Expr* a = any(body);
    const Expr* b = partner(body, a);
    const std::string name = pick({"add", "sub", "mul", "div", "maximum", "minimum"});
    double large = magnitude(a) + magnitude(b);
    if (name == "mul") large = magnitude(a) * magnitude(b);
    if (name == "div") {
      b = raw("add", {raw("abs", {b}), module_.pool().scalar(0.5, DType::kF32)});
      large = magnitude(a) * 2;
    } else if (chance(30)) {
      std::swap(a, b);
    }
    add(body, op(name, {a, b}, large));
  }

  // A number for each block of the last axis.
  void add_scales(Body& body) {
    const Expr* const x = any(body);
    if (!last(x).is_constant()) return;
    const std::int64_t n = last(x).factor();
    const std::int64_t block = pick<std::int64_t>({1, 3, 8, 16, 32, n});
    if (n % block != 0) return;
    const Expr* const scales = constant(body, {pick({DType::kF32, DType::kBF16}), {Dim(n / block)}, {}, {}});
    add(body, op("scale_blocks", {x, scales}, magnitude(x) * magnitude(scales)));
  }

  // A product with bytes in blocks that share scales, or what these are made of.
  void add_blocks(Body& body) {
    const Expr* const x = any(body);
    if (!last(x).is_constant()) return;
    const std::int64_t k = last(x).factor(), block = pick<std::int64_t>({8, 16, 32, k});
    if (k % block != 0) return;
    const Dim n = size();
    if (!n.is_constant()) return;
    const DType dtype = pick({DType::kF32, DType::kF16});
    const auto factor = [&](std::int64_t blocks) { return constant(body, {dtype, {n, Dim(blocks)}, {}, {}}); };
    const Expr* const codes = weight(body, {DType::kI8, {n, Dim(k)}, {}, {}});
    const double large = 128 * magnitude(x) * growth(last(x));
    switch (below(5)) {
      case 0:
        return add(body, op("scaled_matmul_nt", {x, codes, factor(k / block)}, large));
      case 1: {
        const Expr* const scales = weight(body, {DType::kI8, {n, Dim(k / block)}, {}, {}});
        return add(body, op("nested_matmul_nt", {x, codes, scales, factor(1)}, 128 * large));
      }
      case 2:
        return add(body,
                   op("matmul_nt", {x, raw("affine_blocks", {codes, factor(k / block), factor(k / block)})}, large));
      case 3:
        return add(body, op("matmul_nt", {x, raw("scale_unshifted", {codes, factor(k / block)})}, large));
      default:
        if (x->type().rank() > 1) add(body, op("code_scales", {x}, magnitude(x)));
    }
  }

  void add_norm(Body& body) {
    const Expr* const x = any(body);
    const DType dtype = pick({DType::kF32, DType::kBF16});
    const auto vector = [&] { return constant(body, {dtype, {last(x)}, {}, {}}); };
    switch (below(3)) {
      case 0:
        return add(body, op("softmax", {x}, 1));
      case 1:
        return add(body, op("rms_norm", {x, vector()}, 3, {{"eps", 1e-3}}));
      default:
        return add(body, op("layer_norm", {x, vector(), vector()}, 3, {{"eps", 1e-3}}));
    }
  }

  void add_reduction(Body& body) {
    const Expr* const x = any(body);
    if (x->type().rank() < 2) return;
    const std::string name = pick({"reduce_sum", "reduce_max", "reduce_min", "reduce_mean"});
    const double terms = name == "reduce_sum" ? static_cast<double>(last(x).max()) : 1;
    add(body, op(name, {x}, magnitude(x) * std::sqrt(terms) * 2));
  }

  // How much larger than its operands' product a sum over k is, for random signs.
  static double growth(const Dim& k) { return 2 * std::sqrt(static_cast<double>(k.max())); }

  // Several products of one input with weights.
  void add_matmuls(Body& body) {
    const Expr* const x = any(body);
    if (!last(x).is_constant()) return;
    const DType dtype = weight_dtype();
    const std::uint64_t products = pick({1, 1, 2, 3});
    for (std::uint64_t i = 0; i < products; ++i) {
      const Dim n = chance(30) ? width_ : size();
      const double large = magnitude(x) * growth(last(x));
      const DType own = chance(90) ? dtype : weight_dtype();
      add(body, chance(80) ? op("matmul_nt", {x, constant(body, {own, {n, last(x)}, {}, {}})}, large)
                           : op("matmul", {x, constant(body, {own, {last(x), n}, {}, {}})}, large));
    }
  }

  // Products of two activations.
  void add_product(Body& body) {
    const Expr* const a = any_of_rank(body, 2);
    const Expr* const b = any_of_rank(body, 2);
    if (a == nullptr) return;
    for (const std::string name : {"matmul_nt", "matmul", "matmul_tn"}) {
      const Dim k = name == "matmul_tn" ? a->type().shape[0] : last(a);
      try {
        const Expr* const made = op(name, {a, b}, magnitude(a) * magnitude(b) * growth(k));
        add(body, made);
        const bool is_scores = name == "matmul_nt" && chance(50);
        if (is_scores) add(body, op("matmul", {op("softmax", {made}, 1), b}, magnitude(b)));
        return;
      } catch (const Error&) {
        continue;
      }
    }
  }

  // [heads, rows, n] of a value of three axes, or of a matrix whose columns are divided among the heads.
  const Expr* matrices(Body& body) {
    const Expr* x = any_of_rank(body, 3);
    if (x == nullptr) {
      const Expr* const matrix = any_of_rank(body, 2);
      const std::int64_t heads = pick<std::int64_t>({1, 2, 3, 4});
      const bool can_split = matrix != nullptr && matrix->type().shape[0] == rows_ && last(matrix).is_constant() &&
                             last(matrix).factor() % heads == 0;
      if (!can_split) return nullptr;
      x = split_heads(matrix, {heads, last(matrix).factor() / heads});
    }
    if (x->type().shape[0].is_constant()) return x;
    return same_size("transpose", x, {{"perm", std::vector<std::int64_t>{1, 0, 2}}});
  }

  // Matrices by weights, or by themselves, which gives [heads, rows, rows].
  void add_batch(Body& body) {
    const Expr* const a = matrices(body);
    if (a == nullptr || !a->type().shape[0].is_constant() || !last(a).is_constant()) return;
    const double large = magnitude(a) * growth(last(a));
    if (chance(40)) {
      const Expr* const scores = op("batch_matmul_nt", {a, a}, magnitude(a) * large);
      add(body, scores);
      if (chance(60)) add(body, op("batch_matmul", {op("softmax", {scores}, 1), a}, magnitude(a)));
      return;
    }
    const bool nt = chance(50);
    const Dim batch = a->type().shape[0];
    const Dim n = size();
    const ir::Shape shape = nt ? ir::Shape{batch, n, last(a)} : ir::Shape{batch, last(a), n};
    add(body, op(nt ? "batch_matmul_nt" : "batch_matmul", {a, constant(body, {weight_dtype(), shape, {}, {}})}, large));
  }

  void add_cast(Body& body) {
    const Expr* const narrow =
        same_size(pick({"cast", "round"}), any(body), {{"dtype", pick({DType::kF16, DType::kBF16})}});
    add(body, chance(50) ? same_size("cast", narrow, {{"dtype", DType::kF32}}) : narrow);
  }

  void add_concat(Body& body) {
    const Expr* const a = any(body);
    const Expr* const b = chance(70) ? any(body) : a;
    const auto axis = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(a->type().rank())));
    add(body, op("concat", {a, b}, std::max(magnitude(a), magnitude(b)), {{"axis", axis}}));
  }

  void add_slice(Body& body) {
    const Expr* const x = any(body);
    const auto axis = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(x->type().rank())));
    const auto size = static_cast<std::uint64_t>(x->type().shape[static_cast<std::size_t>(axis)].min());
    const auto begin = static_cast<std::int64_t>(below(size));
    const auto end = begin + 1 + static_cast<std::int64_t>(below(size - static_cast<std::uint64_t>(begin)));
    add(body, same_size("slice", x, {{"axis", axis}, {"begin", begin}, {"end", end}}));
  }

  // The last axis divided, or the last two joined, or an axis of one element more.
  void add_reshape(Body& body) {
    const Expr* const x = any(body);
    std::vector<std::int64_t> shape;
    for (const Dim& dim : x->type().shape) shape.push_back(dim.is_constant() ? dim.factor() : -1);
    if (shape.size() >= 2 && shape.back() > 0 && shape[shape.size() - 2] > 0 && chance(50)) {
      const std::int64_t inner = shape.back();
      shape.pop_back();
      shape.back() *= inner;
    } else if (shape.size() < 4 && shape.back() > 0) {
      const std::int64_t divisor = pick<std::int64_t>({1, 2, 3, 4, shape.back()});
      if (shape.back() % divisor != 0) return;
      shape.back() /= divisor;
      shape.insert(chance(50) ? shape.end() : shape.end() - 1, divisor);
    }
    add(body, same_size("reshape", x, {{"shape", shape}}));
  }

  void add_transpose(Body& body) {
    const Expr* const x = any(body);
    std::vector<std::int64_t> perm;
    for (int i = 0; i < x->type().rank(); ++i) {
      perm.insert(perm.begin() + static_cast<std::ptrdiff_t>(below(perm.size() + 1)), i);
    }
    add(body, same_size("transpose", x, {{"perm", perm}}));
  }

  void add_gather(Body& body) {
    const std::int64_t table = pick<std::int64_t>({1, 7, 31, 100});
    const Expr* const ids = integers(body, "ids_" + std::to_string(table));
    const Expr* const rows = constant(body, {weight_dtype(), {table, chance(50) ? width_ : size()}, {}, {}});
    ir::Attributes attributes;
    if (chance(20)) attributes["dtype"] = pick({DType::kF16, DType::kBF16});
    add(body, op("gather", {rows, ids}, 1, std::move(attributes)));
  }

  const Expr* split_heads(const Expr* x, std::vector<std::int64_t> inner) {
    inner.insert(inner.begin(), rows_.is_constant() ? rows_.factor() : -1);
    return same_size("reshape", x, {{"shape", std::move(inner)}});
  }

  // [rows, n] of a new product of a matrix with as many rows.
  const Expr* projected(Body& body, std::int64_t n) {
    const Expr* const x = any_of_rank(body, 2);
    if (x == nullptr || x->type().shape[0] != rows_ || !last(x).is_constant()) return nullptr;
    return op("matmul_nt", {x, constant(body, {weight_dtype(), {n, last(x)}, {}, {}})}, magnitude(x) * growth(last(x)));
  }

  const Expr* rotated(Body& body, const Expr* x, std::int64_t heads, std::int64_t half) {
    const Expr* const angles =
        raw("rope_angles", {integers(body, "positions"), constant(body, {DType::kF32, {half}, {}, {}})});
    return op("rope", {split_heads(x, {heads, 2, half}), raw("cos", {angles}), raw("sin", {angles})},
              magnitude(x) * 1.5);
  }

  void add_rope(Body& body) {
    const std::int64_t heads = pick<std::int64_t>({1, 3, 4});
    const std::int64_t half = pick<std::int64_t>({1, 4, 8, 9});
    const Expr* const x = projected(body, heads * 2 * half);
    if (x != nullptr) add(body, rotated(body, x, heads, half));
  }

  // A cache filled by this call's rows, and attention over it.
  void add_attention(Body& body) {
    if (rows_.max() > context_.min() || !body.states.empty()) return;
    const std::int64_t groups = pick<std::int64_t>({1, 1, 2, 3});
    const std::int64_t kv_heads = pick<std::int64_t>({1, 2, 3});
    const std::int64_t half = pick<std::int64_t>({1, 4, 8, 9, 16});
    const std::int64_t dim = 2 * half;
    const Expr* q = projected(body, groups * kv_heads * dim);
    const Expr* k = projected(body, kv_heads * dim);
    const Expr* const v = projected(body, kv_heads * dim);
    if (q == nullptr || k == nullptr || v == nullptr) return;
    if (chance(60)) {
      q = split_heads(rotated(body, q, groups * kv_heads, half), {groups * kv_heads, dim});
      k = split_heads(rotated(body, k, kv_heads, half), {kv_heads, dim});
    } else {
      q = split_heads(q, {groups * kv_heads, dim});
      k = split_heads(k, {kv_heads, dim});
    }
    const Expr* const positions = integers(body, "positions");
    const ir::TensorType cache = {pick({DType::kF32, DType::kF16, DType::kBF16}), {kv_heads, context_, dim}, {}, {}};
    for (const Expr* rows : {k, split_heads(v, {kv_heads, dim})}) {
      body.states.push_back(parameter(body, fresh("state"), cache));
      body.updates.push_back(raw("cache_append", {body.states.back(), rows, positions}));
    }
    ir::Attributes attributes = {{"scale", 1 / std::sqrt(static_cast<double>(dim))}};
    std::string name = "attention";
    if (chance(30)) {
      name = "capped_" + name;
      attributes["softcap"] = 1.5;
    }
    if (chance(30)) {
      name = "windowed_" + name;
      attributes["window"] = pick<std::int64_t>({1, 2, 17});
    }
    const Expr* const out = chance(30)
                                ? attention_in_parts(body, q, attributes)
                                : op(name, {q, body.updates[0], body.updates[1], positions}, magnitude(v), attributes);
    add(body, split_heads(out, {groups * kv_heads * dim}));
  }

  // The same op by op: [rows, heads, dim] of queries.
  const Expr* attention_in_parts(Body& body, const Expr* q, const ir::Attributes& attributes) {
    const std::vector<std::int64_t> heads_first = {1, 0, 2};
    const auto number = [&](const std::string& name) {
      return module_.pool().scalar(std::get<double>(attributes.at(name)), DType::kF32);
    };
    const Expr* const by_head = raw("transpose", {q}, {{"perm", heads_first}});
    const Expr* scores = raw("mul", {raw("grouped_matmul_nt", {by_head, body.updates[0]}), number("scale")});
    if (attributes.contains("softcap")) {
      scores = raw("mul", {raw("tanh", {raw("div", {scores, number("softcap")})}), number("softcap")});
    }
    const bool is_window = attributes.contains("window");
    const ir::Attributes window = is_window ? ir::Attributes{{"window", attributes.at("window")}} : ir::Attributes{};
    const Expr* const seen =
        raw(is_window ? "window_mask" : "causal_mask", {scores, integers(body, "positions")}, window);
    const Expr* const out = raw("grouped_matmul", {raw("softmax", {seen}), body.updates[1]});
    return same_size("transpose", out, {{"perm", heads_first}});
  }

  // A layout that the program itself asks for.
  void add_packed(Body& body) {
    const Expr* const x = any(body);
    const std::int64_t lanes = pick<std::int64_t>({4, 8, 16});
    const Expr* const packed = same_size("pack", x, {{"layout", ir::vector_layout(x->type().shape, lanes)}});
    add(body, same_size("unpack", same_size(pick({"silu", "neg", "tanh", "abs"}), packed)));
  }

  // What the models' MLPs do.
  void add_gate(Body& body) {
    const Expr* const x = any(body);
    if (!last(x).is_constant()) return;
    const ir::TensorType type = {weight_dtype(), {size(), last(x)}, {}, {}};
    const double large = magnitude(x) * growth(last(x));
    const Expr* const gate = op("matmul_nt", {x, constant(body, type)}, large);
    const Expr* const up = op("matmul_nt", {x, constant(body, type)}, large);
    add(body, op("mul", {same_size(pick({"silu", "gelu", "gelu_tanh"}), gate), up}, magnitude(gate) * magnitude(up)));
  }

  Layer write_layer() {
    Layer layer;
    Body& body = layer.body;
    body.is_layer = true;
    const Expr* const x = parameter(body, "x", {DType::kF32, {rows_, width_}, {}, {}});
    body.values = {x};
    const int until = std::max(1, wanted_ops_ / 3);
    while (ops_ < until) add_ops(body);
    const Expr* y = body.values.back();
    if (y->type().rank() == 2 && y->type().shape[0] == rows_ && last(y).is_constant()) {
      y = op("matmul_nt", {y, constant(body, {weight_dtype(), {width_, last(y)}, {}, {}})},
             magnitude(y) * growth(last(y)));
      y = op("add", {x, y}, magnitude(x) + magnitude(y));
    }
    std::vector<const Expr*> results = {y};
    const Expr* const extra = any(body);
    if (extra != x && extra != y && chance(30)) results.push_back(extra);
    results.insert(results.end(), body.updates.begin(), body.updates.end());
    layer.function = module_.add({"layer", body.parameters, results});
    return layer;
  }

  // Two layers, or three, each with weights and states of its own. Now and then a constant is no constant in one call.
  void call_layer(Body& main, const Layer& layer) {
    const Expr* x = main.values[0];
    for (std::uint64_t calls = 2 + below(2); calls > 0; --calls) {
      std::vector<const Expr*> arguments;
      for (const Expr* parameter_of : layer.body.parameters)
        arguments.push_back(argument(main, layer, x, parameter_of));
      const Expr* const call = module_.pool().call(*layer.function, arguments);
      std::vector<const Expr*> results;
      for (std::size_t i = 0; i < call->types.size(); ++i) {
        results.push_back(call->types.size() == 1 ? call : module_.pool().get(call, static_cast<std::int64_t>(i)));
        magnitudes_[results.back()] = magnitude(layer.function->results[i]);
      }
      const std::size_t values = results.size() - layer.body.updates.size();
      main.values.insert(main.values.end(), results.begin(), results.begin() + static_cast<std::ptrdiff_t>(values));
      main.updates.insert(main.updates.end(), results.begin() + static_cast<std::ptrdiff_t>(values), results.end());
      if (results[0]->type() == x->type()) x = results[0];
    }
    main.states = main.updates;
  }

  const Expr* argument(Body& main, const Layer& layer, const Expr* x, const Expr* parameter_of) {
    const auto among = [&](const std::vector<const Expr*>& list) {
      return std::find(list.begin(), list.end(), parameter_of) != list.end();
    };
    if (parameter_of == layer.body.parameters[0]) return x;
    if (among(layer.body.constants)) {
      return chance(4) ? parameter(main, fresh("a"), parameter_of->type()) : constant(main, parameter_of->type());
    }
    if (among(layer.body.states)) return parameter(main, fresh("state"), parameter_of->type());
    return integers(main, parameter_of->name);
  }

  std::vector<const Expr*> choose_results(const Body& main) {
    std::vector<const Expr*> results = {main.values.back()};
    for (const Expr* value : main.values) {
      const bool is_op = value->kind != Expr::Kind::kParameter;
      const bool is_known = std::find(results.begin(), results.end(), value) != results.end();
      if (!is_known && chance(is_op ? 12 : 2)) results.push_back(value);
    }
    results.insert(results.end(), main.updates.begin(), main.updates.end());
    return results;
  }

  int wanted_ops_ = 0;
};

}  // namespace strata::compile
