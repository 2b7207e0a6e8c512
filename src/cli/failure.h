// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace strata::cli {

inline constexpr std::string_view kOutOfMemory = "out of memory";
inline constexpr std::string_view kMemoryRemedy = "use a smaller context (-c) or a smaller model";

// One line of what went wrong, "strata: error: WHAT; REMEDY", made without memory of the heap.
class FailureLine {
 public:
  FailureLine(std::string_view what, std::string_view remedy) noexcept;
  std::string_view text() const { return {text_.data(), size_}; }  // with its end
  void print() const noexcept;                                     // on standard error

 private:
  void add(std::string_view text) noexcept;

  std::array<char, 512> text_;
  std::size_t size_ = 0;
};

// Has std::terminate() end the process as a failure does: with one line and an exit code, temporary files removed.
// It is reached where memory is lacking so badly that an exception can't be thrown, or leaves a destructor.
void install_terminate_handler();

// What a failed allocation will need is there from now on.
void load_unwinder();

}  // namespace strata::cli
