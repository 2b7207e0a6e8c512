// SPDX-License-Identifier: Apache-2.0
#include "grammar/string_formats.h"

#include <algorithm>
#include <array>

namespace strata::grammar {
namespace {

struct Format {
  std::string_view name, pattern;
};

// Dates and times as RFC 3339 has them, without the 29th of February and leap seconds.
#define STRATA_DATE                                                                           \
  "[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|" \
  "(?:0[13578]|1[02])-31)"
#define STRATA_TIME \
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
#define STRATA_LABEL "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
#define STRATA_HOST STRATA_LABEL "(?:\\." STRATA_LABEL "){0,5}"
#define STRATA_BYTE "(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"

constexpr std::array kFormats = {
    Format{"date", "^" STRATA_DATE "$"},
    Format{"time", "^" STRATA_TIME "$"},
    Format{"date-time", "^" STRATA_DATE "T" STRATA_TIME "$"},
    Format{"duration",
           "^P(?:[0-9]{1,4}W|[0-9]{1,4}Y(?:[0-9]{1,4}M(?:[0-9]{1,4}D)?)?|[0-9]{1,4}M(?:[0-9]{1,4}D)?|[0-9]{1,4}D|"
           "T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S))$"},
    Format{"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    Format{"email", "^[A-Za-z0-9](?:[A-Za-z0-9_+-]{0,30}[A-Za-z0-9])?(?:\\.[A-Za-z0-9]{1,30}){0,3}@" STRATA_LABEL
                    "(?:\\." STRATA_LABEL "){1,5}$"},
    Format{"hostname", "^" STRATA_HOST "$"},
    Format{"ipv4", "^" STRATA_BYTE "(?:\\." STRATA_BYTE "){3}$"},
    Format{"ipv6", "^[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}$"},
    Format{"uri", "^https?://" STRATA_HOST "(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~-]{0,60}){0,20}"
                  "(?:\\?[A-Za-z0-9._~=&-]{0,200})?(?:#[A-Za-z0-9._~-]{0,60})?$"},
};

}  // namespace

std::optional<std::string_view> pattern_of_format(std::string_view format) {
  const auto found = std::ranges::find(kFormats, format, &Format::name);
  return found == kFormats.end() ? std::nullopt : std::optional(found->pattern);
}

}  // namespace strata::grammar
