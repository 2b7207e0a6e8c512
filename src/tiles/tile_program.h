// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

// The best sizes of tiles, by branch and bound. It knows no tensors: only variables with candidates, and what depends
// on them as tables.
namespace strata::tiles {

// A size that is to be chosen among candidates.
struct Variable {
  std::string name;
  std::vector<std::int64_t> candidates;
};

// A function of some of the variables, as a table.
struct Term {
  std::vector<int> variables;  // ascending; none: a constant
  std::vector<double> values;  // by the candidates' numbers, those of the last variable fastest
};

// Of the candidates that are chosen: their sizes, in the order of `scope`.
using TermFunction = std::function<double(std::span<const std::int64_t>)>;

Term term(std::span<const Variable> variables, std::vector<int> scope, const TermFunction& function);

using Sum = std::vector<Term>;

// What must not be exceeded: a footprint and the part of a cache that it may fill, accumulators and registers.
struct Limit {
  Sum sum;
  double most = 0;
};

// A mixed-integer nonlinear program: its time is that of machine::seconds, the slowest of what works at the same time
// and `contention` of the others, and what nothing overlaps.
struct Program {
  std::vector<Variable> variables;
  std::vector<Sum> times;  // of each unit and level, seconds
  Sum waits;               // seconds beside these
  double contention = 0;   // from 0 to 1
  std::vector<Limit> limits;
};

// `choice` has the number of a candidate for each variable.
double time_of(const Program& program, std::span<const int> choice);
bool keeps_limits(const Program& program, std::span<const int> choice);

struct Solution {
  std::vector<int> choice;  // the number of each variable's candidate; empty: none was found
  double time = std::numeric_limits<double>::infinity();
  double bound = 0;        // no choice takes less time
  bool is_proved = false;  // nothing is faster, or, without a choice, nothing keeps the limits and beats `less_than`
  std::int64_t nodes = 0;  // partial choices whose bound was computed
};

struct SearchLimits {
  std::int64_t nodes = 100'000;                                // of work, never of time
  double less_than = std::numeric_limits<double>::infinity();  // only faster choices are wanted
};

// Depth first, the child with the least bound first. A partial choice's bound is the program's time with each term at
// its least over what is not chosen yet: the time grows with every term, in floating-point arithmetic too, so no choice
// is lost to rounding (Land and Doig, An automatic method of solving discrete programming problems, 1960). Among equals
// the one that is found first is taken, so the result depends on nothing but the program.
Solution solve(const Program& program, const SearchLimits& limits = {});

struct Choice {
  std::vector<int> choice;  // the number of each variable's candidate
  double time = 0;
};

// The fastest `count` choices that keep the limits, or all where there are fewer, the fastest first: solve()'s is the
// first one. By the same search, which passes over what is no faster than the last of those that it has.
std::vector<Choice> fastest(const Program& program, std::size_t count, const SearchLimits& limits = {});

// The smallest tile of each trip count, in multiples of `unit`: between two of them a loop takes as many steps, and
// larger tiles only take more room. About 2 * sqrt(extent / unit) of them, ascending; the last one covers the extent.
std::vector<std::int64_t> tile_candidates(std::int64_t extent, std::int64_t unit);

}  // namespace strata::tiles
