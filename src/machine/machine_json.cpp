// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "machine/cost.h"
#include "machine/machine.h"
#include "machine/target_words.h"

namespace strata::machine {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr double kMaxRate = 1e18;
constexpr double kMaxSeconds = 10;

// One JSON object being read: knows its place for messages, and which keys were asked for.
class Reader {
 public:
  Reader(const Json& json, std::string path, const std::string& origin)
      : json_(json), path_(std::move(path)), origin_(origin) {
    if (!json.is_object()) fail(path_.empty() ? "the file" : "key '" + path_ + "'", "must be an object");
  }

  std::string text(const std::string& key) {
    const Json& value = get(key, "a string");
    if (!value.is_string()) refuse(key, "a string");
    return value.get<std::string>();
  }

  // Text that may reach code, a command line or a terminal.
  std::string word(const std::string& key) {
    std::string value = text(key);
    if (!is_word(value)) refuse(key, "a word of letters, digits, '.', '_', '+' and '-'");
    return value;
  }

  std::string plain_text_or(const std::string& key, const std::string& fallback) {
    if (!json_.contains(key)) return fallback;
    std::string value = text(key);
    if (!is_plain_text(value)) refuse(key, "text without control characters");
    return value;
  }

  std::string triple(const std::string& key) {
    std::string value = text(key);
    if (!is_triple(value)) refuse(key, "a triple such as x86_64-linux-gnu");
    return value;
  }

  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max) {
    const std::string kind = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
    const Json& value = get(key, kind);
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
                                                 : value.is_number_integer();
    if (!fits || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) refuse(key, kind);
    return value.get<std::int64_t>();
  }

  int small(const std::string& key, int min, int max) { return static_cast<int>(integer(key, min, max)); }

  double real(const std::string& key, double min, double max) {
    const Json& value = get(key, "a number");
    if (!value.is_number() || !(value.get<double>() >= min && value.get<double>() <= max)) {
      refuse(key, "a number from " + format(min) + " to " + format(max));
    }
    return value.get<double>();
  }

  double real_or(const std::string& key, double fallback, double min, double max) {
    return json_.contains(key) ? real(key, min, max) : fallback;
  }

  bool flag_or(const std::string& key, bool fallback) {
    if (!json_.contains(key)) return fallback;
    const Json& value = get(key, "true or false");
    if (!value.is_boolean()) refuse(key, "true or false");
    return value.get<bool>();
  }

  double rate(const std::string& key) { return real(key, 1.0, kMaxRate); }

  DType dtype(const std::string& key) {
    const auto dtype = parse_dtype(text(key));
    if (!dtype) refuse(key, "one of f32, f16, bf16, i8, i32, i64, u8, bool");
    return *dtype;
  }

  std::vector<std::string> texts(const std::string& key) {
    std::vector<std::string> result;
    for (const Json& item : array(key)) {
      if (!item.is_string()) refuse(key, "a list of strings");
      result.push_back(item.get<std::string>());
    }
    return result;
  }

  std::vector<std::string> words(const std::string& key) {
    std::vector<std::string> values = texts(key);
    if (!std::ranges::all_of(values, is_word)) refuse(key, "a list of words of letters, digits, '.', '_', '+' and '-'");
    return values;
  }

  std::vector<std::string> target_flags(const std::string& key) {
    std::vector<std::string> values = texts(key);
    const auto wrong = std::ranges::find_if_not(values, is_target_flag);
    if (wrong != values.end()) {
      refuse(key, "flags that choose instructions, such as -march=, -mtune= and -mavx2, not '" + *wrong + "'");
    }
    return values;
  }

  std::vector<Reader> objects_or_none(const std::string& key) {
    return json_.contains(key) ? objects(key) : std::vector<Reader>{};
  }

  std::vector<Reader> objects(const std::string& key) {
    std::vector<Reader> result;
    for (const Json& item : array(key)) {
      result.emplace_back(item, place(key) + "[" + std::to_string(result.size()) + "]", origin_);
    }
    return result;
  }

  Reader object(const std::string& key) { return {get(key, "an object"), place(key), origin_}; }

  std::map<int, double> rates_by_threads_or_none(const std::string& key) {
    return json_.contains(key) ? rates_by_threads(key) : std::map<int, double>{};
  }

