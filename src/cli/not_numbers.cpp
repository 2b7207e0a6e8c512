// SPDX-License-Identifier: Apache-2.0
#include "cli/not_numbers.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "cli/model_source.h"
#include "cli/op_timing.h"
#include "runtime/profile.h"
#include "runtime/session.h"

namespace strata::cli {
namespace {

using Counts = std::map<std::string, std::vector<std::uint64_t>>;  // executions, by entry and id

// What the marks of generated code look at: they take no argument.
struct Watch {
  std::vector<std::span<const std::byte>> memory;
  const runtime::Profile* profile = nullptr;
  bool has_nan = false;
  Counts before;  // the executions when it came up
};
Watch watch;

// In units of four bytes: activations are f32. Of two 16-bit numbers the second shows.
bool holds_nan(std::span<const std::byte> bytes) {
  constexpr std::size_t kWord = sizeof(std::uint32_t);
  bool found = false;
  for (std::size_t i = 0; i + kWord <= bytes.size(); i += kWord) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + i, kWord);
    found |= (word & 0x7fffffff) > 0x7f800000;
  }
  return found;
}

Counts executions(const runtime::Profile& profile) {
  Counts counts;
  for (const auto& [symbol, entry] : profile.entries()) {
    for (const tensor::OpTime& op : entry.ops) counts[symbol].push_back(op.count);
  }
  return counts;
}

// A clock that stands at 0 until there is a NaN, then at 1: the op whose time is 1 made it.
std::uint64_t nan_clock() {
  if (!watch.has_nan && std::ranges::any_of(watch.memory, holds_nan)) {
    watch.has_nan = true;
    watch.before = executions(*watch.profile);
  }
  return watch.has_nan ? 1 : 0;
}

std::string describe(const plan::Op& op, std::uint64_t executed) {
  const std::string name = op.name + " (" + op.op + ")";
  if (op.count <= 1) return name;
  const auto index = static_cast<std::int64_t>(executed) % op.count;
  return name + ", execution " + std::to_string(index + 1) + " of " + std::to_string(op.count);
}

std::string op_that_made_it(const plan::Plan& plan, const runtime::Profile& profile) {
  for (const auto& [symbol, entry] : profile.entries()) {
    const plan::Entry* planned = plan::find_entry(plan, symbol);
    if (planned == nullptr) continue;
    for (const plan::Op& op : planned->ops) {
      const auto id = static_cast<std::size_t>(op.id);
      if (entry.ops.at(id).ns != 0) return describe(op, watch.before.at(symbol).at(id));
    }
  }
  return "";
}

}  // namespace

NotNumbers::NotNumbers(std::int64_t position, std::vector<std::int32_t> before, std::vector<std::int32_t> last)
    : Error(ExitCode::kRuntime,
            "the model's logits at position " + std::to_string(position) + " are not numbers (NaN or infinite)", "",
            "check the model's weights; -v names the op that made the first NaN"),
      before_(std::move(before)),
      last_(std::move(last)) {}

std::string first_op_with_nan(const std::filesystem::path& package, const NotNumbers& error) {
  const plan::Plan plan = package_plan(package);
  const auto fed = static_cast<std::int64_t>(error.before().size() + error.last().size());
  auto session = runtime::Session::open(package, {.threads = 1, .context = fed});
  session->feed_all(error.before(), {});
  runtime::Profile profile(op_counts(plan), nan_clock);
  watch = {.memory = session->working_memory(), .profile = &profile, .has_nan = false, .before = {}};
  session->set_profile(&profile);
  session->feed(error.last());
  session->set_profile(nullptr);
  std::string op = op_that_made_it(plan, profile);
  watch = {};
  return op;
}

void trace_not_numbers(Console& console, const ModelSource& model, const NotNumbers& error) {
  if (!console.is_verbose()) return;
  const std::string op = first_op_with_nan(compiled_package(console, model, 0), error);
  console.detail(op.empty() ? "run again on one thread, no op leaves a NaN" : "the first NaN comes from " + op);
}

}  // namespace strata::cli
