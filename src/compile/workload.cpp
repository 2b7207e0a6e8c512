// SPDX-License-Identifier: Apache-2.0
#include "compile/workload.h"

#include <set>

#include "base/error.h"
#include "base/words.h"

namespace strata::compile {
namespace {

constexpr std::int64_t kMost = 1 << 24;
constexpr const char* kExample = "give --workload prompt=512,generate=128,batch=1, or some of them";

struct Part {
  std::string_view name;
  std::int64_t Workload::* value;
  std::int64_t least;
};
constexpr Part kParts[] = {
    {"prompt", &Workload::prompt, 0}, {"generate", &Workload::generate, 0}, {"batch", &Workload::batch, 1}};

const Part& part_of(std::string_view name) {
  for (const Part& part : kParts) {
    if (part.name == name) return part;
  }
  throw usage_error("--workload: there is no '" + std::string(name.substr(0, 40)) + "'", kExample);
}

std::int64_t number(std::string_view text, const Part& part) {
  const auto value = number_of<std::int64_t>(text);
  if (value && *value >= part.least && *value <= kMost) return *value;
  throw usage_error("--workload: " + std::string(part.name) + " can't be '" + std::string(text.substr(0, 40)) + "'",
                    "give a whole number from " + std::to_string(part.least) + " to " + std::to_string(kMost));
}

}  // namespace

Workload parse_workload(std::string_view text) {
  Workload workload;
  std::set<std::string_view> given;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const auto equals = item.find('=');
    const Part& part = part_of(item.substr(0, equals));
    if (!given.insert(part.name).second) {
      throw usage_error("--workload: " + std::string(part.name) + " is given twice", kExample);
    }
    workload.*part.value = number(equals == std::string_view::npos ? "" : item.substr(equals + 1), part);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  if (workload.prompt == 0 && workload.generate == 0) {
    throw usage_error("--workload: prompt and generate are both 0", kExample);
  }
  return workload;
}

std::string to_text(const Workload& workload) {
  std::string text;
  for (const Part& part : kParts) {
    text += (text.empty() ? "" : ",") + std::string(part.name) + "=" + std::to_string(workload.*part.value);
  }
  return text;
}

}  // namespace strata::compile