  // {"1": 38e9, "2": 46e9}; one thread must be there.
  std::map<int, double> rates_by_threads(const std::string& key) {
    Reader table = object(key);
    std::map<int, double> result;
    for (const auto& [name, value] : table.json_.items()) {
      int threads = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), threads);
      if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() || threads < 1 || threads > 4096) {
        table.refuse(name, "named by a number of threads from 1 to 4096");
      }
      result[threads] = table.rate(name);
    }
    if (!result.contains(1)) table.refuse("1", "there: the rate of one thread");
    return result;
  }

  // Refuses keys that nobody asked for.
  void finish() const {
    for (const auto& [key, value] : json_.items()) {
      if (!known_.contains(key)) fail("key '" + place(key) + "'", "is not known");
    }
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& wanted) const {
    fail("key '" + place(key) + "'", "must be " + wanted);
  }

 private:
  const Json& get(const std::string& key, const std::string& wanted) {
    known_.insert(key);
    const auto found = json_.find(key);
    if (found == json_.end()) fail("key '" + place(key) + "'", "is missing; it must be " + wanted);
    return *found;
  }

  const Json& array(const std::string& key) {
    const Json& value = get(key, "a list");
    if (!value.is_array()) refuse(key, "a list");
    return value;
  }

  std::string place(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  static std::string format(double value) {
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
  }

  [[noreturn]] void fail(const std::string& what, const std::string& why) const {
    throw model_error("machine file: " + what + " " + why, origin_);
  }

  const Json& json_;
  std::string path_;
  const std::string& origin_;
  std::set<std::string> known_;
};

Target read_target(Reader reader) {
  Target target;
  target.arch = reader.word("arch");
  target.triple = reader.triple("triple");
  target.clang_flags = reader.target_flags("clang_flags");
  target.gcc_flags = reader.target_flags("gcc_flags");
  target.features = reader.words("features");
  reader.finish();
  return target;
}

MemoryLevel read_level(Reader& reader) {
  MemoryLevel level;
  level.name = reader.word("name");
  level.capacity_bytes = reader.integer("capacity_bytes", 1024, std::int64_t{1} << 50);
  level.line_bytes = reader.integer("line_bytes", 8, 4096);
  level.shared_by = reader.small("shared_by", 1, 4096);
  level.read_bytes_per_s = reader.rates_by_threads("read_bytes_per_s");
  level.write_bytes_per_s = reader.rates_by_threads_or_none("write_bytes_per_s");
  level.latency_s = reader.real("latency_s", 0, kMaxSeconds);
  reader.finish();
  return level;
}

Unit read_unit(Reader& reader) {
  Unit unit;
  unit.name = reader.word("name");
  unit.dtype = reader.dtype("dtype");
  unit.accumulator = reader.dtype("accumulator");
  unit.lanes = reader.small("lanes", 1, 4096);
  unit.k = reader.small("k", 1, 64);
  unit.ops_per_s = reader.rate("ops_per_s");
  reader.finish();
  return unit;
}

Processors read_processors(Reader& reader) {
  constexpr int kMax = 1 << 16;
  Processors processors;
  processors.vendor = reader.word("vendor");
  processors.family = reader.small("family", 0, kMax);
  processors.first_model = reader.small("first_model", 0, kMax);
  processors.last_model = reader.small("last_model", processors.first_model, kMax);
  reader.finish();
  return processors;
}

Stream read_stream(Reader& reader) {
  Stream stream;
  stream.element_bits = reader.small("element_bits", 1, 64);
  stream.panels = reader.small("panels", 1, 8);
  stream.ahead_bytes = reader.small("ahead_bytes", 0, 1 << 20);
  stream.locality = reader.small("locality", 0, 3);
  reader.finish();
  return stream;
}

Link read_link(Reader& reader) {
  Link link;
  link.name = reader.word("name");
  link.alpha_s = reader.real("alpha_s", 0, kMaxSeconds);
  link.beta_s_per_byte = reader.real("beta_s_per_byte", 0, 1);
  reader.finish();
  return link;
}

VectorRegisters read_registers(Reader reader) {
  VectorRegisters registers;
  registers.count = reader.small("count", 4, 1024);
  registers.bytes = reader.small("bytes", 4, 8192);
  if ((registers.bytes & (registers.bytes - 1)) != 0) reader.refuse("bytes", "a power of two");
  registers.masks = reader.flag_or("masks", false);
  registers.byte_lookup = reader.flag_or("byte_lookup", false);
  reader.finish();
  return registers;
}

