// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/words.h"
#include "cli/hub_model.h"
#include "cli/path_roles.h"

namespace strata::cli {
namespace {

std::string shortened(std::string_view text) {
  constexpr std::size_t kShown = 40;
  return "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

std::string trimmed(std::string_view text) {
  auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

std::string environment_name(const std::string& flag) {
  std::string name = "STRATA_ARG_";
  for (char c : flag) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string range_text(const std::string& min, const std::string& max) {
  return max.empty() ? "at least " + min : "from " + min + " to " + max;
}

}  // namespace

CLI::Validator integer_in(std::int64_t min, std::int64_t max) {
  bool is_bounded = max != std::numeric_limits<std::int64_t>::max();
  std::string range = range_text(std::to_string(min), is_bounded ? std::to_string(max) : "");
  auto check = [=](std::string& text) -> std::string {
    auto value = number_of<std::int64_t>(text);
    if (value && *value >= min && *value <= max) return "";
    return shortened(text) + " is not a whole number " + range;
  };
  return {check, ""};
}

CLI::Validator finite_in(double min, double max) {
  std::string range = range_text(plain_text(min), std::isfinite(max) ? plain_text(max) : "");
  auto check = [=](std::string& text) -> std::string {
    auto value = number_of<double>(text);
    if (value && std::isfinite(*value) && *value >= min && *value <= max) return "";
    return shortened(text) + " is not a number " + range;
  };
  return {check, ""};
}

CLI::Validator finite_above(double min, double max) {
  std::string range = "above " + plain_text(min) + (std::isfinite(max) ? " and at most " + plain_text(max) : "");
  auto check = [=](std::string& text) -> std::string {
    auto value = number_of<double>(text);
    if (value && std::isfinite(*value) && *value > min && *value <= max) return "";
    return shortened(text) + " is not a number " + range;
  };
  return {check, ""};
}

CLI::Validator one_of(std::vector<std::string> names) {
  auto check = [names](std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    return shortened(text) + " is not one of " + CLI::detail::join(names, ", ");
  };
  return {check, ""};
}

CLI::Option* add_model(CLI::App& app, std::string& model) {
  may_name_hub_model(app, model);
  return reads(
             app.add_option("MODEL", model, "Hugging Face folder, .gguf file, .strata package, or ORG/NAME of the Hub"))
      ->required();
}

CLI::Option* add_cache_type(CLI::App& app, std::string& type) {
  return app
      .add_option("--cache-type", type, "Type of the context's keys and values; keep: that of the weights (default)")
      ->check(one_of({"f32", "f16", "bf16", "keep"}));
}

CLI::Option* add_verify(CLI::App& app, bool& verify) {
  return app.add_flag("--verify", verify, "Check every byte of the package, also when that was done before");
}

CLI::Option* add_threads(CLI::App& app, int& threads) {
  return app.add_option("-t,--threads", threads, "Threads (default: every processor this process may use)")
      ->check(integer_in(1, 4096));
}

CLI::Option* add_workload(CLI::App& app, compile::Workload& workload) {
  return app.add_option_function<std::string>(
      "--workload", [&workload](const std::string& text) { workload = compile::parse_workload(text); },
      "What the plan is to be fast for: prompt=512,generate=128,batch=1");
}

// For measurements and tests, which want to know what a team of a given size does.
CLI::Option* add_fixed_team(CLI::App& app, bool& fixed_team) {
  return app.add_flag("--fixed-team", fixed_team, "All threads in every step, however busy the machine is")->group("");
}

CLI::Option* add_context(CLI::App& app, std::int64_t& context) {
  return app.add_option("-c,--ctx-size", context, "Tokens of context; 0: the model's limit, at most 4096")
      ->check(integer_in(0));
}

std::vector<std::int64_t> parse_integer_list(std::string_view text, std::string_view option, std::int64_t min,
                                             std::int64_t max) {
  std::vector<std::int64_t> values;
  for (bool more = true; more;) {
    auto comma = text.find(',');
    std::string item = trimmed(text.substr(0, comma));
    auto value = number_of<std::int64_t>(item);
    if (!value || *value < min || *value > max) {
      throw usage_error(std::string(option) + ": " + shortened(item) + " is not a whole number " +
                            range_text(std::to_string(min), std::to_string(max)),
                        "give a list such as 1,2,3");
    }
    values.push_back(*value);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return values;
}

std::vector<std::int32_t> parse_token_ids(std::string_view text, std::string_view option) {
  auto values = parse_integer_list(text, option, 0, std::numeric_limits<std::int32_t>::max());
  return {values.begin(), values.end()};
}

void bind_environment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_positional() || option == app.get_help_ptr()) continue;
    auto names = option->get_lnames();
    for (const auto& name : option->get_snames()) names.push_back(name);
    for (const auto& name : names) {
      if (const char* value = std::getenv(environment_name(name).c_str()); value != nullptr && *value != '\0') {
        option->envname(environment_name(name));
        break;
      }
    }
  }
}

}  // namespace strata::cli
