// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedule/schedule.h"

namespace strata::schedule {

// The schedule of a module's functions, printed and read back. Values have the names that they have in the module's
// text; those that are not named are as they were.
//
//   schedule {
//     func @f {
//       // exp f32[seq, 64]
//       %0 {
//         parallel i0i1 by 4096 {
//           vector i0i1 by 1 {
//             stage 0
//           }
//         }
//       }
//       end {
//         barrier
//       }
//     }
//   }
std::string to_text(const std::vector<ScheduledFunction>& functions, const machine::Machine& machine);

// A region of several ops has the names of all: "%0, %1 {". Each stage of its nest is one of an op's, in order: which
// of its loops computes it, and whether its elements are kept "into" a buffer or only "in lanes".

// Replaces the trees that a text names, and joins and parts ops as it names them. Throws Error (model) naming
// origin:line:column.
void read_schedule(std::string_view text, const std::string& origin, std::vector<ScheduledFunction>& functions,
                   const machine::Machine& machine);

}  // namespace strata::schedule
