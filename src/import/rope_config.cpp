// SPDX-License-Identifier: Apache-2.0
#include "import/rope_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ranges>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/words.h"

namespace strata::importer {
namespace {

constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr std::int64_t kMaxOriginal = std::int64_t{1} << 30;
constexpr const char *kOriginal = "original_max_position_embeddings", *kAmplitude = "attention_factor";

// What is read of one scaling.
struct ScalingSource {
  const JsonObject& scaling;
  const JsonObject& config;
  const HeadGeometry& geometry;
};

// The context of the first training: where the config says it itself, that counts.
std::int64_t original_positions(const ScalingSource& from) {
  if (from.config.has(kOriginal)) return from.config.integer(kOriginal, 1, kMaxOriginal);
  return from.scaling.integer_or(kOriginal, from.geometry.max_positions, 1, kMaxOriginal);
}

double factor_or_ratio(const ScalingSource& from, const Rope& rope) {
  const double ratio =
      static_cast<double>(from.geometry.max_positions) / static_cast<double>(rope.original_max_positions);
  if (!from.scaling.has("factor")) return ratio;
  return from.scaling.number("factor", 1e-6, kMaxFactor);
}

void read_factor(const ScalingSource& from, Rope& rope) {
  rope.factor = from.scaling.number("factor", 1.0, kMaxFactor);
}

void read_llama3(const ScalingSource& from, Rope& rope) {
  rope.factor = from.scaling.number("factor", 1.0, kMaxFactor);
  rope.low_freq_factor = from.scaling.number("low_freq_factor", 1e-6, kMaxFactor);
  rope.high_freq_factor = from.scaling.number("high_freq_factor", 1e-6, kMaxFactor);
  rope.original_max_positions = from.scaling.integer(kOriginal, 1, kMaxOriginal);
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    from.scaling.refuse("high_freq_factor", "larger than low_freq_factor");
  }
}

// Of scores that are multiplied by the square of it (YaRN, section 3.4).
double yarn_amplitude(double factor, double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1; }

void read_yarn(const ScalingSource& from, Rope& rope) {
  const JsonObject& scaling = from.scaling;
  rope.original_max_positions = original_positions(from);
  rope.factor = factor_or_ratio(from, rope);
  rope.beta_fast = scaling.number_or("beta_fast", rope.beta_fast, 1e-6, kMaxFactor);
  rope.beta_slow = scaling.number_or("beta_slow", rope.beta_slow, 1e-6, kMaxFactor);
  rope.truncate = scaling.boolean_or("truncate", true);
  if (rope.beta_fast <= rope.beta_slow) scaling.refuse("beta_fast", "larger than beta_slow");
  const double scale = scaling.number_or("mscale", 0, 0, kMaxFactor);
  const double scale_of_all = scaling.number_or("mscale_all_dim", 0, 0, kMaxFactor);
  const bool has_both = scale > 0 && scale_of_all > 0;
  const double amplitude = yarn_amplitude(rope.factor, has_both ? scale : 1.0) /
                           (has_both ? yarn_amplitude(rope.factor, scale_of_all) : 1.0);
  rope.amplitude = scaling.number_or(kAmplitude, amplitude, 1e-6, kMaxFactor);
}

std::vector<double> pair_factors(const JsonObject& scaling, const char* key, std::int64_t pairs) {
  const nlohmann::json& list = scaling.at(key);
  std::vector<double> factors;
  const auto is_factor = [](const nlohmann::json& item) {
    return item.is_number() && item.get<double>() >= 1 / kMaxFactor && item.get<double>() <= kMaxFactor;
  };
  if (!list.is_array() || std::ssize(list) != pairs || !std::ranges::all_of(list, is_factor)) {
    scaling.refuse(key, "a list of a positive number for each of " + std::to_string(pairs) + " pairs");
  }
  for (const nlohmann::json& item : list) factors.push_back(item.get<double>());
  return factors;
}

// One set of factors is for contexts up to the original one, another for longer ones. A context may grow up to
// max_positions, and keys of the cache are never rotated again: the set is the one of these.
void read_longrope(const ScalingSource& from, Rope& rope) {
  rope.original_max_positions = original_positions(from);
  rope.factor = factor_or_ratio(from, rope);
  const auto shorter = pair_factors(from.scaling, "short_factor", rope.dims / 2);
  const auto longer = pair_factors(from.scaling, "long_factor", rope.dims / 2);
  rope.pair_factors = from.geometry.max_positions > rope.original_max_positions ? longer : shorter;
  const double original = static_cast<double>(std::max<std::int64_t>(rope.original_max_positions, 2));
  const double amplitude = rope.factor <= 1 ? 1.0 : std::sqrt(1 + std::log(rope.factor) / std::log(original));
  rope.amplitude = from.scaling.number_or(kAmplitude, amplitude, 1e-6, kMaxFactor);
}

struct ScalingRow {
  std::string_view type;
  Rope::Kind kind;
  void (*read)(const ScalingSource& from, Rope& rope);
};

constexpr std::array<ScalingRow, 7> kScalings = {{{"default", Rope::Kind::kDefault, nullptr},
                                                  {"linear", Rope::Kind::kLinear, read_factor},
                                                  {"dynamic", Rope::Kind::kDynamic, read_factor},
                                                  {"yarn", Rope::Kind::kYarn, read_yarn},
                                                  {"longrope", Rope::Kind::kLongrope, read_longrope},
                                                  {"su", Rope::Kind::kLongrope, read_longrope},
                                                  {"llama3", Rope::Kind::kLlama3, read_llama3}}};

void read_scaling(const ScalingSource& from, Rope& rope) {
  const std::string type = from.scaling.text_or("rope_type", from.scaling.text_or("type", "default"));
  const auto* row = std::ranges::find(kScalings, std::string_view(type), &ScalingRow::type);
  if (row == kScalings.end()) {
    throw model_error("unsupported rope scaling " + in_quotes(type), from.scaling.origin(),
                      "supported: " + joined(kScalings | std::views::transform(&ScalingRow::type)));
  }
  rope.kind = row->kind;
  if (row->read != nullptr) row->read(from, rope);
}

// How many of a head's dimensions turn.
std::int64_t rotated_dims(const JsonObject& object, const Family& family, double part, std::int64_t head_dim) {
  const double own = object.number_or("partial_rotary_factor", part, 0.0, 1.0);
  if (own != 1 && !family.partial_rotation) {
    throw model_error("unsupported partial_rotary_factor " + nlohmann::json(own).dump(), object.origin(),
                      "supported: 1.0");
  }
  const auto dims = static_cast<std::int64_t>(static_cast<double>(head_dim) * own);
  if (dims < 2 || dims % 2 != 0) {
    object.refuse("partial_rotary_factor",
                  "an even number of the " + std::to_string(head_dim) + " dimensions of a head");
  }
  return dims;
}

// What the ropes of a config have in common.
struct RopeReader {
  const JsonObject& config;
  const Family& family;
  const HeadGeometry& geometry;

