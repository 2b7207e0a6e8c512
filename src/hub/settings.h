// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace strata::hub {

// Where the Hub is and where its cache lies, by the environment that huggingface_hub reads: HF_ENDPOINT, HF_TOKEN (else
// the file HF_TOKEN_PATH, else HF_HOME/token), HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME.
struct Settings {
  std::string endpoint = "https://huggingface.co";  // without a slash at its end
  std::string token;                                // may be empty
  bool is_offline = false;
  std::filesystem::path cache;
};

// Throws usage_error for an endpoint that is no URL.
Settings settings_of_environment();

}  // namespace strata::hub
