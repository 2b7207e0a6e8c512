// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace strata::compile {

// A digest of the tensor library's headers, which are carried by this program.
const std::string& tensor_library_hash();

// The folder for #include "tensor/tensor.h": one of `cache`, by the library's digest, so that a precompiled header
// finds its files again. What lacks there, or was changed, is written; `scratch` is a folder on the same file system
// for what is not yet. Throws resource_error when it can't be written.
std::filesystem::path keep_tensor_headers(const std::filesystem::path& cache, const std::filesystem::path& scratch);

}  // namespace strata::compile
