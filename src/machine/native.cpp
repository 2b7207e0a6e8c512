// SPDX-License-Identifier: Apache-2.0
#include "machine/native.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

#include "base/cache_folder.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/text_file.h"
#include "base/words.h"
#include "machine/cgroup.h"
#include "machine/cost.h"
#include "machine/cpu.h"

namespace strata::machine {
namespace {

constexpr double kDefaultHertz = 3.5e9;            // virtual machines don't tell theirs
constexpr double kBarrierSecondsPerCore = 100e-9;  // two cores of an EPYC (Zen 5): mostly 250 ns, at times 50

std::string read_word(const std::filesystem::path& path) {
  const std::string line = first_line(path).value_or("");
  const std::vector<std::string_view> found = words(line);
  return found.empty() ? "" : std::string(found[0]);
}

// "48K", "1024K", "32M" -> bytes; 0 when it is none of that.
std::int64_t parse_size(const std::string& text) {
  std::int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  if (end == text.data() || value <= 0 || value > (std::int64_t{1} << 32)) return 0;
  const char suffix = end == text.data() + text.size() ? '\0' : *end;
  return suffix == 'K' ? value << 10 : suffix == 'M' ? value << 20 : value;
}

// Number of processors in a list such as "0-3,8,10-11"; at least 1.
int count_list(const std::string& list) {
  int count = 0;
  for (const std::string_view part : split(list, ',')) {
    const std::vector<std::string_view> ends = split(part, '-');
    const auto first = ends.empty() ? std::nullopt : number_of<int>(ends[0]);
    if (!first) continue;
    const auto last = ends.size() == 2 ? number_of<int>(ends[1]) : std::nullopt;
    count += last && *last >= *first ? std::min(*last - *first, 4096) + 1 : 1;
  }
  return std::max(1, count);
}

// The text after "KEY :" in a file of such lines; empty when there is none.
std::string field(const std::filesystem::path& path, const std::string& key) {
  for (const std::string& line : read_lines(path)) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t start = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "";
}

struct Cache {
  int level = 0;
  std::int64_t bytes = 0;
  std::int64_t line = 64;
  int processors = 1;
};

std::vector<Cache> data_caches(const std::filesystem::path& folder) {
  std::vector<Cache> caches;
  for (int index = 0; index < 16; ++index) {
    const auto cache = folder / ("index" + std::to_string(index));
    const std::string type = read_word(cache / "type");
    if (type.empty()) break;
    if (type == "Instruction") continue;
    const std::int64_t bytes = parse_size(read_word(cache / "size"));
    const std::int64_t line = parse_size(read_word(cache / "coherency_line_size"));
    if (bytes < 1024) continue;
    caches.push_back({std::atoi(read_word(cache / "level").c_str()), bytes, line >= 8 && line <= 4096 ? line : 64,
                      count_list(read_word(cache / "shared_cpu_list"))});
  }
  std::sort(caches.begin(), caches.end(), [](const Cache& a, const Cache& b) { return a.level < b.level; });
  return caches;
}

std::map<int, double> scaled(double per_core, int cores) {
  std::map<int, double> rates = {{1, per_core}};
  if (cores > 1) rates[cores] = per_core * cores;
  return rates;
}

// One core rarely reaches more than this from memory; together they reach some 8 GB/s each on large machines, and
// small ones have at least two channels.
std::map<int, double> dram_rates(int cores) {
  constexpr double kOneCore = 30e9;
  std::map<int, double> rates = {{1, kOneCore}};
  if (cores > 1) rates[cores] = std::min(kOneCore * cores, std::max(50e9, 8e9 * cores));
  return rates;
}

std::int64_t dram_bytes(const SystemPaths& paths) {
  // In whole GiB: the kernel's own share differs from boot to boot.
  const double kib = std::atof(field(paths.meminfo, "MemTotal").c_str());
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(kib / (1 << 20))) << 30;
}

double cache_rate(int level, int vector_bytes, double hertz) {
  constexpr double kL2BytesPerCycle = 32;
  constexpr double kL3BytesPerCycle = 16;
  if (level <= 1) return 2.0 * vector_bytes * hertz;  // two loads per cycle
  return hertz * (level == 2 ? std::min(kL2BytesPerCycle, 2.0 * vector_bytes) : kL3BytesPerCycle);
}

double cache_latency(int level, double hertz) {
  constexpr double kCycles[] = {5, 5, 14, 50};
  return kCycles[std::clamp(level, 0, 3)] / hertz;
}

Unit make_unit(const char* name, DType dtype, DType accumulator, int lanes, int k, double pipes, double hertz) {
  return {name, dtype, accumulator, lanes, k, std::round(pipes * lanes * k * 2 * hertz)};
}

bool contains(const std::vector<std::string>& features, const char* name) {
  return std::find(features.begin(), features.end(), name) != features.end();
}

// What the instruction set says: registers, units, flags.
struct InstructionSet {
  std::string name;
  VectorRegisters registers;
  bool fused = true;
  bool bf16_pairs = false;
  double i8_quads = 0;  // sums of four products of bytes that begin in a cycle; 0: the machine has none
  std::vector<std::string> flags;
};

InstructionSet x86_instruction_set(const std::vector<std::string>& features) {
  InstructionSet set;
  set.flags = {"-march=x86-64"};
  for (const std::string& feature : features) set.flags.push_back("-m" + feature);
  set.flags.push_back("-mtune=native");
  if (contains(features, "avx512f")) {
    // Compilers tune some processors towards 256 bits and would split our vectors.
    set.flags.push_back("-mprefer-vector-width=512");
    set.name = "avx512";
    const bool has_bytes = contains(features, "avx512bw");
    set.registers = {32, 64, has_bytes && contains(features, "avx512vl"), has_bytes};
    set.bf16_pairs = contains(features, "avx512bf16");
    set.i8_quads = contains(features, "avx512vnni") ? 2 : 0;
  } else if (contains(features, "avx2") && contains(features, "fma")) {
    set.name = "avx2";
    set.registers = {16, 32, false, true};
    set.i8_quads = contains(features, "avxvnni") ? 2 : 1;  // else three instructions each
  } else {
    set.name = "sse2";
    set.registers = {16, 16, false, contains(features, "ssse3")};
    set.fused = false;
  }
  return set;
}

InstructionSet instruction_set(const std::vector<std::string>& features) {
  if (host_arch() == "x86_64") return x86_instruction_set(features);
  if (host_arch() == "aarch64") {
    return {"neon",
            {32, 16, false, true},
            true,
            contains(features, "bf16"),
            contains(features, "dotprod") ? 2.0 : 0.0,
            {"-mcpu=native"}};
  }
  if (host_arch() == "riscv64" && contains(features, "v")) return {"rvv", {32, 16}, true, false, 0, {"-march=rv64gcv"}};
  return {"scalar", {16, 16}, false, false, 0, {}};
}

std::vector<Unit> units_of(const InstructionSet& set, double hertz) {
  const int lanes = set.registers.bytes / 4;
  // Two pipes of fused multiply-add; without fusion a product and a sum take one slot each.
  std::vector<Unit> units = {
      make_unit(set.fused ? "f32-fma" : "f32-mul-add", DType::kF32, DType::kF32, lanes, 1, set.fused ? 2 : 1, hertz)};
  if (set.bf16_pairs) units.push_back(make_unit("bf16-dot2", DType::kBF16, DType::kF32, lanes, 2, 2, hertz));
  if (set.i8_quads > 0) units.push_back(make_unit("i8-dot4", DType::kI8, DType::kI32, lanes, 4, set.i8_quads, hertz));
  return units;
}

// The rates of a level, kept in proportion to its number of threads.
std::map<int, double> rescaled(const std::map<int, double>& rates, double one_core) {
  std::map<int, double> result;
  for (const auto& [threads, rate] : rates) result[threads] = std::max(one_core, rate / rates.at(1) * one_core);
  return result;
}

}  // namespace

