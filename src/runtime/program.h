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
#include "tensor/group.h"

namespace strata::runtime {

// Hidden rows that are wanted of a call of `forward`: of one the first.
enum class Wanted { kAll, kOne, kNone };

// Tokens that caches are to hold.
struct CacheSizes {
  std::int64_t context = 0;  // of a sequence
  int sequences = 1;
  std::int64_t pool = 0;  // of all sequences together, where they share pages; 0: as many as they may have
};

// The functions of a package with the memory that they work on. Each sequence has states of its own; all else they
// share, as one of them at a time is worked on. The functions are, by Entry::function:
//   forward       inputs tokens i32[seq], positions i32[seq]; output hidden f32[seq, hidden_size]; any states
//   forward_one   the same with the output hidden f32[1, hidden_size], the first row
//   forward_none  the same without output; these two may be missing, for some sizes or for all
//   head          input hidden f32[seq, hidden_size]; output logits f32[seq, vocab_size]
// The symbols: seq, the tokens of a call; ctx, the tokens that the states hold, which only states have.
//
// In a package for several sequences these share the states, in pages (PageTable). Every forward then has the inputs
// rows i32[seq], the states' rows that the tokens go to, and pages i32[pages], the pages of their sequence. For tokens
// of any sequences there is
//   forward_each  the same with pages_each i32[seq, pages], those of each token; output hidden f32[seq, hidden_size]
//
// Memory is aligned to pages, the arena's too; only the rows of `hidden` that head gets start anywhere on 4 bytes.
class Program {
 public:
  // Throws model_error when the manifest is not of this form.
  Program(const package::Manifest& manifest, const CodeLibrary& code, const std::string& origin,
          const CacheSizes& sizes);

  // The value of ctx: the tokens that the states hold, of one sequence or of all, rounded up to what the code demands.
  std::int64_t capacity() const { return capacity_; }

  // Whether the sequences share the states' pages.
  bool is_paged() const { return is_paged_; }

  // Of capacity() tokens, saturated.
  std::int64_t state_bytes() const;

  // All that allocate() will take for a team of so many, saturated.
  std::int64_t bytes(int threads) const;

  // The first sequence is selected. Throws resource_error. Before it, nothing can be called.
  void allocate(int threads);

  // The sequence whose states the calls that follow read and write; of pages the inputs say that.
  void select(int sequence);

  // The most tokens, at most `limit`, that one call takes; 0: there is no code for so few.
  std::int64_t forward_rows(std::int64_t limit) const;
  std::int64_t chunk() const { return chunk_; }          // the most tokens that any call takes
  std::int64_t each_rows() const { return each_rows_; }  // the most tokens that forward_each() takes; 0: there is none
  std::int64_t head_rows(std::int64_t limit) const;

  std::span<std::int32_t> tokens() const;     // of the next forward()
  std::span<std::int32_t> positions() const;  // of the next forward()
  // Of pages only:
  std::span<std::int32_t> rows() const;                          // of the next forward()
  std::span<std::int32_t> pages() const;                         // of the next forward(), of its sequence
  std::span<std::int32_t> pages_each(std::int64_t token) const;  // of the next forward_each()

  std::span<const float> logits() const;  // of the last head(), f32[rows, vocab]
  // A row of the last forward() that made some, f32[hidden_size].
  std::span<const float> hidden(std::int64_t row = 0) const;

  // Of pages: the rows of one, of all states, become those of another one.
  void copy_page(std::int32_t from, std::int32_t to) const;

  // What the functions write: the arena, states, outputs.
  std::vector<std::span<const std::byte>> written() const;

  // What the ranks of a program that several run together exchange with; null: it runs alone.
  void set_group(const tensor::Group* group) { group_ = group; }

  // Times the calls that follow; null: not any more.
  void set_profile(Profile* profile) { profile_ = profile; }

  // `rows` is a result of forward_rows(). Leaves the hidden rows that are wanted for head().
  void forward(ThreadTeam& team, const std::byte* weights, std::int64_t rows, Wanted wanted);

  // Of 2 ... each_rows() tokens of any sequences, of which all hidden rows are made.
  void forward_each(ThreadTeam& team, const std::byte* weights, std::int64_t rows);

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
    std::vector<Pages> pages = {};  // of a state that sequences don't share one for each of them, else one
    bool is_state() const { return parameter.kind == package::Parameter::Kind::kState; }
    std::byte* of(int sequence) const {
      return pages[pages.size() > 1 ? static_cast<std::size_t>(sequence) : 0].data();
    }
  };

  void bind_symbols();
  void choose_capacity();
  std::int64_t copies(const Buffer& buffer) const { return buffer.is_state() && !is_paged_ ? sizes_.sequences : 1; }
  std::span<std::int32_t> input(const std::string& name, std::int64_t count) const;
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
  const CacheSizes sizes_;
  const bool is_paged_;
  std::int64_t capacity_ = 0;
  std::int64_t pages_ = 0;       // that a sequence may have
  std::int64_t chunk_ = 0;       // most rows of a forward call
  std::int64_t each_rows_ = 0;   // most rows of a forward_each call
  std::int64_t head_block_ = 0;  // most rows of a head call
  std::int64_t arena_bytes_ = 0;
  std::int64_t scratch_bytes_ = 0;     // of a thread, in whole pages
  std::vector<std::int64_t> symbols_;  // values, as Manifest::symbols
  std::vector<BoundEntry> forward_, forward_one_, forward_none_, forward_each_;
  std::vector<BoundEntry> head_;
  std::map<std::string, Buffer> buffers_;
  int sequence_ = -1;  // that is selected
  Pages arena_;
  Pages scratch_;
  Profile* profile_ = nullptr;
  const tensor::Group* group_ = nullptr;
};

}  // namespace strata::runtime
