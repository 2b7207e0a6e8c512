// SPDX-License-Identifier: Apache-2.0
#include "runtime/pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata::runtime {

Pages::Pages(std::int64_t bytes, const char* purpose) {
  if (bytes == 0) return;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* const data = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (data == MAP_FAILED) {
    throw resource_error(
        "can't get " + std::to_string(bytes) + " bytes of memory for " + purpose + ": " + errno_text(errno), "",
        "pass a smaller -c");
  }
  data_ = static_cast<std::byte*>(data);
  bytes_ = static_cast<std::size_t>(bytes);
}

Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace strata::runtime
