// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "serve/answer_format.h"

namespace strata::serve {

// What is the same in answers that are a list of blocks (/v1/messages, /v1/responses): thoughts, texts and calls, one
// after the other. There is one choice.
class BlockFormat : public AnswerFormat {
 public:
  BlockFormat(AnswerHead head, const AnswerParser::Options& parser) : head_(std::move(head)), parser_(parser) {}

  std::string add(std::size_t choice, const Generation::Piece& piece) override;

 protected:
  struct Block {
    AnswerPart::Kind kind = AnswerPart::Kind::kContent;
    std::string id, text, name;  // text: of a call its arguments
  };

  // Events of the last block: that it begins, that it got more text, that it is done.
  virtual std::string opened(const Block& block, std::size_t index) = 0;
  virtual std::string grown(const Block& block, std::size_t index, const std::string& text) = 0;
  virtual std::string closed(const Block& block, std::size_t index) = 0;

  // What a block of the kind is called; ids are of this form.
  virtual std::string id_prefix(AnswerPart::Kind kind) const = 0;

  const AnswerHead& head() const { return head_; }
  const std::vector<Block>& blocks() const { return blocks_; }
  bool has_calls() const;
  text::EndOfText end_of_text() const { return end_; }
  const std::string& stop_string() const { return stop_; }

 private:
  std::string take(const AnswerPart& part);
  std::string close();

  AnswerHead head_;
  AnswerParser parser_;
  std::vector<Block> blocks_;
  bool is_open_ = false;  // the last one
  text::EndOfText end_ = text::EndOfText::kLimit;
  std::string stop_;
};

}  // namespace strata::serve
