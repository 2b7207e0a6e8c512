// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strata::serve {

// Whether two texts are equal, in a time that depends on their lengths alone.
bool is_equal_in_constant_time(std::string_view a, std::string_view b);

// Whether the headers Authorization ("Bearer KEY") or x-api-key bring one of the keys. All keys are compared.
bool has_key(std::string_view authorization, std::string_view api_key, const std::vector<std::string>& keys);

// Whether the header Host names one of these, whatever the port; where there are none, every name will do. A page of
// another site whose name was made to lead here would be of the server's own origin otherwise.
bool is_known_host(std::string_view host, const std::vector<std::string>& names);

// Whether the page that asks, if it is one, is of this server, or of an origin that is let in ("*": any).
bool is_allowed_origin(std::string_view origin, std::string_view host, const std::vector<std::string>& allowed);

// Whether it is a list of some names of headers, with commas between them, that may be given back.
bool are_header_names(std::string_view list);

// Whether it is "*", or SCHEME://HOST or SCHEME://HOST:PORT, as browsers write it.
bool is_origin(std::string_view text);

}  // namespace strata::serve
