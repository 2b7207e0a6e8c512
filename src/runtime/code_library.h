// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/file_descriptor.h"
#include "package/manifest.h"
#include "tensor/team.h"

namespace strata::runtime {

// The compiled functions of a package; see package::Entry for the contract.
using EntryFunction = void (*)(const tensor::Team& team, void* const* parameters, const std::int64_t* symbols,
                               std::byte* arena, const std::byte* weights);

// Throws model_error, by name, when the code is for another architecture or needs features that this processor lacks.
void require_processor(const package::Manifest& manifest, const std::string& origin);

// A package's code section, loaded into this process. It is a file in memory only; where the system refuses to run code
// from such a file, a private temporary one that is gone once loaded.
class CodeLibrary {
 public:
  // `elf`: a shared object. `origin` names the package in messages. Throws model_error when it can't be loaded.
  CodeLibrary(std::span<const std::byte> elf, const std::string& origin);
  ~CodeLibrary();
  CodeLibrary(const CodeLibrary&) = delete;
  CodeLibrary& operator=(const CodeLibrary&) = delete;

  // Throws model_error when the code was not made for this manifest: its functions take what another one says.
  void require_contract(const package::Manifest& manifest) const;

  // Throws model_error when the code has no such function.
  EntryFunction function(const std::string& symbol) const;

 private:
  std::string origin_;
  std::string path_;     // what the library was loaded as
  FileDescriptor file_;  // kept open: the loader knows libraries by path, and this one holds the descriptor's number
  void* handle_ = nullptr;
};

}  // namespace strata::runtime
