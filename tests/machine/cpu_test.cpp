// SPDX-License-Identifier: Apache-2.0
#include "machine/cpu.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "base/temp_dir.h"
#include "machine/memory.h"

namespace strata::machine {
namespace {

TEST(Features, AreDistinctAndStable) {
  const auto features = detected_features();
  EXPECT_EQ(std::set<std::string>(features.begin(), features.end()).size(), features.size());
  EXPECT_EQ(features, detected_features());
  for (const std::string& name : features) EXPECT_TRUE(has_feature(name)) << name;
}

TEST(Features, MissingOnesAreNamedInTheirOrder) {
  std::vector<std::string> required = detected_features();
  EXPECT_TRUE(missing_features(required).empty());
  required.insert(required.begin(), "warp-drive");
  required.push_back("tesseract");
  EXPECT_EQ(missing_features(required), (std::vector<std::string>{"warp-drive", "tesseract"}));
}

TEST(Features, AgreeWithTheKernel) {
  if (host_arch() != "x86_64") GTEST_SKIP() << "the kernel's names of other architectures differ";
  std::ifstream file("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) flags = line + " ";
  }
  for (const char* name : {"avx2", "fma", "avx512f", "avx512bw", "avx512vl"}) {
    EXPECT_EQ(has_feature(name), flags.find(" " + std::string(name) + " ") != std::string::npos) << name;
  }
}

class Quota : public testing::Test {
 protected:
  Quota() : folder_(std::filesystem::temp_directory_path()) {
    paths_ = {folder_.path() / "membership", folder_.path() / "mount"};
    std::filesystem::create_directories(paths_.mount);
  }

  void membership(const std::string& lines) { std::ofstream(paths_.membership) << lines; }

  void file(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((paths_.mount / name).parent_path());
    std::ofstream(paths_.mount / name) << content << "\n";
  }

  TempDir folder_;
  CgroupPaths paths_;
};

TEST_F(Quota, NoneWithoutCgroups) {
  EXPECT_EQ(cpu_quota(paths_), 0);
  EXPECT_EQ(allowed_threads(paths_), static_cast<int>(affinity().size()));
}

TEST_F(Quota, Version2) {
  membership("0::/a/b\n");
  file("a/b/cpu.max", "150000 100000");
  EXPECT_EQ(cpu_quota(paths_), 1.5);
  file("a/b/cpu.max", "max 100000");
  EXPECT_EQ(cpu_quota(paths_), 0);
}

TEST_F(Quota, TheTightestGroupOnTheWayUpCounts) {
  membership("0::/a/b\n");
  file("a/b/cpu.max", "400000 100000");
  file("a/cpu.max", "50000 100000");
  EXPECT_EQ(cpu_quota(paths_), 0.5);
}

TEST_F(Quota, AContainerSeesItsOwnGroupAtTheMount) {
  membership("0::/of/the/host\n");
  file("cpu.max", "100000 100000");
  EXPECT_EQ(cpu_quota(paths_), 1);
}

TEST_F(Quota, Version1) {
  membership("3:cpuset:/\n2:cpu,cpuacct:/job\n");
  file("cpu,cpuacct/job/cpu.cfs_quota_us", "250000");
  file("cpu,cpuacct/job/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpu_quota(paths_), 2.5);
  file("cpu,cpuacct/job/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(cpu_quota(paths_), 0);
}

TEST_F(Quota, OtherControllersDontCount) {
  membership("2:cpuacct:/job\n");
  file("cpuacct/job/cpu.cfs_quota_us", "100000");
  file("cpuacct/job/cpu.cfs_period_us", "100000");
  file("cpu/job/cpu.cfs_quota_us", "100000");
  file("cpu/job/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpu_quota(paths_), 0);
}

TEST_F(Quota, NonsenseIsNoQuota) {
  membership("nonsense\n::\n0::/../outside\n0::/a\n");
  file("a/cpu.max", "0 0");
  EXPECT_EQ(cpu_quota(paths_), 0);
  file("a/cpu.max", "");
  EXPECT_EQ(cpu_quota(paths_), 0);
}

TEST_F(Quota, ThreadsAreTheQuotaRoundedUp) {
  if (affinity().size() < 2) GTEST_SKIP() << "one processor only";
  membership("0::/\n");
  file("cpu.max", "50000 100000");
  EXPECT_EQ(allowed_threads(paths_), 1);
  file("cpu.max", "110000 100000");
  EXPECT_EQ(allowed_threads(paths_), 2);
  file("cpu.max", "10000000 100000");
  EXPECT_EQ(allowed_threads(paths_), static_cast<int>(affinity().size()));
}

class Memory : public Quota {
 protected:
  Memory() { std::ofstream(meminfo_) << "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:     800 kB\n"; }

  std::filesystem::path meminfo_ = folder_.path() / "meminfo";
};

TEST_F(Memory, IsWhatTheKernelSays) { EXPECT_EQ(available_memory(paths_, meminfo_), 800 * 1024); }

TEST_F(Memory, IsCutToTheLimitOfVersion2) {
  membership("0::/a/b\n");
  file("a/memory.max", "100000");
  file("a/memory.current", "70000");
  file("a/memory.stat", "anon 1\nactive_file 15000\ninactive_file 5000");
  file("a/b/memory.max", "max");
  file("a/b/memory.current", "60000");
  EXPECT_EQ(available_memory(paths_, meminfo_), 50000);
}

TEST_F(Memory, IsCutToTheLimitOfVersion1) {
  membership("4:memory:/job\n");
  file("memory/job/memory.limit_in_bytes", "100000");
  file("memory/job/memory.usage_in_bytes", "90000");
  file("memory/job/memory.stat", "active_file 7\ntotal_active_file 1000\ntotal_inactive_file 500");
  EXPECT_EQ(available_memory(paths_, meminfo_), 11500);
  file("memory/job/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(available_memory(paths_, meminfo_), 800 * 1024);
  file("memory/job/memory.limit_in_bytes", "80000");
  EXPECT_EQ(available_memory(paths_, meminfo_), 0);
}

TEST_F(Memory, UnknownIsNoLimit) {
  EXPECT_EQ(available_memory(paths_, folder_.path() / "none"), std::numeric_limits<std::int64_t>::max());
}

TEST(Affinity, IsThatOfTheThread) {
  const auto all = affinity();
  ASSERT_FALSE(all.empty());
  std::vector<int> narrowed;
  int threads = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(all.back()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    narrowed = affinity();
    threads = allowed_threads();
  }).join();
  EXPECT_EQ(narrowed, std::vector<int>{all.back()});
  EXPECT_EQ(threads, 1);
}

}  // namespace
}  // namespace strata::machine
