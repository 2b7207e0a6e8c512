// SPDX-License-Identifier: Apache-2.0
#include "text/sampling_defaults.h"

#include <limits>

#include "base/error.h"
#include "base/words.h"

namespace strata::text {
namespace {

constexpr double kMaxFactor = 1000;  // of temperature and penalty: larger ones make no difference

double number_or(const nlohmann::ordered_json& config, const char* name, double fallback, double min, double max,
                 const std::string& path) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return fallback;
  const double value = found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (value >= min && value <= max) return value;
  throw model_error(std::string(name) + " is not a number from " + plain_text(min) + " to " + plain_text(max), path,
                    "correct it, or take it out");
}

}  // namespace

SamplingParameters sampling_defaults(const nlohmann::ordered_json& generation_config, const std::string& path) {
  SamplingParameters out;
  const auto samples = generation_config.find("do_sample");
  if (samples != generation_config.end() && *samples == false) return out;
  const auto read = [&](const char* name, double fallback, double min, double max) {
    return number_or(generation_config, name, fallback, min, max, path);
  };
  const auto real = [&](const char* name, float fallback, double min, double max) {
    return static_cast<float>(read(name, static_cast<double>(fallback), min, max));
  };
  out.temperature = real("temperature", out.temperature, 0, kMaxFactor);
  out.top_k = static_cast<int>(read("top_k", out.top_k, -1, std::numeric_limits<std::int32_t>::max()));
  out.top_p = real("top_p", out.top_p, 0, 1);
  out.min_p = real("min_p", out.min_p, 0, 1);
  out.repeat_penalty = real("repetition_penalty", out.repeat_penalty, 1e-3, kMaxFactor);
  return out;
}

std::string describe(const SamplingParameters& sampling) {
  const auto number = [](float value) { return plain_text(static_cast<double>(value)); };
  return "temperature " + number(sampling.temperature) + ", top-k " + std::to_string(sampling.top_k) + ", top-p " +
         number(sampling.top_p) + ", min-p " + number(sampling.min_p) + ", repeat-penalty " +
         number(sampling.repeat_penalty) + ", presence-penalty " + number(sampling.presence_penalty) +
         ", frequency-penalty " + number(sampling.frequency_penalty);
}

}  // namespace strata::text
