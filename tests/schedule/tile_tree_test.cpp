// SPDX-License-Identifier: Apache-2.0
#include "schedule/tile_tree.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/error.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/verify.h"

namespace strata::schedule {
namespace {

const machine::Machine& zen5() {
  static const machine::Machine kMachine = machine::load("avx512-zen5");
  return kMachine;
}

// The first op of a function that is no view, and what keeps it alive.
struct Region {
  ir::Module module;
  ScheduledOp op;

  explicit Region(const std::string& function)
      : module(ir::parse_module("module m {\n  symbol seq in 1..512\n" + function + "}\n", "test")) {
    auto scheduled = default_schedule(module, zen5());
    for (ScheduledOp& candidate : scheduled[0].ops) {
      if (!candidate.is_view()) op = std::move(candidate);
    }
  }

  // What the verifier says of a tree by hand; "" where it holds.
  std::string verdict(const std::string& text) {
    op.tree.body = parse_tile_tree(text, "test", op.tree, zen5());
    try {
      verify(op, zen5());
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
};

Region norm() {
  ops::register_all();
  return Region(
      "  func @f(%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : "
      "f32[seq, 64]<16@1>\n    return %0\n  }\n");
}

Region product() {
  ops::register_all();
  return Region(
      "  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f32[96, 2048]<16@0>\n    %1 = matmul_nt(%x, %0) "
      ": f32[seq, 96]\n    return %1\n  }\n");
}

// Of weights that are widened to f32.
Region widening_product() {
  ops::register_all();
  return Region(
      "  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f16[96, 2048]<16@0>\n    %1 = matmul_nt(%x, %0) "
      ": f32[seq, 96]\n    return %1\n  }\n");
}

TEST(TileTree, TextIsReadBack) {
  for (Region (*make)() : {&norm, &product, &widening_product}) {
    Region region = make();
    const std::string text = to_text(region.op.tree, zen5());
    EXPECT_EQ(region.verdict(text), "");
    EXPECT_EQ(to_text(region.op.tree, zen5()), text);
  }
}

struct Malformed {
  const char* text;
  const char* message;
};

TEST(TileTree, AMistakeInTheTextIsNamed) {
  const Region region = norm();
  for (const auto& [text, message] : {
           Malformed{"parallel i7 by 1 {}", "the region has no iterator i7, test:1:10"},
           Malformed{"loop i0 by 1 {}", "'loop' is no node of a tile tree, test:1:1"},
           Malformed{"serial i0 by 0 {}", "a step is less than 1, test:1:14"},
           Malformed{"serial i0 by 1 in L9 {}", "the machine has no memory level L9, test:1:19"},
           Malformed{"leaf magic", "there is no leaf magic, test:1:6"},
           Malformed{"once {", "found the end of the text"},
           Malformed{"buffer b: q9[4]", "there is no such element type, test:1:11"},
           Malformed{"buffer b: f32[0]", "a number of elements is less than 1, test:1:15"},
           Malformed{"buffer b: f32[4611686018427387904]", "the buffer is too large, test:1:11"},
           Malformed{"leaf tile panels 4 ahead 4096 locality 4", "a locality is not from 0 to 3, test:1:40"},
           Malformed{"leaf tile panels 4 ahead 1048577 locality 3",
                     "a distance in bytes is not from 0 to 1048576, test:1:26"},
           Malformed{"stage -1", "a stage's number is negative"},
       }) {
    try {
      (void)parse_tile_tree(text, "test", region.op.tree, zen5());
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "once {";
  EXPECT_THROW((void)parse_tile_tree(deep, "test", region.op.tree, zen5()), Error);
}

// Trees that look like a right one.
TEST(TileTreeVerifier, FindsWhatWouldGoWrongInOwnLoops) {
  Region region = norm();
  const auto expect = [&](const std::string& text, const std::string& part) {
    const std::string verdict = region.verdict(text);
    EXPECT_NE(verdict.find(part), std::string::npos) << text << "\n" << verdict;
  };
  EXPECT_EQ(region.verdict("once { serial i0 by 1 { serial k by 1 { stage 0 } vector k by 16 { stage 1 } } }"), "");
  expect("serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } }", "every thread would compute");
  expect("parallel k by 1 { serial i0 by 1 { vector k by 1 { stage 0 } vector k by 1 { stage 1 } } }",
         "threads would share the sums along k");
  expect("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 1 } vector k by 16 { stage 0 } } }",
         "stage 0 is read before it is computed");
  expect("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } }", "stage 1 is not computed");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } vector k by 16 { "
      "stage 1 } } }",
      "stage 1 is computed twice");
  expect("parallel i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } }", "meets tiles of i0");
  expect("parallel i0 by 1 { serial i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } } }", "is no finer");
  expect("parallel i0 by 1 { parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } } }", "divided among");
  expect("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 stage 1 } } }", "goes on behind the sums of ss");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { serial k by 32 { vector k by 16 { stage 0 } } vector k by 16 { stage 1 } } "
      "}",
      "the sums along k are not made in parts");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } serial i0 by 1 { vector k by 16 { stage 1 } } "
      "}",
      "stage 0 is read outside of the loops that compute it");
  expect("parallel i0 by 1 { leaf concat }", "among the op's own loops");
  EXPECT_EQ(region.verdict("barrier once { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }"),
            "");
  expect("once { barrier serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }",
         "not all threads come to the barrier");
}

TEST(TileTreeVerifier, FindsBlocksThatALeafDoesNotTake) {
  Region region = product();
  const auto expect = [&](const std::string& text, const std::string& part) {
    const std::string verdict = region.verdict(text);
    EXPECT_NE(verdict.find(part), std::string::npos) << text << "\n" << verdict;
  };
  EXPECT_EQ(region.verdict("parallel n by 16 { leaf tile panels 4 }"), "");
  EXPECT_EQ(region.verdict("parallel n by 64 { serial k by 64 { serial i0 by 6 { leaf tile panels 4 } } }"), "");
  expect("parallel n by 64 { serial k by 48 { leaf tile panels 4 } }", "no multiple of 32");
  expect("parallel n by 64 { serial i0 by 8 { leaf tile panels 4 } }", "no multiple of 6");
  expect("parallel n by 64 { serial n by 24 { leaf tile panels 4 } }", "no multiple of 16");
  expect("parallel k by 64 { leaf tile panels 4 }", "threads would share the sums along k");
  expect("parallel n by 64 { serial i0 by 288 { leaf stream panels 1 } }", "takes no blocks of i0");
  expect("parallel n by 64 { serial i0 by 288 { serial k by 1024 in L2 { leaf tile panels 4 } } }",
         "is larger than L2");
  expect("parallel n by 64 { when i0 <= 6 { leaf tile panels 4 } else { } }", "the two cases compute different stages");
  expect("parallel n by 64 { }", "no leaf computes it");
}

// Four panels of 16 lanes and 64 values of k are 4,096 floats.
TEST(TileTreeVerifier, FindsBuffersThatALeafCanNotWorkIn) {
  Region region = widening_product();
  const auto verdict = [&](const std::string& body) { return region.verdict("parallel n by 64 { " + body + " }"); };
  const auto expect = [&](const std::string& body, const std::string& part) {
    EXPECT_NE(verdict(body).find(part), std::string::npos) << body << "\n" << verdict(body);
  };
  EXPECT_EQ(verdict("serial k by 64 { buffer w: f32[4096] leaf tile-widened panels 4 with w }"), "");
  EXPECT_EQ(verdict("buffer w: f32[8192] in L1 serial k by 64 { leaf tile-widened panels 4 with w }"), "");
  expect("serial k by 64 { buffer w: f32[4095] leaf tile-widened panels 4 with w }", "does not hold the f32[4096]");
  expect("serial k by 64 { buffer w: f32[4096] leaf tile-widened panels 8 with w }", "does not hold the f32[8192]");
  expect("buffer w: f32[4096] leaf tile-widened panels 4 with w", "does not hold the f32[131072]");
  expect("serial k by 64 { buffer w: f16[8192] leaf tile-widened panels 4 with w }", "does not hold the f32[4096]");
  expect("serial k by 64 { buffer w: f32[4096] leaf tile-widened panels 4 }", "has no buffer to work in");
  expect("serial k by 64 { buffer w: f32[4096] leaf tile-widened panels 4 with v }", "has no buffer v where it stands");
  expect("when i0 <= 6 { buffer w: f32[131072] leaf tile panels 4 } else { leaf tile-widened panels 4 with w }",
         "has no buffer w where it stands");
  expect("buffer w: f32[4096] serial k by 64 { buffer w: f32[4096] leaf tile-widened panels 4 with w }",
         "the buffer w stands there twice");
  expect("buffer w: f32[131072] in L1 leaf tile-widened panels 4 with w", "is larger than L1");
  expect("buffer w: f32[4096] serial k by 64 { leaf tile panels 4 with w }", "works in no buffer");
}

}  // namespace
}  // namespace strata::schedule
