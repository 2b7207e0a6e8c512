// SPDX-License-Identifier: Apache-2.0
#include "machine/file_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/words.h"
#include "machine/target_words.h"

namespace strata::machine {

using Json = nlohmann::json;

namespace {

std::string format(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace

FileReader::FileReader(const Json& json, std::string path, const std::string& origin)
    : json_(json), path_(std::move(path)), origin_(origin) {
  if (!json.is_object()) fail(path_.empty() ? "the file" : "key '" + path_ + "'", "must be an object");
}

FileReader FileReader::object(const std::string& key) { return {get(key, "an object"), place(key), origin_}; }

std::string FileReader::place(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

std::string FileReader::text(const std::string& key) {
  const Json& value = get(key, "a string");
  if (!value.is_string()) refuse(key, "a string");
  return value.get<std::string>();
}

std::string FileReader::word(const std::string& key) {
  std::string value = text(key);
  if (!is_word(value)) refuse(key, "a word of letters, digits, '.', '_', '+' and '-'");
  return value;
}

std::string FileReader::plain_text_or(const std::string& key, const std::string& fallback) {
  if (!json_.contains(key)) return fallback;
  std::string value = text(key);
  if (!is_plain_text(value)) refuse(key, "text without control characters");
  return value;
}

std::string FileReader::triple(const std::string& key) {
  std::string value = text(key);
  if (!is_triple(value)) refuse(key, "a triple such as x86_64-linux-gnu");
  return value;
}

std::int64_t FileReader::integer(const std::string& key, std::int64_t min, std::int64_t max) {
  const std::string kind = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  const Json& value = get(key, kind);
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
                                               : value.is_number_integer();
  if (!fits || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) refuse(key, kind);
  return value.get<std::int64_t>();
}

std::int64_t FileReader::integer_or(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  return json_.contains(key) ? integer(key, min, max) : fallback;
}

std::optional<FileReader> FileReader::object_or_none(const std::string& key) {
  return json_.contains(key) ? std::optional<FileReader>(object(key)) : std::nullopt;
}

double FileReader::real(const std::string& key, double min, double max) {
  const Json& value = get(key, "a number");
  if (!value.is_number() || !(value.get<double>() >= min && value.get<double>() <= max)) {
    refuse(key, "a number from " + format(min) + " to " + format(max));
  }
  return value.get<double>();
}

double FileReader::real_or(const std::string& key, double fallback, double min, double max) {
  return json_.contains(key) ? real(key, min, max) : fallback;
}

void FileReader::take_reals(const std::string& key, std::map<std::string, double>& values, bool only, double min,
                            double max) {
  if (!json_.contains(key)) return;
  FileReader table = object(key);
  for (const auto& [name, value] : table.json_.items()) {
    if (!is_word(name) || (only && !values.contains(name)))
      table.fail("key '" + table.place(name) + "'", "is not known");
    values[name] = table.real(name, min, max);
  }
}

bool FileReader::flag_or(const std::string& key, bool fallback) {
  if (!json_.contains(key)) return fallback;
  const Json& value = get(key, "true or false");
  if (!value.is_boolean()) refuse(key, "true or false");
  return value.get<bool>();
}

DType FileReader::dtype(const std::string& key) {
  const auto dtype = parse_dtype(text(key));
  if (!dtype) refuse(key, "one of f32, f16, bf16, i8, i32, i64, u8, bool");
  return *dtype;
}

std::vector<std::string> FileReader::texts(const std::string& key) {
  std::vector<std::string> result;
  for (const Json& item : array(key)) {
    if (!item.is_string()) refuse(key, "a list of strings");
    result.push_back(item.get<std::string>());
  }
  return result;
}

std::vector<std::string> FileReader::words(const std::string& key) {
  std::vector<std::string> values = texts(key);
  if (!std::ranges::all_of(values, is_word)) refuse(key, "a list of words of letters, digits, '.', '_', '+' and '-'");
  return values;
}

std::vector<std::string> FileReader::target_flags(const std::string& key) {
  std::vector<std::string> values = texts(key);
  const auto wrong = std::ranges::find_if_not(values, is_target_flag);
  if (wrong != values.end()) {
    refuse(key, "flags that choose instructions, such as -march=, -mtune= and -mavx2, not '" + *wrong + "'");
  }
  return values;
}

std::vector<FileReader> FileReader::objects_or_none(const std::string& key) {
  return json_.contains(key) ? objects(key) : std::vector<FileReader>{};
}

std::vector<FileReader> FileReader::objects(const std::string& key) {
  std::vector<FileReader> result;
  for (const Json& item : array(key)) {
    result.emplace_back(item, place(key) + "[" + std::to_string(result.size()) + "]", origin_);
  }
  return result;
}

std::map<int, double> FileReader::rates_by_threads_or_none(const std::string& key) {
  return json_.contains(key) ? rates_by_threads(key) : std::map<int, double>{};
}

std::map<int, double> FileReader::rates_by_threads(const std::string& key) {
  FileReader table = object(key);
  std::map<int, double> result;
  for (const auto& [name, value] : table.json_.items()) {
    const auto threads = number_of<int>(name);
    if (!threads || *threads < 1 || *threads > 4096) {
      table.refuse(name, "named by a number of threads from 1 to 4096");
    }
    result[*threads] = table.rate(name);
  }
  if (!result.contains(1)) table.refuse("1", "there: the rate of one thread");
  return result;
}

std::map<std::int64_t, double> FileReader::seconds_by_bytes(const std::string& key) {
  constexpr double kMost = 10;
  FileReader table = object(key);
  std::map<std::int64_t, double> result;
  for (const auto& [name, value] : table.json_.items()) {
    const auto bytes = number_of<std::int64_t>(name);
    if (!bytes || *bytes < 0) table.refuse(name, "named by the least bytes of a message");
    result[*bytes] = table.real(name, 0, kMost);
  }
  if (!result.contains(0)) table.refuse("0", "there: the latency of the smallest messages");
  return result;
}

void FileReader::finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (!known_.contains(key)) fail("key '" + place(key) + "'", "is not known");
  }
}

void FileReader::refuse(const std::string& key, const std::string& wanted) const {
  fail("key '" + place(key) + "'", "must be " + wanted);
}

const Json& FileReader::get(const std::string& key, const std::string& wanted) {
  known_.insert(key);
  const auto found = json_.find(key);
  if (found == json_.end()) fail("key '" + place(key) + "'", "is missing; it must be " + wanted);
  return *found;
}

const Json& FileReader::array(const std::string& key) {
  const Json& value = get(key, "a list");
  if (!value.is_array()) refuse(key, "a list");
  return value;
}

void FileReader::fail(const std::string& what, const std::string& why) const {
  throw model_error("machine file: " + what + " " + why, origin_);
}

}  // namespace strata::machine
