// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "codegen/program.h"

namespace strata::codegen {
namespace {

// A cache line, and more than any vector register.
constexpr std::int64_t kWeightAlignment = 256;

}  // namespace

void WeightMap::add(const ir::Module& module) {
  for (const auto& function : module.functions()) {
    for (const ir::Expr* value : ir::topological_order(*function)) {
      if (value->kind != ir::Expr::Kind::kWeight) continue;
      const auto [found, is_new] = index_.try_emplace(value->name, entries_.size());
      if (!is_new) {
        STRATA_CHECK(entries_[found->second].type == value->type(), "two layouts of the weight " + value->name);
        continue;
      }
      const std::int64_t bytes = ir::max_bytes(value->type());
      entries_.push_back({value->name, value->type(), total_bytes_, bytes});
      total_bytes_ += (bytes + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
    }
  }
}

}  // namespace strata::codegen
