// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/tool_format.h"

namespace strata::serve {

// A part of an answer: more of what the model says or thinks, or a tool that it calls.
struct AnswerPart {
  enum class Kind { kContent, kReasoning, kToolCall };
  Kind kind = Kind::kContent;
  std::string text;       // of a call: its arguments, a JSON object
  std::string name = {};  // of the tool
};

// Takes an answer apart, wherever its pieces are cut: "<think>...</think>" at its beginning is reasoning, and what
// stands between the markers of the tools' format is a call; of a format without markers, an answer that is a call of
// one of the tools. White space around these is dropped. What looks like a call and isn't one stays content.
class AnswerParser {
 public:
  struct Options {
    bool splits_reasoning = true;
    bool begins_in_reasoning = false;   // the prompt ends with "<think>"
    const ToolFormat* tools = nullptr;  // that may be called; null: none
    std::vector<std::string> tool_names = {};
  };
  explicit AnswerParser(const Options& options);

  // The parts that are clear now, in their order; neighbours are of different kinds, or calls.
  std::vector<AnswerPart> push(std::string_view text);

  // The end of the answer.
  std::vector<AnswerPart> finish();

 private:
  enum class State { kBegin, kReasoning, kContent, kCall };
  using Parts = std::vector<AnswerPart>;

  bool advance(Parts& parts);
  bool begin();
  bool think(Parts& parts);
  bool say(Parts& parts);
  bool call(Parts& parts);
  bool is_bare_call() const;
  void show(Parts& parts, std::size_t size);
  bool skip_white_space();

  const Options options_;
  State state_;
  bool skips_white_space_ = true;  // until something else comes
  bool has_shown_ = false;         // some content
  std::string held_;               // what is not clear yet
};

}  // namespace strata::serve
