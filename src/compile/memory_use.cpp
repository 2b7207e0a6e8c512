// SPDX-License-Identifier: Apache-2.0
#include "compile/memory_use.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "base/saturating.h"

namespace strata::compile {
namespace {

constexpr const char* kContext = "ctx";

// Tokens of a sequence that a cache has room for: as many as its packed axes want.
std::int64_t capacity(const package::Manifest& manifest, const Workload& workload) {
  const std::int64_t tokens = std::min(workload.prompt + workload.generate, manifest.max_context);
  const auto range = manifest.symbol_ranges.find(kContext);
  const std::int64_t multiple = range == manifest.symbol_ranges.end() ? 1 : range->second.multiple;
  return (tokens + multiple - 1) / multiple * multiple;
}

std::int64_t state_bytes(const package::Parameter& state, std::int64_t tokens) {
  std::int64_t bytes = dtype_size(state.dtype);
  for (const package::Extent& extent : state.extents) {
    bytes = saturating_product(bytes, saturating_product(extent.factor, extent.symbol.empty() ? 1 : tokens));
  }
  return bytes;
}

}  // namespace

std::int64_t MemoryUse::total() const {
  return saturating_sum(saturating_sum(weights, caches), saturating_sum(arena, scratch));
}

MemoryUse memory_use(const package::Manifest& manifest, const Workload& workload, int threads) {
  MemoryUse use{.weights = manifest.weight_bytes};
  const std::int64_t tokens = capacity(manifest, workload);
  std::map<std::string, std::int64_t> states;  // entries share them
  for (const package::Entry& entry : manifest.entries) {
    use.arena = std::max(use.arena, entry.arena_bytes);
    use.scratch = std::max(use.scratch, saturating_product(entry.scratch_bytes, threads));
    for (const package::Parameter& parameter : entry.parameters) {
      if (parameter.kind == package::Parameter::Kind::kState) states[parameter.name] = state_bytes(parameter, tokens);
    }
  }
  for (const auto& [name, bytes] : states) use.caches = saturating_sum(use.caches, bytes);
  use.caches = saturating_product(use.caches, workload.batch);
  return use;
}

}  // namespace strata::compile
