// SPDX-License-Identifier: Apache-2.0
#include "machine/cpu.h"

#include <sched.h>
#include <unistd.h>

#if defined(__aarch64__) || defined(__riscv)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/words.h"

namespace strata::machine {

std::string_view host_arch() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__riscv)
  return "riscv64";
#else
  return "unknown";
#endif
}

std::vector<std::string> detected_features() {
  std::vector<std::string> features;
  const auto add = [&](bool there, const char* name) {
    if (there) features.emplace_back(name);
  };
#if defined(__x86_64__)
  // The compiler's own check: cpuid, and xgetbv for the registers that the operating system must save. Extensions that
  // need more than that (AMX asks the kernel for permission) are left out.
  __builtin_cpu_init();
#define STRATA_FEATURE(name) add(__builtin_cpu_supports(name) != 0, name)
  STRATA_FEATURE("sse3");
  STRATA_FEATURE("ssse3");
  STRATA_FEATURE("sse4.1");
  STRATA_FEATURE("sse4.2");
  STRATA_FEATURE("popcnt");
  STRATA_FEATURE("movbe");
  STRATA_FEATURE("lzcnt");
  STRATA_FEATURE("bmi");
  STRATA_FEATURE("bmi2");
  STRATA_FEATURE("avx");
  STRATA_FEATURE("avx2");
  STRATA_FEATURE("fma");
  STRATA_FEATURE("f16c");
  STRATA_FEATURE("avxvnni");
  STRATA_FEATURE("avx512f");
  STRATA_FEATURE("avx512cd");
  STRATA_FEATURE("avx512bw");
  STRATA_FEATURE("avx512dq");
  STRATA_FEATURE("avx512vl");
  STRATA_FEATURE("avx512ifma");
  STRATA_FEATURE("avx512vbmi");
  STRATA_FEATURE("avx512vbmi2");
  STRATA_FEATURE("avx512vnni");
  STRATA_FEATURE("avx512bitalg");
  STRATA_FEATURE("avx512vpopcntdq");
  STRATA_FEATURE("avx512bf16");
  STRATA_FEATURE("avx512fp16");
#undef STRATA_FEATURE
#elif defined(__aarch64__)
  const unsigned long first = getauxval(AT_HWCAP);
  const unsigned long second = getauxval(AT_HWCAP2);
  add((first >> 1) & 1, "simd");
  add((first >> 10) & 1, "fp16");
  add((first >> 20) & 1, "dotprod");
  add((first >> 22) & 1, "sve");
  add((second >> 1) & 1, "sve2");
  add((second >> 13) & 1, "i8mm");
  add((second >> 14) & 1, "bf16");
#elif defined(__riscv)
  add((getauxval(AT_HWCAP) >> ('v' - 'a')) & 1, "v");
#else
  (void)add;
#endif
  return features;
}

bool has_feature(std::string_view name) {
  static const std::vector<std::string> features = detected_features();
  return std::find(features.begin(), features.end(), name) != features.end();
}

std::vector<std::string> missing_features(std::span<const std::string> required) {
  std::vector<std::string> missing;
  for (const std::string& name : required) {
    if (!has_feature(name)) missing.push_back(name);
  }
  return missing;
}

std::vector<int> affinity() {
  // The kernel refuses a mask that is smaller than its own; it never has more than this many processors.
  constexpr int kMaxProcessors = 1 << 16;
  std::vector<int> processors;
  for (int size = 1024; size <= kMaxProcessors; size *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(size));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    CPU_ZERO_S(bytes, set);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    for (int processor = 0; known && processor < size; ++processor) {
      if (CPU_ISSET_S(static_cast<std::size_t>(processor), bytes, set)) processors.push_back(processor);
    }
    CPU_FREE(set);
    if (known) break;
  }
  return processors;
}

namespace {

// v2: "150000 100000" or "max 100000".
std::optional<double> quota_v2(const std::filesystem::path& group) {
  const auto line = first_line(group / "cpu.max");
  if (!line) return std::nullopt;
  const std::vector<std::string_view> parts = words(*line);
  const auto quota = parts.size() < 2 ? std::nullopt : number_of<double>(parts[0]);
  const auto period = parts.size() < 2 ? std::nullopt : number_of<double>(parts[1]);
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

// v1: two files; -1 is no quota.
std::optional<double> quota_v1(const std::filesystem::path& group) {
  const double quota = std::atof(first_line(group / "cpu.cfs_quota_us").value_or("").c_str());
  const double period = std::atof(first_line(group / "cpu.cfs_period_us").value_or("").c_str());
  if (!(quota > 0 && period > 0)) return std::nullopt;
  return quota / period;
}

}  // namespace

double cpu_quota(const CgroupPaths& paths) {
  double tightest = 0;
  for (const Cgroup& group : cgroups(paths, "cpu")) {
    const auto quota = group.version == 2 ? quota_v2(group.folder) : quota_v1(group.folder);
    if (quota && (tightest == 0 || *quota < tightest)) tightest = *quota;
  }
  return tightest;
}

int allowed_threads(const CgroupPaths& paths) {
  const int processors = std::max<int>(1, static_cast<int>(affinity().size()));
  const double quota = cpu_quota(paths);
  if (quota <= 0 || quota >= processors) return processors;
  return std::max(1, static_cast<int>(std::ceil(quota)));
}

}  // namespace strata::machine
