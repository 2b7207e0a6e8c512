// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace strata::cli {

// A user's input: a file, or standard input when the path is "-". Failing to open or read it is a usage_error; a
// signal while it waits throws Interrupted.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // The next line without its end; false at the end of the file.
  bool next_line(std::string& line);
  std::string read_all();

  // "FILE, line 3", for messages.
  std::string position() const;

 private:
  bool fill();

  std::string path_;
  int descriptor_ = -1;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what next_line() has not given yet
  std::int64_t line_ = 0;
};

std::string read_input(const std::string& path);

// A JSON object of the user's, keys in their order. Throws usage_error naming `where` for anything else, and for
// nesting deeper than any sensible input.
nlohmann::ordered_json parse_input_object(const std::string& text, const std::string& where);

// One line of JSON in ASCII, so that every reader splits lines alike; bytes that are not UTF-8 become U+FFFD.
std::string to_json_line(const nlohmann::ordered_json& value);

}  // namespace strata::cli
