// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "ops/structured_op.h"

namespace strata::ops {
namespace {

// A change of precision that no program asks for, but an op permits (ir::Op::permits_rounding): each element to the
// nearest of the type, even where two are. Its error is relative: at most 2^-8 in bf16, 2^-11 in f16.
class RoundOp : public StructuredOp {
 public:
  RoundOp() : StructuredOp("round", {"x"}, "y[...] = x[...]", ResultDType::kAttribute) {}

  bool is_permitted_by_reader() const override { return true; }

 protected:
  ir::TensorType infer_unplaced(std::span<const ir::TensorType> operands,
                                const ir::Attributes& attributes) const override {
    ir::TensorType result = StructuredOp::infer_unplaced(operands, attributes);
    if (is_floating(operands[0].dtype) && is_floating(result.dtype)) return result;
    throw usage_error("round: " + std::string(dtype_name(operands[0].dtype)) + " is not rounded to " +
                          std::string(dtype_name(result.dtype)),
                      "cast other types than f32, f16 and bf16");
  }
};

// Codes of numbers whose neighbours share a scale, as code_scales makes them: whole numbers, at most 127 in magnitude.
// No program asks for it, as for a rounding: an op permits it. An element is off by half of its scale at most.
class QuantiseOp : public StructuredOp {
 public:
  QuantiseOp()
      : StructuredOp("quantise", {"x", "scales"}, "q[..., k] = rint(x[..., k] / max(scales[..., k / block], 1e-37))",
                     ResultDType::kI8) {}

  bool is_permitted_by_reader() const override { return true; }
  double roundoff() const override { return 1.0 / (2 * 127); }
};

}  // namespace

// Binary ones broadcast as in NumPy.
void register_elementwise_ops() {
  register_structured({
      {"add", {"a", "b"}, "y[...] = a[...] + b[...]"},
      {"sub", {"a", "b"}, "y[...] = a[...] - b[...]"},
      {"mul", {"a", "b"}, "y[...] = a[...] * b[...]"},
      {"div", {"a", "b"}, "y[...] = a[...] / b[...]"},
      {"maximum", {"a", "b"}, "y[...] = max(a[...], b[...])"},
      {"minimum", {"a", "b"}, "y[...] = min(a[...], b[...])"},
      // Neighbours share a scale, as in quantised weights.
      {"scale_blocks", {"x", "scales"}, "y[..., k] = x[..., k] * scales[..., k / block]", ResultDType::kF32},
      // What affine_blocks adds its shifts to: rows that meet it are rounded where they meet the shifts too, or not.
      {"scale_unshifted", {"x", "scales"}, "y[..., k] = x[..., k] * scales[..., k / block]", ResultDType::kF32},
      {"affine_blocks",
       {"x", "scales", "shifts"},
       "y[..., k] = x[..., k] * scales[..., k / block] + shifts[..., k / block]",
       ResultDType::kF32},
      {"neg", {"x"}, "y[...] = -x[...]"},
      {"abs", {"x"}, "y[...] = abs(x[...])"},
      {"exp", {"x"}, "y[...] = exp(x[...])"},
      {"log", {"x"}, "y[...] = log(x[...])"},
      {"sqrt", {"x"}, "y[...] = sqrt(x[...])"},
      {"rsqrt", {"x"}, "y[...] = rsqrt(x[...])"},
      {"sin", {"x"}, "y[...] = sin(x[...])"},
      {"cos", {"x"}, "y[...] = cos(x[...])"},
      {"tanh", {"x"}, "y[...] = tanh(x[...])"},
      {"erf", {"x"}, "y[...] = erf(x[...])"},
      {"sigmoid", {"x"}, "y[...] = sigmoid(x[...])"},
      {"silu", {"x"}, "y[...] = x[...] * sigmoid(x[...])"},
      // 1/sqrt(2).
      {"gelu", {"x"}, "y[...] = 0.5 * x[...] * (1 + erf(x[...] * 0.7071067811865476))"},
      // sqrt(2/pi).
      {"gelu_tanh",
       {"x"},
       "y[...] = 0.5 * x[...] * (1 + tanh(0.7978845608028654 * (x[...] + 0.044715 * x[...] * x[...] * x[...])))"},
      {"cast", {"x"}, "y[...] = x[...]", ResultDType::kAttribute},
  });
  register_op<RoundOp>();
  register_op<QuantiseOp>();
}

}  // namespace strata::ops
