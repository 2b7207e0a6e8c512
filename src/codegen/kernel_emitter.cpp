// SPDX-License-Identifier: Apache-2.0
#include "codegen/kernel_emitter.h"

#include <map>

#include "base/error.h"
#include "cost/lowering.h"
#include "ir/op.h"
#include "tensor/attention.h"

namespace strata::codegen {
namespace {

using ir::Dim;
using ir::TensorType;

std::string number(std::int64_t value) { return std::to_string(value); }

// ceil(size / divisor) as a C++ expression.
std::string div_up(const Dim& size, std::int64_t divisor) {
  if (size.is_constant()) return number((size.factor() + divisor - 1) / divisor);
  return "tensor::div_up(" + cpp_size(size) + ", " + number(divisor) + ")";
}

std::string b_layout(const TensorType& type) {
  return type.layout.packs.size() == 2 ? "tensor::BLayout::kPairs" : "tensor::BLayout::kLanes";
}

void emit_share(CodeWriter& out, const std::string& count, std::int64_t grain) {
  out.line("const tensor::Range share = team.split(" + count + ", " + number(grain) + ");");
}

void emit_scratch(CodeWriter& out, std::int64_t floats) {
  out.line("alignas(64) static thread_local float scratch[" + number(std::max<std::int64_t>(floats, 1)) + "];");
}

// One row: the panels are streamed once. The left operand is row-major, or in pairs, whose row has no stride.
void emit_gemv(CodeWriter& out, const KernelCall& call) {
  const TensorType& left = call.type(0);
  const TensorType& right = call.type(1);
  const std::string lanes = number(right.layout.packs[0].lanes);
  const std::string k = cpp_size(right.shape[1]);
  const std::string n = cpp_size(right.shape[0]);
  STRATA_CHECK(left.shape[0].max() == 1, "a left operand of a packed matmul that isn't in row tiles has one row");
  const std::string stride = left.layout.is_row_major() ? call.outer_stride(0) : k;
  const schedule::ContractTile& tile = call.op.tile;
  const std::string stream =
      "tensor::Stream{" + number(tile.panels) + ", " + number(tile.ahead_bytes) + ", " + number(tile.locality) + "}";
  if (right.layout.encoding != nullptr) {
    return out.line("tensor::gemv_encoded<" + lanes + ", " + stream + ">(" + call.operands[0] + ", " +
                    call.operands[1] + ", " + k + ", " + n + ", " + call.destination + ", share.begin, share.end);");
  }
  out.line("tensor::gemv_panels<" + lanes + ", " + stream + ", " + b_layout(right) + ">(" + call.operands[0] + ", " +
           stride + ", " + call.operands[1] + ", " + k + ", " + n + ", " + call.destination + ", " + n +
           ", share.begin, share.end);");
}

// Many rows: the left operand is packed by row tiles.
void emit_gemm(CodeWriter& out, const KernelCall& call) {
  const TensorType& left = call.type(0);
  const TensorType& right = call.type(1);
  const std::string lanes = number(right.layout.packs[0].lanes);
  const std::string panels = number(call.op.tile.panels);
  const std::string k = cpp_size(right.shape[1]);
  const std::string n = cpp_size(right.shape[0]);
  const bool is_encoded = right.layout.encoding != nullptr;
  std::string scratch = "nullptr";
  if (is_encoded) {
    out.line("alignas(64) static thread_local " + cpp_type(left.dtype) + " decoded[tensor::encoded_scratch_elements<" +
             lanes + ", " + panels + ", " + cpp_encoding(*right.layout.encoding) + ">(" + k + ")];");
    scratch = "decoded";
  } else if (left.dtype == DType::kF32 && right.dtype != DType::kF32) {
    emit_scratch(out, call.op.tile.panels * right.layout.packs[0].lanes * right.shape[1].max());
    scratch = "scratch";
  }
  out.line((is_encoded ? "tensor::gemm_encoded<" : "tensor::gemm_panels<") + lanes + ", " + number(call.op.tile.rows) +
           ", " + panels + (is_encoded ? "" : ", " + b_layout(right)) + ">(" + call.operands[0] + ", " +
           cpp_size(left.shape[0]) + ", " + call.operands[1] + ", " + k + ", " + n + ", " + call.destination + ", " +
           n + ", share.begin, share.end, " + scratch + ");");
}

void emit_contract(CodeWriter& out, const KernelCall& call) {
  const TensorType& right = call.type(1);
  emit_share(out, div_up(right.shape[0], right.layout.packs[0].lanes), call.op.tile.panels);
  cost::matmul_lowering(call.type(0), right) == cost::Lowering::kMatmulRow ? emit_gemv(out, call)
                                                                           : emit_gemm(out, call);
}

// Activations into row tiles, a thread packing whole tiles, or into rows of pairs.
void emit_pack(CodeWriter& out, const KernelCall& call) {
  const TensorType& from = call.type(0);
  const TensorType& to = call.op.value->type();
  const std::int64_t rows = to.layout.lanes(0);
  const bool pairs = to.layout.lanes(1) == 2;
  const std::string m = cpp_size(from.shape[0]);
  const std::string k = cpp_size(from.shape[1]);
  emit_share(out, m, rows);
  const std::string stride = call.outer_stride(0);
  const std::string stored_k = pairs ? "tensor::div_up(" + k + ", 2) * 2" : k;
  out.line(std::string("tensor::") + (pairs ? "pack_rows_pairs<" : "pack_rows<") + number(call.lanes) + ", " +
           number(rows) + ">(" + call.operands[0] + " + share.begin * " + stride + ", " + stride +
           ", share.end - share.begin, " + k + ", " + call.destination + " + share.begin * (" + stored_k + "));");
}

void emit_gather(CodeWriter& out, const KernelCall& call) {
  const TensorType& table = call.type(0);
  const TensorType& result = call.op.value->type();
  const std::string dim = cpp_size(table.shape[1]);
  emit_share(out, cpp_size(result.shape[0]), 1);
  const bool packed = !table.layout.is_row_major();
  const bool encoded = table.layout.encoding != nullptr;
  const std::string lanes = number(packed ? table.layout.packs[0].lanes : call.lanes);
  const std::string kernel = encoded ? "gather_encoded_rows<" : packed ? "gather_packed_rows<" : "gather_rows<";
  out.line("tensor::" + kernel + lanes + (packed && !encoded ? ", " + b_layout(table) : "") + ">(" + call.operands[0] +
           ", " + call.operands[1] + " + share.begin, share.end - share.begin, " + dim + ", " + call.destination +
           " + share.begin * " + dim + ", " + dim + ");");
}

// Keys lie packed along the context (axis 1), values row-major or packed along their own axis.
void emit_cache_append(CodeWriter& out, const KernelCall& call) {
  const TensorType& cache = call.type(0);
  const bool packed = !cache.layout.is_row_major();
  const bool keys = packed && cache.layout.packs[0].axis == 1;
  const std::string lanes = number(packed ? cache.layout.packs[0].lanes : call.lanes);
  emit_share(out, cpp_size(cache.shape[0]), 1);
  out.line(std::string("tensor::") + (keys ? "cache_append_k<" : "cache_append_v<") + lanes + ", " + b_layout(cache) +
           ">(" + call.operands[1] + ", " + call.outer_stride(1) + ", " + call.operands[2] + ", " +
           cpp_size(call.type(1).shape[0]) + ", " + cpp_size(cache.shape[2]) + ", " + cpp_size(cache.shape[1]) + ", " +
           call.destination + ", share.begin, share.end);");
}

void emit_attention(CodeWriter& out, const KernelCall& call) {
  const TensorType& q = call.type(0);
  const TensorType& keys = call.type(1);
  const std::string seq = cpp_size(q.shape[0]);
  const std::string heads = cpp_size(q.shape[1]);
  const std::string kv_heads = cpp_size(keys.shape[0]);
  const std::string dim = cpp_size(q.shape[2]);
  emit_scratch(
      out, tensor::attention_scratch_floats(q.shape[0].max(), q.shape[1].max(), keys.shape[0].max(), q.shape[2].max()));
  emit_share(out, "tensor::attention_work_items(" + seq + ", " + heads + ", " + kv_heads + ")", 1);
  const double scale = ir::float_attribute(*call.op.value->op, call.op.value->attributes, "scale");
  const std::string lanes = number(keys.layout.is_row_major() ? 1 : keys.layout.packs[0].lanes);
  out.line("tensor::attention<" + lanes + ", " + b_layout(keys) + ", " + b_layout(call.type(2)) + ">(" +
           call.operands[0] + ", " + call.outer_stride(0) + ", " + call.operands[1] + ", " + call.operands[2] + ", " +
           call.operands[3] + ", " + seq + ", " + heads + ", " + kv_heads + ", " + dim + ", " +
           cpp_size(keys.shape[1]) + ", " + cpp_float(scale) + ", " + call.destination +
           ", scratch, share.begin, share.end);");
}

// Runs of both operands after one another, for every index of the axes outside of the joined one.
void emit_concat(CodeWriter& out, const KernelCall& call) {
  const auto axis = static_cast<std::size_t>(ir::int_attribute(*call.op.value->op, call.op.value->attributes, "axis"));
  const auto run = [&](const TensorType& type) {
    return cpp_size(ir::element_count({type.shape.begin() + static_cast<std::ptrdiff_t>(axis), type.shape.end()}));
  };
  const ir::Shape& shape = call.type(0).shape;
  const std::string outer =
      cpp_size(ir::element_count({shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis)}));
  out.open("if (team.rank == 0) {");
  out.line("auto* to = " + call.destination + ";");
  out.open("for (std::int64_t i = 0; i < " + outer + "; ++i) {");
  for (std::size_t operand = 0; operand < 2; ++operand) {
    const std::string count = run(call.type(operand));
    out.line("__builtin_memcpy(to, " + call.operands[operand] + " + i * " + count + ", " + count + " * sizeof(*to));");
    out.line("to += " + count + ";");
  }
  out.close();
  out.close();
}

using Emitter = void (*)(CodeWriter&, const KernelCall&);

const std::map<std::string, Emitter>& kernels() {
  static const std::map<std::string, Emitter> kKernels = {{"pack", emit_pack},
                                                          {"gather", emit_gather},
                                                          {"cache_append", emit_cache_append},
                                                          {"attention", emit_attention},
                                                          {"concat", emit_concat}};
  return kKernels;
}

}  // namespace

void emit_kernel(CodeWriter& out, const KernelCall& call) {
  if (call.op.form == schedule::Form::kContract) return emit_contract(out, call);
  const auto found = kernels().find(call.op.value->op->name());
  STRATA_CHECK(found != kernels().end(), "no kernel for " + call.op.value->op->name());
  found->second(out, call);
}

}  // namespace strata::codegen
