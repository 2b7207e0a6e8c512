// SPDX-License-Identifier: Apache-2.0
#include "calibrate/calibrate.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <random>

#include "base/error.h"
#include "calibrate/probes.h"
#include "calibrate/readings.h"
#include "calibrate/settle.h"
#include "calibrate/windows.h"
#include "machine/cgroup.h"
#include "machine/cost.h"
#include "machine/cpu.h"
#include "machine/memory.h"
#include "machine/native.h"
#include "runtime/pages.h"

namespace strata::calibrate {
namespace {

using Clock = std::chrono::steady_clock;
using machine::Machine;
using machine::MemoryLevel;

constexpr double kWindowSeconds = 200e-6;  // a time slice is some milliseconds: most windows lie inside of one
constexpr std::int64_t kDramWindowBytes = std::int64_t{4} << 20;
constexpr std::size_t kStreamPoints = 10;  // of time, for all ways to stream weights together

std::int64_t round_down(std::int64_t value, std::int64_t unit) { return std::max(unit, value / unit * unit); }

// Bytes of each thread's buffer that lie well inside of a cache that `sharers` of them use together, and well outside
// of the one before it. Other programs use a shared cache too.
std::int64_t part_of(const std::vector<MemoryLevel>& memory, std::size_t level, int threads) {
  const std::int64_t sharers = std::min(memory[level].shared_by, threads);
  const std::int64_t capacity = memory[level].capacity_bytes;
  if (memory[level].shared_by == 1) return capacity / 2;
  const std::int64_t inner = level == 0 ? 0 : 2 * memory[level - 1].capacity_bytes;
  return std::max(capacity / 4 / sharers, std::min(inner, capacity / 2));
}

// One cycle through all lines of the memory in random order (Sattolo 1986): no prefetcher guesses the next.
void link_lines(std::span<std::byte> memory, std::int64_t line_bytes) {
  const std::size_t line = static_cast<std::size_t>(line_bytes);
  std::vector<std::uint32_t> order(memory.size() / line);
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937_64 random(1);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random() % i]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    *reinterpret_cast<void**>(memory.data() + i * line) = memory.data() + order[i] * line;
  }
}

template <class Parts>
bool same_names(const Parts& a, const Parts& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x.name == y.name; });
}

// What is measured in vain stays as this file says, if it is of this machine. Another version may have written it.
Machine earlier_figures(const Machine& detected, const std::filesystem::path& file) {
  try {
    const Machine earlier = machine::native(file);
    return same_names(earlier.memory, detected.memory) && same_names(earlier.units, detected.units) ? earlier
                                                                                                    : detected;
  } catch (const Error&) {
    return detected;
  }
}

int choose_threads(int asked, int cores) {
  const int allowed = std::min(machine::allowed_threads(), cores);
  return asked > 0 ? std::min(asked, allowed) : allowed;
}

ProcessorTimes processor_times() { return parse_processor_times(machine::first_line("/proc/stat").value_or("")); }

// Of this process: how often a thread was taken off its processor.
long involuntary_switches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

// Measures, round by round, what the readings want.
class Calibration {
 public:
  Calibration(const CalibrateOptions& options, const Progress& progress)
      : progress_(progress),
        machine_(machine::native("")),
        threads_(choose_threads(options.threads, machine_.cores)),
        readings_(machine_, earlier_figures(machine_, options.earlier), threads_),
        probes_(machine_, [&] { report("compiling the loops"); }),
        team_(threads_) {
    const std::size_t counts = thread_counts(threads_).size();
    points_ = machine_.memory.size() * (2 * counts + 1) + machine_.units.size() + 2 + scalar_functions().size() +
              kStreamPoints;
    points_ *= kFewestRounds;
    point_seconds_ = options.seconds / static_cast<double>(points_);
    if (const auto processors = machine::affinity(); static_cast<int>(processors.size()) == threads_) {
      pinned_.emplace(processors[0]);
    }
    make_buffers(options.memory_bytes);
  }

