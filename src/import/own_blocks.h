// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "import/checkpoint.h"
#include "import/tensor_view.h"

namespace strata::importer {

// Matrices that are to be quantised, by name: as they will be, without their bytes. Rows lie as in the file.
using OwnBlocks = std::map<std::string, TensorView, std::less<>>;

// The checkpoint's matrices in blocks of a type of blocks::own_format(): all whose rows such blocks divide. Those that
// no layer has, the embedding table and the head, have eight bits whatever the type; what chooses experts stays as it
// is. None where `dtype` is no such type. Throws model_error where a matrix has blocks already.
OwnBlocks own_blocks(const Checkpoint& checkpoint, std::string_view dtype);

}  // namespace strata::importer
