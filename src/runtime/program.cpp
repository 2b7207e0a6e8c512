// SPDX-License-Identifier: Apache-2.0
#include "runtime/program.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/saturating.h"
#include "runtime/page_table.h"

namespace strata::runtime {
namespace {

using package::Entry;
using package::Extent;
using package::Parameter;
using package::SymbolRange;

constexpr std::string_view kSequence = "seq";
constexpr std::string_view kContext = "ctx";
constexpr std::string_view kPages = "pages";

// Logits are computed in blocks of about this size, at least one row.
constexpr std::int64_t kLogitsBytes = 32 << 20;

// Threads write no page together.
std::int64_t whole_pages(std::int64_t bytes) {
  constexpr std::int64_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

// What the contract says of a parameter that is not a state.
struct Expected {
  std::string_view function;
  std::string_view name;
  Parameter::Kind kind;
  DType dtype;
  std::vector<Extent> extents;
};

const SymbolRange* find_range(const std::map<std::string, SymbolRange>& ranges, std::string_view symbol) {
  const auto at = ranges.find(std::string(symbol));
  return at == ranges.end() ? nullptr : &at->second;
}

bool has_pages(const package::Manifest& manifest) {
  return std::ranges::count(manifest.symbols, std::string(kPages)) > 0;
}

}  // namespace

Error Program::malformed(const std::string& what) const {
  return model_error("the package does not fit this program: " + what, origin_, "compile the model again");
}

Program::Program(const package::Manifest& manifest, const CodeLibrary& code, const std::string& origin,
                 const CacheSizes& sizes)
    : manifest_(manifest), origin_(origin), sizes_(sizes), is_paged_(has_pages(manifest)) {
  bind_symbols();
  choose_capacity();
  forward_ = bind("forward", code);
  forward_one_ = bind("forward_one", code);
  forward_none_ = bind("forward_none", code);
  forward_each_ = bind("forward_each", code);
  head_ = bind("head", code);
  chunk_ = rows_of(forward_, capacity_);
  each_rows_ = rows_of(forward_each_, chunk_);
  const std::int64_t logits_row = saturating_product(manifest.vocab_size, sizeof(float));
  head_block_ = rows_of(head_, std::max<std::int64_t>(1, std::min(chunk_, kLogitsBytes / logits_row)));
  for (const auto& [name, entries] : {std::pair("forward", &forward_), {"head", &head_}}) {
    if (entries->empty()) throw malformed("it has no function '" + std::string(name) + "'");
  }
  if (rows_of(forward_, 1) != 1 || rows_of(head_, 1) != 1) throw malformed("it has no code for a single token");
  for (const auto* entries : {&forward_, &forward_one_, &forward_none_, &forward_each_, &head_}) {
    for (const BoundEntry& bound : *entries) {
      for (const Parameter& parameter : bound.entry->parameters) {
        add_buffer(parameter, entries != &head_ || parameter.name == "hidden" ? chunk_ : head_block_);
      }
      arena_bytes_ = std::max(arena_bytes_, bound.entry->arena_bytes);
      scratch_bytes_ = std::max(scratch_bytes_, whole_pages(bound.entry->scratch_bytes));
    }
  }
}

void Program::bind_symbols() {
  for (const std::string& symbol : manifest_.symbols) {
    if (symbol != kSequence && symbol != kContext && symbol != kPages)
      throw malformed("the dimension '" + symbol + "' is not known");
  }
  if (manifest_.hidden_size < 1 || manifest_.vocab_size < 1) throw malformed("it has no hidden size or vocabulary");
  symbols_.assign(manifest_.symbols.size(), 0);
}

void Program::choose_capacity() {
  constexpr std::int64_t kMaxMultiple = 1 << 20;
  std::int64_t multiple = 1;
  const auto take = [&](const std::map<std::string, SymbolRange>& ranges) {
    const SymbolRange* const range = find_range(ranges, kContext);
    if (range == nullptr) return;
    multiple = range->multiple > kMaxMultiple ? kMaxMultiple + 1 : std::lcm(multiple, range->multiple);
    if (multiple > kMaxMultiple) throw malformed("its context has too large a multiple");
  };
  take(manifest_.symbol_ranges);
  for (const Entry& entry : manifest_.entries) take(entry.ranges);
  std::int64_t tokens = sizes_.context;
  if (is_paged_) {
    if (multiple != PageTable::kRows) throw malformed("its pages hold " + std::to_string(multiple) + " tokens");
    pages_ = saturating_sum(tokens, multiple - 1) / multiple;
    tokens =
        sizes_.pool != 0 ? sizes_.pool : saturating_product(saturating_product(pages_, multiple), sizes_.sequences);
  }
  capacity_ = saturating_sum(tokens, multiple - 1) / multiple * multiple;
  const SymbolRange* const range = find_range(manifest_.symbol_ranges, kContext);
  const bool is_possible = range == nullptr || holds(*range, capacity_);
  if (!is_possible || capacity_ > std::numeric_limits<std::int32_t>::max()) {
    throw malformed("its code has no context of " + std::to_string(capacity_) + " tokens");
  }
}

std::vector<Program::BoundEntry> Program::bind(const std::string& function, const CodeLibrary& code) const {
  std::vector<BoundEntry> entries;
  for (const Entry& entry : manifest_.entries) {
    if (entry.function != function) continue;
    for (const Parameter& parameter : entry.parameters) check_parameter(entry, parameter);
    check_has_all(entry);
    entries.push_back({&entry, code.function(entry.symbol), std::vector<void*>(entry.parameters.size(), nullptr)});
  }
  return entries;
}

void Program::check_parameter(const Entry& entry, const Parameter& parameter) const {
  const std::string name = "'" + parameter.name + "' of '" + entry.symbol + "'";
  if (parameter.kind == Parameter::Kind::kState) {
    for (const Extent& extent : parameter.extents) {
      if (!extent.symbol.empty() && extent.symbol != kContext)
        throw malformed("the state " + name + " has no fixed size");
    }
    return;
  }
  const Extent rows{1, std::string(kSequence)}, pages{1, std::string(kPages)};
  const Extent hidden{manifest_.hidden_size, ""}, vocabulary{manifest_.vocab_size, ""}, one{1, ""};
  const Expected known[] = {
      {"forward", "tokens", Parameter::Kind::kInput, DType::kI32, {rows}},
      {"forward", "positions", Parameter::Kind::kInput, DType::kI32, {rows}},
      {"forward", "rows", Parameter::Kind::kInput, DType::kI32, {rows}},
      {"forward", "pages", Parameter::Kind::kInput, DType::kI32, {pages}},
      {"forward_each", "pages_each", Parameter::Kind::kInput, DType::kI32, {rows, pages}},
      {"forward", "hidden", Parameter::Kind::kOutput, DType::kF32, {rows, hidden}},
      {"forward_one", "hidden", Parameter::Kind::kOutput, DType::kF32, {one, hidden}},
      {"forward_each", "hidden", Parameter::Kind::kOutput, DType::kF32, {rows, hidden}},
      {"head", "hidden", Parameter::Kind::kInput, DType::kF32, {rows, hidden}},
      {"head", "logits", Parameter::Kind::kOutput, DType::kF32, {rows, vocabulary}},
  };
  const auto is_same = [](const Extent& a, const Extent& b) { return a.factor == b.factor && a.symbol == b.symbol; };
  for (const Expected& expected : known) {
    // Every version of forward has its inputs.
    const bool is_of = expected.kind == Parameter::Kind::kInput ? entry.function.starts_with(expected.function)
                                                                : entry.function == expected.function;
    if (!is_of || expected.name != parameter.name) continue;
    if (parameter.kind == expected.kind && parameter.dtype == expected.dtype && parameter.layout.empty() &&
        std::ranges::equal(parameter.extents, expected.extents, is_same)) {
      return;
    }
    throw malformed(name + " has another type than expected");
  }
  throw malformed(name + " is not known");
}

// What the contract names for the function, and the states of every other entry that has some.
void Program::check_has_all(const Entry& entry) const {
  const auto has = [&](const Entry& in, const std::string& name) {
    return std::ranges::find(in.parameters, name, &Parameter::name) != in.parameters.end();
  };
  const auto require = [&](const std::string& name) {
    if (!has(entry, name)) throw malformed("'" + entry.symbol + "' lacks '" + name + "'");
  };
  if (entry.function != "forward_none") require("hidden");
  if (entry.function == "head") return require("logits");
  require("tokens");
  require("positions");
  if (is_paged_) require("rows");
  if (is_paged_) require(entry.function == "forward_each" ? "pages_each" : "pages");
  for (const Entry& other : manifest_.entries) {
    for (const Parameter& parameter : other.parameters) {
      if (parameter.kind == Parameter::Kind::kState && other.function != "head") require(parameter.name);
    }
  }
}

void Program::add_buffer(const Parameter& parameter, std::int64_t rows) {
  const std::int64_t bytes = parameter_bytes(parameter, rows);
  const auto [at, is_new] = buffers_.try_emplace(parameter.name);
  Buffer& buffer = at->second;
  const bool is_state = parameter.kind == Parameter::Kind::kState;
  if (!is_new && (is_state != buffer.is_state() || (is_state && bytes != buffer.bytes))) {
    throw malformed("two functions disagree about '" + parameter.name + "'");
  }
  buffer.parameter = parameter;
  buffer.bytes = std::max(buffer.bytes, bytes);
}

std::int64_t Program::parameter_bytes(const Parameter& parameter, std::int64_t rows) const {
  std::int64_t bytes = dtype_size(parameter.dtype);
  for (const Extent& extent : parameter.extents) {
    bytes = saturating_product(bytes, extent.factor);
    if (extent.symbol.empty()) continue;
    bytes = saturating_product(bytes, extent.symbol == kContext ? capacity_ : extent.symbol == kPages ? pages_ : rows);
  }
  return bytes;
}

std::int64_t Program::state_bytes() const {
  std::int64_t total = 0;
  for (const auto& [name, buffer] : buffers_) total = saturating_sum(total, buffer.is_state() ? buffer.bytes : 0);
  return total;
}

std::int64_t Program::bytes(int threads) const {
  std::int64_t total = saturating_sum(arena_bytes_, saturating_product(scratch_bytes_, threads));
  for (const auto& [name, buffer] : buffers_) {
    total = saturating_sum(total, saturating_product(buffer.bytes, copies(buffer)));
  }
  return total;
}

void Program::allocate(int threads) {
  arena_ = Pages(arena_bytes_, "the arena");
  scratch_ = Pages(saturating_product(scratch_bytes_, threads), "the threads' scratch memory");
  for (auto& [name, buffer] : buffers_) {
    for (std::int64_t i = 0; i < copies(buffer); ++i) {
      buffer.pages.emplace_back(buffer.bytes, buffer.is_state() ? "the key/value cache" : "inputs and outputs");
    }
  }
  select(0);
}

void Program::select(int sequence) {
  const bool is_bound = sequence == sequence_ || (is_paged_ && sequence_ >= 0);
  if (is_bound) return;
  sequence_ = sequence;
  for (auto* entries : {&forward_, &forward_one_, &forward_none_, &forward_each_, &head_}) {
    for (BoundEntry& bound : *entries) {
      for (std::size_t i = 0; i < bound.parameters.size(); ++i) {
        bound.parameters[i] = buffers_.at(bound.entry->parameters[i].name).of(sequence);
      }
    }
  }
}

bool Program::holds(const SymbolRange& range, std::int64_t value) const {
  return value >= range.min && value <= range.max && value % std::max<std::int64_t>(1, range.multiple) == 0;
}

bool Program::allows_capacity(const Entry& entry) const {
  const SymbolRange* const range = find_range(entry.ranges, kContext);
  return range == nullptr || holds(*range, capacity_);
}

std::int64_t Program::rows_of(const std::vector<BoundEntry>& entries, std::int64_t limit) const {
  std::int64_t most = 0;
  for (const BoundEntry& bound : entries) {
    if (!allows_capacity(*bound.entry)) continue;
    const SymbolRange* const range = find_range(bound.entry->ranges, kSequence);
    std::int64_t rows = limit;
    if (range != nullptr) {
      rows = std::min(limit, range->max);
      rows -= rows % range->multiple;
      if (rows < range->min) continue;
    }
    most = std::max(most, rows);
  }
  return most;
}

std::int64_t Program::forward_rows(std::int64_t limit) const { return rows_of(forward_, std::min(limit, chunk_)); }

std::int64_t Program::head_rows(std::int64_t limit) const { return rows_of(head_, std::min(limit, head_block_)); }

std::span<std::int32_t> Program::input(const std::string& name, std::int64_t count) const {
  return {reinterpret_cast<std::int32_t*>(buffers_.at(name).of(0)), static_cast<std::size_t>(count)};
}

std::span<std::int32_t> Program::tokens() const { return input("tokens", chunk_); }

std::span<std::int32_t> Program::positions() const { return input("positions", chunk_); }

std::span<std::int32_t> Program::rows() const { return input("rows", chunk_); }

std::span<std::int32_t> Program::pages() const { return input("pages", pages_); }

std::span<std::int32_t> Program::pages_each(std::int64_t token) const {
  return input("pages_each", each_rows_ * pages_)
      .subspan(static_cast<std::size_t>(token * pages_), static_cast<std::size_t>(pages_));
}

std::span<const float> Program::logits() const {
  return {reinterpret_cast<const float*>(buffers_.at("logits").of(0)),
          static_cast<std::size_t>(head_block_ * manifest_.vocab_size)};
}

std::span<const float> Program::hidden(std::int64_t row) const {
  const auto* const rows = reinterpret_cast<const float*>(buffers_.at("hidden").of(0));
  return {rows + row * manifest_.hidden_size, static_cast<std::size_t>(manifest_.hidden_size)};
}

std::int64_t Program::first_position(std::int64_t rows) const {
  return std::min(positions().front(), positions()[static_cast<std::size_t>(rows - 1)]);
}

std::vector<std::span<const std::byte>> Program::written() const {
  std::vector<std::span<const std::byte>> memory = {{arena_.data(), arena_.size()}};
  for (const auto& [name, buffer] : buffers_) {
    const bool is_input = buffer.parameter.dtype == DType::kI32;
    if (is_input) continue;
    for (const Pages& pages : buffer.pages) memory.emplace_back(pages.data(), pages.size());
  }
  return memory;
}

// Of every head a page's rows lie together, whatever their layout: its lanes divide a page.
void Program::copy_page(std::int32_t from, std::int32_t to) const {
  for (const auto& [name, buffer] : buffers_) {
    if (!buffer.is_state()) continue;
    std::int64_t heads = 1;
    for (const Extent& extent : buffer.parameter.extents) {
      if (extent.symbol == kContext) break;
      heads *= extent.factor;
    }
    const std::int64_t head = buffer.bytes / heads, page = head / capacity_ * PageTable::kRows;
    for (std::int64_t i = 0; i < heads; ++i) {
      std::byte* const rows = buffer.of(0) + i * head;
      std::memcpy(rows + to * page, rows + from * page, static_cast<std::size_t>(page));
    }
  }
}

void Program::forward(ThreadTeam& team, const std::byte* weights, std::int64_t rows, Wanted wanted) {
  std::vector<BoundEntry>* entries = &forward_;
  if (wanted == Wanted::kOne) entries = &forward_one_;
  if (wanted == Wanted::kNone) entries = &forward_none_;
  const bool has_code = std::ranges::any_of(*entries, [&](const BoundEntry& bound) { return fits(bound, rows); });
  call(has_code ? *entries : forward_, team, weights, rows, 0);
}

void Program::forward_each(ThreadTeam& team, const std::byte* weights, std::int64_t rows) {
  call(forward_each_, team, weights, rows, 0);
}

bool Program::fits(const BoundEntry& bound, std::int64_t rows) const {
  const SymbolRange* const range = find_range(bound.entry->ranges, kSequence);
  return allows_capacity(*bound.entry) && (range == nullptr || holds(*range, rows));
}

void Program::head(ThreadTeam& team, const std::byte* weights, std::int64_t first, std::int64_t rows) {
  call(head_, team, weights, rows, first);
}

void Program::call(std::vector<BoundEntry>& entries, ThreadTeam& team, const std::byte* weights, std::int64_t rows,
                   std::int64_t first_hidden) {
  const auto bound = std::ranges::find_if(entries, [&](const BoundEntry& entry) { return fits(entry, rows); });
  STRATA_CHECK(bound != entries.end(), "no code for " + std::to_string(rows) + " rows");
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    const std::string& symbol = manifest_.symbols[i];
    symbols_[i] = symbol == kSequence ? rows : symbol == kPages ? pages_ : capacity_;
  }
  for (std::size_t i = 0; i < bound->parameters.size(); ++i) {
    const Parameter& parameter = bound->entry->parameters[i];
    if (parameter.name != "hidden" || parameter.kind == Parameter::Kind::kState) continue;
    bound->parameters[i] = buffers_.at("hidden").of(0) + first_hidden * manifest_.hidden_size * 4;
  }
  if (profile_ != nullptr) team.set_profile(profile_->start(bound->entry->symbol, {rows, first_position(rows)}));
  team.run([&](tensor::Team member) {
    member.scratch = scratch_.data() + member.rank * scratch_bytes_;
    member.group = group_;
    bound->function(member, bound->parameters.data(), symbols_.data(), arena_.data(), weights);
  });
  team.set_profile(nullptr);
}

}  // namespace strata::runtime
