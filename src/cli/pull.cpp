// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/hub_model.h"

namespace strata::cli {

Action declare_pull(CLI::App& app, Console& console) {
  auto model = std::make_shared<std::string>();
  app.add_option("NAME", *model, "ORG/NAME, or ORG/NAME:FILE.gguf")->required();
  return [model, &console] {
    const std::optional<hub::ModelName> name = hub::parse_model_name(*model);
    if (!name) {
      throw usage_error(in_quotes(model->substr(0, 100)) + " is no model of the Hub",
                        "give ORG/NAME, or ORG/NAME:FILE.gguf");
    }
    console.out(pull_model(*name, console).string() + "\n");
  };
}

}  // namespace strata::cli
