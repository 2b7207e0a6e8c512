#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several processes that mpirun starts run one model together: the same logits and texts as one, the bytes that the
plan says, clear lines for what can't be, and an end for all where one dies or hangs.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np

from harness import DEMO, STRATA, StrataTest

MPIRUN = shutil.which("mpirun")
HAS_MPI = MPIRUN is not None and (Path(STRATA).parent / "libstrata_mpi.so").exists()
KILLS = 3 if os.environ.get("STRATA_SOAK") else 1  # of each kind, at each place
MOST_S = 10  # until all have ended


def rank_pids(mpirun):
    """The program's processes by rank."""
    found = {}
    for child in subprocess.run(["pgrep", "-P", str(mpirun)], capture_output=True, text=True).stdout.split():
        try:
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            program = os.readlink(f"/proc/{child}/exe")
        except OSError:
            continue
        rank = [word.split(b"=")[1] for word in environment if word.startswith(b"OMPI_COMM_WORLD_RANK=")]
        if rank and program == os.path.realpath(STRATA):
            found[int(rank[0])] = int(child)
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@unittest.skipUnless(HAS_MPI, "needs Open MPI, and a build with it: scripts/setup.sh --mpi")
class Ranks(StrataTest):
    @staticmethod
    def command(count, *arguments):
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return [MPIRUN, *root, "--oversubscribe", "-np", str(count), STRATA, *map(str, arguments)]

    def ranks(self, count, *arguments, stdin=b""):
        process = subprocess.run(self.command(count, *arguments), input=stdin, capture_output=True, timeout=300,
                                 env=self.environment())
        return process.returncode, process.stdout.decode(), process.stderr.decode()

    def logits_of_ranks(self, count, model, tokens, *more):
        path = self.work / f"ranks-{count}.npy"
        path.unlink(missing_ok=True)
        code, _, error = self.ranks(count, "logits", model, "--tokens", ",".join(map(str, tokens)), "-o", path, "-t",
                                    "1", *more)
        self.assertEqual(code, 0, error)
        return np.load(path), error

    def assert_alike(self, got, want, most=1e-5):
        self.assertEqual(got.shape, want.shape)
        self.assertLess(np.linalg.norm(got - want) / np.linalg.norm(want), most)

    def plan(self, model, count, *more):
        result = self.strata("compile", model, "--plan-only", "-o", "json", "--nodes", count, *more)
        self.assertEqual(result.code, 0, result)
        return json.loads(result.text)

    def test_logits_are_those_of_one_process(self):
        tokens = list(range(3, 40))
        for preset, counts in (("qwen3-nano", (2, 4)), ("granite-nano", (2,))):
            model = self.checkpoint(preset)
            whole = self.logits(model, tokens, "--cache-type", "f32")
            for count in counts:
                with self.subTest(preset=preset, count=count):
                    got, _ = self.logits_of_ranks(count, model, tokens, "--cache-type", "f32")
                    self.assert_alike(got, whole)

    def test_the_demo_model(self):
        tokens = list(range(5, 25))
        whole = self.logits(DEMO, tokens, "--cache-type", "f32", "--step", "1")
        for count in (2, 4):
            with self.subTest(count=count):
                got, _ = self.logits_of_ranks(count, DEMO, tokens, "--cache-type", "f32", "--step", "1")
                self.assert_alike(got, whole)

    def test_bytes_are_as_planned(self):
        model, tokens = self.checkpoint("qwen3-nano"), list(range(3, 19))
        for count in (2, 4):
            with self.subTest(count=count):
                _, said = self.logits_of_ranks(count, model, tokens, "--step", "1", "-v")
                sent = int(re.search(r"rank 0 of \d has sent (\d+) bytes", said).group(1))
                planned = sum(self.plan(model, count, "-t", "1")["bytes_per_link"].values()) * len(tokens)
                self.assertGreater(planned, 0)
                self.assertLess(abs(sent - planned) / planned, 0.02, (sent, planned))

    def test_a_text(self):
        model = self.talking_checkpoint()
        arguments = ["run", model, "-p", "Once upon a time", "-n", "12", "-s", "7", "--temp", "0.7", "-q"]
        alone = self.strata(*arguments)
        self.assertEqual(alone.code, 0, alone)
        code, out, error = self.ranks(2, *arguments)
        self.assertEqual(code, 0, error)
        self.assertEqual(out, alone.text)

    def test_mistakes_are_one_line(self):
        model = self.checkpoint("qwen3-nano")
        for code, arguments, words in (
                (2, ["info", model], ["one process", "mpirun"]),
                (2, ["run", model, "--nonsense"], ["--nonsense"]),
                (3, ["run", self.work / "nowhere", "-p", "x"], ["nowhere"]),
                (3, ["logits", self.work / "nowhere", "--tokens", "1", "-o", self.work / "x.npy"], ["nowhere"]),
                (2, ["bench", model, "--machine", "cpu4-100g", "-p", "8", "-n", "0"], ["4 devices", "2 ranks"]),
        ):
            with self.subTest(arguments):
                got, out, error = self.ranks(2, *arguments)
                lines = [line for line in error.splitlines() if line.startswith("strata: error: ")]
                self.assertEqual((got, out, len(lines)), (code, "", 1), error)
                for word in words:
                    self.assertIn(word, lines[0])

    def test_a_rank_s_package_is_of_no_use_alone(self):
        model = self.checkpoint("qwen3-nano")
        self.logits_of_ranks(2, model, [1, 2])
        packages = [self.strata("info", path).text for path in (self.cache / "packages").glob("*.strata")]
        self.assertGreaterEqual(len(packages), 2)
        refused = 0
        for path in (self.cache / "packages").glob("*.strata"):
            result = self.strata("logits", path, "--tokens", "1", "-o", self.work / "x.npy")
            if result.code == 0:
                continue
            self.assert_error(result, 2, "rank", "mpirun")
            refused += 1
        self.assertGreaterEqual(refused, 2)

    def end_of(self, lost, how, place):
        """What the ranks said after one was killed or stopped, and that none is left."""
        model = self.checkpoint("qwen3-nano")
        self.logits_of_ranks(2, model, [1, 2])
        more = {"STRATA_CACHE": tempfile.mkdtemp(dir=self.work)} if place == "load" else {}
        arguments = ["bench", model, "-p", "512" if place == "prefill" else "0", "-n",
                     "0" if place == "prefill" else "400", "-r", "100000", "-t", "1"]
        with subprocess.Popen(self.command(2, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(**more), start_new_session=True) as process:
            pids = {}
            while len(pids) < 2:
                time.sleep(0.1)
                pids = rank_pids(process.pid)
            time.sleep(2)  # MPI has started
            os.kill(pids[lost], how)
            begin = time.monotonic()
            _, error = process.communicate(timeout=60)
            self.assertLess(time.monotonic() - begin, MOST_S, error)
        self.assertNotEqual(process.returncode, 0)
        self.assertFalse([pid for pid in pids.values() if is_running(pid)], "orphans")
        return error.decode()

    def test_a_rank_that_dies_or_hangs(self):
        for how in (signal.SIGKILL, signal.SIGSTOP):
            for place in ("load", "prefill", "decode"):
                for lost in (0, 1):
                    for _ in range(KILLS):
                        with self.subTest(how=how.name, place=place, lost=lost):
                            self.assertRegex(self.end_of(lost, how, place), rf"rank {lost}\b")


class WithoutMpi(StrataTest):
    def test_the_library_is_missing(self):
        program = shutil.copy(STRATA, self.work / "strata")
        result = subprocess.run([program, "info", DEMO], capture_output=True,
                                env=self.environment(OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="0"))
        lines = result.stderr.decode().splitlines()
        self.assertEqual((result.returncode, len(lines)), (5, 1), lines)
        self.assertIn("setup.sh --mpi", lines[0])


if __name__ == "__main__":
    unittest.main()