Machine read_machine(Reader reader) {
  Machine machine;
  machine.name = reader.word("name");
  machine.description = reader.plain_text_or("description", "");
  machine.target = read_target(reader.object("target"));
  for (Reader& entry : reader.objects_or_none("processors")) machine.processors.push_back(read_processors(entry));
  machine.cores = reader.small("cores", 1, 4096);
  machine.vector_registers = read_registers(reader.object("vector_registers"));
  for (Reader& level : reader.objects("memory")) machine.memory.push_back(read_level(level));
  for (Reader& unit : reader.objects("units")) machine.units.push_back(read_unit(unit));
  for (Reader& stream : reader.objects_or_none("streams")) machine.streams.push_back(read_stream(stream));
  machine.barrier_s = reader.real("barrier_s", 0, kMaxSeconds);
  machine.op_overhead_s = reader.real_or("op_overhead_s", machine.op_overhead_s, 0, kMaxSeconds);
  machine.contention = reader.real_or("contention", machine.contention, 0, 1);
  machine.storage_read_bytes_per_s =
      reader.real_or("storage_read_bytes_per_s", machine.storage_read_bytes_per_s, 1, kMaxRate);
  for (Reader& link : reader.objects("links")) machine.links.push_back(read_link(link));
  if (machine.memory.empty()) reader.refuse("memory", "a list of at least one level");
  if (fma_unit(machine, DType::kF32) == nullptr) reader.refuse("units", "a list with an f32 unit of k = 1");
  reader.finish();
  return machine;
}

}  // namespace

Machine machine_from_json(std::string_view json, const std::string& origin) {
  const Json parsed =
      parse_json(json, origin, {.max_bytes = std::size_t{1} << 20, .max_depth = 16, .unique_keys = true});
  return read_machine(Reader(parsed, "", origin));
}

std::string to_json(const Machine& machine) {
  const auto rates_by_threads = [](const std::map<int, double>& rates) {
    OrderedJson json = OrderedJson::object();
    for (const auto& [threads, rate] : rates) json[std::to_string(threads)] = rate;
    return json;
  };
  OrderedJson json;
  json["name"] = machine.name;
  json["description"] = machine.description;
  const Target& target = machine.target;
  json["target"] = {{"arch", target.arch},
                    {"triple", target.triple},
                    {"clang_flags", target.clang_flags},
                    {"gcc_flags", target.gcc_flags},
                    {"features", target.features}};
  json["processors"] = OrderedJson::array();
  for (const Processors& processors : machine.processors) {
    json["processors"].push_back({{"vendor", processors.vendor},
                                  {"family", processors.family},
                                  {"first_model", processors.first_model},
                                  {"last_model", processors.last_model}});
  }
  json["cores"] = machine.cores;
  json["vector_registers"] = {{"count", machine.vector_registers.count},
                              {"bytes", machine.vector_registers.bytes},
                              {"masks", machine.vector_registers.masks},
                              {"byte_lookup", machine.vector_registers.byte_lookup}};
  json["memory"] = OrderedJson::array();
  for (const MemoryLevel& level : machine.memory) {
    OrderedJson entry = {{"name", level.name},
                         {"capacity_bytes", level.capacity_bytes},
                         {"line_bytes", level.line_bytes},
                         {"shared_by", level.shared_by},
                         {"read_bytes_per_s", rates_by_threads(level.read_bytes_per_s)}};
    if (!level.write_bytes_per_s.empty()) entry["write_bytes_per_s"] = rates_by_threads(level.write_bytes_per_s);
    entry["latency_s"] = level.latency_s;
    json["memory"].push_back(std::move(entry));
  }
  json["units"] = OrderedJson::array();
  for (const Unit& unit : machine.units) {
    json["units"].push_back({{"name", unit.name},
                             {"dtype", dtype_name(unit.dtype)},
                             {"accumulator", dtype_name(unit.accumulator)},
                             {"lanes", unit.lanes},
                             {"k", unit.k},
                             {"ops_per_s", unit.ops_per_s}});
  }
  json["streams"] = OrderedJson::array();
  for (const Stream& stream : machine.streams) {
    json["streams"].push_back({{"element_bits", stream.element_bits},
                               {"panels", stream.panels},
                               {"ahead_bytes", stream.ahead_bytes},
                               {"locality", stream.locality}});
  }
  json["barrier_s"] = machine.barrier_s;
  json["op_overhead_s"] = machine.op_overhead_s;
  json["contention"] = machine.contention;
  json["storage_read_bytes_per_s"] = machine.storage_read_bytes_per_s;
  json["links"] = OrderedJson::array();
  for (const Link& link : machine.links) {
    json["links"].push_back(
        {{"name", link.name}, {"alpha_s", link.alpha_s}, {"beta_s_per_byte", link.beta_s_per_byte}});
  }
  return json.dump(2) + "\n";
}

}  // namespace strata::machine
