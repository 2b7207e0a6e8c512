// SPDX-License-Identifier: Apache-2.0
// Versions of a function keep its states as it does.
#include <gtest/gtest.h>

#include "ir/text.h"
#include "machine/machine.h"
#include "ops/register.h"
#include "vectorize/search.h"

namespace strata::vectorize {
namespace {

constexpr const char* kAttention = R"(module m {
  symbol seq in 2..64
  symbol ctx in 64..4096 multiple 64

  func @layer(%q: f32[seq, 2, 16], %k: f32[seq, 2, 16], %at: i32[seq], %keys: f32[2, ctx, 16], %values: f32[2, ctx, 16]) {
    %0 = cache_append(%keys, %k, %at) : f32[2, ctx, 16]
    %1 = cache_append(%values, %k, %at) : f32[2, ctx, 16]
    %2 = attention(%q, %0, %1, %at) {scale = 0.25} : f32[seq, 2, 16]
    return %2, %0, %1
  }
  func @layer_none(%q: f32[seq, 2, 16], %k: f32[seq, 2, 16], %at: i32[seq], %keys: f32[2, ctx, 16], %values: f32[2, ctx, 16]) of @layer {
    %0 = cache_append(%keys, %k, %at) : f32[2, ctx, 16]
    %1 = cache_append(%values, %k, %at) : f32[2, ctx, 16]
    return %0, %1
  }
  func @forward(%q: f32[seq, 2, 16], %k: f32[seq, 2, 16], %at: i32[seq], %keys: f32[2, ctx, 16], %values: f32[2, ctx, 16]) {
    %0 = call @layer(%q, %k, %at, %keys, %values) : (f32[seq, 2, 16], f32[2, ctx, 16], f32[2, ctx, 16])
    %1 = get(%0) {index = 0} : f32[seq, 2, 16]
    %2 = get(%0) {index = 1} : f32[2, ctx, 16]
    %3 = get(%0) {index = 2} : f32[2, ctx, 16]
    return %1, %2, %3
  }
  func @forward_none(%q: f32[seq, 2, 16], %k: f32[seq, 2, 16], %at: i32[seq], %keys: f32[2, ctx, 16], %values: f32[2, ctx, 16]) of @forward {
    %0 = call @layer_none(%q, %k, %at, %keys, %values) : (f32[2, ctx, 16], f32[2, ctx, 16])
    %1 = get(%0) {index = 0} : f32[2, ctx, 16]
    %2 = get(%0) {index = 1} : f32[2, ctx, 16]
    return %1, %2
  }
}
)";

std::string layout_of(const ir::Module& module, const std::string& function, const std::string& parameter) {
  for (const ir::Expr* value : module.find(function)->parameters) {
    if (value->name == parameter) return value->type().layout.text();
  }
  return "no such parameter";
}

// The version that reads nothing of the caches would have them in rows by itself.
TEST(Versions, KeepAStateAsTheirFunctionDoes) {
  ops::register_all();
  const ir::Module module = ir::parse_module(kAttention, "test");
  const machine::Machine machine = machine::load("avx512-zen4");
  const cost::Sizes sizes = {{"seq", 64}, {"ctx", 512}};
  const Version version = {
      "all", &module, {"forward", "forward_none"}, {{1, sizes, {"forward"}}, {1, sizes, {"forward_none"}}}};
  const SearchResult found = search({version}, machine, {});
  const std::string keys = layout_of(found.modules[0], "layer", "keys");
  EXPECT_EQ(keys, "<16@1>");
  EXPECT_EQ(layout_of(found.modules[0], "layer_none", "keys"), keys);
  EXPECT_EQ(layout_of(found.modules[0], "layer_none", "values"), layout_of(found.modules[0], "layer", "values"));
}

}  // namespace
}  // namespace strata::vectorize