  Calibrated run() {
    Calibrated result;
    const long switches = involuntary_switches();
    const ProcessorTimes start = processor_times();
    for (result.rounds = 1;; ++result.rounds) {
      const ProcessorTimes before = processor_times();
      measure();
      if (steal_share(before, processor_times()) > kMuchSteal) readings_.disregard_round();
      if (result.rounds >= kFewestRounds && (readings_.are_settled() || result.rounds == kMostRounds)) break;
    }
    result.steal_share = steal_share(start, processor_times());
    result.involuntary_switches = involuntary_switches() - switches;
    result.machine = readings_.machine();
    result.kept = readings_.unsettled();
    return result;
  }

 private:
  using Work = std::function<void(const tensor::Team&)>;

  void report(std::string_view stage) const {
    if (progress_)
      progress_(stage,
                std::min(1.0, static_cast<double>(point_) / static_cast<double>(std::max<std::size_t>(1, points_))));
  }

  // Each thread touches its own buffer first, so that it lies in the memory next to its core.
  void make_buffers(std::int64_t bytes) {
    const MemoryLevel* cache = machine_.memory.size() > 1 ? &machine_.memory[machine_.memory.size() - 2] : nullptr;
    const std::int64_t outside =
        cache == nullptr ? 0 : 4 * cache->capacity_bytes / std::min(cache->shared_by, threads_);
    if (bytes == 0) bytes = std::max(std::int64_t{512} << 20, outside);
    bytes = std::min(bytes, machine::available_memory() / 2 / threads_);
    buffer_bytes_ = round_down(bytes, static_cast<std::int64_t>(probes_.block_bytes()));
    dram_is_measurable_ = buffer_bytes_ >= outside;
    for (int rank = 0; rank < threads_; ++rank) buffers_.emplace_back(buffer_bytes_, "the measurement");
    report("taking memory");
    team_.run([&](const tensor::Team& member) { probes_.write(words(member, 0, buffer_bytes_), 1, 1); });
  }

  std::span<std::uint32_t> words(const tensor::Team& member, std::int64_t offset, std::int64_t bytes) const {
    std::byte* const data = buffers_[static_cast<std::size_t>(member.rank)].data();
    return {reinterpret_cast<std::uint32_t*>(data + offset), static_cast<std::size_t>(bytes) / sizeof(std::uint32_t)};
  }

