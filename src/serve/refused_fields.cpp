// SPDX-License-Identifier: Apache-2.0
#include "serve/refused_fields.h"

#include <algorithm>
#include <array>
#include <string>

namespace strata::serve {
namespace {

constexpr std::array kOfTexts = {
    RefusedField{"min_tokens", "[0]"},     RefusedField{"bad_words", "[[]]"},
    RefusedField{"typical_p", "[1]"},      RefusedField{"mirostat", "[0]"},
    RefusedField{"dry_multiplier", "[0]"}, RefusedField{"xtc_probability", "[0]"},
    RefusedField{"dynatemp_range", "[0]"}, RefusedField{"use_beam_search", "[false]"},
};
constexpr std::array kOfCompletions = {
    RefusedField{"best_of", "[1]"},
    RefusedField{"suffix", "[\"\"]"},
};
constexpr std::array kOfChats = {
    RefusedField{"functions", "[[]]"},
    RefusedField{"function_call", "[\"none\"]"},
    RefusedField{"modalities", "[[\"text\"]]"},
    RefusedField{"audio"},
    RefusedField{"web_search_options"},
    RefusedField{"continue_final_message", "[false]"},
    RefusedField{"add_generation_prompt", "[true]"},
};
constexpr std::array kOfMessages = {
    RefusedField{"mcp_servers", "[[]]"},
    RefusedField{"container"},
};
constexpr std::array kOfResponses = {
    RefusedField{"previous_response_id"},  // nothing is stored
    RefusedField{"conversation"},         RefusedField{"background", "[false]"}, RefusedField{"prompt"},
    RefusedField{"top_logprobs", "[0]"},  RefusedField{"include", "[[]]"},       RefusedField{"max_tool_calls"},
};

}  // namespace

std::span<const RefusedField> refused_of_texts() { return kOfTexts; }
std::span<const RefusedField> refused_of_completions() { return kOfCompletions; }
std::span<const RefusedField> refused_of_chats() { return kOfChats; }
std::span<const RefusedField> refused_of_messages() { return kOfMessages; }
std::span<const RefusedField> refused_of_responses() { return kOfResponses; }

void refuse_fields(const RequestReader& body, std::span<const RefusedField> fields) {
  for (const RefusedField& field : fields) {
    const Json* const value = body.find(field.name);
    if (value == nullptr) continue;
    const Json harmless = Json::parse(field.harmless);
    if (std::ranges::find(harmless, *value) != harmless.end()) continue;
    if (harmless.empty()) body.refuse(field.name, "is not supported: leave it out");
    body.refuse(field.name, "can only be " + harmless.front().dump());
  }
}

}  // namespace strata::serve
