// SPDX-License-Identifier: Apache-2.0
// A chat template: parsing and rendering end within the limits, with a text or an error.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace {

const nlohmann::ordered_json& context() {
  static const auto value = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": "Be nice"}, {"role": "user", "content": "Hi <think> é"},
                 {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]},
                 {"role": "tool", "content": "ok"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": null, "y": true}}}],
    "add_generation_prompt": true, "enable_thinking": false, "bos_token": "<s>", "n": 7, "f": -0.5})");
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::jinja::RenderLimits limits;
  limits.max_steps = 100'000;
  limits.max_output_bytes = 1 << 20;
  limits.max_depth = 200;
  try {
    const strata::text::ChatTemplate parsed({reinterpret_cast<const char*>(data), size}, "template");
    if (parsed.render(context(), limits).size() > limits.max_output_bytes) std::abort();
  } catch (const strata::Error&) {
  }
  return 0;
}
