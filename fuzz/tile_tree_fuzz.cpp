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

namespace {

void try_text(std::string_view text, strata::schedule::ScheduledOp& op, const strata::machine::Machine& machine) {
  using namespace strata;
  try {
    op.tree.body = schedule::parse_tile_tree(text, "fuzz", op.tree, machine);
  } catch (const Error&) {
    return;
  }
  const std::string printed = schedule::to_text(op.tree, machine);
  op.tree.body = schedule::parse_tile_tree(printed, "printed", op.tree, machine);
  if (schedule::to_text(op.tree, machine) != printed) std::abort();
  try {
    schedule::verify(op, machine);
  } catch (const std::logic_error&) {
    return;
  }
}

}  // namespace

// Any text is parsed or refused with an Error; what was parsed prints to a text that parses to the same text, and the
// verifier has an answer to it: on a machine with caches, and on one with memory that software manages.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata;
  static const machine::Machine kCaches = machine::load("avx512-zen5");
  static const machine::Machine kManaged = machine::load("scratchpad-generic");
  static schedule::ScheduledOp cached = std::move(schedule::default_schedule(product(), kCaches).at(0).ops.at(0));
  static schedule::ScheduledOp copied = std::move(schedule::default_schedule(product(), kManaged).at(0).ops.at(0));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_text(text, cached, kCaches);
  try_text(text, copied, kManaged);
  return 0;
}
