// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error.h"

namespace strata {
namespace {

constexpr auto kExitPollInterval = std::chrono::milliseconds(20);

bool is_executable(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

Error cannot_start(const std::string& name, int error) {
  constexpr std::array kLacks = {ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC};
  if (std::ranges::find(kLacks, error) != kLacks.end()) {
    return resource_error("cannot start the program (" + errno_text(error) + ")", name,
                          "free memory, or end other programs");
  }
  return toolchain_error("cannot start the program (" + errno_text(error) + ")", name, "install it, or check PATH");
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// What is inherited, with the command's own settings instead of those of the same name.
std::vector<std::string> full_environment(const Command& command) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto same_name = [&](const auto& own) {
      return text.size() > own.first.size() && text.starts_with(own.first) && text[own.first.size()] == '=';
    };
    if (std::none_of(command.environment.begin(), command.environment.end(), same_name)) result.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) result.push_back(name + "=" + value);
  return result;
}

// Everything that the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Launch {
  std::string path;
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* folder;
  int in, out, err, report;
  pid_t parent;
};

[[noreturn]] void report_and_exit(int report) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &error, sizeof(error));
  ::_exit(127);
}

[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGINT, SIGXFSZ}) ::signal(ignored, SIG_DFL);
  if (*launch.folder != '\0' && ::chdir(launch.folder) != 0) report_and_exit(launch.report);
  if (::dup2(launch.in, 0) < 0 || ::dup2(launch.out, 1) < 0 || ::dup2(launch.err, 2) < 0) {
    report_and_exit(launch.report);
  }
  ::execve(launch.path.c_str(), launch.argv.data(), launch.environment.data());
  report_and_exit(launch.report);
}

FileDescriptor open_capture(const std::string& name) {
  FileDescriptor file(::memfd_create("strata-output", MFD_CLOEXEC));
  if (!file.is_open()) throw cannot_start(name, errno);
  return file;
}

// The end of a capture, at most `limit` bytes.
std::string read_tail(int fd, std::size_t limit) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string text(std::min(size, limit), '\0');
  const ssize_t count = ::pread(fd, text.data(), text.size(), static_cast<off_t>(size - text.size()));
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

}  // namespace

std::optional<std::filesystem::path> find_program(std::string_view name) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string_view::npos) {
    return is_executable(name) ? std::optional<std::filesystem::path>(name) : std::nullopt;
  }
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  while (true) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    const std::filesystem::path candidate = std::filesystem::path(folder) / name;
    if (folder.starts_with('/') && is_executable(candidate)) return candidate;
    if (colon == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(colon + 1);
  }
}

Subprocess::Subprocess(Command command) : command_(std::move(command)) {
  STRATA_CHECK(!command_.argv.empty(), "a command without a program");
  const std::string& name = command_.argv[0];
  const auto path = find_program(name);
  if (!path) throw cannot_start(name, ENOENT);
  out_ = open_capture(name);
  err_ = open_capture(name);
  const FileDescriptor in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (!in.is_open() || ::pipe2(ends, O_CLOEXEC) != 0) throw cannot_start(name, errno);
  const FileDescriptor report_read(ends[0]);
  FileDescriptor report_write(ends[1]);
  const std::vector<std::string> environment = full_environment(command_);
  // The folder changes before the program starts: a relative path must still lead to it.
  const Launch launch{.path = std::filesystem::absolute(*path).string(),
                      .argv = pointers(command_.argv),
                      .environment = pointers(environment),
                      .folder = command_.folder.c_str(),
                      .in = in.get(),
                      .out = out_.get(),
                      .err = err_.get(),
                      .report = report_write.get(),
                      .parent = ::getpid()};
  pid_ = ::fork();
  if (pid_ < 0) throw cannot_start(name, errno);
  if (pid_ == 0) become(launch);
  ::setpgid(pid_, pid_);  // by both, so that neither's kill() can come too early
  report_write.reset();
  check_started(report_read.get());
}

// The pipe closes without a word when the program starts.
void Subprocess::check_started(int report) {
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(report, &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  if (count != sizeof(error)) return;
  kill();
  throw cannot_start(command_.argv[0], error);
}

Subprocess::~Subprocess() { kill(); }

Subprocess::Subprocess(Subprocess&& other) noexcept
    : command_(std::move(other.command_)),
      pid_(std::exchange(other.pid_, -1)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

void Subprocess::kill() noexcept {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::optional<ProcessResult> Subprocess::poll() { return reap(WNOHANG); }

std::optional<ProcessResult> Subprocess::reap(int options) {
  STRATA_CHECK(pid_ > 0, "the result of a process is taken once");
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid_, &status, options);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) return std::nullopt;
  pid_ = -1;
  ProcessResult result;
  if (ended < 0) {
    result.exit_code = 127;  // somebody else has taken the status
  } else if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
    result.exit_code = 128 + result.signal;
  } else {
    result.exit_code = WEXITSTATUS(status);
  }
  result.standard_output = read_tail(out_.get(), command_.output_limit);
  result.standard_error = read_tail(err_.get(), command_.output_limit);
  return result;
}

ProcessResult Subprocess::wait(const std::function<void()>& waiting) {
  if (!waiting) return *reap(0);
  while (true) {
    if (auto result = poll()) return *std::move(result);
    waiting();
    std::this_thread::sleep_for(kExitPollInterval);
  }
}

ProcessResult run_command(Command command, const std::function<void()>& waiting) {
  return Subprocess(std::move(command)).wait(waiting);
}

}  // namespace strata
