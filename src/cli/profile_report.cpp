// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_report.h"

#include <nlohmann/json.hpp>

#include "cli/format.h"
#include "cli/md_table.h"

namespace strata::cli {
namespace {

double sum_of(const std::vector<OpTiming>& ops) {
  double sum = 0;
  for (const auto& op : ops) sum += op.total_s;
  return sum;
}

double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

}  // namespace

std::string profile_table(const std::string& test, const std::vector<OpTiming>& ops, int repetitions, double test_s) {
  double sum = sum_of(ops);
  MdTable table;
  using Align = MdTable::Align;
  table.column("op", Align::kLeft).column("plan", Align::kLeft).column("count").column("total ms").column("share %");
  table.column("predicted µs").column("measured µs").column("GB/s").column("GFLOP/s").column("of roof");
  for (const auto& op : ops) {
    double seconds = op.measured_s();
    table.row({op.name, op.version, std::to_string(op.count / repetitions),
               format_fixed(op.total_s / repetitions * 1e3, 3), format_fixed(100 * rate(op.total_s, sum), 1),
               format_microseconds(op.cost.predicted_s), format_microseconds(seconds),
               format_fixed(rate(op.cost.bytes, seconds) / 1e9, 2), format_fixed(rate(op.cost.flops, seconds) / 1e9, 2),
               format_fixed(op.roof_fraction(), 2)});
  }
  std::string title = test + ": " + format_fixed(sum / repetitions * 1e3, 3) + " ms in ops, of " +
                      format_fixed(test_s * 1e3, 3) + " ms";
  return title + "\n\n" + table.text();
}

nlohmann::ordered_json profile_json(const std::vector<OpTiming>& ops, int repetitions) {
  auto list = nlohmann::ordered_json::array();
  double sum = sum_of(ops);
  for (const auto& op : ops) {
    double seconds = op.measured_s();
    list.push_back({{"name", op.name},
                    {"op", op.op},
                    {"plan", op.version},
                    {"count", op.count / repetitions},
                    {"total_ns", op.total_s / repetitions * 1e9},
                    {"share", rate(op.total_s, sum)},
                    {"predicted_ns", op.cost.predicted_s * 1e9},
                    {"measured_ns", seconds * 1e9},
                    {"bytes", op.cost.bytes},
                    {"flops", op.cost.flops},
                    {"bytes_per_s", rate(op.cost.bytes, seconds)},
                    {"flops_per_s", rate(op.cost.flops, seconds)},
                    {"roof_fraction", op.roof_fraction()}});
  }
  return list;
}

}  // namespace strata::cli
