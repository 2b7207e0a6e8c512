// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::cli {

// Takes the descriptors of standard input, output and error that the caller has closed, so that no file that is opened
// later lands on them. Reading and writing them fails as it does on a closed one. Before anything is opened.
void hold_closed_standard_files();

}  // namespace strata::cli
