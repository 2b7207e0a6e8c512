// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <algorithm>
#include <cmath>

#include "cli/signals.h"

namespace strata::cli {
namespace {

constexpr int kBarWidth = 24;
constexpr std::chrono::milliseconds kRedrawInterval(50);
constexpr std::chrono::milliseconds kDelay(200);

std::string bar(double done) {
  auto filled = static_cast<std::size_t>(std::lround(done * kBarWidth));
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, ' ') + "]";
}

}  // namespace

ProgressReport::ProgressReport(Console& console, std::string work) : console_(console), work_(std::move(work)) {}

ProgressReport::~ProgressReport() { console_.transient(""); }

void ProgressReport::update(std::string_view stage, double done) {
  stop_if_interrupted();
  done = std::isfinite(done) ? std::clamp(done, 0.0, 1.0) : 0.0;
  std::lock_guard lock(mutex_);
  bool is_new = stage != stage_;
  stage_ = stage;
  auto now = std::chrono::steady_clock::now();
  if (now - start_ < kDelay) return;
  if (!console_.stderr_is_terminal() && announced_ != stage_) console_.info(work_ + ": " + stage_);
  announced_ = stage_;
  if (!is_new && done < 1 && now - shown_ < kRedrawInterval) return;
  shown_ = now;
  std::string percent = std::to_string(std::lround(done * 100));
  console_.transient(work_ + ": " + bar(done) + std::string(4 - std::min<std::size_t>(4, percent.size()), ' ') +
                     percent + "% " + stage_);
}

}  // namespace strata::cli
