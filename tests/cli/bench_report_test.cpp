// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace strata::cli {
namespace {

BenchResult example() {
  BenchResult result;
  result.model_filename = "a \"model\"";
  result.model_type = "qwen3 0.6B BF16";
  result.model_size = std::int64_t{3} << 29;
  result.model_parameters = 751632384;
  result.threads = 2;
  result.generate = 100;
  result.depth = 4096;
  result.test_time = "2000-01-01T00:00:00Z";
  result.samples_ns = {1'000'000'000, 2'000'000'000};
  return result;
}

TEST(Statistics, MeanAndSampleDeviation) {
  auto two = statistics({1, 3});
  EXPECT_DOUBLE_EQ(two.mean, 2);
  EXPECT_DOUBLE_EQ(two.stddev, std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(statistics({5}).stddev, 0);
}

TEST(TestName, IsLlamaBenchs) {
  EXPECT_EQ(example().test_name(), "tg100 @ d4096");
  BenchResult prompt;
  prompt.prompt = 512;
  EXPECT_EQ(prompt.test_name(), "pp512");
}

TEST(BenchReport, JsonHasSamplesAndRates) {
  BenchReport report("json");
  std::string text = report.begin() + report.row(example());
  text += report.row(example()) + report.end();
  auto rows = nlohmann::json::parse(text);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1]["samples_ts"], nlohmann::json({100.0, 50.0}));
  EXPECT_EQ(rows[1]["avg_ns"], 1'500'000'000);
  EXPECT_DOUBLE_EQ(rows[1]["avg_ts"], 75.0);
  EXPECT_EQ(rows[1]["n_depth"], 4096);
}

TEST(BenchReport, JsonLinesAreOneObjectEach) {
  BenchReport report("jsonl");
  std::string line = report.row(example());
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(nlohmann::json::parse(line)["n_gen"], 100);
}

TEST(BenchReport, CsvQuotesAndNamesItsColumnsOnce) {
  BenchReport report("csv");
  std::string first = report.row(example()), second = report.row(example());
  EXPECT_TRUE(first.starts_with("build_commit,") || first.starts_with("\"build_commit\","));
  EXPECT_NE(first.find("\"a \"\"model\"\"\""), std::string::npos);
  EXPECT_EQ(second.find("build_commit"), std::string::npos);
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 1);
}

TEST(BenchReport, TableShowsSizeParametersAndSpread) {
  BenchReport report("md");
  std::string header = report.begin(), row = report.row(example());
  EXPECT_TRUE(header.starts_with("| model  ")) << header;
  EXPECT_NE(header.find(" t/s |"), std::string::npos);
  EXPECT_NE(row.find("1.50 GiB"), std::string::npos) << row;
  EXPECT_NE(row.find("751.63 M"), std::string::npos) << row;
  EXPECT_NE(row.find("75.00 ± 35.36 |"), std::string::npos) << row;
}

}  // namespace
}  // namespace strata::cli
