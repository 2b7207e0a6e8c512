# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random times of whole compilations: nothing torn, and the next run is right.

3 kills, with STRATA_SOAK set 120; STRATA_SEED draws other times.
"""
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from harness import STRATA, StrataTest

KILLS = 120 if os.environ.get("STRATA_SOAK") else 3


class KillsTest(StrataTest):
    takes_cache = False
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.random = random.Random(int(os.environ.get("STRATA_SEED", "1")))
        cls.model = cls.talking_checkpoint()
        cls.arguments = [STRATA, "run", str(cls.model), "-p", "Hi", "-n", "8", "--temp", "0", "--ignore-eos", "-q"]
        start = time.monotonic()
        cls.want = subprocess.run(cls.arguments, env=cls.environment(), capture_output=True, check=True).stdout
        cls.seconds = time.monotonic() - start
        cls.packages = cls.contents(cls.cache)

    @staticmethod
    def contents(cache):
        return {path.name: path.read_bytes() for path in (cache / "packages").glob("*.strata")}

    def test_kills(self):
        for kill in range(KILLS):
            after = self.random.uniform(0, self.seconds)
            cache = self.work / f"cache-{kill}"
            with self.subTest(kill=kill, after=after):
                environment = self.environment(STRATA_CACHE=str(cache))
                with subprocess.Popen(self.arguments, env=environment, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL) as process:
                    time.sleep(after)
                    process.send_signal(signal.SIGKILL)
                for name, content in self.contents(cache).items():
                    self.assertEqual(content, self.packages.get(name), "a torn package")
                result = subprocess.run(self.arguments, env=environment, capture_output=True)
                self.assertEqual((result.returncode, result.stdout), (0, self.want), result.stderr)
                self.assertEqual(self.contents(cache), self.packages)
                left = [path for path in cache.rglob("*")
                        if path.name.endswith("-tmp") or path.name.startswith("build-")]
                self.assertEqual(left, [])
            shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
