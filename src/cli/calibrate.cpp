// SPDX-License-Identifier: Apache-2.0
#include "calibrate/calibrate.h"

#include <filesystem>
#include <memory>

#include "base/atomic_file.h"
#include "base/cache_folder.h"
#include "base/error.h"
#include "base/trust.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/progress.h"
#include "machine/native.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

struct CalibrateCommandOptions {
  std::string output;
  calibrate::CalibrateOptions calibrate;
};

// Where `native` looks for it.
fs::path default_output() {
  const fs::path folder = cache_folder();
  make_private_folder(folder);
  return machine::calibration_path();
}

std::string gigabytes(double bytes_per_s) { return format_fixed(bytes_per_s / 1e9, 1) + " GB/s"; }

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// How quiet the machine was, and what could not be told.
void report_disturbance(Console& console, const calibrate::Calibrated& done) {
  console.info("strata: measured in " + std::to_string(done.rounds) + " rounds; " +
               format_fixed(100 * done.steal_share, 1) + " % of the time stolen by other guests, " +
               std::to_string(done.involuntary_switches) + " involuntary switches");
  if (done.kept.empty()) return;
  console.info("strata: warning: the machine was too busy to measure " + joined(done.kept) +
               "; the earlier figures stand; measure again when it is idle");
}

void report(Console& console, const machine::Machine& machine) {
  for (const auto& level : machine.memory) {
    std::string line = "strata: " + level.name + ": reads";
    for (const auto& [threads, rate] : level.read_bytes_per_s) {
      line += " " + gigabytes(rate) + " (" + std::to_string(threads) + (threads == 1 ? " thread)" : " threads)");
    }
    console.info(line + ", latency " + format_fixed(level.latency_s * 1e9, 1) + " ns");
  }
  for (const auto& unit : machine.units) {
    console.info("strata: " + unit.name + ": " + format_fixed(unit.ops_per_s / 1e9, 1) + " Gop/s");
  }
  for (const machine::Stream& stream : machine.streams) {
    const std::string ahead = stream.ahead_bytes == 0
                                  ? "not fetched ahead"
                                  : "fetched " + std::to_string(stream.ahead_bytes) + " bytes ahead" +
                                        (stream.locality == 0 ? " for one use" : "");
    console.info("strata: weights of " + std::to_string(stream.element_bits) + " bits: " +
                 std::to_string(stream.panels) + (stream.panels == 1 ? " panel" : " panels") + " at a time, " + ahead);
  }
  console.info("strata: barrier " + format_fixed(machine.barrier_s * 1e9, 0) + " ns, op overhead " +
               format_fixed(machine.op_overhead_s * 1e9, 1) + " ns");
}

void calibrate_machine(const CalibrateCommandOptions& options, Console& console) {
  const fs::path path = options.output.empty() ? default_output() : fs::path(options.output);
  // Before the measurement: a path that can't be written should not cost it.
  AtomicFile file(path);
  calibrate::CalibrateOptions calibrate = options.calibrate;
  std::error_code error;
  calibrate.earlier = fs::exists(path, error) ? path : machine::calibration_path();
  calibrate::Calibrated done;
  {
    ProgressReport progress(console, "measuring this machine");
    done = calibrate::calibrate(calibrate, [&](std::string_view stage, double part) { progress.update(stage, part); });
  }
  file.append(machine::to_json(done.machine));
  file.commit();
  report(console, done.machine);
  report_disturbance(console, done);
  console.info("strata: " + path.string());
}

}  // namespace

Action declare_calibrate(CLI::App& app, Console& console) {
  auto options = std::make_shared<CalibrateCommandOptions>();
  writes(
      app.add_option("-o,--output", options->output, "The machine file to write (default: where `native` finds it)"));
  add_threads(app, options->calibrate.threads);
  // For tests: too short a time measures nothing reliably.
  app.add_option("--seconds", options->calibrate.seconds)->check(finite_above(0, 3600))->group("");
  return [options, &console] { calibrate_machine(*options, console); };
}

}  // namespace strata::cli
