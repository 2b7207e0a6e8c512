// SPDX-License-Identifier: Apache-2.0
#include "grammar/thoughts.h"

#include <cstdint>
#include <string>
#include <utility>

namespace strata::grammar {
namespace {

Expression line_breaks(std::uint32_t most) { return repeat_of(text_of("\n"), 0, most); }

}  // namespace

Expression after_thoughts(Thoughts thoughts, Expression answer) {
  if (thoughts == Thoughts::kNone) return answer;
  Expression before = sequence_of({text_through(std::string(kThinkEnd)), line_breaks(4)});
  if (thoughts == Thoughts::kPossible) {
    before = optional_of(sequence_of({line_breaks(1), text_of(std::string(kThinkBegin)), std::move(before)}));
  }
  return sequence_of({std::move(before), std::move(answer)});
}

}  // namespace strata::grammar
