// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "schedule/schedule.h"

namespace strata::schedule {

// Checks what every schedule must leave behind; throws std::logic_error naming the op and the node.
//
// Every point of every stage is computed once: loops of an iterator grow finer inwards, and end at single elements,
// vector lanes, or what the leaf takes. Nothing is written by two threads: an op's points are divided by one parallel
// loop, over an iterator that nothing reduces, or belong to one thread. Threads share a reduction where a leaf combines
// its parts, behind a barrier, from a buffer of all threads that has a slot for each part of each tile. A stage is
// computed behind those that it reads. Blocks are cut where the leaf can be cut. A block that a loop keeps in a memory
// level fits into it.
//
// On a machine with a memory level that software manages stages and leaves read and write buffers of that level alone,
// what is copied into one covers what the loops behind it touch, every tile of the result is copied out once, and all
// buffers that are there at once fit the level.
void verify(const ScheduledOp& op, const machine::Machine& machine);

// What it would throw; "" where the tree holds.
std::string fault(const ScheduledOp& op, const machine::Machine& machine);

// All regions of a function, and that none loses what ops outside of it read.
void verify(const ScheduledFunction& function, const machine::Machine& machine);

}  // namespace strata::schedule