  // Of one of rope_parameters, or of rope_scaling; `rope` has what the config's own fields say.
  Rope read(const JsonObject& parameters, Rope rope) const {
    rope.theta = parameters.number_or("rope_theta", rope.theta, 1.0, kMaxTheta);
    if (parameters.has("partial_rotary_factor")) rope.dims = rotated_dims(parameters, family, 1.0, geometry.head_dim);
    read_scaling({parameters, config, geometry}, rope);
    return rope;
  }

  // Of the layers of one type, where the parameters are by these.
  Rope read_typed(const JsonObject& parameters, const char* type, const Rope& rope) const {
    return parameters.has(type) ? read(parameters.object(type), rope) : rope;
  }
};

bool is_same(const Rope& a, const Rope& b, std::int64_t head_dim) {
  return rope_frequencies(a, head_dim) == rope_frequencies(b, head_dim) && a.amplitude == b.amplitude;
}

}  // namespace

std::vector<Rope> read_ropes(const JsonObject& config, const Family& family, const HeadGeometry& geometry) {
  constexpr const char *kFull = "full_attention", *kSliding = "sliding_attention";
  constexpr double kLocalTheta = 10000.0;
  const RopeReader reader = {config, family, geometry};
  Rope whole;
  whole.theta = config.number_or("rope_theta", family.defaults.rope_theta, 1.0, kMaxTheta);
  whole.dims = rotated_dims(config, family, family.defaults.rotated_part, geometry.head_dim);
  Rope local = whole;
  if (family.local_rope) local.theta = config.number_or("rope_local_base_freq", kLocalTheta, 1.0, kMaxTheta);
  if (config.has("rope_scaling")) whole = reader.read(config.object("rope_scaling"), whole);
  if (!family.local_rope) local = whole;
  if (config.has("rope_parameters")) {
    const JsonObject parameters = config.object("rope_parameters");
    const bool is_typed = parameters.has(kFull) || parameters.has(kSliding);
    whole = is_typed ? reader.read_typed(parameters, kFull, whole) : reader.read(parameters, whole);
    if (is_typed) local = reader.read_typed(parameters, kSliding, local);
    if (!is_typed && !family.local_rope) local = whole;
  }
  if (family.local_rope) return {whole, local};
  if (!is_same(whole, local, geometry.head_dim)) {
    throw model_error("unsupported rope_parameters by layer type", config.origin(), "supported: one for all layers");
  }
  return {whole};
}

}  // namespace strata::importer
