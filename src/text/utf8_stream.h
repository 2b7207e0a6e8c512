// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata::text {

// Turns a stream of bytes, cut anywhere, into whole UTF-8 characters. Bytes that form no character become U+FFFD;
// what comes out in total does not depend on where the stream was cut.
class Utf8Stream {
 public:
  // The characters that are complete with these bytes.
  std::string push(std::string_view bytes);

  // The end: U+FFFD for an unfinished character. The stream is as new afterwards.
  std::string finish();

 private:
  std::string pending_;  // at most 3 bytes, the well-formed beginning of a character
};

}  // namespace strata::text
