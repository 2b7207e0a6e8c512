// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::ranks {

// What libstrata_mpi.so, the one part that is linked with MPI, gives under the name kMpiSymbol. One thread at a time.
struct MpiFunctions {
  int version = 1;
  // Starts MPI. False: `error` says why.
  bool (*start)(int* rank, int* size, char* error, std::size_t error_bytes) = nullptr;
  // As Transport::exchange().
  void (*exchange)(int to, const std::byte* send, std::size_t send_bytes, int from, std::byte* receive,
                   std::size_t receive_bytes) = nullptr;
  // All ranks must come here.
  void (*end)() = nullptr;
};

inline constexpr const char* kMpiSymbol = "strata_mpi";
inline constexpr const char* kMpiLibrary = "libstrata_mpi.so";

}  // namespace strata::ranks
