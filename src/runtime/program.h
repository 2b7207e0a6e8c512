// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "package/manifest.h"
#include "runtime/code_library.h"
#include "runtime/pages.h"
#include "runtime/profile.h"
#include "runtime/thread_team.h"

namespace strata::runtime {

// Hidden rows that are wanted of a call of `forward`: of one the first.
enum class Wanted { kAll, kOne, kNone };

// The functions of a package with the memory that they work on. Each sequence has states of its own; all else they
// share, as one of them at a time is worked on. The functions are, by Entry::function:
//   forward       inputs tokens i32[seq], positions i32[seq]; output hidden f32[seq, hidden_size]; any states
//   forward_one   the same with the output hidden f32[1, hidden_size], the first row
//   forward_none  the same without output; these two may be missing, for some sizes or for all
//   head          input hidden f32[seq, hidden_size]; output logits f32[seq, vocab_size]
// The symbols: seq, the tokens of a call; ctx, the tokens that the states hold, which only states have.
// Memory is aligned to pages, the arena's too; only the rows of `hidden` that head gets start anywhere on 4 bytes.
class Program {
 public:
  // `context`: tokens that the states must hold at least. Throws model_error when the manifest is not of this form.
  Program(const package::Manifest& manifest, const CodeLibrary& code, const std::string& origin, std::int64_t context);

  // The value of ctx: `context`, rounded up to what the code demands.
  std::int64_t capacity() const { return capacity_; }

  // All that allocate() will take for a team of so many, saturated.
  std::int64_t bytes(int threads, int sequences) const;

  // For sequences 0 ... sequences - 1, of which the first is selected. Throws resource_error. Before it, nothing can be
  // called.
  void allocate(int threads, int sequences);

  // The sequence whose states the calls that follow read and write.
  void select(int sequence);

  // The most tokens, at most `limit`, that one call takes; 0: there is no code for so few.
  std::int64_t forward_rows(std::int64_t limit) const;
  std::int64_t chunk() const { return chunk_; }  // the most tokens that any call takes
  std::int64_t head_rows(std::int64_t limit) const;

  std::span<std::int32_t> tokens() const;     // of the next forward()
  std::span<std::int32_t> positions() const;  // of the next forward()
  std::span<const float> logits() const;      // of the last head(), f32[rows, vocab]
  std::span<const float> hidden() const;      // the first row of the last forward() that made one, f32[hidden_size]

  // What the functions write: the arena, states, outputs.
  std::vector<std::span<const std::byte>> written() const;

  // Times the calls that follow; null: not any more.
  void set_profile(Profile* profile) { profile_ = profile; }

  // `rows` is a result of forward_rows(). Leaves the hidden rows that are wanted for head().
  void forward(ThreadTeam& team, const std::byte* weights, std::int64_t rows, Wanted wanted);

  // Hidden rows [first, first + rows); `rows` is a result of head_rows().
  void head(ThreadTeam& team, const std::byte* weights, std::int64_t first, std::int64_t rows);

 private:
  struct BoundEntry {
    const package::Entry* entry = nullptr;
    EntryFunction function = nullptr;
    std::vector<void*> parameters;  // as Entry::parameters
  };

  // A parameter's memory, shared by all entries that name it.
  struct Buffer {
    package::Parameter parameter;
    std::int64_t bytes = 0;
    std::vector<Pages> pages = {};  // of a state one for each sequence, else one
    bool is_state() const { return parameter.kind == package::Parameter::Kind::kState; }
    std::byte* of(int sequence) const { return pages[is_state() ? static_cast<std::size_t>(sequence) : 0].data(); }
  };

  void bind_symbols();
  void choose_capacity(std::int64_t context);
  std::vector<BoundEntry> bind(const std::string& function, const CodeLibrary& code) const;
  void check_parameter(const package::Entry& entry, const package::Parameter& parameter) const;
  void check_has_all(const package::Entry& entry) const;
  bool fits(const BoundEntry& bound, std::int64_t rows) const;
  std::int64_t first_position(std::int64_t rows) const;
  void add_buffer(const package::Parameter& parameter, std::int64_t rows);
  std::int64_t parameter_bytes(const package::Parameter& parameter, std::int64_t rows) const;
  bool holds(const package::SymbolRange& range, std::int64_t value) const;
  bool allows_capacity(const package::Entry& entry) const;
  std::int64_t rows_of(const std::vector<BoundEntry>& entries, std::int64_t limit) const;
  void call(std::vector<BoundEntry>& entries, ThreadTeam& team, const std::byte* weights, std::int64_t rows,
            std::int64_t first_hidden);
  Error malformed(const std::string& what) const;

  const package::Manifest& manifest_;
  const std::string origin_;
  std::int64_t capacity_ = 0;
  std::int64_t chunk_ = 0;       // most rows of a forward call
  std::int64_t head_block_ = 0;  // most rows of a head call
  std::int64_t arena_bytes_ = 0;
  std::int64_t scratch_bytes_ = 0;     // of a thread, in whole pages
  std::vector<std::int64_t> symbols_;  // values, as Manifest::symbols
  std::vector<BoundEntry> forward_, forward_one_, forward_none_;
  std::vector<BoundEntry> head_;
  std::map<std::string, Buffer> buffers_;
  int sequence_ = -1;  // that is selected
  Pages arena_;
  Pages scratch_;
  Profile* profile_ = nullptr;
};

}  // namespace strata::runtime
