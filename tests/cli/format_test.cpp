// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <gtest/gtest.h>

namespace strata::cli {
namespace {

TEST(EscapeControls, LeavesTextAsItIs) {
  EXPECT_EQ(escape_controls(""), "");
  EXPECT_EQ(escape_controls("Qwen3 0.6B, \xc3\xa9 \xe4\xb8\xad \xc2\xa0"),
            "Qwen3 0.6B, \xc3\xa9 \xe4\xb8\xad \xc2\xa0");
}

TEST(EscapeControls, ShowsWhatWouldSpeakToTheTerminal) {
  EXPECT_EQ(escape_controls("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(escape_controls("a\nb\r\t\x7f"), "a\\x0ab\\x0d\\x09\\x7f");
  EXPECT_EQ(escape_controls(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escape_controls("\xc2\x9b"
                            "31m"),
            "\\x9b31m")
      << "CSI as one character";
  EXPECT_EQ(escape_controls("\xc2"), "\xc2");
}

}  // namespace
}  // namespace strata::cli
