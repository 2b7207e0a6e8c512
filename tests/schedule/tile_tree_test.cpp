// SPDX-License-Identifier: Apache-2.0
#include "schedule/tile_tree.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/error.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/attention_tree.h"
#include "schedule/verify.h"
#include "tests/schedule/schedule_testing.h"

namespace strata::schedule {
namespace {

// The first op of a function that is no view, and what keeps it alive.
struct OneOp {
  ir::Module module;
  ScheduledOp op;

  explicit OneOp(const std::string& function)
      : module(ir::parse_module("module m {\n  symbol seq in 1..512\n" + function + "}\n", "test")) {
    auto scheduled = default_schedule(module, zen5());
    for (ScheduledOp& candidate : scheduled[0].ops) {
      if (!candidate.is_view()) op = std::move(candidate);
    }
  }

  // What the verifier says of a tree by hand; "" where it holds.
  std::string verdict(const std::string& text) { return verdict(parse_tile_tree(text, "test", op.tree, zen5())); }
  std::string verdict(std::vector<TileNode> body) {
    op.tree.body = std::move(body);
    try {
      verify(op, zen5());
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
};

OneOp norm() {
  ops::register_all();
  return OneOp(
      "  func @f(%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : "
      "f32[seq, 64]<16@1>\n    return %0\n  }\n");
}

OneOp product() {
  ops::register_all();
  return OneOp(
      "  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f32[96, 2048]<16@0>\n    %1 = matmul_nt(%x, %0) "
      ": f32[seq, 96]\n    return %1\n  }\n");
}

// Of weights that are widened to f32.
OneOp widening_product() {
  ops::register_all();
  return OneOp(
      "  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f16[96, 2048]<16@0>\n    %1 = matmul_nt(%x, %0) "
      ": f32[seq, 96]\n    return %1\n  }\n");
}

// Two query heads of 32 share a head of keys and values.
OneOp attention_of(const std::string& tokens) {
  ops::register_all();
  return OneOp("  func @f(%q: f32[" + tokens + ", 4, 32], %k: bf16[2, 4096, 32]<16@1, 2@2>, %v: bf16[2, 4096, 32]" +
               "<16@2, 2@1>, %p: i32[" + tokens + "]) {\n    %0 = attention(%q, %k, %v, %p) {scale = 0.25} : f32[" +
               tokens + ", 4, 32]\n    return %0\n  }\n");
}
OneOp attention() { return attention_of("seq"); }
OneOp decoding_attention() { return attention_of("1"); }

TEST(TileTree, TextIsReadBack) {
  for (OneOp (*make)() : {&norm, &product, &widening_product, &attention, &decoding_attention}) {
    OneOp region = make();
    const std::string text = to_text(region.op.tree, zen5());
    EXPECT_EQ(region.verdict(text), "");
    EXPECT_EQ(to_text(region.op.tree, zen5()), text);
  }
}

struct Malformed {
  const char* text;
  const char* message;
};

TEST(TileTree, EachThreadDoesWhatOneAloneDoes) {
  OneOp region = norm();
  region.verdict("once { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }");
  const auto each = in_each_thread(region.op.tree);
  ASSERT_TRUE(each.has_value());
  EXPECT_EQ(to_text(*each, zen5()).substr(0, 6), "each {");
  EXPECT_TRUE(is_in_each_thread(*each));
  EXPECT_FALSE(is_in_each_thread(region.op.tree));
  region.verdict("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }");
  EXPECT_FALSE(in_each_thread(region.op.tree).has_value()) << "threads share the rows";
}

TEST(TileTree, AMistakeInTheTextIsNamed) {
  const OneOp region = norm();
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
           Malformed{"split i0 into 0 {}", "a number of parts is less than 1, test:1:15"},
           Malformed{"split i0 into 65537 {}", "there are more than 65536 parts, test:1:15"},
           Malformed{"split i0 by 2 {}", "into"},
           Malformed{"shared b: f32[4]", "test:1:16"},
           Malformed{"shared b: f32[0, 4]", "a number of slots is less than 1, test:1:15"},
           Malformed{"shared b: f32[2097152, 1048576]", "the buffer is too large, test:1:11"},
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

// Lanes lie in one block of 32, and never read the index that they run along.
TEST(TileTreeVerifier, FindsLanesThatAreNotAlike) {
  ops::register_all();
  OneOp blocks(
      "  func @f(%x: f32[seq, 96]<16@1>, %s: f32[seq, 3]) {\n    %0 = scale_blocks(%x, %s) : f32[seq, 96]<16@1>\n"
      "    return %0\n  }\n");
  const std::string rows = "parallel i0 by 1 { serial i0 by 1 { ";
  EXPECT_EQ(blocks.verdict(rows + "vector k by 16 { stage 0 } } }"), "");
  EXPECT_EQ(blocks.verdict(rows + "vector k by 32 { stage 0 } } }"), "");
  EXPECT_EQ(blocks.verdict(rows + "vector k by 64 { stage 0 } } }"),
            "tile tree of scale_blocks: vector k: what stage 0 computes is not alike along it");
  EXPECT_EQ(blocks.verdict("parallel k by 24 { serial i0 by 1 { vector k by 16 { stage 0 } } }"),
            "tile tree of scale_blocks: vector k by 16 begins between two blocks in parts of 24");
  EXPECT_EQ(blocks.verdict("parallel k by 48 { serial i0 by 1 { vector k by 16 { stage 0 } } }"), "");

  OneOp rope(
      "  func @f(%x: f32[seq, 3, 2, 8], %c: f32[seq, 8], %s: f32[seq, 8]) {\n"
      "    %0 = rope(%x, %c, %s) : f32[seq, 3, 2, 8]\n    return %0\n  }\n");
  const std::string heads = "parallel s by 1 { serial s by 1 { serial h by 1 { ";
  EXPECT_EQ(rope.verdict(heads + "serial p by 1 { vector i by 8 { stage 0 } } } } }"), "");
  EXPECT_EQ(rope.verdict(heads + "serial i by 1 { vector p by 2 { stage 0 } } } } }"),
            "tile tree of rope: vector p: what stage 0 computes is not alike along it");
}

// Trees that look like a right one.
TEST(TileTreeVerifier, FindsWhatWouldGoWrongInOwnLoops) {
  OneOp region = norm();
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
  expect("parallel i0 by 1 { parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } } }",
         "inside of a loop that cuts it");
  EXPECT_EQ(region.verdict("each { serial i0 by 1 { serial k by 1 { stage 0 } vector k by 16 { stage 1 } } }"), "");
  expect(
      "each { serial i0 by 1 { vector k by 16 { stage 0 } } } once { serial i0 by 1 { vector k by 16 { stage 1 } } }",
      "each thread would compute a part");
  expect(
      "when i0 <= 4 { each { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } } } else { "
      "parallel "
      "i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } } }",
      "each thread would compute a part");
  expect("parallel i0 by 1 { each { serial i0 by 1 { vector k by 16 { stage 0 } } } }",
         "each thread would compute a part");
  expect("parallel i0 by 1 { once { serial i0 by 1 { vector k by 16 { stage 0 } } } }", "divided among");
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
  expect("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { buffer b: f32[64] stage 0 } } }",
         "vector k is around more than stages");
  expect("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 2 } } }", "there is no such stage");
  expect("parallel i0 by 1 { serial i0 by 1 { serial k by 1 { stage 2 } } }", "there is no such stage");
  const TileNode no_iterator{.kind = TileNode::Kind::kSerial}, another{.kind = TileNode::Kind::kWhen, .iterator = 2};
  for (const TileNode& node : {no_iterator, another}) {
    EXPECT_NE(region.verdict({node}).find("a loop without an iterator"), std::string::npos);
  }
  const TileNode no_step{.kind = TileNode::Kind::kSerial, .iterator = 0, .step = 0};
  EXPECT_NE(region.verdict({no_step}).find("a step of 0"), std::string::npos);
  EXPECT_EQ(region.verdict("barrier once { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }"),
            "");
  expect("once { barrier serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }",
         "not all threads come to the barrier");
}

TEST(TileTreeVerifier, FindsBlocksThatALeafDoesNotTake) {
  OneOp region = product();
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
  expect("shared sums: f32[6, 80] in L3 parallel n by 64 { leaf attention-combine with sums }", "computes other ops");
  expect("parallel n by 64 { serial i0 by 288 { serial k by 1024 in L2 { leaf tile panels 4 } } }",
         "is larger than L2");
  expect("parallel n by 64 { when i0 <= 6 { leaf tile panels 4 } else { } }", "the two cases compute different stages");
  expect("parallel n by 64 { }", "no leaf computes it");
}

// Four panels of 16 lanes and 64 values of k are 4,096 floats.
TEST(TileTreeVerifier, FindsBuffersThatALeafCanNotWorkIn) {
  OneOp region = widening_product();
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

// 16 queries of two heads, past blocks of 64 keys.
std::string attention_text(const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  std::string text =
      "parallel h by 2 { parallel s by 16 { buffer q: bf16[1024] in L1 buffer x: f32[2048] buffer r: f32[1120] "
      "leaf attention-start with q, r "
      "serial t by 64 in L1 { leaf attention-scores rows 8 panels 2 ahead 0 locality 0 with q, x "
      "leaf attention-softmax with x, r leaf attention-values rows 8 panels 2 ahead 0 locality 0 with x, r } "
      "leaf attention-finish with r } }";
  for (const auto& [from, to] : changes) text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(TileTreeVerifier, FindsWhatWouldGoWrongInAnAttention) {
  OneOp region = attention();
  const auto verdict = [&](const std::vector<std::pair<std::string, std::string>>& changes) {
    return region.verdict(attention_text(changes));
  };
  using Changes = std::vector<std::pair<std::string, std::string>>;
  for (const Changes& changes :
       {Changes{}, Changes{{"t by 64", "t by 32"}}, Changes{{"h by 2", "h by 1"}}, Changes{{"s by 16", "s by 3"}},
        Changes{{"serial t by 64 in L1 {", "serial t by 512 { serial t by 64 {"}, {"} leaf", "} } leaf"}},
        Changes{{"parallel h by 2 { parallel s by 16 {", "parallel s by 16 { serial h by 2 { serial s by 16 {"},
                {"r } }", "r } } }"}}}) {
    EXPECT_EQ(verdict(changes), "");
  }
  const auto expect = [&](const Changes& changes, const std::string& part) {
    EXPECT_NE(verdict(changes).find(part), std::string::npos) << attention_text(changes) << "\n" << verdict(changes);
  };
  expect({{"t by 64", "t by 40"}}, "a block of 40 along t is no multiple of 16");
  expect({{"t by 64", "t by 128"}}, "the buffer x does not hold the f32[4096] that leaf attention-scores needs");
  expect({{"s by 16", "s by 17"}}, "the buffer q does not hold the bf16[1088] that leaf attention-start needs");
  expect({{"bf16[1024]", "f32[1024]"}}, "does not hold the bf16[1024]");
  expect({{"f32[1120]", "f32[1119]"}}, "does not hold the f32[1120] that leaf attention-start needs");
  expect({{"with q, r", "with q"}}, "leaf attention-start has no buffer to work in as running");
  expect({{"finish with r", "finish with r, q"}}, "leaf attention-finish works in 1 buffers");
  expect({{"f32[1120]", "f32[1120] buffer z: f32[2048]"}, {"softmax with x", "softmax with z"}},
         "leaf attention-softmax has its scores in z, not in x");
  expect({{"h by 2", "h by 4"}}, "a tile of 4 along h is not of one group of 2");
  expect({{"parallel h by 2 {", "once {"}, {"parallel s", "serial s"}}, "a tile of 4 along h is not of one group");
  expect({{"parallel s by 16", "parallel t by 64"}}, "threads would share the sums along t");
  expect({{"serial t by 64 in L1 {", "serial d by 16 { serial t by 64 {"}, {"} leaf", "} } leaf"}},
         "leaf attention-scores meets another tile of d");
  expect({{"serial t by 64 in L1 {", ""}, {"} leaf", "leaf"}}, "takes a block of t, not all of it");
  expect({{"t by 64 in L1", "t by 1024 in L1"}, {"f32[2048]", "f32[32768]"}}, "is larger than L1");
  expect({{"leaf attention-softmax", "} serial t by 64 { leaf attention-softmax"}},
         "leaf attention-softmax meets other blocks of t");
  expect({{"serial t", "} parallel s by 16 { serial t"}}, "work is divided among the threads twice");
  expect({{"leaf attention-start with q, r", "serial s by 8 { leaf attention-start with q, r }"}},
         "leaf attention-scores meets another tile of s");
  expect({{"} leaf attention-finish with r", "leaf attention-finish with r }"}},
         "would run again for every block of t");
  expect({{"leaf attention-finish with r", ""}}, "leaf attention-finish is missing");
  expect({{"leaf attention-softmax with x, r", ""}}, "leaf attention-values stands before attention-softmax");
  expect({{"leaf attention-finish with r", "leaf attention-finish with r leaf attention-finish with r"}},
         "leaf attention-finish stands there twice");
  expect({{"leaf attention-finish with r", "leaf concat"}}, "leaf concat is no part of it");
  expect({{"rows 8", "rows 6"}}, "leaf attention-scores has tiles of 6 rows, which is no power of two");
  expect({{"rows 8 panels 2 ahead 0 locality 0 ", ""}}, "leaf attention-scores has tiles of 0 rows");
  expect({{"panels 2", "panels 4"}}, "a register tile of 8 x 4 does not fit the 32 registers");
}

// So many query heads of 128 for each of two heads of keys and values, all in f32.
OneOp wide_attention(const std::string& tokens, int group) {
  ops::register_all();
  const std::string query = "f32[" + tokens + ", " + std::to_string(2 * group) + ", 128]";
  return OneOp("  func @f(%q: " + query + ", %k: f32[2, 4096, 128]<8@1>, %v: f32[2, 4096, 128], %p: i32[" + tokens +
               "]) {\n    %0 = attention(%q, %k, %v, %p) {scale = 0.25} : " + query + "\n    return %0\n  }\n");
}

// Where several register tiles read the keys and values of a single token, blocks of these and the next ones, which are
// fetched meanwhile, stay in the first cache.
TEST(TileTree, ASingleTokenFetchesWhatItReadsInSeveralTiles) {
  const machine::Machine zen3 = machine::load("avx2-zen3");
  const auto tree = [](const std::string& tokens, int group, const machine::Machine& machine) {
    OneOp region = wide_attention(tokens, group);
    return one_line(to_text(attention_tree(region.op, machine), machine));
  };
  const std::string near =
      "serial t by 16 in L1 { "
      "leaf attention-scores rows 2 panels 2 ahead 8192 locality 3 with queries, scores "
      "leaf attention-softmax with scores, running "
      "leaf attention-values rows 2 panels 4 ahead 8192 locality 3 with scores, running }";
  EXPECT_NE(tree("1", 2, zen3).find(near), std::string::npos) << tree("1", 2, zen3);
  machine::Machine wide = zen3;
  wide.vector_registers.count = 64;  // for the sums of two heads and 128 columns
  EXPECT_NE(tree("1", 2, wide).find("serial t by 4096 {"), std::string::npos) << tree("1", 2, wide);
  EXPECT_EQ(tree("1", 2, wide).find("locality 3"), std::string::npos) << tree("1", 2, wide);
  EXPECT_NE(tree("1", 3, wide).find("rows 2 panels 16 ahead 8192 locality 3"), std::string::npos)
      << "a third head is a tile of its own: " << tree("1", 3, wide);
  EXPECT_EQ(tree("seq", 2, zen3).find("locality 3"), std::string::npos) << "many tokens are bound by multiply-adds";
}

// Threads share the context of a single token in parts.
TEST(TileTree, AnAttentionDividesItsContext) {
  OneOp region = decoding_attention();
  const TileTree tree = attention_tree(region.op, zen5(), {.parts = 3});
  const std::string text = to_text(tree, zen5());
  EXPECT_EQ(one_line(text),
            "shared running: f32[6, 80] in L3 "
            "parallel h by 2 { parallel s by 1 { split t into 3 { "
            "buffer queries: bf16[64] in L1 buffer scores: f32[8192] in L1 "
            "leaf attention-start with queries, running "
            "serial t by 4096 { "
            "leaf attention-scores rows 2 panels 1 ahead 0 locality 0 with queries, scores "
            "leaf attention-softmax with scores, running "
            "leaf attention-values rows 2 panels 2 ahead 0 locality 0 with scores, running } } } } "
            "barrier "
            "parallel h by 2 { parallel s by 1 { parallel d by 16 { leaf attention-combine with running } } }");
  EXPECT_EQ(region.verdict(text), "");
  EXPECT_EQ(to_text(region.op.tree, zen5()), text);
  EXPECT_TRUE(has_barrier_inside(tree));
  EXPECT_EQ(to_text(attention_tree(region.op, zen5(), {.parts = 1}), zen5()),
            to_text(decoding_attention().op.tree, zen5()));
}

// 16 queries of two heads, whose keys are in three parts.
std::string split_text(const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  std::string text =
      "shared r: f32[192, 1120] in L3 "
      "parallel h by 2 { parallel s by 16 { split t into 3 { buffer q: bf16[1024] in L1 buffer x: f32[2048] "
      "leaf attention-start with q, r "
      "serial t by 64 in L1 { leaf attention-scores rows 8 panels 2 ahead 0 locality 0 with q, x "
      "leaf attention-softmax with x, r leaf attention-values rows 8 panels 2 ahead 0 locality 0 with x, r } } } } "
      "barrier parallel h by 2 { parallel s by 16 { leaf attention-combine with r } }";
  for (const auto& [from, to] : changes) text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(TileTreeVerifier, FindsWhatWouldGoWrongInASplitAttention) {
  OneOp region = attention();
  using Changes = std::vector<std::pair<std::string, std::string>>;
  const auto verdict = [&](const Changes& changes) { return region.verdict(split_text(changes)); };
  const std::string combined = "leaf attention-combine with r";
  for (const Changes& changes :
       {Changes{}, Changes{{"into 3", "into 2"}}, Changes{{"into 3", "into 1"}},
        Changes{{combined, "parallel d by 16 { " + combined + " }"}},
        Changes{{"parallel h by 2 { parallel s by 16 { leaf", "parallel s by 16 { parallel h by 2 { leaf"}}}) {
    EXPECT_EQ(verdict(changes), "");
  }
  const auto expect = [&](const Changes& changes, const std::string& part) {
    EXPECT_NE(verdict(changes).find(part), std::string::npos) << split_text(changes) << "\n" << verdict(changes);
  };
  expect({{"barrier ", ""}}, "leaf attention-combine reads what other threads may not have summed yet");
  expect({{combined, "leaf attention-finish with r"}}, "leaf attention-finish would end with a part of t");
  expect({{combined, ""}}, "leaf attention-finish is missing");
  expect({{combined, combined + " " + combined}}, "stands there twice");
  expect({{"[192,", "[191,"}}, "the buffer r has 191 slots for all threads, of 192 that leaf attention-start needs");
  expect({{"into 3", "into 4"}}, "the buffer r has 192 slots for all threads, of 256");
  expect({{"1120]", "1119]"}}, "does not hold the f32[1120] that leaf attention-start needs");
  expect({{"shared r: f32[192, 1120] in L3", "buffer r: f32[1120]"}}, "the buffer r has 0 slots for all threads");
  expect({{"in L3", "in L1"}}, "is larger than L1");
  expect({{"buffer q: bf16[1024] in L1", ""}, {"shared r", "shared q: bf16[192, 1024] shared r"}},
         "leaf attention-start needs memory of each thread, and q is of all");
  expect({{"shared r: f32[192, 1120] in L3", ""}, {"buffer q", "shared r: f32[192, 1120] buffer q"}},
         "the buffer r is not of all threads there");
  expect({{"parallel s by 16 { leaf", "parallel s by 8 { leaf"}}, "leaf attention-combine meets another tile of s");
  expect({{"parallel h by 2 { parallel s by 16 { leaf", "parallel h by 1 { parallel s by 16 { leaf"}},
         "leaf attention-combine meets another tile of h");
  expect(
      {{"parallel h by 2 { parallel s by 16 { leaf", "parallel s by 16 { leaf"}, {combined + " } }", combined + " }"}},
      "leaf attention-combine meets tiles of s that have no slot of their own");
  expect({{combined, "serial d by 16 { " + combined + " }"}}, "leaf attention-combine takes no blocks of d");
  expect({{"parallel s by 16 { split", "parallel d by 16 { split"}}, "leaf attention-start takes no blocks of d");
  expect({{"parallel s by 16 { split t into 3 {", "split t into 3 { serial s by 16 {"}},
         "meets tiles of s that have no slot of their own");
  expect({{"split t into 3 {", "split t into 3 { split t into 3 {"}, {"r } }", "r } } }"}},
         "the parts of t are divided again");
  expect({{"split t into 3", "split k into 3"}}, "no leaf combines parts of k");
  expect({{"parallel s by 16 { leaf", "parallel s by 16 { split t into 3 { leaf"}, {combined, combined + " }"}},
         "leaf attention-combine would run again for every part of t");
  expect({{"leaf attention-softmax",
           "} } } } barrier parallel h by 2 { parallel s by 16 { split t into 3 { "
           "buffer y: f32[2048] serial t by 64 { leaf attention-softmax"}},
         "leaf attention-softmax meets another part of t");
  // Without a split there is nothing to combine, nor memory of all.
  expect({{"split t into 3 { ", ""}, {"r } }", "r }"}}, "leaf attention-start needs memory of each thread");
  expect({{"shared r: f32[192, 1120] in L3", "buffer r: f32[1120]"}, {"split t into 3 { ", ""}, {"r } }", "r }"}},
         "leaf attention-combine has no parts of t to combine");
  OneOp rows = norm();
  EXPECT_NE(rows.verdict("parallel i0 by 1 { split k into 2 { serial i0 by 1 { vector k by 16 { stage 0 } } } }")
                .find("no leaf combines parts of k"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::schedule
