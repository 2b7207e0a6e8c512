# SPDX-License-Identifier: Apache-2.0
"""More threads than the process may use: a line says so, as many as may be used work, and the result is the same."""
import json
import os
import subprocess
import sys
import unittest

import numpy as np

from harness import StrataTest

WARNING = "may use"


class ThreadsTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.work / "model.strata"
        cls.strata("compile", cls.checkpoint("qwen3-nano"), "-o", cls.model)
        rows = json.loads(cls.strata("bench", cls.model, "-p", 0, "-n", 1, "-r", 1, "-o", "json").text)
        cls.allowed = rows[0]["n_threads"]  # the default: what affinity and quotas allow

    def warnings(self, *arguments):
        result = self.strata(*arguments)
        self.assertEqual(result.code, 0, result)
        return [line for line in result.err.splitlines() if WARNING in line]

    def test_logits_warns_once(self):
        output = self.work / "warned.npy"
        lines = self.warnings("logits", self.model, "--tokens", "1,2", "-o", output, "-t", self.allowed + 3)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith(f"strata: warning: -t {self.allowed + 3} "), lines)

    def test_bench_warns_once_and_names_what_was_asked(self):
        counts = [1, self.allowed + 1, self.allowed + 2]
        arguments = ["bench", self.model, "-p", 0, "-n", 2, "-r", 1, "-t", ",".join(map(str, counts)), "-o", "json"]
        lines = self.warnings(*arguments)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"-t {self.allowed + 2} ", lines[0])
        rows = json.loads(self.strata(*arguments).text)
        self.assertEqual([row["n_threads"] for row in rows], counts)

    def test_what_may_be_used_is_no_reason_to_warn(self):
        output = self.work / "silent.npy"
        for threads in (1, self.allowed):
            self.assertEqual(self.warnings("logits", self.model, "--tokens", 1, "-o", output, "-t", threads), [])
        self.assertEqual(self.warnings("logits", self.model, "--tokens", 1, "-o", output), [])

    def test_quiet(self):
        output = self.work / "quiet.npy"
        arguments = ["--tokens", 1, "-o", output, "-t", self.allowed + 1, "-q"]
        self.assertEqual(self.warnings("logits", self.model, *arguments), [])

    def test_beside_busy_programs_the_result_is_the_same(self):
        tokens = list(range(1, 60))
        alone = self.logits(self.model, tokens, "--step", 1, "-t", 1)
        spin = [sys.executable, "-c", "while True: pass"]
        programs = [subprocess.Popen(spin) for _ in range(self.allowed)]
        try:
            for threads in (self.allowed, self.allowed + 2):
                beside = self.logits(self.model, tokens, "--step", 1, "-t", threads)
                self.assertTrue(np.array_equal(beside, alone), threads)
        finally:
            for program in programs:
                program.kill()
                program.wait()


    def test_a_cache_that_is_read_only_serves_teams_of_all_sizes(self):
        """Its package is planned for all processors; where one that suits better can't be made, it is used."""
        model = self.talking_checkpoint()
        cache, arguments = self.work / "read-only", ["-p", "Hi", "-n", 4, "--temp", 0, "--ignore-eos"]
        filled = self.strata("run", model, *arguments, env={"STRATA_CACHE": str(cache)})
        self.assertEqual(filled.code, 0, filled)
        program = self.without_write_permission()
        for processors in ([], ["taskset", "-c", str(min(os.sched_getaffinity(0)))]):
            command = [*processors, *program, "run", str(model), *map(str, arguments)]
            process = subprocess.run(command, env=self.environment(STRATA_CACHE=str(cache)), capture_output=True,
                                     timeout=60, check=False)
            self.assertEqual((process.returncode, process.stdout), (0, filled.out), process)


if __name__ == "__main__":
    unittest.main()
