// SPDX-License-Identifier: Apache-2.0
// Speed of the tensor library's kernels against the limits of one core, measured in the same process and interleaved:
// every round runs each candidate once; the table shows the median and the best round, and the share of the limit.
//
//   clang++-19 -std=c++20 -O2 -march=native -I. bench/kernels/kernels.cpp -o kernels && ./kernels [filter] [rounds]
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

using namespace strata::tensor;

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// Pages of its own, touched once; far larger than the last-level cache where a benchmark is about memory.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count) : bytes_(count * sizeof(T)) {
    void* p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) std::abort();
    data_ = static_cast<T*>(p);
    for (std::int64_t i = 0; i < count; ++i) data_[i] = T(static_cast<float>(i % 13) * 0.01f);
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() { munmap(data_, bytes_); }
  T* data() { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

struct Candidate {
  std::string name;
  double work;  // bytes or operations of one run
  std::function<void()> run;
  std::vector<double> rates = {};
};

// Processor time of this thread: other programs on the machine do not count (their memory traffic still does).
double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double seconds_of(const std::function<void()>& run) {
  const double start = thread_seconds();
  run();
  return thread_seconds() - start;
}

// The first candidate is the limit that the others are shares of.
void race(const char* title, const char* unit, std::vector<Candidate> candidates, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (Candidate& c : candidates) c.rates.push_back(c.work / seconds_of(c.run) * 1e-9);
  }
  std::printf("%s\n", title);
  double limit_median = 0, limit_best = 0;
  for (Candidate& c : candidates) {
    std::sort(c.rates.begin(), c.rates.end());
    const double median = c.rates[c.rates.size() / 2], best = c.rates.back();
    if (limit_median == 0) limit_median = median, limit_best = best;
    std::printf("  %-34s median %7.1f %s (%3.0f %%)   best %7.1f (%3.0f %%)\n", c.name.c_str(), median, unit,
                100 * median / limit_median, best, 100 * best / limit_best);
  }
  std::fflush(stdout);
}

volatile float sink;

// Keeps a value in a vector register, out of the optimiser's sight.
#if defined(__AVX512F__)
#define STRATA_KEEP(x) "+v"(x)
#else
#define STRATA_KEEP(x) "+x"(x)
#endif

void read_all(const float* p, std::int64_t count) {
  sink = reduce<kLanes>(count, 0.0f, Sum{}, [&](auto lanes, std::int64_t i) { return load(lanes, p + i); });
}

// Multiply-adds on registers only.
STRATA_NOINLINE void fma_peak(std::int64_t steps) {
  constexpr int kChains = 16;
  Vec<float, kLanes> acc[kChains] = {};
  float x = 1.0f;
  asm volatile("" : "+x"(x));
  const Vec<float, kLanes> a = broadcast<Vec<float, kLanes>>(x);
  for (std::int64_t i = 0; i < steps; ++i) {
    STRATA_UNROLL
    for (int c = 0; c < kChains; ++c) {
      acc[c] = acc[c] * a + a;
      asm volatile("" : STRATA_KEEP(acc[c]));
    }
  }
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += reduce_lanes(Sum{}, acc[c]);
  sink = sum;
}

STRATA_NOINLINE void dot_peak(std::int64_t steps) {
  constexpr int kChains = 16;
  Vec<float, kLanes> acc[kChains] = {};
  std::uint32_t x = 0x3f803f80;
  asm volatile("" : "+r"(x));
  const Vec<std::uint32_t, kLanes> a = Vec<std::uint32_t, kLanes>{} + x;
  for (std::int64_t i = 0; i < steps; ++i) {
    STRATA_UNROLL
    for (int c = 0; c < kChains; ++c) {
      acc[c] = dot_pairs<kLanes>(acc[c], a, a);
      asm volatile("" : STRATA_KEEP(acc[c]));
    }
  }
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += reduce_lanes(Sum{}, acc[c]);
  sink = sum;
}

