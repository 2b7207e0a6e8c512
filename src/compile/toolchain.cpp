// SPDX-License-Identifier: Apache-2.0
#include "compile/toolchain.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/subprocess.h"
#include "base/temp_dir.h"
#include "base/text_file.h"
#include "compile/object_cache.h"
#include "compile/parallel_for.h"
#include "compile/tensor_headers.h"
#include "compile/tool_failure.h"
#include "machine/cpu.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLibraryBytes = std::size_t{1} << 30;

// Contraction to FMA is what the kernels' speed rests on; the order of operations stays as written.
const std::vector<std::string>& common_flags() {
  static const std::vector<std::string> kFlags = {
      "-std=c++20",         "-O3",       "-fPIC",           "-fvisibility=hidden",
      "-fno-exceptions",    "-fno-rtti", "-fno-math-errno", "-fno-trapping-math",
      "-ffp-contract=fast", "-fno-plt",  "-Wno-psabi"};
  return kFlags;
}

bool is_foreign(const machine::Target& target) { return target.arch != machine::host_arch(); }

// g++ makes code for one architecture only; that of another one carries its triple in its name.
fs::path find_compiler(const machine::Target& target) {
  if (const char* chosen = std::getenv("STRATA_CXX"); chosen != nullptr && *chosen != '\0') {
    if (auto path = find_program(chosen)) return *path;
    throw toolchain_error("there is no compiler " + std::string(chosen), "STRATA_CXX", "name a C++20 compiler in PATH");
  }
  const std::string gcc = is_foreign(target) ? target.triple + "-g++" : "g++";
  for (const std::string& name : {std::string("clang++-19"), std::string("clang++"), gcc}) {
    if (auto path = find_program(name)) return *path;
  }
  throw toolchain_error("no C++ compiler was found", "PATH", "install clang-19, or set STRATA_CXX");
}

// clang++ makes code for every architecture, but needs that one's C++ library, and a linker beside the system's own.
std::vector<std::string> cross_flags(const machine::Target& target) {
  return {"--target=" + target.triple, "-fuse-ld=lld", "-Wno-unused-command-line-argument"};
}

// What to do when code for a foreign machine can't be made: install Debian's packages, named after its architectures.
std::string cross_remedy(const machine::Target& target) {
  const std::map<std::string, std::string> debian_names = {
      {"aarch64", "arm64"}, {"riscv64", "riscv64"}, {"x86_64", "amd64"}};
  const auto name = debian_names.find(target.arch);
  if (name == debian_names.end()) return "install the C++ library of " + target.triple + " and lld";
  return "install libstdc++-12-dev-" + name->second + "-cross and lld-19 (Debian's packages)";
}

// tool_failure() reads what the tools say.
std::vector<std::pair<std::string, std::string>> plain_messages() { return {{"LC_ALL", "C"}}; }

// The first line of the answer to a question such as --version.
std::string ask(const fs::path& compiler, const std::string& question) {
  const ProcessResult result = run_command({.argv = {compiler.string(), question}, .environment = plain_messages()});
  if (!result.ok()) throw tool_failure(result, "the compiler doesn't run", compiler.string(), "repair or reinstall it");
  return result.standard_output.substr(0, result.standard_output.find('\n'));
}

// The first line of the compiler's output that says what is wrong.
std::string first_error(const std::string& output) {
  const std::size_t at = output.find("error");
  const std::size_t begin = at == std::string::npos ? 0 : output.rfind('\n', at) + 1;
  return output.substr(begin, output.find('\n', begin) - begin);
}

}  // namespace

Toolchain Toolchain::find(const machine::Machine& machine) {
  Toolchain toolchain;
  const machine::Target& target = machine.target;
  toolchain.compiler_ = find_compiler(target);
  const std::string version = ask(toolchain.compiler_, "--version");
  toolchain.flags_ = common_flags();
  const auto add = [&](const std::vector<std::string>& flags) {
    toolchain.flags_.insert(toolchain.flags_.end(), flags.begin(), flags.end());
  };
  toolchain.is_clang_ = version.find("clang") != std::string::npos;
  if (is_foreign(target)) {
    toolchain.cross_remedy_ = cross_remedy(target);
    if (toolchain.is_clang_) {
      add(cross_flags(target));
    } else if (!ask(toolchain.compiler_, "-dumpmachine").starts_with(target.arch)) {
      throw toolchain_error("the compiler makes no code for " + target.arch, toolchain.compiler_.string(),
                            "set STRATA_CXX to clang++ or to " + target.triple + "-g++");
    }
  }
  add(toolchain.is_clang_ ? target.clang_flags : target.gcc_flags);
  toolchain.description_ = version;
  for (const std::string& flag : toolchain.flags_) toolchain.description_ += " " + flag;
  return toolchain;
}

void Toolchain::add_flag(const std::string& flag) {
  flags_.push_back(flag);
  description_ += " " + flag;
}

