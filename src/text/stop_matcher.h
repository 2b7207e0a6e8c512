// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

// Ends a stream of text at the first stop string, which is not part of the output, wherever the pieces are cut. Text
// that may be the beginning of a stop string is held back until it is clear. Of stop strings that overlap, the one
// that is complete first ends the text; of those complete at once, the one that begins first.
class StopMatcher {
 public:
  // Empty stop strings never match.
  explicit StopMatcher(std::vector<std::string> stops);

  struct Result {
    std::string text;      // what can be shown now
    bool stopped = false;  // a stop string was found; all later text is dropped
  };
  // A piece that is not `shown`, such as the text of a special token, is matched, and never given back.
  Result push(std::string_view piece, bool shown = true);

  // The stop string that was found; empty: none was.
  const std::string& found() const { return found_; }

  // The end of the stream: the text that was held back.
  std::string finish();

 private:
  struct Stop {
    std::string text;
    std::vector<std::size_t> border;  // Knuth-Morris-Pratt: of each prefix, its longest proper prefix that is a suffix
    std::size_t matched = 0;          // how much of `text` the stream ends with
  };

  std::size_t advance(char byte);

  std::vector<Stop> stops_;
  std::string take_shown(std::size_t size);

  std::string held_;
  std::vector<bool> shown_;  // of each held byte
  bool stopped_ = false;
  std::string found_;
};

}  // namespace strata::text