template <Stream How, BLayout Layout, int Rows = 1, class T>
void add_gemv(std::vector<Candidate>& list, const char* type, Buffer<T>& b, std::int64_t k, std::int64_t n,
              Buffer<float>& a, Buffer<float>& c) {
  char name[64];
  std::snprintf(name, sizeof(name), "%s%s panels %d ahead %d keep %d rows %d", type,
                Layout == BLayout::kPairs ? " pairs" : "", How.panels, How.ahead, How.locality, Rows);
  list.push_back({name, static_cast<double>(n * k * sizeof(T)), [&a, &b, &c, k, n] {
                    gemv_panels<kLanes, How, Layout, Rows>(a.data(), k, b.data(), k, n, c.data(), n, 0, n / kLanes);
                  }});
}

template <BLayout Layout, class T>
void add_streams(std::vector<Candidate>& list, const char* type, Buffer<T>& b, std::int64_t k, std::int64_t n,
                 Buffer<float>& a, Buffer<float>& c) {
  add_gemv<Stream{1, 0, 0}, Layout>(list, type, b, k, n, a, c);
  add_gemv<Stream{1, 4096, 0}, Layout>(list, type, b, k, n, a, c);
  add_gemv<Stream{1, 4096, 2}, Layout>(list, type, b, k, n, a, c);
  add_gemv<Stream{1, 8192, 3}, Layout>(list, type, b, k, n, a, c);
  add_gemv<Stream{2, 0, 0}, Layout>(list, type, b, k, n, a, c);
  add_gemv<Stream{4, 0, 0}, Layout>(list, type, b, k, n, a, c);
}

void bench_gemv(std::int64_t k, std::int64_t n, int rounds) {
  Buffer<float> a(4 * k), c(4 * n), f32(n * k);
  Buffer<f16> half(n * k);
  Buffer<bf16> brain(n * k);
  std::vector<Candidate> list;
  list.push_back({"read", static_cast<double>(4 * n * k), [&] { read_all(f32.data(), n * k); }});
  add_streams<BLayout::kLanes>(list, "f32", f32, k, n, a, c);
  add_streams<BLayout::kLanes>(list, "f16", half, k, n, a, c);
  add_streams<BLayout::kPairs>(list, "bf16", brain, k, n, a, c);
  constexpr Stream kOne{1, 4096, 0};
  constexpr Stream kFour{4, 0, 0};
  add_gemv<kFour, BLayout::kLanes>(list, "bf16", brain, k, n, a, c);
  add_gemv<kFour, BLayout::kLanes, 2>(list, "f32", f32, k, n, a, c);
  add_gemv<kOne, BLayout::kPairs, 2>(list, "bf16", brain, k, n, a, c);
  add_gemv<kFour, BLayout::kPairs, 2>(list, "bf16", brain, k, n, a, c);
  add_gemv<kOne, BLayout::kLanes, 4>(list, "f16", half, k, n, a, c);
  add_gemv<kFour, BLayout::kLanes, 4>(list, "f16", half, k, n, a, c);
  char title[64];
  std::snprintf(title, sizeof(title), "gemv K %ld N %ld (weights from memory)", static_cast<long>(k),
                static_cast<long>(n));
  race(title, "GB/s", list, rounds);
}

// All panels, in the blocks that the machine model gives a cache of 1 MiB.
template <int MR, int NV, BLayout Layout, class TA, class T>
void multiply(const TA* a, const T* b, const GemmTarget& out, std::int64_t k, float* scratch) {
  for (const Range rows : Parts({0, out.m}, 288 / MR * MR, MR)) {
    for (const Range depth : Parts({0, k}, sizeof(TA) == 4 ? 512 : 1024, 32)) {
      if constexpr (sizeof(TA) == 4 && sizeof(T) != 4) {
        gemm_block_widened<kLanes, MR, NV, Layout>(a, b, out, k, rows, depth, 0, out.n / kLanes, scratch);
      } else {
        gemm_block<kLanes, MR, NV, Layout, Stream{NV, 4096, 2}>(a, b, out, k, rows, depth, 0, out.n / kLanes);
      }
    }
  }
}