std::optional<Machine> machine_of(const SystemPaths& paths) {
  const std::string vendor = field(paths.cpuinfo, "vendor_id");
  const int family = std::atoi(field(paths.cpuinfo, "cpu family").c_str());
  const int model = std::atoi(field(paths.cpuinfo, "model\t").c_str());
  for (const std::string& name : known_machines()) {
    if (name == "native") continue;
    Machine machine = load(name);
    const bool is_there = std::ranges::any_of(machine.processors, [&](const Processors& known) {
      return known.vendor == vendor && known.family == family && known.first_model <= model &&
             model <= known.last_model;
    });
    if (is_there) return machine;
  }
  return std::nullopt;
}

void take_core_rates(Machine& machine, const Machine& known) {
  for (Unit& unit : machine.units) {
    for (const Unit& other : known.units) {
      const bool same = other.dtype == unit.dtype && other.k == unit.k && other.lanes == unit.lanes;
      if (same) unit.ops_per_s = other.ops_per_s;
    }
  }
  for (MemoryLevel& level : machine.memory) {
    for (const MemoryLevel& other : known.memory) {
      if (other.name != level.name) continue;
      level.write_bytes_per_s = rescaled(level.read_bytes_per_s, write_bandwidth(other, 1));
      level.read_bytes_per_s = rescaled(level.read_bytes_per_s, bandwidth(other, 1));
      level.latency_s = other.latency_s;
    }
  }
  machine.streams = known.streams;
  machine.tile_streams = known.tile_streams;
  machine.op_overhead_s = known.op_overhead_s;
  machine.contention = known.contention;
  machine.core = known.core;
}