  // Windows of the same work until the point's time is over; up to three times as long where too few are undisturbed.
  std::vector<Window> windows(std::string_view stage, int active, const Work& work) {
    constexpr std::size_t kFewest = 3;
    const auto start = Clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count() / point_seconds_; };
    std::vector<Window> taken;
    int undisturbed = 0;
    while (taken.size() < kFewest || passed() < (undisturbed < kEnoughWindows ? 3 : 1)) {
      report(stage);
      taken.push_back(run_window(team_, active, work));
      undisturbed += taken.back().disturbed ? 0 : 1;
    }
    ++point_;
    return taken;
  }

  // Once, what has not settled yet.
  void measure() {
    readings_.begin_round();
    for (std::size_t level = 0; level < machine_.memory.size(); ++level) measure_level(level);
    for (std::size_t unit = 0; unit < machine_.units.size(); ++unit) measure_unit(unit);
    measure_barrier();
    measure_overhead();
    for (std::size_t i = 0; i < scalar_functions().size(); ++i) measure_function(i);
    measure_streams();
  }

  // A reading of the figure, unless those before have settled it. `scale` of a window's time is the figure's.
  void take(const std::string& figure, double scale, const std::function<std::vector<Window>()>& windows_of,
            double (*estimate)(const std::vector<Window>&)) {
    if (!readings_.wants(figure)) return;
    const std::vector<Window> taken = windows_of();
    readings_.add(figure, {scale * estimate(taken), is_disturbed(taken)});
  }

  static bool is_disturbed(const std::vector<Window>& windows) {
    return std::ranges::count(windows, false, &Window::disturbed) < kEnoughWindows;
  }

  bool is_dram(std::size_t level) const { return level + 1 == machine_.memory.size(); }

  void measure_level(std::size_t index) {
    if (is_dram(index) && !dram_is_measurable_) return;
    for (const int active : thread_counts(threads_)) {
      measure_rate(index, active, false);
      measure_rate(index, active, true);
    }
    measure_latency(index);
  }

  // Seconds per byte of the threads together.
  void measure_rate(std::size_t index, int active, bool is_write) {
    const MemoryLevel& level = machine_.memory[index];
    const auto block = static_cast<std::int64_t>(probes_.block_bytes());
    const std::int64_t bytes = is_dram(index) ? std::min(kDramWindowBytes, buffer_bytes_ / 4)
                                              : std::min(part_of(machine_.memory, index, threads_), buffer_bytes_);
    const std::int64_t portion = round_down(bytes, block);
    const double window_bytes = kWindowSeconds * machine::bandwidth(level, 1);
    const auto repeats =
        is_dram(index) ? 1 : std::max<std::int64_t>(1, static_cast<std::int64_t>(window_bytes) / portion);
    // In DRAM each window takes the next portion: until it is its turn again, it has left the caches.
    std::vector<std::int64_t> offsets(static_cast<std::size_t>(threads_), 0);
    const Work work = [&](const tensor::Team& member) {
      std::int64_t& offset = offsets[static_cast<std::size_t>(member.rank)];
      if (is_write) {
        probes_.write(words(member, offset, portion), repeats, 1);
      } else {
        probes_.read(words(member, offset, portion), repeats);
      }
      if (is_dram(index)) offset = offset + 2 * portion <= buffer_bytes_ ? offset + portion : 0;
    };
    take(
        rate_figure(level, active, is_write), 1 / (static_cast<double>(portion * repeats) * active),
        [&] { return windows(level.name, active, work); }, is_dram(index) ? typical : fastest);
  }

  // Seconds of a load that depends on the one before; beyond the caches also of finding its page.
  void measure_latency(std::size_t index) {
    const MemoryLevel& level = machine_.memory[index];
    constexpr std::int64_t kMost = std::int64_t{256} << 20;
    const std::int64_t bytes =
        std::min(is_dram(index) ? kMost : part_of(machine_.memory, index, threads_), buffer_bytes_);
    const auto memory = std::as_writable_bytes(words({}, 0, round_down(bytes, level.line_bytes)));
    link_lines(memory, level.line_bytes);
    const auto steps = static_cast<std::int64_t>(std::max(100.0, kWindowSeconds / std::max(level.latency_s, 1e-9)));
    const void* at = memory.data();
    const Work work = [&](const tensor::Team&) { at = probes_.chase(at, steps); };
    take(
        latency_figure(level), 1 / static_cast<double>(steps), [&] { return windows(level.name, 1, work); },
        is_dram(index) ? typical : fastest);
  }

  // Seconds per operation.
  void measure_unit(std::size_t index) {
    const machine::Unit& unit = machine_.units[index];
    if (!probes_.has_unit(index)) return;
    const double operations = probes_.run_unit(index, 1);
    const auto steps = static_cast<std::int64_t>(std::max(1.0, kWindowSeconds * unit.ops_per_s / operations));
    const Work work = [&](const tensor::Team&) { probes_.run_unit(index, steps); };
    take(
        unit.name, 1 / (operations * static_cast<double>(steps)), [&] { return windows(unit.name, 1, work); }, fastest);
  }

  // Of all cores, or not at all.
  void measure_barrier() {
    constexpr int kTimes = 200;
    if (threads_ == 1 || threads_ < machine_.cores) return;
    const Work work = [&](const tensor::Team& member) {
      for (int i = 0; i < kTimes; ++i) member.sync();
    };
    take(kBarrierFigure, 1.0 / kTimes, [&] { return windows("barrier", threads_, work); }, fastest);
  }

  void measure_overhead() {
    constexpr std::int64_t kCalls = 10000;
    const Work work = [&](const tensor::Team&) { probes_.small_ops(kCalls); };
    take(kOverheadFigure, 1.0 / static_cast<double>(kCalls), [&] { return windows("op overhead", 1, work); }, fastest);
  }

  // Seconds per vector.
  void measure_function(std::size_t index) {
    const std::string& name = scalar_functions()[index];
    const machine::Unit& unit = *machine::fma_unit(machine_, DType::kF32);
    const double vector = machine::scalar_operations(machine_, name) * unit.lanes / unit.ops_per_s;
    const auto calls = std::max<std::int64_t>(1, static_cast<std::int64_t>(kWindowSeconds / vector / 8));
    const double vectors = probes_.run_function(index, 1) * static_cast<double>(calls);
    const Work work = [&](const tensor::Team&) { probes_.run_function(index, calls); };
    take(name, 1 / vectors, [&] { return windows(name, 1, work); }, fastest);
  }

  // All candidates in turn, window by window, so that each sees the same states of the memory.
  void measure_streams() {
    constexpr std::uint32_t kOnes = 0x3f803f80;  // two of bf16, or about one f32
    if (!dram_is_measurable_ || !readings_.want_streams()) return;
    const auto candidates = stream_candidates(machine_);
    std::vector<std::vector<Window>> taken(candidates.size());
    probes_.write(words({}, 0, buffer_bytes_), 1, kOnes);
    const auto portion = round_down(kDramWindowBytes, static_cast<std::int64_t>(probes_.stream_block_bytes()));
    if (2 * portion > buffer_bytes_) return;
    std::int64_t offset = 0;
    const auto start = Clock::now();
    const double seconds = point_seconds_ * static_cast<double>(kStreamPoints);
    const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count() / seconds; };
    const auto too_few = [&] { return std::ranges::any_of(taken, is_disturbed); };
    do {
      report("streams");
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto weights = std::as_bytes(words({}, offset, portion));
        taken[i].push_back(run_window(team_, 1, [&](const tensor::Team&) { probes_.stream(i, weights); }));
        offset = offset + 2 * portion <= buffer_bytes_ ? offset + portion : 0;
      }
    } while (passed() < (too_few() ? 3 : 1));
    point_ += kStreamPoints;
    std::vector<double> times;
    for (const auto& windows : taken) times.push_back(typical(windows));
    readings_.add_streams({fastest_streams(candidates, times), too_few()});
  }

  const Progress& progress_;
  std::size_t point_ = 0, points_ = 0;
  double point_seconds_ = 0;
  const Machine machine_;  // as detected: what the windows' work is sized by
  const int threads_;
  Readings readings_;
  Probes probes_;
  runtime::ThreadTeam team_;
  std::optional<Pinned> pinned_;
  std::int64_t buffer_bytes_ = 0;
  bool dram_is_measurable_ = false;
  std::vector<runtime::Pages> buffers_;
};

}  // namespace

std::vector<machine::Stream> fastest_streams(const std::vector<machine::Stream>& candidates,
                                             const std::vector<double>& seconds) {
  constexpr double kWorthMore = 0.99;  // of the time of a simpler one
  std::map<int, std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto [found, is_first] = best.try_emplace(candidates[i].element_bits, i);
    if (!is_first && seconds[i] < kWorthMore * seconds[found->second]) found->second = i;
  }
  std::vector<machine::Stream> streams;
  for (const auto& [bits, i] : best) streams.push_back(candidates[i]);
  return streams;
}

Calibrated calibrate(const CalibrateOptions& options, const Progress& progress) {
  return Calibration(options, progress).run();
}

}  // namespace strata::calibrate