template <int MR, int NV, BLayout Layout, class TA, class T>
void add_gemm(std::vector<Candidate>& list, const char* types, Buffer<TA>& a, Buffer<T>& b, std::int64_t m,
              std::int64_t k, std::int64_t n, Buffer<float>& c, Buffer<float>& scratch) {
  char name[64];
  std::snprintf(name, sizeof(name), "%s%s %d x %d", types, Layout == BLayout::kPairs ? " pairs" : "", MR, NV);
  list.push_back({name, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k),
                  [&a, &b, &c, &scratch, m, k, n] {
                    multiply<MR, NV, Layout>(a.data(), b.data(), GemmTarget{c.data(), n, m, n}, k, scratch.data());
                  }});
}

void bench_gemm(std::int64_t m, std::int64_t k, std::int64_t n, int rounds) {
  Buffer<float> a((m + 32) * k), c(m * n), f32(n * k), scratch(8 * kLanes * k);
  Buffer<f16> half(n * k);
  Buffer<bf16> brain(n * k), a_pairs((m + 32) * k);
  const std::int64_t steps = 4'000'000;
  std::vector<Candidate> list;
  list.push_back({"f32 peak", 2.0 * 16 * kLanes * static_cast<double>(steps), [=] { fma_peak(steps); }});
  add_gemm<14, 2, BLayout::kLanes>(list, "f32 x f32", a, f32, m, k, n, c, scratch);
  add_gemm<9, 3, BLayout::kLanes>(list, "f32 x f32", a, f32, m, k, n, c, scratch);
  add_gemm<12, 2, BLayout::kLanes>(list, "f32 x f32", a, f32, m, k, n, c, scratch);
  add_gemm<8, 3, BLayout::kLanes>(list, "f32 x f32", a, f32, m, k, n, c, scratch);
  add_gemm<6, 4, BLayout::kLanes>(list, "f32 x f32", a, f32, m, k, n, c, scratch);
  add_gemm<6, 4, BLayout::kLanes>(list, "f32 x f16", a, half, m, k, n, c, scratch);
  add_gemm<6, 4, BLayout::kLanes>(list, "f32 x bf16", a, brain, m, k, n, c, scratch);
  add_gemm<6, 4, BLayout::kPairs>(list, "f32 x bf16", a, brain, m, k, n, c, scratch);
  char title[64];
  std::snprintf(title, sizeof(title), "gemm M %ld K %ld N %ld", static_cast<long>(m), static_cast<long>(k),
                static_cast<long>(n));
  race(title, "GFLOP/s", list, rounds);
  list.clear();
  list.push_back({"bf16 pair peak", 4.0 * 16 * kLanes * static_cast<double>(steps), [=] { dot_peak(steps); }});
  add_gemm<14, 2, BLayout::kPairs>(list, "bf16 x bf16", a_pairs, brain, m, k, n, c, scratch);
  add_gemm<12, 2, BLayout::kPairs>(list, "bf16 x bf16", a_pairs, brain, m, k, n, c, scratch);
  add_gemm<8, 3, BLayout::kPairs>(list, "bf16 x bf16", a_pairs, brain, m, k, n, c, scratch);
  add_gemm<6, 4, BLayout::kPairs>(list, "bf16 x bf16", a_pairs, brain, m, k, n, c, scratch);
  race(title, "GFLOP/s", list, rounds);
}

