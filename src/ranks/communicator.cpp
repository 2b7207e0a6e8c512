// SPDX-License-Identifier: Apache-2.0
#include "ranks/communicator.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace strata::ranks {
namespace {

std::span<const std::byte> bytes_of(const float* data, std::int64_t count) {
  return std::as_bytes(std::span(data, static_cast<std::size_t>(count)));
}
std::span<std::byte> bytes_of(float* data, std::int64_t count) {
  return std::as_writable_bytes(std::span(data, static_cast<std::size_t>(count)));
}

// Part `part` of [outer, parts, run] bytes, between that and [outer, run].
void cut(const std::byte* whole, std::int64_t part, std::int64_t parts, std::int64_t outer, std::int64_t run,
         std::byte* out) {
  for (std::int64_t i = 0; i < outer; ++i) {
    std::memcpy(out + i * run, whole + (i * parts + part) * run, static_cast<std::size_t>(run));
  }
}
void place(const std::byte* in, std::int64_t part, std::int64_t parts, std::int64_t outer, std::int64_t run,
           std::byte* whole) {
  for (std::int64_t i = 0; i < outer; ++i) {
    std::memcpy(whole + (i * parts + part) * run, in + i * run, static_cast<std::size_t>(run));
  }
}

Communicator& communicator(void* self) { return *static_cast<Communicator*>(self); }

tensor::Group table_of(Communicator& self) {
  tensor::Group table;
  table.self = &self;
  table.all_reduce = [](void* of, int axis, const float* in, float* out, std::int64_t count, std::int64_t whole) {
    communicator(of).all_reduce(axis, in, out, count, whole);
  };
  table.reduce_scatter = [](void* of, int axis, const float* in, float* out, std::int64_t outer, std::int64_t run) {
    communicator(of).reduce_scatter(axis, in, out, outer, run);
  };
  table.all_gather = [](void* of, int axis, const void* in, void* out, std::int64_t outer, std::int64_t run) {
    communicator(of).all_gather(axis, static_cast<const std::byte*>(in), static_cast<std::byte*>(out), outer, run);
  };
  table.all_to_all = [](void* of, int axis, const void* in, void* out, std::int64_t cut_outer, std::int64_t cut_run,
                        std::int64_t outer, std::int64_t run) {
    communicator(of).all_to_all(axis, static_cast<const std::byte*>(in), static_cast<std::byte*>(out), cut_outer,
                                cut_run, outer, run);
  };
  table.coordinate = [](void* of, int axis) { return communicator(of).coordinate(axis); };
  table.rank_slice = [](void* of, int axis, const void* in, void* out, std::int64_t outer, std::int64_t run) {
    communicator(of).rank_slice(axis, static_cast<const std::byte*>(in), static_cast<std::byte*>(out), outer, run);
  };
  return table;
}

}  // namespace

Communicator::Communicator(std::unique_ptr<Transport> transport, std::vector<int> mesh)
    : transport_(std::move(transport)), table_(table_of(*this)) {
  set_mesh(std::move(mesh));
}

Communicator::Communicator(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)), table_(table_of(*this)) {
  set_mesh({size()});
}

void Communicator::set_mesh(std::vector<int> mesh) {
  mesh_ = std::move(mesh);
  sent_bytes_.assign(mesh_.size(), 0);
  int stride = 1;
  groups_.assign(mesh_.size(), {});
  for (std::size_t axis = mesh_.size(); axis-- > 0;) {
    Group& group = groups_[axis];
    group.own = rank() / stride % mesh_[axis];
    for (int i = 0; i < mesh_[axis]; ++i) group.ranks.push_back(rank() + (i - group.own) * stride);
    stride *= mesh_[axis];
  }
  STRATA_CHECK(stride == size(), "the mesh has other ranks than the transport");
}

void Communicator::exchange(int axis, int to, std::span<const std::byte> send, int from, std::span<std::byte> receive) {
  const Group& group = group_of(axis);
  sent_bytes_[static_cast<std::size_t>(axis)] += std::ssize(send);
  transport_->exchange(group.ranks[static_cast<std::size_t>(to)], send, group.ranks[static_cast<std::size_t>(from)],
                       receive);
}

std::byte* Communicator::memory(std::size_t bytes) {
  if (memory_.size() < bytes) memory_.resize(bytes);
  return memory_.data();
}

void Communicator::broadcast(std::span<std::byte> bytes) {
  if (rank() != 0) return transport_->exchange(-1, {}, 0, bytes);
  for (int other = 1; other < size(); ++other) transport_->exchange(other, bytes, -1, {});
}

void Communicator::gather(std::span<const std::byte> own, std::span<std::byte> all) {
  if (rank() != 0) return transport_->exchange(0, own, -1, {});
  std::ranges::copy(own, all.begin());
  for (int other = 1; other < size(); ++other) {
    transport_->exchange(-1, {}, other, all.subspan(static_cast<std::size_t>(other) * own.size(), own.size()));
  }
}

