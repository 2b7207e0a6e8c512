# SPDX-License-Identifier: Apache-2.0
"""What ends the compiler is named: exit code 5 for disk and memory, 4 for the compiler's own faults."""
import shutil
import unittest

from harness import StrataTest, like_another


class ToolchainTest(StrataTest):
    takes_cache = False

    def compile_with(self, script, on_version="echo a clang of the tests; exit 0"):
        """A compiler that answers --version and otherwise runs the script."""
        compiler = self.work / "compiler"
        compiler.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then {on_version}; fi\n{script}\n')
        compiler.chmod(0o755)
        shutil.rmtree(self.cache, ignore_errors=True)
        output = self.work / "x.strata"
        result = self.strata("compile", self.checkpoint("qwen3-nano"), "-o", output, "-q",
                             env={"STRATA_CXX": str(compiler)})
        self.assertFalse(output.exists())
        return result

    def test_refused_code(self):
        result = self.compile_with("echo x.cpp:1:1: error: no such thing >&2; exit 1")
        self.assert_error(result, 4, "refuses generated code", "no such thing")

    @like_another
    def test_full_disk(self):
        for words in ("fatal error: error in backend: IO failure on output stream: No space left on device",
                      "error: unable to open output file 'x.o': 'Disk quota exceeded'"):
            self.assert_error(self.compile_with(f'echo "{words}" >&2; exit 1'), 5, "disk", "space")

    def test_lack_of_memory(self):
        for words in ("LLVM ERROR: out of memory", "virtual memory exhausted: Cannot allocate memory",
                      "terminate called after throwing an instance of 'std::bad_alloc'"):
            self.assert_error(self.compile_with(f'echo "{words}" >&2; exit 1'), 5, "memory")

    def test_lack_of_memory_at_the_start(self):
        on_version = "echo libLLVM.so: failed to map segment from shared object >&2; exit 127"
        self.assert_error(self.compile_with("exit 1", on_version), 5, "memory")

    @like_another
    def test_killed(self):
        self.assert_error(self.compile_with("kill -KILL $$"), 5, "SIGKILL", "memory")
        for words in ("clang++: error: unable to execute command: Killed",
                      "g++: fatal error: Killed signal terminated program cc1plus"):
            self.assert_error(self.compile_with(f'echo "{words}" >&2; exit 1'), 5, "SIGKILL")

    @like_another
    def test_crashed(self):
        self.assert_error(self.compile_with("kill -SEGV $$"), 4, "SIGSEGV")
        words = "clang++: error: unable to execute command: Segmentation fault (core dumped)"
        self.assert_error(self.compile_with(f'echo "{words}" >&2; exit 1'), 4, "SIGSEGV")

    def test_a_compiler_that_does_not_run(self):
        self.assert_error(self.compile_with("exit 1", "exit 1"), 4, "doesn't run")


if __name__ == "__main__":
    unittest.main()
