// SPDX-License-Identifier: Apache-2.0
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/local_models.h"
#include "cli/options.h"

namespace strata::cli {
namespace {

std::string day_of(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[32] = "";
  if (gmtime_r(&time, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return text;
}

void print_models(const std::string& format, Console& console) {
  const std::vector<LocalModel> models = local_models();
  if (format == "json") {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const LocalModel& model : models) {
      list.push_back(
          {{"name", model.name}, {"kind", model.kind}, {"bytes", model.bytes}, {"last_use", model.last_use}});
    }
    console.out(nlohmann::ordered_json{{"models", std::move(list)}}.dump() + "\n");
    return;
  }
  for (const LocalModel& model : models) {
    console.out(escape_controls(model.name) + "  " + model.kind + "  " + format_bytes(model.bytes) + "  " +
                day_of(model.last_use) + "\n");
  }
  if (models.empty()) console.info("strata: there are no models; strata pull ORG/NAME gets one");
}

}  // namespace

Action declare_list(CLI::App& app, Console& console) {
  auto format = std::make_shared<std::string>("text");
  app.add_option("-o,--output", *format, "text or json")->check(one_of({"text", "json"}));
  return [format, &console] { print_models(*format, console); };
}

}  // namespace strata::cli