// Decode and prefill of a layer with grouped queries, for all key/value heads: the leaves of an attention in the loops
// of its default tree, tiles of `Rows` and blocks of `Keys`.
template <int Rows, std::int64_t Keys, CacheTile Scores, CacheTile Values, class TC>
void add_attention(std::vector<Candidate>& list, const std::string& name, std::int64_t seq, std::int64_t start,
                   Buffer<float>& q, Buffer<TC>& k, Buffer<TC>& v, Buffer<float>& out, Buffer<float>& scratch) {
  constexpr std::int64_t kHeads = 16, kGroup = 2, kDim = 128, kCapacity = 8192, kTokens = Rows / kGroup;
  constexpr BLayout kLayout = std::is_same_v<TC, bf16> ? BLayout::kPairs : BLayout::kLanes;
  double pairs = 0;
  for (std::int64_t s = 0; s < seq; ++s) pairs += static_cast<double>(start + s + 1);
  const bool bytes = seq == 1;
  const double work = bytes ? 2.0 * kHeads / kGroup * kDim * sizeof(TC) * static_cast<double>(start + seq)
                            : 4.0 * kHeads * kDim * pairs;
  list.push_back({name, work, [&, seq, start] {
                    const auto seen = [=](std::int64_t s) { return Range{0, start + s + 1}; };
                    auto* const queries = reinterpret_cast<typename Multiplier<kLayout>::type*>(scratch.data());
                    float* const scores = scratch.data() + Rows * kDim;
                    float* const running = scores + Rows * Keys;
                    for (std::int64_t head = 0; head < kHeads; head += kGroup) {
                      const std::int64_t cache = head / kGroup * kCapacity * kDim;
                      for (std::int64_t token = 0; token < seq; token += kTokens) {
                        const QueryTile tile{{token, std::min(token + kTokens, seq)}, {head, head + kGroup}};
                        start_attention<kLanes, kLayout>(q.data(), kHeads * kDim, kDim, tile, 0.088f, queries, running);
                        const Range all = seen_by(tile.tokens, kLanes, seen);
                        for (const Range keys : Parts(all, Keys, kLanes)) {
                          score_block<kLanes, Scores, kLayout, Keys>(queries, tile.rows(), k.data() + cache, kDim, keys,
                                                                     all.end, scores);
                          softmax_block<kLanes, kLayout, Keys>(tile, keys, seen, Unchanged{}, scores, running);
                          value_block<kLanes, Values, kLayout, Keys>(scores, tile.rows(), v.data() + cache, kDim, keys,
                                                                     all.end, running);
                        }
                        finish_attention<kLanes>(tile, kHeads, kDim, running, out.data());
                      }
                    }
                  }});
}

void bench_attention(std::int64_t seq, std::int64_t start, int rounds) {
  constexpr std::int64_t kCache = 8 * 8192 * 128;
  Buffer<float> q(seq * 16 * 128), out(seq * 16 * 128), k32(kCache), v32(kCache), large(64 << 20);
  Buffer<float> scratch(1 << 16);
  Buffer<f16> k16(kCache), v16(kCache);
  Buffer<bf16> kb(kCache), vb(kCache);
  const bool decode = seq == 1;
  const std::int64_t steps = 4'000'000;
  std::vector<Candidate> list;
  if (decode) {
    list.push_back({"read", 4.0 * (64 << 20), [&] { read_all(large.data(), 64 << 20); }});
  } else {
    list.push_back({"f32 peak", 2.0 * 16 * kLanes * static_cast<double>(steps), [=] { fma_peak(steps); }});
  }
  const auto add = [&](const char* type, auto& k, auto& v) {
    const std::string cache = std::string("cache ") + type;
    if (decode) {
      add_attention<2, 256, CacheTile{2, {1}}, CacheTile{2, {8}}>(list, cache + ", 1 x 8 vectors", seq, start, q, k, v,
                                                                  out, scratch);
      add_attention<2, 64, CacheTile{2, {4}}, CacheTile{2, {4}}>(list, cache + ", 4 x 4 vectors", seq, start, q, k, v,
                                                                 out, scratch);
    } else {
      add_attention<32, 64, CacheTile{8, {2}}, CacheTile{8, {2}}>(list, cache, seq, start, q, k, v, out, scratch);
    }
  };
  add("f32", k32, v32);
  add("f16", k16, v16);
  add("bf16", kb, vb);
  char title[96];
  std::snprintf(title, sizeof(title), "attention %ld tokens after %ld, heads 16/8, dim 128", static_cast<long>(seq),
                static_cast<long>(start));
  race(title, decode ? "GB/s" : "GFLOP/s", list, rounds);
}

