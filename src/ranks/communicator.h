// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ranks/transport.h"
#include "tensor/group.h"

namespace strata::ranks {

// What the ranks of a mesh exchange, in messages of a transport. Ranks are numbered with the last axis fastest. Sums
// are made in the same order on all ranks, so that all have the same bits. By one thread at a time.
class Communicator {
 public:
  // `mesh`: the extents of its axes, outermost first; their product is the transport's size. Without one: an axis of
  // all.
  Communicator(std::unique_ptr<Transport> transport, std::vector<int> mesh);
  explicit Communicator(std::unique_ptr<Transport> transport);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return transport_->rank(); }
  int size() const { return transport_->size(); }
  const std::vector<int>& mesh() const { return mesh_; }

  // Another one of as many ranks. What was sent is forgotten.
  void set_mesh(std::vector<int> mesh);

  // Along an axis of the mesh: the rank's number in its group.
  int coordinate(int axis) const { return groups_[static_cast<std::size_t>(axis)].own; }

  // For generated code; valid while this lives.
  const tensor::Group& group() const { return table_; }

  // Bytes that this rank has sent along each axis, in what generated code asks for.
  const std::vector<std::int64_t>& sent_bytes() const { return sent_bytes_; }

  // Rank 0's bytes, of a size that all know, to all.
  void broadcast(std::span<std::byte> bytes);

  // Of all ranks, each of the same size, one after the other: at rank 0. `all` is empty at others.
  void gather(std::span<const std::byte> own, std::span<std::byte> all);

  // As tensor::Group says; runs in bytes, of reduce_scatter in floats.
  void all_reduce(int axis, const float* in, float* out, std::int64_t count, std::int64_t whole_bytes);
  void reduce_scatter(int axis, const float* in, float* out, std::int64_t outer, std::int64_t run);
  void all_gather(int axis, const std::byte* in, std::byte* out, std::int64_t outer, std::int64_t run);
  void all_to_all(int axis, const std::byte* in, std::byte* out, std::int64_t cut_outer, std::int64_t cut_run,
                  std::int64_t outer, std::int64_t run);
  void rank_slice(int axis, const std::byte* in, std::byte* out, std::int64_t outer, std::int64_t run) const;

 private:
  // The ranks that differ along one axis.
  struct Group {
    std::vector<int> ranks;
    int own = 0;  // which of them this one is
    int size() const { return static_cast<int>(ranks.size()); }
  };

  const Group& group_of(int axis) const { return groups_[static_cast<std::size_t>(axis)]; }
  void exchange(int axis, int to, std::span<const std::byte> send, int from, std::span<std::byte> receive);
  void reduce_whole(int axis, const float* in, float* out, std::int64_t count);
  void sum_parts(int axis, const float* parts, float* out, std::int64_t begin, std::int64_t count, std::int64_t stride);
  std::byte* memory(std::size_t bytes);

  std::unique_ptr<Transport> transport_;
  std::vector<int> mesh_;
  std::vector<Group> groups_;
  std::vector<std::int64_t> sent_bytes_;
  std::vector<std::byte> memory_;  // as large as what needed most
  tensor::Group table_;
};

}  // namespace strata::ranks
