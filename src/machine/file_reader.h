// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace strata::machine {

// One JSON object of a machine file: knows its place for messages, and which keys were asked for. A key that is
// missing, or whose value is not what is asked for, throws model_error; of KEY_or and KEY_or_none it may be missing.
class FileReader {
 public:
  static constexpr double kMaxRate = 1e18;

  FileReader(const nlohmann::json& json, std::string path, const std::string& origin);

  std::string text(const std::string& key);
  std::string plain_text_or(const std::string& key, const std::string& fallback);
  // Text that may reach code, a command line or a terminal.
  std::string word(const std::string& key);
  std::string triple(const std::string& key);
  std::vector<std::string> texts(const std::string& key);
  std::vector<std::string> words(const std::string& key);
  std::vector<std::string> target_flags(const std::string& key);

  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max);
  std::int64_t integer_or(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  int small(const std::string& key, int min, int max) { return static_cast<int>(integer(key, min, max)); }
  double real(const std::string& key, double min, double max);
  double real_or(const std::string& key, double fallback, double min, double max);
  double rate(const std::string& key) { return real(key, 1.0, kMaxRate); }
  bool flag_or(const std::string& key, bool fallback);
  DType dtype(const std::string& key);

  // Numbers by name, of which a few may be given. `only`: names that are there already.
  void take_reals(const std::string& key, std::map<std::string, double>& values, bool only, double min, double max);
  // {"1": 38e9, "2": 46e9}; one thread must be there.
  std::map<int, double> rates_by_threads(const std::string& key);
  std::map<int, double> rates_by_threads_or_none(const std::string& key);

  // {"0": 1.1e-6, "16384": 3e-6}, by the least bytes of a message; those of the smallest must be there.
  std::map<std::int64_t, double> seconds_by_bytes(const std::string& key);

  FileReader object(const std::string& key);
  std::optional<FileReader> object_or_none(const std::string& key);
  std::vector<FileReader> objects(const std::string& key);
  std::vector<FileReader> objects_or_none(const std::string& key);

  void pass_over(const std::string& key) { known_.insert(key); }
  // Refuses keys that nobody asked for.
  void finish() const;
  [[noreturn]] void refuse(const std::string& key, const std::string& wanted) const;

 private:
  const nlohmann::json& get(const std::string& key, const std::string& wanted);
  const nlohmann::json& array(const std::string& key);
  std::string place(const std::string& key) const;
  [[noreturn]] void fail(const std::string& what, const std::string& why) const;

  const nlohmann::json& json_;
  std::string path_;
  const std::string& origin_;
  std::set<std::string> known_;
};

}  // namespace strata::machine