namespace {

Machine detect() {
  const SystemPaths paths;
  const double hertz = nominal_hertz(paths);
  Machine machine;
  machine.target.arch = host_arch();
  machine.target.triple = machine.target.arch + "-linux-gnu";
  machine.target.features = detected_features();
  const InstructionSet set = instruction_set(machine.target.features);
  machine.target.clang_flags = machine.target.gcc_flags = set.flags;
  machine.name = "native-" + set.name;
  machine.description = field(paths.cpuinfo, "model name");
  machine.cores = physical_cores(paths);
  machine.vector_registers = set.registers;
  machine.memory = memory_levels(paths, machine.cores, set.registers.bytes, hertz);
  machine.units = units_of(set, hertz);
  machine.barrier_s = machine.cores > 1 ? kBarrierSecondsPerCore * machine.cores : 0;
  if (const auto known = machine_of(paths)) take_core_rates(machine, *known);
  return machine;
}

}  // namespace

double nominal_hertz(const SystemPaths& paths) {
  const double kilohertz = std::atof(read_word(paths.cpu / "cpu0/cpufreq/cpuinfo_max_freq").c_str());
  if (kilohertz >= 1e5 && kilohertz <= 1e7) return std::round(kilohertz / 1e5) * 1e8;
  return kDefaultHertz;
}

int physical_cores(const SystemPaths& paths) {
  std::set<std::string> cores;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(paths.cpu, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("cpu") || name.size() < 4 || !std::isdigit(static_cast<unsigned char>(name[3]))) continue;
    // Offline processors have no such file.
    const std::string siblings = read_word(entry.path() / "topology/thread_siblings_list");
    if (!siblings.empty()) cores.insert(siblings);
  }
  check_exhaustion(error.value(), paths.cpu);
  return std::clamp(static_cast<int>(cores.size()), 1, 4096);
}

std::vector<MemoryLevel> memory_levels(const SystemPaths& paths, int cores, int vector_bytes, double hertz) {
  std::vector<Cache> caches = data_caches(paths.cpu / "cpu0/cache");
  if (caches.empty()) caches = {{1, 32 << 10, 64, 1}, {2, 512 << 10, 64, 1}};
  const int smt = count_list(read_word(paths.cpu / "cpu0/topology/thread_siblings_list"));
  std::vector<MemoryLevel> levels;
  for (const Cache& cache : caches) {
    const int shared_by = std::clamp(cache.processors / smt, 1, cores);
    levels.push_back({"L" + std::to_string(cache.level), cache.bytes, cache.line, shared_by,
                      scaled(cache_rate(cache.level, vector_bytes, hertz), cores), cache_latency(cache.level, hertz)});
  }
  levels.push_back({"DRAM", dram_bytes(paths), levels.back().line_bytes, cores, dram_rates(cores), 100e-9});
  return levels;
}

std::filesystem::path calibration_path() {
  const std::filesystem::path folder = find_cache_folder();
  return folder.empty() ? folder : folder / "machine.json";
}

// Another version of Strata may have written it.
static Machine load_calibration(const std::filesystem::path& path) {
  try {
    return load(std::filesystem::absolute(path).string());
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "", "measure again with `strata calibrate`, or remove the file");
  }
}

Machine native(const std::filesystem::path& calibration) {
  Machine machine = detect();
  std::error_code error;
  if (calibration.empty() || !std::filesystem::is_regular_file(calibration, error)) return machine;
  Machine measured = load_calibration(calibration);
  const bool same = measured.target.arch == machine.target.arch &&
                    measured.target.features == machine.target.features && measured.cores == machine.cores;
  if (!same) return machine;
  machine.memory = std::move(measured.memory);
  machine.units = std::move(measured.units);
  machine.streams = std::move(measured.streams);
  machine.tile_streams = std::move(measured.tile_streams);
  machine.barrier_s = measured.barrier_s;
  machine.op_overhead_s = measured.op_overhead_s;
  machine.contention = measured.contention;
  machine.core = std::move(measured.core);
  machine.storage_read_bytes_per_s = measured.storage_read_bytes_per_s;
  return machine;
}

Machine native() { return native(calibration_path()); }

}  // namespace strata::machine
