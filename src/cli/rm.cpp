// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/local_models.h"

namespace strata::cli {

Action declare_rm(CLI::App& app, Console& console) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME", *name, "As strata list shows it")->required();
  return [name, &console] {
    if (!remove_local_model(*name)) {
      throw usage_error("there is no model " + in_quotes(name->substr(0, 100)), "see strata list");
    }
    console.info("strata: removed " + *name);
  };
}

}  // namespace strata::cli
