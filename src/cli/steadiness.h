// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace strata::cli {

// How alike the repetitions of a measurement were.
struct Steadiness {
  double low_s = 0;              // of nine tenths of the repetitions, the least time
  double median_s = 0;           // of all
  double high_s = 0;             // of nine tenths, the most
  std::int64_t preemptions = 0;  // times that another program took a processor from a thread
  std::int64_t repetitions = 0;
};

// Of the repetitions' seconds, at least one.
Steadiness steadiness_of(std::vector<double> seconds, std::int64_t preemptions);

// Whether other programs, or the machine's neighbours, changed what was measured.
bool is_disturbed(const Steadiness& steadiness);

// "The machine was disturbed while measuring: ...", in a line; empty where it wasn't.
std::string disturbance_text(const Steadiness& steadiness);

// Of the threads of this process, so far.
std::int64_t preemptions();

}  // namespace strata::cli
