// SPDX-License-Identifier: Apache-2.0
// The tensor library that generated code is written in. Header-only, C++20, depends on nothing but the compiler.
#pragma once

#include "tensor/attention.h"
#include "tensor/concat.h"
#include "tensor/encoded.h"
#include "tensor/gather.h"
#include "tensor/matmul.h"
#include "tensor/team.h"
#include "tensor/units.h"
