// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "package/manifest.h"

namespace strata::package {

// Whether a weight lies in a coded layout ("<16@0, 2@1, coded>", "<16@0, coded>").
bool is_coded(const Weight& weight);

// Bits of an element of a coded weight; 0 of another.
std::int64_t coded_bits(const Weight& weight);

// Whether the header and the lists of exceptions of a coded weight fit its shape and its bytes: a kernel that follows
// them reads nothing else. The elements themselves may be anything.
bool is_sound_code(const Weight& weight, std::span<const std::byte> bytes);

}  // namespace strata::package
