# SPDX-License-Identifier: Apache-2.0
"""Calls of the system and allocations that fail: one line and the right exit code, nothing torn, nothing left behind.

tests/tools/fault_shim.cpp makes the n-th call fail, or that one and all later ones. With STRATA_SOAK set every n is
tried where there are at most MANY of them, or SOME of a command that takes longer than BRIEF_S; otherwise a sample.
"""
import os
import random
import subprocess
import sys
import time
import unittest
from pathlib import Path

from harness import STRATA, StrataTest

IS_SOAK = bool(os.environ.get("STRATA_SOAK"))
SHIM = Path(os.environ.get("STRATA_FAULT_SHIM", Path(STRATA).parent / "libfault_shim.so"))
MANY, SOME, FEW = 8000, 400, 3
BRIEF_S = 0.2
TIMEOUT_S = 120
EMFILE, ENOSPC, EIO, ENOMEM, EAGAIN, EOPNOTSUPP, EDQUOT = 24, 28, 5, 12, 11, 95, 122


@unittest.skipUnless(SHIM.exists(), "no shim: a sanitizer has its own malloc")
class FaultsTest(StrataTest):
    takes_cache = False
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.random = random.Random(int(os.environ.get("STRATA_SEED", "1")))
        cls.model = cls.talking_checkpoint()
        cls.folder = cls.work / "folder"
        cls.folder.mkdir()
        cls.output = cls.folder / "out"
        cls.package = cls.work / "model.strata"
        cls.ir = cls.work / "small.ir"
        cls.ir.write_text("module m {\n  func @f(%x: f32[4, 8]) {\n    %0 = add(%x, %x) : f32[4, 8]\n"
                          "    return %0\n  }\n}\n")
        for arguments in (["compile", cls.model, "-o", cls.package], ["run", cls.model, "-p", "Hi", "-n", 1]):
            result = cls.strata(*arguments)
            assert result.code == 0, result
        cls.commands = {
            "tokenize": ["tokenize", cls.model, "--text", "Hi there"],
            "info": ["info", cls.package],
            "opt": ["opt", cls.ir],
            "run": ["run", cls.package, "-p", "Hi", "-n", 3, "--temp", 0, "-q"],
            "run-cached": ["run", cls.model, "-p", "Hi", "-n", 3, "--temp", 0, "-q"],
            "logits": ["logits", cls.package, "--tokens", "1,2,3", "-o", cls.output, "-q"],
            "compile": ["compile", cls.model, "-o", cls.output, "-q"],
        }
        cls.expected = {}

    def run_with(self, command, calls="", at=0, lasting=False, error=ENOMEM):
        """(exit code, standard output, standard error, the output file or None)"""
        self.output.unlink(missing_ok=True)
        counts = self.work / "counts"
        counts.unlink(missing_ok=True)
        env = self.environment(LD_PRELOAD=str(SHIM), FAULT_CALLS=calls, FAULT_AT=str(at), FAULT_ERRNO=str(error),
                               FAULT_LASTING=str(int(lasting)), FAULT_COUNTS=str(counts), TMPDIR=str(self.folder))
        process = subprocess.run([STRATA, *map(str, self.commands[command])], env=env, capture_output=True,
                                 stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        self.count = int.from_bytes(counts.read_bytes(), "little")
        written = self.output.read_bytes() if self.output.exists() else None
        return process.returncode, process.stdout, process.stderr.decode("utf8", "replace"), written

    def numbers(self, command, calls, few):
        """Which calls to fail: all, or the first, the last, and some between."""
        start = time.monotonic()
        self.run_with(command, calls)
        many = MANY if time.monotonic() - start < BRIEF_S else SOME
        every = range(1, self.count + 1)
        wanted = many if IS_SOAK else few
        if len(every) <= wanted:
            return list(every)
        drawn = self.random.sample(every, wanted - 2)
        return sorted({1, self.count, *drawn})

    def left_behind(self):
        names = [path for folder in (self.cache, self.folder) for path in folder.rglob("*")]
        return [str(path) for path in names if path.name.endswith("-tmp") or path.name.startswith("build-")
                or (path.parent == self.folder and path != self.output)]

    def check(self, command, allowed, calls, at, lasting, error):
        code, out, err, written = self.run_with(command, calls, at, lasting, error)
        what = f"{command}: {calls} {at}{' and on' if lasting else ''}, errno {error}: exit {code}, {err[-300:]!r}"
        want_out, want_written = self.expected[command]
        self.assertIn(code, allowed, what)
        self.assertEqual(err.count("strata: error: "), 0 if code == 0 else 1, what)
        if code == 0:
            # Not assertEqual, which takes hours to say how two packages differ.
            self.assertTrue((out, written) == (want_out, want_written), what + ", but another result")
        else:
            self.assertTrue(want_out.startswith(out), what)
            self.assertTrue(written is None or written == want_written, what + ", but another file")
        # Where no folder can be opened any more, what lies deep in one stays until the next compilation.
        can_not_open = lasting and "open" in calls
        self.assertTrue(can_not_open or self.left_behind() == [], what + str(self.left_behind()))

    def check_and_say(self, *case):
        """A sweep of hours says at once what it found."""
        try:
            self.check(*case)
        except AssertionError as failure:
            print(failure, file=sys.stderr, flush=True)
            raise

    def fail_calls(self, commands, calls, errors, allowed, few=FEW):
        for command in commands:
            with self.subTest(command=command):
                code, out, err, written = self.run_with(command)
                self.assertEqual(code, 0, err)
                self.expected[command] = (out, written)
            for lasting in (False, True):
                for error in errors:
                    for at in self.numbers(command, calls, few):
                        with self.subTest(command=command, at=at, lasting=lasting, error=error):
                            self.check_and_say(command, allowed, calls, at, lasting, error)
            # What the faults left in the cache is sound.
            with self.subTest(command=command, after="the faults"):
                code, out, err, written = self.run_with(command)
                self.assertTrue((code, out, written) == (0, *self.expected[command]), err)
                self.assertEqual(self.left_behind(), [])

    def test_allocations(self):
        """Each allocation fails once, or for ever: never an abort."""
        self.fail_calls(["tokenize", "opt", "info", "run", "logits"], "alloc", [ENOMEM], (0, 5), few=8)
        self.fail_calls(["run-cached", "compile"], "alloc", [ENOMEM], (0, 4, 5), few=5)

    def test_writes(self):
        """A full or broken disk at every write and flush of what becomes a file, or at the text."""
        self.fail_calls(["tokenize"], "write", [ENOSPC, EIO], (5,))
        self.fail_calls(["run"], "write", [ENOSPC, EIO], (0, 5))  # the code may be loaded from another place
        self.fail_calls(["logits", "compile"], "write,fsync,truncate,rename,link", [ENOSPC, EIO, EDQUOT], (0, 5))

    def test_descriptors_and_folders(self):
        """Files, folders, pipes, mappings and processes that can't be had."""
        self.fail_calls(["tokenize", "run", "logits"], "open,tmpfile,mmap", [EIO], (0, 1, 3, 5))
        self.fail_calls(["tokenize", "run", "logits"], "open,tmpfile", [EMFILE], (0, 1, 5))
        self.fail_calls(["compile", "run-cached"], "open,tmpfile,mkdir,memfd,pipe,fork", [EMFILE, EAGAIN],
                        (0, 1, 3, 4, 5), few=4)

    def test_without_unnamed_files(self):
        """A file system that has no O_TMPFILE."""
        for command in ("logits", "compile"):
            self.assertEqual(self.run_with(command, "tmpfile")[0], 0)
            self.assertGreater(self.count, 0)
            want = self.run_with(command)
            self.assertEqual(self.run_with(command, "tmpfile", 1, True, EOPNOTSUPP), want)
            self.assertEqual(self.left_behind(), [])


if __name__ == "__main__":
    unittest.main()
