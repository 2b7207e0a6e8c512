// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_report.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text_file.h"
#include "cli/format.h"
#include "cli/profile_report.h"
#include "cli/version.h"

namespace strata::cli {
namespace {

using nlohmann::ordered_json;

std::string cpu_name() {
  for (const std::string& line : read_lines("/proc/cpuinfo")) {
    if (!line.starts_with("model name")) continue;
    auto colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

std::vector<double> as_doubles(const std::vector<std::int64_t>& values) { return {values.begin(), values.end()}; }

ordered_json to_json(const BenchResult& result) {
  auto times = statistics(as_doubles(result.samples_ns));
  auto rates = statistics(tokens_per_second(result));
  return {{"build_commit", kBuildCommit},
          {"build_number", 0},
          {"cpu_info", cpu_name()},
          {"gpu_info", ""},
          {"backends", "CPU"},
          {"model_filename", result.model_filename},
          {"model_type", result.model_type},
          {"model_size", result.model_size},
          {"model_n_params", result.model_parameters},
          {"n_batch", result.batch},
          {"n_ubatch", result.batch},
          {"n_threads", result.threads},
          {"type_k", result.type_k},
          {"type_v", result.type_v},
          {"n_prompt", result.prompt},
          {"n_gen", result.generate},
          {"n_depth", result.depth},
          {"test_time", result.test_time},
          {"avg_ns", std::llround(times.mean)},
          {"stddev_ns", std::llround(times.stddev)},
          {"avg_ts", rates.mean},
          {"stddev_ts", rates.stddev}};
}

ordered_json with_samples(const BenchResult& result) {
  ordered_json object = to_json(result);
  object["samples_ns"] = result.samples_ns;
  object["samples_ts"] = tokens_per_second(result);
  if (!result.ops.empty()) object["ops"] = profile_json(result.ops, static_cast<int>(result.samples_ns.size()));
  return object;
}

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string csv_field(const ordered_json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : dump(value);
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const std::vector<ordered_json>& values) {
  std::string line;
  for (const auto& value : values) line += (line.empty() ? "" : ",") + csv_field(value);
  return line + "\n";
}

std::vector<ordered_json> keys(const ordered_json& object) {
  std::vector<ordered_json> list;
  for (const auto& item : object.items()) list.emplace_back(item.key());
  return list;
}

std::vector<ordered_json> values(const ordered_json& object) { return {object.begin(), object.end()}; }

struct Column {
  const char* title;
  int width;
  bool right;
};

constexpr Column kColumns[] = {{"model", 30, false}, {"size", 10, true}, {"params", 10, true}, {"backend", 10, false},
                               {"threads", 7, true}, {"test", 15, true}, {"t/s", 20, true}};

std::string md_line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    auto width = static_cast<std::size_t>(kColumns[i].width);
    std::string padding(width - std::min(width, display_width(cells[i])), ' ');
    line += " " + (kColumns[i].right ? padding + cells[i] : cells[i] + padding) + " |";
  }
  return line + "\n";
}

std::string md_header() {
  std::vector<std::string> titles;
  std::string rule = "|";
  for (const auto& column : kColumns) {
    titles.emplace_back(column.title);
    rule += " " + std::string(static_cast<std::size_t>(column.width) - (column.right ? 1 : 0), '-') +
            (column.right ? ": |" : " |");
  }
  return md_line(titles) + rule + "\n";
}

std::string md_row(const BenchResult& result) {
  auto rates = statistics(tokens_per_second(result));
  auto parameters = static_cast<double>(result.model_parameters);
  return md_line(
      {result.model_type, format_bytes(result.model_size),
       parameters < 1e9 ? format_fixed(parameters / 1e6, 2) + " M" : format_fixed(parameters / 1e9, 2) + " B", "CPU",
       std::to_string(result.threads), result.test_name(),
       format_fixed(rates.mean, 2) + " ± " + format_fixed(rates.stddev, 2)});
}

std::string profile_text(const BenchResult& result) {
  if (result.ops.empty()) return "";
  double seconds = statistics(as_doubles(result.samples_ns)).mean / 1e9;
  std::string test = result.test_name() + ", threads " + std::to_string(result.threads);
  return "\n" + profile_table(test, result.ops, static_cast<int>(result.samples_ns.size()), seconds);
}

}  // namespace

std::string BenchResult::test_name() const {
  std::string name = prompt > 0 ? "pp" + std::to_string(prompt) : "tg" + std::to_string(generate);
  return depth > 0 ? name + " @ d" + std::to_string(depth) : name;
}

Statistics statistics(const std::vector<double>& samples) {
  if (samples.empty()) return {};
  auto n = static_cast<double>(samples.size());
  double mean = 0, squares = 0;
  for (double sample : samples) mean += sample / n;
  for (double sample : samples) squares += (sample - mean) * (sample - mean);
  return {mean, samples.size() < 2 ? 0 : std::sqrt(squares / (n - 1))};
}

std::vector<double> tokens_per_second(const BenchResult& result) {
  auto tokens = static_cast<double>(result.prompt + result.generate);
  std::vector<double> rates;
  for (auto ns : result.samples_ns) rates.push_back(tokens * 1e9 / static_cast<double>(ns));
  return rates;
}

std::string BenchReport::begin() const {
  if (format_ == "md") return md_header();
  return format_ == "json" ? "[\n" : "";
}

std::string BenchReport::row(const BenchResult& result) {
  bool is_first = !std::exchange(has_rows_, true);
  if (format_ == "md") {
    profiles_ += profile_text(result);
    return md_row(result);
  }
  if (format_ == "jsonl") return dump(with_samples(result)) + "\n";
  if (format_ == "json") return (is_first ? "  " : ",\n  ") + dump(with_samples(result));
  auto object = to_json(result);
  return (is_first ? csv_line(keys(object)) : "") + csv_line(values(object));
}

std::string BenchReport::end() const { return format_ == "json" ? "\n]\n" : profiles_; }

}  // namespace strata::cli
