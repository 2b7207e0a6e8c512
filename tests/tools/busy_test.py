# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import stat
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import busy  # noqa: E402

# Answers like `strata bench`: as many tokens per second as the list of its thread count says next.
FAKE = """#!{python}
import json, sys
from pathlib import Path
rates, arguments = Path({rates!r}), sys.argv[1:]
threads = arguments[arguments.index("-t") + 1]
left = json.loads(rates.read_text())
print(json.dumps([{{"n_prompt": 0, "n_gen": 32, "samples_ts": [left[threads].pop(0)]}}]))
rates.write_text(json.dumps(left))
"""


class BusyTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def fake(self, name, rates):
        """The first rate of one thread is the run that compiles."""
        (self.folder / f"{name}.rates").write_text(json.dumps(rates))
        path = self.folder / name
        path.write_text(FAKE.format(python=sys.executable, rates=str(self.folder / f"{name}.rates")))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def run_busy(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            busy.main([*arguments, "--model", "m=folder", "--results", str(self.folder / "RESULTS.md")])
        return out.getvalue()

    def test_ratios_are_of_one_round_to_the_best_smaller_count_and_the_old_program(self):
        new = self.fake("new", {"1": [0, 10, 10, 20], "2": [8, 10, 30], "4": [5, 5, 40]})
        old = self.fake("old", {"1": [0, 10, 10, 10], "2": [16, 10, 10], "4": [1, 1, 1]})
        out = self.run_busy("--strata", new, "--against", old, "--rounds", "3", "--spinners", "1")
        self.assertIn("| m | tg32 | 1 | 1 | 10.00 |  |  | 1.000 | 1.000 .. 2.000 |", out)
        self.assertIn("| m | tg32 | 1 | 2 | 10.00 | 1.000 | 0.800 .. 1.500 | 1.000 | 0.500 .. 3.000 |", out)
        self.assertIn("| m | tg32 | 1 | 4 | 5.00 | 0.500 | 0.500 .. 2.000 | 5.000 | 5.000 .. 40.000 |", out)

    def test_spinning_programs_are_ended(self):
        with busy.spinning(2) as programs:
            self.assertEqual([program.poll() for program in programs], [None, None])
        self.assertTrue(all(program.poll() is not None for program in programs))

    def test_a_failing_program_is_named(self):
        new = self.fake("new", {})
        with self.assertRaises(SystemExit) as caught:
            self.run_busy("--strata", new)
        self.assertIn(new, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
