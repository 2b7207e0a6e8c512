# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import measure_compile  # noqa: E402

# Writes the output file and, when the cache is not empty on `compile`, fails.
FAKE = """#!/bin/sh
echo "$1" >> {folder}/calls
case "$1" in
compile)
  if [ -n "$(ls -A "$STRATA_CACHE")" ]; then echo "cache not empty" >&2; exit 1; fi
  echo package > "$4"
  echo "strata: $4, 1 MiB (import 0.01 s, toolchain 0.02 s, pack 0.00 s, total 0.03 s)" >&2 ;;
logits) touch "$STRATA_CACHE/package" "$6" ;;
bench) echo "[]" ;;
esac
"""


class MeasureCompileTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        (self.folder / "m").mkdir()
        (self.folder / "m" / "model.safetensors").write_bytes(bytes(1 << 20))

    def program(self, text):
        path = self.folder / "strata"
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def run_program(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            measure_compile.main(["--model", str(self.folder / "m"), *arguments])
        return out.getvalue()

    def test_compiles_cold_then_starts_from_one_cache(self):
        strata = self.program(FAKE.format(folder=self.folder))
        out = self.run_program("--strata", strata, "--few-layers", str(self.folder / "m"), "--starts", "2")
        self.assertEqual((self.folder / "calls").read_text().split(), ["compile"] * 2 + ["logits"] * 3 + ["bench"])
        for row in ("compile and pack, cold", "of it packing | 0.00 s", "packing aside", "weights | 1 MiB",
                    "peak memory of running over weights"):
            self.assertIn(row, out)

    def test_a_failing_program_is_named_with_its_last_line(self):
        strata = self.program("#!/bin/sh\necho not a model >&2\nexit 3\n")
        with self.assertRaises(SystemExit) as caught:
            self.run_program("--strata", strata)
        self.assertIn("exit code 3: not a model", str(caught.exception))

    def test_a_compiler_that_reports_no_stages_is_refused(self):
        with self.assertRaises(SystemExit):
            measure_compile.packing_seconds("strata: done, total 3.00 s")

    def test_packing_is_read_off_the_stages(self):
        line = "strata: a.strata, 2 MiB (import 0.10 s, toolchain 9.00 s, pack 1.25 s, total 10.35 s)"
        self.assertEqual(measure_compile.packing_seconds(line), 1.25)

    def test_counts_children_and_their_memory(self):
        command = [sys.executable, "-c", "block = bytearray(b'x') * (64 << 20); print(flush=True); input()"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdout.readline()
        self.assertIn(child.pid, measure_compile.descendants(os.getpid()))
        self.assertGreaterEqual(measure_compile.anonymous_bytes(child.pid), 64 << 20)
        child.communicate(b"\n")
        self.assertEqual(measure_compile.anonymous_bytes(child.pid), 0)


if __name__ == "__main__":
    unittest.main()
