// SPDX-License-Identifier: Apache-2.0
#include "import/own_blocks.h"

#include "base/error.h"
#include "blocks/own_format.h"
#include "import/tensor_specs.h"

namespace strata::importer {

OwnBlocks own_blocks(const Checkpoint& checkpoint, std::string_view dtype) {
  OwnBlocks all;
  if (!blocks::is_own_type(dtype)) return all;
  for (const TensorSpec& spec : tensor_specs(checkpoint.config())) {
    const TensorView& stored = checkpoint.at(spec.name);
    if (stored.format != nullptr) {
      throw model_error("the tensor " + in_quotes(stored.name) + " is quantised already, to " + stored.form(),
                        checkpoint.folder().string(), "take --dtype keep, or the model that it was made from");
    }
    if (stored.shape.size() != 2 || spec.chooses_experts) continue;
    const blocks::Format* const format = blocks::own_format(spec.layer < 0 ? "q8" : dtype, stored.shape.back());
    if (format == nullptr) continue;
    TensorView view = stored;
    view.format = format;
    view.dtype = format->dtype;
    view.bytes = {};
    view.pieces = {};
    all.emplace(spec.name, std::move(view));
  }
  return all;
}

}  // namespace strata::importer
