// SPDX-License-Identifier: Apache-2.0
#include "cli/op_limits.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <vector>

#include "base/words.h"
#include "machine/cost.h"

namespace strata::cli {
namespace {

constexpr double kRounding = 1.02;  // a prediction is at least what its slowest level takes, but for rounding
constexpr double kExplains = 0.5;   // of the time, what a limit must take

struct Shape {
  std::string_view dtype;
  std::vector<std::string_view> dimensions;
};

// Of "f32[seq, 192]<6@0>".
Shape shape_of(std::string_view type) {
  Shape shape{type.substr(0, type.find('[')), {}};
  const std::size_t open = type.find('['), close = type.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return shape;
  for (std::string_view part : split(type.substr(open + 1, close - open - 1), ',')) {
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    shape.dimensions.push_back(part);
  }
  return shape;
}

// Nothing where a dimension is known only when the program runs.
std::optional<double> elements(const Shape& shape) {
  double count = 1;
  for (const std::string_view dimension : shape.dimensions) {
    const auto size = number_of<std::int64_t>(dimension);
    if (!size) return std::nullopt;
    count *= static_cast<double>(*size);
  }
  return count;
}

// A matrix of a size that no run changes, larger than what is made of it.
bool reads_weights(const plan::Op& op) {
  const auto made = elements(shape_of(op.type));
  return std::ranges::any_of(op.operands, [&](const std::string& type) {
    const Shape shape = shape_of(type);
    const auto count = elements(shape);
    return shape.dimensions.size() >= 2 && count && (!made || *count > *made);
  });
}

// An operand of a size by name that isn't the number of rows.
bool reads_context(const plan::Op& op) {
  const auto is_context = [](std::string_view dimension) {
    return !dimension.empty() && std::isalpha(static_cast<unsigned char>(dimension[0])) != 0 && dimension != "seq";
  };
  return std::ranges::any_of(
      op.operands, [&](const std::string& type) { return std::ranges::any_of(shape_of(type).dimensions, is_context); });
}

// Of the first operand's type: weights are widened to the rows' type, and rows rounded to that of a unit for pairs.
const machine::Unit* unit_of(const plan::Op& op, const machine::Machine& machine) {
  const machine::Unit* best = nullptr;
  const auto look = [&](std::string_view dtype) {
    for (const machine::Unit& unit : machine.units) {
      if (dtype_name(unit.dtype) == dtype && (best == nullptr || unit.ops_per_s > best->ops_per_s)) best = &unit;
    }
  };
  if (!op.operands.empty()) look(shape_of(op.operands[0]).dtype);
  if (best == nullptr) look("f32");
  return best;
}

void find_level(OpLimits& limits, const ExplainedOp& op, const Explanation& step) {
  const auto& levels = step.machine.memory;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    limits.level = &*level;
    limits.bytes_per_s = machine::bandwidth(*level, std::min(step.threads, step.machine.cores));
    limits.memory_s = limits.bytes_per_s > 0 ? op.cost.bytes / limits.bytes_per_s : 0;
    if (limits.memory_s <= kRounding * op.cost.predicted_s) return;
  }
}

}  // namespace

const char* css_class(Limit limit) {
  constexpr std::array kClasses = {"weights", "context", "memory", "arithmetic", "other"};
  return kClasses[static_cast<std::size_t>(limit)];
}

const char* limit_words(Limit limit) {
  constexpr std::array kWords = {"reading weights", "reading the context", "moving other values", "arithmetic",
                                 "short loops, starting, waiting"};
  return kWords[static_cast<std::size_t>(limit)];
}

OpLimits limits_of(const ExplainedOp& op, const Explanation& step) {
  OpLimits limits;
  find_level(limits, op, step);
  limits.unit = unit_of(op.op, step.machine);
  if (limits.unit != nullptr) {
    limits.ops_per_s = limits.unit->ops_per_s * std::min(step.threads, step.machine.cores);
    limits.arithmetic_s = limits.ops_per_s > 0 ? op.cost.flops / limits.ops_per_s : 0;
  }
  if (step.threads > 1) limits.barriers_s = static_cast<double>(op.op.barriers) * step.machine.barrier_s;
  const double most = std::max(limits.memory_s, limits.arithmetic_s);
  if (most <= 0 || most < kExplains * op.cost.predicted_s) return limits;
  if (limits.arithmetic_s > limits.memory_s) {
    limits.limit = Limit::kArithmetic;
  } else if (reads_weights(op.op)) {
    limits.limit = Limit::kWeights;
  } else {
    limits.limit = reads_context(op.op) ? Limit::kContext : Limit::kMemory;
  }
  return limits;
}

double seconds_of(const ExplainedOp& op, const Explanation& step) {
  return step.repetitions > 0 ? op.measured_s.value_or(0) : op.cost.predicted_s;
}

double seconds_of(const Explanation& step) {
  return step.repetitions > 0 ? step.summary.measured_s : step.summary.predicted_s;
}

double share_of(const ExplainedOp& op, const Explanation& step) {
  const double all = seconds_of(step);
  return all > 0 ? seconds_of(op, step) * static_cast<double>(op.op.count) / all : 0;
}

std::array<LimitShare, kLimits.size()> limit_shares(const Explanation& step) {
  std::array<LimitShare, kLimits.size()> shares;
  std::array<double, kLimits.size()> seconds = {}, floors = {};
  for (const ExplainedOp& op : step.ops) {
    const OpLimits limits = limits_of(op, step);
    const auto at = static_cast<std::size_t>(limits.limit);
    const auto count = static_cast<double>(op.op.count);
    seconds[at] += count * seconds_of(op, step);
    floors[at] += count * std::max(limits.memory_s, limits.arithmetic_s);
    shares[at].bytes += count * op.cost.bytes;
  }
  const double all = seconds_of(step);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i].share = all > 0 ? seconds[i] / all : 0;
    shares[i].floor = seconds[i] > 0 ? floors[i] / seconds[i] : 0;
  }
  return shares;
}

}  // namespace strata::cli
