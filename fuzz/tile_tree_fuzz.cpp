// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/verify.h"

namespace {

// A product in row tiles: its tree has all that a tree may have.
const strata::ir::Module& product() {
  static const strata::ir::Module kModule = [] {
    strata::ops::register_all();
    return strata::ir::parse_module(
        "module m {\n  symbol seq in 1..512\n  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f32[96, "
        "2048]<16@0>\n    %1 = matmul_nt(%x, %0) : f32[seq, 96]\n    return %1\n  }\n}\n",
        "fuzz");
  }();
  return kModule;
}

}  // namespace

// Any text is parsed or refused with an Error; what was parsed prints to a text that parses to the same text, and the
// verifier has an answer to it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata;
  static const machine::Machine kMachine = machine::load("avx512-zen5");
  static schedule::ScheduledOp op = std::move(schedule::default_schedule(product(), kMachine).at(0).ops.at(0));
  try {
    op.tree.body = schedule::parse_tile_tree({reinterpret_cast<const char*>(data), size}, "fuzz", op.tree, kMachine);
  } catch (const Error&) {
    return 0;
  }
  const std::string printed = schedule::to_text(op.tree, kMachine);
  op.tree.body = schedule::parse_tile_tree(printed, "printed", op.tree, kMachine);
  if (schedule::to_text(op.tree, kMachine) != printed) std::abort();
  try {
    schedule::verify(op, kMachine);
  } catch (const std::logic_error&) {
    return 0;
  }
  return 0;
}
