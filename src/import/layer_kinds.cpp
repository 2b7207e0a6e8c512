// SPDX-License-Identifier: Apache-2.0
#include "import/layer_kinds.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"

namespace strata::importer {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxWindow = std::int64_t{1} << 30;
constexpr const char *kPattern = "sliding_window_pattern", *kTypes = "layer_types";

// Reads them field by field.
class LayerKindReader {
 public:
  LayerKindReader(const JsonObject& config, const Family& family, std::int64_t layers, std::int64_t max_positions)
      : config_(config), family_(family), max_positions_(max_positions), kinds_(static_cast<std::size_t>(layers)) {}

  std::vector<LayerKind> read() {
    if (family_.rotates_by_layer) read_rotations();
    const std::optional<std::int64_t> window = sliding_window();
    if (window) slide_as_implied();
    read_types(window.has_value());
    // A window that covers the whole context is none.
    for (LayerKind& kind : kinds_) {
      if (kind.slides && *window < max_positions_) kind.window = *window;
    }
    return std::move(kinds_);
  }

 private:
  std::int64_t count() const { return std::ssize(kinds_); }

  const Json& list(const char* key, const char* items) const {
    const Json& list = config_.at(key);
    if (!list.is_array() || std::ssize(list) != count()) {
      config_.refuse(key, "a list of num_hidden_layers = " + std::to_string(count()) + " " + items);
    }
    return list;
  }

  // Despite its name the list has a 1 for a layer that rotates.
  void read_rotations() {
    constexpr std::int64_t kInterval = 4;
    const std::int64_t interval = config_.integer_or("no_rope_layer_interval", kInterval, 1, kMaxWindow);
    for (std::int64_t i = 0; i < count(); ++i) at(i).rotates = (i + 1) % interval != 0;
    if (!config_.has("no_rope_layers")) return;
    const Json& rotated = list("no_rope_layers", "ones and zeros");
    for (std::int64_t i = 0; i < count(); ++i) {
      const Json& item = rotated[static_cast<std::size_t>(i)];
      if (item != 0 && item != 1) config_.refuse("no_rope_layers", "a list of ones and zeros");
      at(i).rotates = item == 1;
    }
  }

  // Tokens that a sliding layer sees, as the families' configuration classes have it; nullopt: all of them.
  std::optional<std::int64_t> sliding_window() const {
    const Windows& windows = family_.windows;
    if (windows.use == WindowUse::kNever) return std::nullopt;
    if (windows.use == WindowUse::kIfAsked && !config_.boolean_or("use_sliding_window", false)) return std::nullopt;
    if (config_.has("sliding_window")) return config_.integer("sliding_window", 1, kMaxWindow);
    if (config_.is_null("sliding_window") || windows.size == 0) return std::nullopt;
    return windows.size;
  }

  void slide_as_implied() {
    constexpr std::int64_t kFullLayers = 28, kEach = 6;
    const SlidingLayers layers = family_.windows.layers;
    const std::int64_t full =
        layers == SlidingLayers::kAfterFull ? config_.integer_or("max_window_layers", kFullLayers, 0, kMaxWindow) : 0;
    const std::int64_t each = config_.integer_or(kPattern, kEach, 1, kMaxWindow);
    for (std::int64_t i = 0; i < count(); ++i) {
      const bool is_each = layers == SlidingLayers::kAllButEach && (i + 1) % each == 0;
      const bool is_left_out = layers == SlidingLayers::kUnrotated && at(i).rotates;
      at(i).slides = i >= full && !is_each && !is_left_out;
    }
  }

  void read_types(bool has_window) {
    if (!config_.has(kTypes)) return;
    const Json& types = list(kTypes, "names");
    const bool may_differ = family_.windows.by_layer_types && !config_.has(kPattern);
    for (std::int64_t i = 0; i < count(); ++i) {
      const Json& type = types[static_cast<std::size_t>(i)];
      const bool slides = type == "sliding_attention";
      if (type != "full_attention" && !(slides && has_window)) {
        throw model_error("unsupported layer_types " + type.dump(), config_.origin(),
                          "supported: full_attention, and sliding_attention where the model has a window");
      }
      if (slides != at(i).slides && !may_differ) {
        throw model_error(
            "layer_types has " + type.dump() + " for layer " + std::to_string(i) + ", the other fields say otherwise",
            config_.origin(), "make layer_types and the window's fields agree");
      }
      at(i).slides = slides;
    }
  }

  LayerKind& at(std::int64_t layer) { return kinds_[static_cast<std::size_t>(layer)]; }

  const JsonObject& config_;
  const Family& family_;
  std::int64_t max_positions_;
  std::vector<LayerKind> kinds_;
};

}  // namespace

std::vector<LayerKind> read_layer_kinds(const JsonObject& config, const Family& family, std::int64_t layers,
                                        std::int64_t max_positions) {
  return LayerKindReader(config, family, layers, max_positions).read();
}

}  // namespace strata::importer