// Activations into the row tiles of a matmul, in bytes read and written.
void bench_pack(std::int64_t m, std::int64_t k, int rounds) {
  constexpr int kRows = 6;
  Buffer<float> x(m * k), copy(m * k), rows(packed_rows_elements(kRows, m, k));
  Buffer<bf16> halves(m * k), pairs(packed_row_pairs_elements(kRows, m, k));
  const double elements = static_cast<double>(m * k);
  std::vector<Candidate> list;
  list.push_back({"copy", 8 * elements,
                  [&] { std::memcpy(copy.data(), x.data(), static_cast<std::size_t>(m * k) * sizeof(float)); }});
  list.push_back({"f32", 8 * elements, [&] { pack_rows<kLanes, kRows>(x.data(), k, m, k, k, rows.data()); }});
  list.push_back(
      {"bf16 pairs", 4 * elements, [&] { pack_rows_pairs<kLanes, kRows>(halves.data(), k, m, k, k, pairs.data()); }});
  char title[64];
  std::snprintf(title, sizeof(title), "pack %ld x %ld into tiles of 6 rows", static_cast<long>(m),
                static_cast<long>(k));
  race(title, "GB/s", list, rounds);
}

template <class F>
void add_function(std::vector<Candidate>& list, const char* name, Buffer<float>& x, Buffer<float>& y,
                  std::int64_t count, F f) {
  list.push_back({name, static_cast<double>(count), [&x, &y, count, f] {
                    for_each_lane_group<kLanes>(count, [&](auto lanes, std::int64_t i) {
                      store(lanes, y.data() + i, f(load(lanes, x.data() + i)));
                    });
                  }});
}

void bench_functions(std::int64_t count, int rounds) {
  Buffer<float> x(count), y(count);
  std::vector<Candidate> list;
  add_function(list, "copy", x, y, count, [](auto v) { return v; });
  add_function(list, "exp", x, y, count, [](auto v) { return exp(v); });
  add_function(list, "sigmoid", x, y, count, [](auto v) { return sigmoid(v); });
  add_function(list, "silu", x, y, count, [](auto v) { return silu(v); });
  add_function(list, "tanh", x, y, count, [](auto v) { return strata::tensor::tanh(v); });
  char title[64];
  std::snprintf(title, sizeof(title), "functions of %ld elements", static_cast<long>(count));
  race(title, "Gelements/s", list, rounds);
}

// Rows of a large table that lies packed, in bytes of the lines touched.
void bench_gather(std::int64_t rows, std::int64_t dim, int rounds) {
  constexpr std::int64_t kCount = 512;
  Buffer<bf16> table(rows * dim);
  Buffer<float> out(kCount * dim), large(16 << 20);
  std::vector<std::int32_t> ids(kCount);
  const double bytes = static_cast<double>(kCount * dim / 2 * 64);
  std::uint32_t state = 1;
  const auto gather = [&](auto layout) {
    for (std::int32_t& id : ids) {
      state = state * 1664525 + 1013904223;
      id = static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(rows));
    }
    gather_packed_rows<kLanes, decltype(layout)::value>(table.data(), ids.data(), kCount, dim, out.data(), dim);
  };
  std::vector<Candidate> list;
  list.push_back({"read", 4.0 * (16 << 20), [&] { read_all(large.data(), 16 << 20); }});
  list.push_back({"packed pairs", bytes, [&] { gather(std::integral_constant<BLayout, BLayout::kPairs>{}); }});
  char title[64];
  std::snprintf(title, sizeof(title), "gather from %ld x %ld", static_cast<long>(rows), static_cast<long>(dim));
  race(title, "GB/s", list, rounds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  const auto wanted = [&](const char* name) { return filter.empty() || filter == name; };
  if (wanted("gemv")) {
    bench_gemv(1024, 151936, rounds);
    bench_gemv(3072, 32768, rounds);
  }
  if (wanted("gemm")) {
    bench_gemm(512, 1024, 3072, rounds);
    bench_gemm(512, 3072, 1024, rounds);
  }
  if (wanted("attention")) {
    bench_attention(1, 4095, rounds);
    bench_attention(512, 0, rounds);
    bench_attention(512, 3584, rounds);
  }
  if (wanted("pack")) {
    bench_pack(512, 1024, rounds);
    bench_pack(512, 3072, rounds);
  }
  if (wanted("functions")) bench_functions(512 * 3072, rounds);
  if (wanted("gather")) bench_gather(75968, 1024, rounds);
}
