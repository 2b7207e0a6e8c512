# SPDX-License-Identifier: Apache-2.0
"""SIGINT, SIGTERM, SIGHUP, readers that go away: the process ends soon, with the right code, and leaves nothing."""
import fcntl
import json
import os
import signal
import subprocess
import time
import unittest

from harness import STRATA, StrataTest

GRACE_S = 2.0
SLACK_S = 3.0  # for a busy machine, sanitizers included


class SignalsTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        path = cls.model / "config.json"  # a context that no test reaches the end of
        path.write_text(json.dumps(json.loads(path.read_text()) | {"max_position_embeddings": 1 << 20}))
        result = cls.strata("run", cls.model, "-p", "Hi", "-n", 1)
        assert result.code == 0, result

    def start_run(self, **options):
        return self.start("run", self.model, "-p", "Hi", "-n", -1, "--ignore-eos", "-c", 200000, "--temp", 0,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def end(self, process, number, code):
        """Sends the signal and checks how the process ends."""
        start = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - start, GRACE_S + SLACK_S)
        self.assertEqual(process.returncode, code, err)
        self.assertNotIn(b"strata: error", err)
        return out

    def test_generating(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.start_run() as process:
                first = process.stdout.read(20)
                text = first + self.end(process, number, code)
                text.decode("utf8")

    def test_output_that_nobody_reads(self):
        with self.start_run() as process:
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
            time.sleep(0.5)
            self.end(process, signal.SIGTERM, 143)

    def test_second_signal_ends_at_once(self):
        with self.start_run() as process:
            process.stdout.read(1)
            process.send_signal(signal.SIGINT)
            self.end(process, signal.SIGINT, 130)

    def test_prefill(self):
        prompt = self.work / "long.txt"
        prompt.write_text("And it came to pass. " * 8000)
        with self.start("run", self.model, "-f", prompt, "-c", 200000, "-v", stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE) as process:
            while not process.stderr.readline().startswith(b"context:"):
                self.assertIsNone(process.poll())
            self.end(process, signal.SIGINT, 130)

    def test_bench(self):
        with self.start("bench", self.model, "-p", 8, "-n", 8, "-r", 1000000, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            self.end(process, signal.SIGINT, 130)

    def test_waiting_for_input(self):
        with self.start("tokenize", self.model, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE) as process:
            time.sleep(0.5)
            self.end(process, signal.SIGTERM, 143)

    def test_compiling(self):
        cache = self.work / "cold-cache"
        output = self.work / "out"
        output.mkdir()
        environment = self.environment(STRATA_CACHE=str(cache), TMPDIR=str(output))
        with subprocess.Popen([STRATA, "compile", self.model, "-o", output / "x.strata"], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stderr.readline()  # a stage has begun
            self.end(process, signal.SIGINT, 130)
        self.assertEqual(os.listdir(output), [])
        self.assertEqual(list(cache.rglob("build-*")), [])
        self.assertEqual(list(cache.rglob("*.strata")) if cache.exists() else [], [])
        self.assertEqual(self.strata("run", self.model, "-p", "Hi", "-n", 1, env={"STRATA_CACHE": str(cache)}).code, 0)

    def test_reader_goes_away(self):
        with self.start_run() as process:
            process.stdout.read(1)
            process.stdout.close()
            err = process.stderr.read()
            self.assertEqual(process.wait(timeout=60), 5)
            self.assertNotIn(b"error", err)


if __name__ == "__main__":
    unittest.main()
