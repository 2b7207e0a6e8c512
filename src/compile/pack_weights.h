// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "codegen/program.h"
#include "import/checkpoint.h"
#include "package/package.h"

namespace strata::compile {

// Reads weights by name as they are stored in the checkpoint, or as the importer computed them.
class WeightSource {
 public:
  WeightSource(const importer::Checkpoint& checkpoint, const std::map<std::string, std::vector<float>>& computed)
      : checkpoint_(checkpoint), computed_(computed) {}

  importer::TensorView at(const std::string& name) const;

 private:
  const importer::Checkpoint& checkpoint_;
  const std::map<std::string, std::vector<float>>& computed_;
};

// Bytes [begin, end) of a weight in the form in which a package stores it: converted to its element type (nearest
// even), in its layout, padded with zeros.
void pack_range(const importer::TensorView& source, const ir::TensorType& stored, std::int64_t begin, std::int64_t end,
                std::byte* out);

// Fills the reserved section "weights", `threads` blocks of 16 MiB at a time: memory does not grow with the model.
void pack_weights(package::PackageWriter& writer, const codegen::WeightMap& weights, const WeightSource& source,
                  int threads, const std::function<void(double done)>& progress);

}  // namespace strata::compile
