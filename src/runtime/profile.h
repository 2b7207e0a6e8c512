// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/team.h"

namespace strata::runtime {

// How long the ops of a package's code took, and in which calls. The times are those of rank 0 from mark to mark: with
// several threads the wait for the others belongs to the op that is waited for, and waking the team to the first op of
// a call.
class Profile {
 public:
  // One call of an entry.
  struct Call {
    std::int64_t rows = 0;      // tokens of it
    std::int64_t position = 0;  // of the first one
  };
  struct Entry {
    std::vector<tensor::OpTime> ops;  // by id
    std::vector<Call> calls;
  };

  // `ops` by the symbol of an entry: how many ids its code may mark. Entries that it lacks are not timed.
  // `clock` is read at every mark; null: the time in nanoseconds.
  explicit Profile(const std::map<std::string, std::size_t>& ops, std::uint64_t (*clock)() = nullptr);

  const std::map<std::string, Entry>& entries() const { return entries_; }

  // Forgets what was measured.
  void clear();

  // Around a call of an entry: where its marks go (null when it isn't timed), valid until the next start().
  tensor::Profile* start(const std::string& symbol, const Call& call);

 private:
  std::uint64_t (*clock_)();
  std::map<std::string, Entry> entries_;
  tensor::Profile current_;
};

}  // namespace strata::runtime
