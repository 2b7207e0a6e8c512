# SPDX-License-Identifier: Apache-2.0
"""Measuring this machine: the file it writes, where, and what may go wrong. Figures are only looked at for sense."""
import json
import os
import subprocess
import sys
import unittest

from harness import KEEPING_COMPILER, QUICK_COMPILER, StrataTest

QUICK = ["--seconds", "0.05"]


class CalibrateTest(StrataTest):
    @classmethod
    def environment(cls, **more):
        return super().environment(**{"STRATA_CXX": str(KEEPING_COMPILER)} | more)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.work / "measured.json"
        cls.result = cls.strata("calibrate", "-o", cls.file, *QUICK)

    def test_report(self):
        self.assertEqual((self.result.code, self.result.out), (0, b""), self.result)
        for word in ("L1", "DRAM", "f32", "barrier", str(self.file)):
            self.assertIn(word, self.result.err)

    def test_how_quiet_the_machine_was(self):
        self.assertRegex(self.result.err, r"measured in [234] rounds; [0-9.]+ % of the time stolen .*, [0-9]+ involunt")

    def test_beside_busy_programs(self):
        """What can't be told there keeps the earlier figure, by name."""
        file = self.work / "busy" / "machine.json"
        file.parent.mkdir()
        earlier = json.loads(self.file.read_text())
        earlier["barrier_s"], earlier["op_overhead_s"] = 1.25e-7, 1.25e-8
        file.write_text(json.dumps(earlier))
        spin = [sys.executable, "-c", "while True: pass"]
        programs = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
        try:
            result = self.strata("calibrate", "-o", file, *QUICK)
        finally:
            for program in programs:
                program.kill()
                program.wait()
        self.assertEqual(result.code, 0, result)
        kept = [line for line in result.err.splitlines() if "the earlier figures stand" in line]
        machine = json.loads(file.read_text())
        for name, key in (("barrier", "barrier_s"), ("op overhead", "op_overhead_s")):
            if kept and name in kept[0]:
                self.assertEqual(machine[key], earlier[key], kept)

    def test_content(self):
        machine = json.loads(self.file.read_text())
        self.assertGreater(machine["op_overhead_s"], 0)
        for name in ("div", "exp", "tanh"):
            self.assertGreater(machine["core"]["scalar_slots"][name], 0)
        for level in machine["memory"]:
            self.assertGreater(level["capacity_bytes"], 0)
            self.assertIn("1", level["read_bytes_per_s"])
            for table in ("read_bytes_per_s", "write_bytes_per_s"):
                for threads, rate in level.get(table, {}).items():
                    self.assertGreaterEqual(int(threads), 1)
                    self.assertGreater(rate, 1e6, level)
        for unit in machine["units"]:
            self.assertLessEqual({"name", "dtype", "ops_per_s"}, set(unit))
            self.assertGreater(unit["ops_per_s"], 1e6, unit)

    def test_the_file_is_a_machine_to_compile_for(self):
        package = self.work / "x.strata"
        result = self.strata("compile", self.checkpoint("qwen3-nano"), "-o", package, "--machine", self.file,
                             env={"STRATA_CXX": str(QUICK_COMPILER)})
        self.assertEqual(result.code, 0, result)
        self.assertIn(json.loads(self.file.read_text())["name"], self.strata("info", package).text)

    def test_only_the_given_file_is_written(self):
        self.assertFalse((self.cache / "machine.json").exists())
        self.assertEqual([path.name for path in self.file.parent.glob("*.json*")], [self.file.name])

    def test_default_file_is_what_native_finds(self):
        env = {"STRATA_CACHE": str(self.work / "fresh/cache")}
        result = self.strata("calibrate", "-t", 1, *QUICK, env=env)
        self.assertEqual(result.code, 0, result)
        file = self.work / "fresh/cache/machine.json"
        self.assertIn(str(file), result.err)
        self.assertTrue(json.loads(file.read_text())["name"].startswith("native-"))
        file.write_text("{}")
        self.assert_error(self.strata("opt", "-", env=env), 3, str(file))
        again = self.strata("calibrate", "-t", 1, *QUICK, env=env)
        self.assertEqual(again.code, 0, again)

    def test_path_that_can_not_be_written(self):
        self.assert_error(self.strata("calibrate", "-o", "/nonexistent/m.json"), 5, "/nonexistent/m.json")
        self.assert_error(self.strata("calibrate", "-o", self.work), 5, str(self.work))
        self.assert_error(self.strata("calibrate", env={"STRATA_CACHE": "/proc/nonexistent"}), 5, "STRATA_CACHE")

    def test_without_a_compiler(self):
        output = self.work / "none.json"
        result = self.strata("calibrate", "-o", output, env={"STRATA_CXX": "/nonexistent/c++"})
        self.assert_error(result, 4, "STRATA_CXX")
        self.assertFalse(output.exists())

    def test_threads(self):
        for value in ("0", "-1", "x"):
            self.assert_error(self.strata("calibrate", "-t", value), 2, value)


if __name__ == "__main__":
    unittest.main()
