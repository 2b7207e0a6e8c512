// SPDX-License-Identifier: Apache-2.0
#include "text/utf8_stream.h"

#include <utility>

#include "base/utf8.h"

namespace strata::text {

std::string Utf8Stream::push(std::string_view bytes) {
  const std::string all = std::exchange(pending_, {}).append(bytes);
  std::string out;
  out.reserve(all.size());
  for (std::size_t pos = 0; pos < all.size();) {
    const Decoded character = decode_utf8(all, pos);
    if (character.truncated) {
      pending_ = all.substr(pos);
      break;
    }
    if (character.valid) {
      out.append(all, pos, character.size);
    } else {
      append_utf8(out, kReplacement);
    }
    pos += character.size;
  }
  return out;
}

std::string Utf8Stream::finish() { return replace_invalid_utf8(std::exchange(pending_, {})); }

}  // namespace strata::text