std::string Toolchain::remedy(const std::string& native) const {
  return cross_remedy_.empty() ? native : cross_remedy_;
}

// The units of one shared object, compiled in a folder that ends with it.
class Toolchain::Build {
 public:
  Build(const Toolchain& toolchain, const fs::path& cache, std::function<void()> report)
      : toolchain_(toolchain), objects_(cache), folder_(cache, "build"), report_(std::move(report)) {}

  void compile(const codegen::Unit& unit) {
    const std::string key = key_of(unit.file, unit.source);
    const fs::path object = folder_.path() / (unit.file + ".o");
    if (const auto kept = objects_.find(key)) {
      write_unsynced(object, *kept);
      return;
    }
    std::vector<std::string> arguments = library_flags();
    write_unsynced(folder_.path() / unit.file, unit.source);
    arguments.insert(arguments.end(), {"-c", unit.file, "-o", unit.file + ".o"});
    const ProcessResult result = run(arguments);
    if (!result.ok()) {
      throw tool_failure(result, "the compiler refuses generated code: " + first_error(result.standard_error),
                         unit.file, toolchain_.remedy("check the compiler's version, or set STRATA_CXX"));
    }
    objects_.keep(key, read_text_file(object, kMaxLibraryBytes), folder_.path());
  }

  std::string link(const std::vector<codegen::Unit>& units) {
    std::vector<std::string> arguments = {"-shared", "-Wl,--build-id=none", "-o", "code.so"};
    for (const codegen::Unit& unit : units) arguments.push_back(unit.file + ".o");
    const ProcessResult result = run(arguments);
    if (!result.ok()) {
      throw tool_failure(result, "linking fails: " + first_error(result.standard_error), toolchain_.compiler_.string(),
                         toolchain_.remedy("check that the compiler can make shared objects"));
    }
    return read_text_file(folder_.path() / "code.so", kMaxLibraryBytes);
  }

 private:
  std::string key_of(const std::string& file, const std::string& source) const {
    return Hasher()
        .field(file)
        .field(source)
        .field(tensor_library_hash())
        .field(toolchain_.description_)
        .digest128()
        .hex();
  }

  ProcessResult run(const std::vector<std::string>& arguments) const {
    Command command{.argv = {toolchain_.compiler_.string()}, .environment = plain_messages(), .folder = folder_.path()};
    command.argv.insert(command.argv.end(), toolchain_.flags_.begin(), toolchain_.flags_.end());
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return run_command(std::move(command), report_);
  }

  // Made by the first one who asks; if it gives up, by the next. Not by std::call_once: ThreadSanitizer's lets whoever
  // waits wait forever when an exception ends it.
  std::vector<std::string> library_flags() {
    const std::lock_guard lock(library_mutex_);
    if (library_flags_.empty()) library_flags_ = prepare_library();
    return library_flags_;
  }

  // The headers' folder, and with clang the precompiled header. Where that can't be made the units say why.
  std::vector<std::string> prepare_library() const {
    const fs::path headers = keep_tensor_headers(objects_.folder(), folder_.path());
    std::vector<std::string> flags = {"-I" + headers.string()};
    if (!toolchain_.is_clang_) return flags;
    const ObjectCache objects(headers);
    const std::string key = key_of(kPrecompiled, headers.string());
    const fs::path precompiled = folder_.path() / kPrecompiled;
    if (const auto kept = objects.find(key)) {
      write_unsynced(precompiled, *kept);
    } else {
      // The files' times are no part of it: others may write the same headers again.
      const ProcessResult result = run({"-I" + headers.string(), "-Xclang", "-fno-pch-timestamp", "-x", "c++-header",
                                        (headers / "tensor/tensor.h").string(), "-o", kPrecompiled});
      if (!result.ok()) return flags;
      objects.keep(key, read_text_file(precompiled, kMaxLibraryBytes), folder_.path());
    }
    flags.insert(flags.end(), {"-include-pch", kPrecompiled});
    return flags;
  }

  static constexpr const char* kPrecompiled = "tensor.pch";

  const Toolchain& toolchain_;
  const ObjectCache objects_;
  const TempDir folder_;
  const std::function<void()> report_;  // also while a program runs; may throw to give up
  std::mutex library_mutex_;
  std::vector<std::string> library_flags_;
};

std::string Toolchain::build(const std::vector<codegen::Unit>& units, const fs::path& cache, int threads,
                             const std::function<void(double done)>& progress) const {
  std::atomic<int> finished = 0;
  std::mutex progress_mutex;
  const auto report = [&] {
    const std::lock_guard lock(progress_mutex);
    if (progress) progress(finished / static_cast<double>(units.size() + 1));
  };
  TempDir::remove_stale(cache, "build");
  Build build(*this, cache, report);
  parallel_for(units.size(), threads, [&](std::size_t i) {
    build.compile(units[i]);
    ++finished;
    report();
  });
  return build.link(units);
}

}  // namespace strata::compile
