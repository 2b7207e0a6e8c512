// SPDX-License-Identifier: Apache-2.0
#include "ops/register.h"

#include <mutex>

namespace strata::ops {

void register_all() {
  static std::once_flag once;
  std::call_once(once, register_families);
}

}  // namespace strata::ops
