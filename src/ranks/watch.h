// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "ranks/communicator.h"

namespace strata::ranks {

// Sees whether the other ranks live, from a thread of its own: whatever the program is at, and also where another
// process is stopped. Each rank has a connection to rank 0, and both ends say every second that they are there. Who
// says nothing for kSilenceSeconds, or whose connection ends without a farewell, is gone. Rank 0 tells the others.
class Watch {
 public:
  static constexpr double kSilenceSeconds = 5;

  // Called from the watch's thread, once, where the program must end: what to say, or an empty text where another rank
  // says it.
  using Lost = std::function<void(const std::string& what)>;

  // On all ranks at once. Throws resource_error where no connection can be made.
  Watch(Communicator& communicator, Lost lost);

  // With a farewell: the others are not told that this rank is gone.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // This rank ends with a line of its own: others end without one.
  void tell_failure();

 private:
  struct Peer {
    int rank = 0;
    FileDescriptor connection;
    double heard_s = 0;     // when
    bool has_left = false;  // with a farewell
  };

  void connect(Communicator& communicator);
  void run();
  void hear(Peer& peer);
  void lose(const Peer& peer, const std::string& how);
  void say(char word, const Peer* except = nullptr);

  const int rank_;
  const Lost lost_;
  std::vector<Peer> peers_;
  std::mutex saying_;          // of their connections
  int wake_up_[2] = {-1, -1};  // a pipe, by which the thread is told to end
  std::thread thread_;
};

}  // namespace strata::ranks
