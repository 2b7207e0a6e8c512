// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/sampler.h"

namespace strata::text {

// What a model's generation_config.json says of sampling (temperature, top_k, top_p, min_p, repetition_penalty); all
// else as unless it said anything, and so all where do_sample is false. Throws model_error for what is out of range.
SamplingParameters sampling_defaults(const nlohmann::ordered_json& generation_config, const std::string& path);

// "temperature 0.6, top-k 20, ..."
std::string describe(const SamplingParameters& sampling);

}  // namespace strata::text
