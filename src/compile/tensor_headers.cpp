// SPDX-License-Identifier: Apache-2.0
#include "compile/tensor_headers.h"

#include "base/hash.h"
#include "base/text_file.h"
#include "base/trust.h"
#include "embedded/tensor_headers.h"

namespace strata::compile {

namespace fs = std::filesystem;

const std::string& tensor_library_hash() {
  static const std::string kHash = [] {
    Hasher hasher;
    for (const EmbeddedFile& header : embedded::tensor_headers()) hasher.field(header.name).field(header.content);
    return hasher.digest128().hex();
  }();
  return kHash;
}

fs::path keep_tensor_headers(const fs::path& cache, const fs::path& scratch) {
  const fs::path folder = cache / ("headers-" + tensor_library_hash());
  make_private_folder(folder);
  for (const EmbeddedFile& header : embedded::tensor_headers()) {
    const fs::path path = folder / header.name;
    if (read_head(path, header.content.size() + 1) == header.content) continue;
    fs::create_directories(path.parent_path());
    const fs::path whole = scratch / path.filename();
    write_unsynced(whole, header.content);
    fs::rename(whole, path);
  }
  return folder;
}

}  // namespace strata::compile
