// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// What an op's time is spent on, as far as the machine's figures explain it.
enum class Limit {
  kWeights,     // reading weights
  kContext,     // reading keys and values
  kMemory,      // moving other values
  kArithmetic,  // computing
  kOther,       // neither takes half of the time: short loops, instructions, starting, waiting
};

inline constexpr std::array kLimits = {Limit::kWeights, Limit::kContext, Limit::kMemory, Limit::kArithmetic,
                                       Limit::kOther};

// A class of CSS: "weights".
const char* css_class(Limit limit);

// "reading weights".
const char* limit_words(Limit limit);

// The least that an execution can take, by the roofline: what its bytes and its arithmetic take alone.
struct OpLimits {
  Limit limit = Limit::kOther;
  const machine::MemoryLevel* level = nullptr;  // the slowest that it can have its bytes from in the predicted time
  double bytes_per_s = 0;                       // of that level, by the step's threads
  double memory_s = 0;
  const machine::Unit* unit = nullptr;  // the fastest for its operands' types
  double ops_per_s = 0;                 // of that unit, on the step's threads
  double arithmetic_s = 0;
  double barriers_s = 0;  // of waiting for all threads, where nobody is late
};

OpLimits limits_of(const ExplainedOp& op, const Explanation& step);

// The time of one execution: measured where the step was, else predicted.
double seconds_of(const ExplainedOp& op, const Explanation& step);

// The same of the whole step.
double seconds_of(const Explanation& step);

// All executions' part of the step, 0 to 1.
double share_of(const ExplainedOp& op, const Explanation& step);

// What the step's time is spent on.
struct LimitShare {
  double share = 0;  // of the step's time
  double floor = 0;  // of that time, the part that its limit alone takes: at this part of the roof it runs
  double bytes = 0;  // of all executions
};

std::array<LimitShare, kLimits.size()> limit_shares(const Explanation& step);

}  // namespace strata::cli
