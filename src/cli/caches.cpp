// SPDX-License-Identifier: Apache-2.0
#include "cli/caches.h"

#include <algorithm>
#include <iterator>

#include "base/saturating.h"

namespace strata::cli {
namespace {

using package::Parameter;

// Entries share them.
std::vector<Parameter> states_of(const package::Manifest& manifest) {
  std::vector<Parameter> found;
  for (const package::Entry& entry : manifest.entries) {
    std::ranges::copy_if(entry.parameters, std::back_inserter(found),
                         [](const Parameter& parameter) { return parameter.kind == Parameter::Kind::kState; });
    if (!found.empty()) break;
  }
  return found;
}

}  // namespace

std::vector<DType> cache_types(const package::Manifest& manifest) {
  std::vector<DType> types;
  for (const Parameter& cache : states_of(manifest)) types.push_back(cache.dtype);
  return types;
}

std::string cache_types_text(const package::Manifest& manifest) {
  std::vector<DType> types = cache_types(manifest);
  std::ranges::sort(types);
  types.erase(std::ranges::unique(types).begin(), types.end());
  std::string text;
  for (const DType type : types) text += (text.empty() ? "" : ", ") + std::string(dtype_name(type));
  return text.empty() ? "none" : text;
}

std::int64_t cache_bytes_per_token(const package::Manifest& manifest) {
  std::int64_t sum = 0;
  for (const Parameter& cache : states_of(manifest)) {
    std::int64_t bytes = dtype_size(cache.dtype);
    for (const package::Extent& extent : cache.extents) bytes = saturating_product(bytes, extent.factor);
    sum = saturating_sum(sum, bytes);
  }
  return sum;
}

}  // namespace strata::cli
