// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "codegen/program.h"
#include "compile/constant_reader.h"
#include "compile/encoded_constant.h"
#include "import/checkpoint.h"
#include "import/decoder.h"
#include "package/package.h"

namespace strata::compile {

// Reads weights by name as they are stored in the checkpoint, as the importer computed them, or quantised.
class WeightSource {
 public:
  WeightSource(const importer::Checkpoint& checkpoint, const importer::Decoder& decoder)
      : checkpoint_(checkpoint), decoder_(decoder) {}

  importer::TensorView at(const std::string& name) const;

 private:
  const importer::Checkpoint& checkpoint_;
  const importer::Decoder& decoder_;
};

// A constant in the form in which a package stores it: evaluated, converted to its element type (nearest even), in its
// layout, padded with zeros.
class StoredConstant {
 public:
  // `fit`: of one in an encoding.
  StoredConstant(const ir::Expr& constant, const TensorSource& tensors, const encoding::Fit& fit = {});

  // Whether reading evaluates a whole tensor first and keeps it.
  bool needs_memory() const;

  // Its bytes [begin, end), which cut no element. From several threads at once.
  void read(std::int64_t begin, std::int64_t end, std::byte* out) const;

 private:
  ir::TensorType type_;
  std::unique_ptr<ElementSource> elements_;
  std::unique_ptr<EncodedConstant> encoded_;
};

// Fills the reserved section "weights", `threads` blocks of 16 MiB at a time: memory does not grow with the model. Of
// the constants that need memory one is evaluated at a time. `progress` is called by one thread at a time, with rising
// shares of the section.
void pack_weights(package::PackageWriter& writer, const codegen::WeightMap& weights, const TensorSource& tensors,
                  int threads, const std::function<void(double done)>& progress);

}  // namespace strata::compile
