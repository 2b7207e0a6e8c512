// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/signals.h"

namespace strata::cli {
namespace {

constexpr std::size_t kReadBytes = 1 << 16;
constexpr int kMaxNesting = 200;

Error unreadable(const std::string& path, int error) {
  return usage_error("can't read " + path + ": " + std::strerror(error), "give a readable file");
}

// Before nlohmann builds the tree, whose destruction recurses.
bool is_nested_too_deeply(const std::string& text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path == "-" ? "standard input" : path) {
  descriptor_ = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw unreadable(path_, errno);
}

InputFile::~InputFile() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

bool InputFile::fill() {
  buffer_.erase(0, std::exchange(begin_, 0));
  std::size_t old = buffer_.size();
  buffer_.resize(old + kReadBytes);
  ssize_t n;
  do {
    wait_for_input(descriptor_);
    stop_if_interrupted();
    n = ::read(descriptor_, buffer_.data() + old, kReadBytes);
  } while (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (n < 0) throw unreadable(path_, errno);
  buffer_.resize(old + static_cast<std::size_t>(n));
  return n > 0;
}

bool InputFile::next_line(std::string& line) {
  std::size_t searched = begin_;
  for (;;) {
    auto end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      break;
    }
    std::size_t unfinished = buffer_.size() - begin_;
    if (!fill()) {
      if (unfinished == 0) return false;
      line.assign(buffer_, begin_);
      begin_ = buffer_.size();
      break;
    }
    searched = unfinished;
  }
  ++line_;
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

std::string InputFile::read_all() {
  while (fill()) {
  }
  return std::move(buffer_);
}

std::string InputFile::position() const { return path_ + ", line " + std::to_string(line_); }

std::string read_input(const std::string& path) { return InputFile(path).read_all(); }

nlohmann::ordered_json parse_input_object(const std::string& text, const std::string& where) {
  if (is_nested_too_deeply(text)) throw usage_error(where + ": the JSON is nested too deeply", "simplify the input");
  try {
    auto value = nlohmann::ordered_json::parse(text);
    if (value.is_object()) return value;
  } catch (const nlohmann::json::exception& error) {
    throw usage_error(where + ": not JSON: " + error.what(), "give one JSON object");
  }
  throw usage_error(where + ": not a JSON object", "give one JSON object");
}

// Escaped to ASCII: U+2028 and U+0085 are line ends to some readers of lines.
std::string to_json_line(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
