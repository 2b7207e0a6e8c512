// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

#include "base/error.h"
#include "blocks/decode.h"
#include "import/gguf_config.h"
#include "import/gguf_tokenizer.h"
#include "import/model_config.h"
#include "text/tokenizer.h"

namespace {

using namespace strata::importer;

void allow_model_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kModel) std::abort();
  }
}

void decode(const GgufTensor& tensor) {
  if (tensor.type->format == nullptr) return;
  const strata::blocks::Format& format = *tensor.type->format;
  const auto blocks = static_cast<std::int64_t>(tensor.bytes.size()) / format.bytes;
  std::vector<float> values(static_cast<std::size_t>(blocks * format.elements));
  strata::blocks::decode(format, tensor.bytes.data(), blocks, values.data());
}

}  // namespace

// Any bytes are a file whose tensors lie in it, or are refused by a model_error; so are its configuration and its
// tokenizer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  allow_model_error([&] {
    GgufContents contents = parse_gguf(file, "fuzz.gguf");
    const std::byte* end = file.data();
    for (const GgufTensor& tensor : contents.tensors) {
      if (tensor.bytes.data() < end) std::abort();
      end = tensor.bytes.data() + tensor.bytes.size();
      decode(tensor);
    }
    if (end > file.data() + size) std::abort();
    GgufModel model{{}, std::move(contents.metadata)};
    for (const GgufTensor& tensor : contents.tensors) model.tensors.emplace(tensor.name, tensor);
    allow_model_error([&] {
      const ModelConfig config = parse_model_config(gguf_config(model), "fuzz.gguf");
      gguf_rope_divisors(model, config.head_dim / 2);
      for (const auto& [name, tensor] : model.tensors) {
        if (!is_gguf_scale(model, name)) gguf_weight_scale(model, name);
      }
    });
    for (const auto& [name, text] : gguf_texts(model.metadata)) {
      if (name != "tokenizer.json") continue;
      const auto tokenizer = strata::text::Tokenizer::from_json(text, name);
      (void)tokenizer.decode(tokenizer.encode(" a\u00e9b<s>"));
    }
  });
  return 0;
}
