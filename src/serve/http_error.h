// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "serve/api_error.h"

namespace strata::serve {

// An HTTP/1.1 response, its header and body, after which the connection is closed: the answer to what is not read as a
// request.
std::string raw_response(const ApiError& error);

}  // namespace strata::serve
