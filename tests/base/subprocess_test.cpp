// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/atomic_file.h"
#include "base/temp_dir.h"
#include "base/text_file.h"
#include "tests/base/expect_error.h"

namespace strata {
namespace {

namespace fs = std::filesystem;
using fixtures::expect_error;

Command shell(const std::string& script) { return {.argv = {"sh", "-c", script}}; }

TEST(Subprocess, CapturesOutputsAndStatus) {
  const ProcessResult result = run_command(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.standard_output, "out\n");
  EXPECT_EQ(result.standard_error, "err\n");
}

TEST(Subprocess, ArgumentsAreNotInterpreted) {
  const std::string odd = "$(echo no) 'q' \"d\" *\n;";
  EXPECT_EQ(run_command({.argv = {"printf", "%s", odd}}).standard_output, odd);
}

TEST(Subprocess, KeepsTheTailOfALongOutput) {
  Command command = shell("i=0; while [ $i -lt 3000 ]; do echo line$i; i=$((i+1)); done >&2");
  command.output_limit = 100;
  const ProcessResult result = run_command(command);
  EXPECT_EQ(result.standard_error.size(), 100U);
  EXPECT_TRUE(result.standard_error.ends_with("line2998\nline2999\n"));
}

TEST(Subprocess, EnvironmentAndFolderAreSet) {
  const TempDir dir(fs::temp_directory_path(), "subprocess-test");
  Command command = shell("echo $STRATA_TEST_VALUE; pwd; cat; test -n \"$PATH\"");
  command.environment = {{"STRATA_TEST_VALUE", "seven"}};
  command.folder = dir.path();
  const ProcessResult result = run_command(command);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.standard_output, "seven\n" + fs::canonical(dir.path()).string() + "\n");
}

TEST(Subprocess, AnEnvironmentVariableReplacesTheInheritedOne) {
  Command command = shell("env | grep -c '^HOME='; echo $HOME");
  command.environment = {{"HOME", "/nowhere"}};
  EXPECT_EQ(run_command(command).standard_output, "1\n/nowhere\n");
}

TEST(Subprocess, ASignalIsReported) {
  const ProcessResult result = run_command(shell("kill -TERM $$"));
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_EQ(result.exit_code, 128 + SIGTERM);
}

TEST(Subprocess, AMissingProgramIsNamed) {
  expect_error(ExitCode::kToolchain, {"no-such-program", "check PATH"},
               [] { run_command({.argv = {"no-such-program"}}); });
}

TEST(Subprocess, AFileThatIsNoProgramIsNamed) {
  const TempDir dir(fs::temp_directory_path(), "subprocess-test");
  const fs::path file = dir.path() / "garbage";
  write_file(file,
             "\x7f"
             "ELF nonsense");
  fs::permissions(file, fs::perms::owner_all);
  expect_error(ExitCode::kToolchain, {file.string()}, [&] { run_command({.argv = {file.string()}}); });
}

TEST(Subprocess, FindsProgramsInPath) {
  const auto found = find_program("sh");
  ASSERT_TRUE(found);
  EXPECT_EQ(find_program(found->string()), found);
  EXPECT_FALSE(find_program("no-such-program"));
  EXPECT_FALSE(find_program("/"));
  EXPECT_FALSE(find_program(""));
}

// Which program runs must not depend on the current folder.
TEST(Subprocess, RelativeFoldersOfPathAreSkipped) {
  const TempDir folder(fs::temp_directory_path(), "strata-test");
  write_file(folder.path() / "strata-test-program", "#!/bin/sh\n");
  fs::permissions(folder.path() / "strata-test-program", fs::perms::owner_all);
  const fs::path before = fs::current_path();
  const std::string path = std::getenv("PATH");
  fs::current_path(folder.path());
  for (const std::string& relative : {std::string(":/usr/bin"), std::string("/usr/bin:"), std::string("/usr/bin::/bin"),
                                      std::string("."), std::string("")}) {
    ::setenv("PATH", relative.c_str(), 1);
    EXPECT_FALSE(find_program("strata-test-program")) << relative;
  }
  ::setenv("PATH", folder.path().c_str(), 1);
  EXPECT_EQ(find_program("strata-test-program"), folder.path() / "strata-test-program");
  EXPECT_TRUE(find_program("./strata-test-program")) << "a path is a path";
  ::setenv("PATH", path.c_str(), 1);
  fs::current_path(before);
}

TEST(Subprocess, WaitingCanBeGivenUp) {
  Subprocess process(shell("sleep 1000"));
  EXPECT_FALSE(process.poll());
  EXPECT_THROW(process.wait([] { throw usage_error("enough"); }), Error);
}

// Gone, or dead and not yet collected by its new parent.
bool is_dead(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string id, name, state;
  return !(file >> id >> name >> state) || state == "Z";
}

TEST(Subprocess, DestructionKillsTheChildrenToo) {
  const TempDir dir(fs::temp_directory_path(), "subprocess-test");
  const fs::path file = dir.path() / "pid";
  {
    const Subprocess process(shell("sleep 1000 & echo $! > '" + file.string() + ".new'; mv '" + file.string() +
                                   ".new' '" + file.string() + "'; wait"));
    while (!fs::exists(file)) std::this_thread::yield();
  }
  std::string pid = read_text_file(file, 100);
  pid.pop_back();
  while (!is_dead(pid)) std::this_thread::yield();
  SUCCEED();
}

}  // namespace
}  // namespace strata