void Communicator::all_reduce(int axis, const float* in, float* out, std::int64_t count, std::int64_t whole_bytes) {
  const int size = group_of(axis).size();
  const auto bytes = count * static_cast<std::int64_t>(sizeof(float));
  if (bytes <= whole_bytes || count < size) return reduce_whole(axis, in, out, count);
  // Parts of equal sizes, and what is left of them in the last one, as each rank's.
  const Group& group = group_of(axis);
  const auto begin = [&](std::int64_t part) {
    return count / size * part + std::min<std::int64_t>(part, count % size);
  };
  const auto length = [&](std::int64_t part) { return begin(part + 1) - begin(part); };
  const std::int64_t most = length(0), own = group.own;
  auto* const parts = reinterpret_cast<float*>(memory(static_cast<std::size_t>(size * most) * sizeof(float)));
  std::copy_n(in + begin(own), length(own), parts + own * most);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    exchange(axis, to, bytes_of(in + begin(to), length(to)), from, bytes_of(parts + from * most, length(own)));
  }
  sum_parts(axis, parts, out + begin(own), 0, length(own), most);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    exchange(axis, to, bytes_of(std::as_const(out) + begin(own), length(own)), from,
             bytes_of(out + begin(from), length(from)));
  }
}

// The ranks' summands, in their order.
void Communicator::sum_parts(int axis, const float* parts, float* out, std::int64_t begin, std::int64_t count,
                             std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = parts[begin + i];
  for (int rank = 1; rank < group_of(axis).size(); ++rank) {
    const float* const own = parts + rank * stride + begin;
    for (std::int64_t i = 0; i < count; ++i) out[i] += own[i];
  }
}

// Of a power of two of ranks, in rounds, in each with a rank twice as far away: the sums of both sides are added to one
// another, which gives the same on both. Of other numbers all send all to all.
void Communicator::reduce_whole(int axis, const float* in, float* out, std::int64_t count) {
  const Group& group = group_of(axis);
  const int size = group.size();
  if (std::has_single_bit(static_cast<unsigned>(size))) {
    if (in != out) std::copy_n(in, count, out);
    auto* const other = reinterpret_cast<float*>(memory(static_cast<std::size_t>(count) * sizeof(float)));
    for (int distance = 1; distance < size; distance *= 2) {
      const int peer = group.own ^ distance;
      exchange(axis, peer, bytes_of(std::as_const(out), count), peer, bytes_of(other, count));
      for (std::int64_t i = 0; i < count; ++i) out[i] += other[i];
    }
    return;
  }
  auto* const parts = reinterpret_cast<float*>(memory(static_cast<std::size_t>(size * count) * sizeof(float)));
  std::copy_n(in, count, parts + group.own * count);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    exchange(axis, to, bytes_of(in, count), from, bytes_of(parts + from * count, count));
  }
  sum_parts(axis, parts, out, 0, count, count);
}

void Communicator::reduce_scatter(int axis, const float* in, float* out, std::int64_t outer, std::int64_t run) {
  const Group& group = group_of(axis);
  const int size = group.size();
  const std::int64_t count = outer * run, bytes = run * static_cast<std::int64_t>(sizeof(float));
  auto* const parts = reinterpret_cast<float*>(memory(static_cast<std::size_t>((size + 1) * count) * sizeof(float)));
  float* const sent = parts + size * count;
  const auto take = [&](int part, float* into) {
    cut(reinterpret_cast<const std::byte*>(in), part, size, outer, bytes, reinterpret_cast<std::byte*>(into));
  };
  take(group.own, parts + group.own * count);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    take(to, sent);
    exchange(axis, to, bytes_of(std::as_const(sent), count), from, bytes_of(parts + from * count, count));
  }
  sum_parts(axis, parts, out, 0, count, count);
}

void Communicator::all_gather(int axis, const std::byte* in, std::byte* out, std::int64_t outer, std::int64_t run) {
  const Group& group = group_of(axis);
  const int size = group.size();
  const auto bytes = static_cast<std::size_t>(outer * run);
  place(in, group.own, size, outer, run, out);
  std::byte* const received = outer == 1 ? nullptr : memory(bytes);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    std::byte* const into = received == nullptr ? out + from * run : received;
    exchange(axis, to, {in, bytes}, from, {into, bytes});
    if (received != nullptr) place(received, from, size, outer, run, out);
  }
}

void Communicator::all_to_all(int axis, const std::byte* in, std::byte* out, std::int64_t cut_outer,
                              std::int64_t cut_run, std::int64_t outer, std::int64_t run) {
  const Group& group = group_of(axis);
  const int size = group.size();
  cut_run /= size, run /= size;
  const auto bytes = static_cast<std::size_t>(cut_outer * cut_run);
  std::byte* const sent = memory(2 * bytes);
  std::byte* const received = sent + bytes;
  cut(in, group.own, size, cut_outer, cut_run, sent);
  place(sent, group.own, size, outer, run, out);
  for (int i = 1; i < size; ++i) {
    const int to = (group.own + i) % size, from = (group.own + size - i) % size;
    cut(in, to, size, cut_outer, cut_run, sent);
    exchange(axis, to, {sent, bytes}, from, {received, bytes});
    place(received, from, size, outer, run, out);
  }
}

void Communicator::rank_slice(int axis, const std::byte* in, std::byte* out, std::int64_t outer,
                              std::int64_t run) const {
  cut(in, group_of(axis).own, group_of(axis).size(), outer, run, out);
}

}  // namespace strata::ranks
