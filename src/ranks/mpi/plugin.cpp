// SPDX-License-Identifier: Apache-2.0
// The library that is loaded where mpirun started the program.
#include <mpi.h>

#include <algorithm>
#include <cstdio>

#include "ranks/mpi/interface.h"

namespace strata::ranks {
namespace {

// MPI counts in int.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

bool start(int* rank, int* size, char* error, std::size_t error_bytes) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) {
    std::snprintf(error, error_bytes, "MPI can't be started");
    return false;
  }
  if (provided < MPI_THREAD_SERIALIZED) {
    std::snprintf(error, error_bytes, "this MPI has no support of threads");
    return false;
  }
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return true;
}

// A failure ends the program, by MPI's default handler of errors. Longer messages go in pieces.
void exchange(int to, const std::byte* send, std::size_t send_bytes, int from, std::byte* receive,
              std::size_t receive_bytes) {
  std::size_t sent = 0, received = 0;
  bool sends = to >= 0, receives = from >= 0;
  while (sends || receives) {
    const auto out = static_cast<int>(std::min(send_bytes - sent, kMostBytes));
    const auto in = static_cast<int>(std::min(receive_bytes - received, kMostBytes));
    MPI_Sendrecv(send + sent, sends ? out : 0, MPI_BYTE, sends ? to : MPI_PROC_NULL, 0, receive + received,
                 receives ? in : 0, MPI_BYTE, receives ? from : MPI_PROC_NULL, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    sent += static_cast<std::size_t>(out);
    received += static_cast<std::size_t>(in);
    sends = sends && sent < send_bytes;
    receives = receives && received < receive_bytes;
  }
}

void end() { MPI_Finalize(); }

}  // namespace
}  // namespace strata::ranks

extern "C" {
extern __attribute__((visibility("default"))) const strata::ranks::MpiFunctions strata_mpi;
const strata::ranks::MpiFunctions strata_mpi = {1, strata::ranks::start, strata::ranks::exchange, strata::ranks::end};
}
