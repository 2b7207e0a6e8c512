// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hub/model_name.h"

namespace strata::hub {

// A file of a repository at a revision.
struct RemoteFile {
  std::string path;
  std::int64_t size = 0;
  std::string digest;      // in hexadecimal: what its blob is called in the cache
  bool is_sha256 = false;  // of its content; else the SHA-1 of git's blob
};

struct Repository {
  std::string revision;  // a commit
  std::vector<RemoteFile> files;
};

// From the answer of /api/models/ORG/NAME/revision/main?blobs=true. Throws model_error for one that makes no sense.
Repository parse_repository(std::string_view json, const std::string& origin);

// Those that the model needs: weights, configuration, tokenizer and templates of safetensors, or one GGUF file with all
// of its parts. Throws model_error where they aren't there.
std::vector<RemoteFile> needed_files(const Repository& repository, const ModelName& name);

}  // namespace strata::hub
