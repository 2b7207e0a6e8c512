# SPDX-License-Identifier: Apache-2.0
"""compile --tune: tiles that are measured, what is remembered of them, and who never gets them."""
import json
import re
import unittest

import numpy as np
from harness import StrataTest, like_another

LINE = re.compile(r"tuned (\d+) regions, (\d+) candidates: prediction had the fastest in (\d+)")


class TuneTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.checkpoint("qwen3-nano")
        cls.plain, cls.tuned = cls.work / "plain.strata", cls.work / "tuned.strata"
        cls.compile(cls.plain, "--dump", cls.work / "plain-dump")
        cls.first = cls.compile(cls.tuned, "--tune", 2, "-v", "--dump", cls.work / "tuned-dump")

    @classmethod
    def compile(cls, to, *options):
        return cls.strata("compile", cls.model, "-o", to, *options)

    def logits(self, package, *options):
        to = self.work / "logits.npy"
        result = self.strata("logits", package, "--tokens", ",".join(map(str, range(1, 70))), "-o", to, *options)
        self.assertEqual(result.code, 0, result)
        return np.load(to)

    def records(self):
        (path,) = (self.cache / "tiles").glob("measured-*.txt")
        return path

    def test_what_was_measured_is_said(self):
        self.assertEqual((self.first.code, self.first.out), (0, b""), self.first)
        regions, candidates, predicted = map(int, LINE.search(self.first.err).groups())
        self.assertGreaterEqual(regions, 1)
        self.assertGreaterEqual(candidates, 2 * regions)
        self.assertLessEqual(predicted, regions)
        tuning = json.loads(self.strata("explain", self.tuned, "-o", "json").text)["stats"]["tuning"]
        self.assertEqual((tuning["regions"], tuning["candidates"], tuning["predicted"]),
                         (regions, candidates, predicted))
        self.assertRegex(self.strata("explain", self.tuned).text, LINE)
        self.assertIsNone(json.loads(self.strata("explain", self.plain, "-o", "json").text)["stats"]["tuning"])
        self.assertNotIn("tuned", self.strata("explain", self.plain).text)

    @like_another
    def test_it_computes_the_same(self):
        def blocks(folder, name):
            return re.findall(r"serial k by (\d+)", (self.work / folder / f"{name}.txt").read_text())
        same = all(blocks("plain-dump", f"{tag}-03-schedule") == blocks("tuned-dump", f"{tag}-tuned")
                   for tag in ("seq1", "chunk", "rows"))
        for options in ([], ["--step", 1], ["--step", 16]):
            plain, tuned = self.logits(self.plain, *options), self.logits(self.tuned, *options)
            if same:
                np.testing.assert_array_equal(tuned, plain)
            np.testing.assert_allclose(tuned, plain, rtol=0, atol=1e-4 * np.abs(plain).max())

    @like_another
    def test_nothing_is_measured_twice(self):
        before = set(self.records().read_text().splitlines()[2:-1])
        self.assertTrue(before)
        again = self.compile(self.work / "again.strata", "--tune", 2, "-v")
        self.assertEqual(again.code, 0, again)
        self.assertLessEqual(before, set(self.records().read_text().splitlines()[2:-1]))
        self.assertGreaterEqual(int(LINE.search(again.err)[1]), len(before))

    @like_another
    def test_who_does_not_ask_for_it_gets_what_is_predicted(self):
        self.compile(self.work / "later.strata")
        self.assertEqual((self.work / "later.strata").read_bytes(), self.plain.read_bytes())
        self.assertIn("--tune", self.strata("info", self.tuned).text)
        self.assertNotIn("--tune", self.strata("info", self.plain).text)

    @like_another
    def test_damaged_records_are_made_again(self):
        path = self.records()
        for damage in (path.read_bytes()[:-9], b"", b"\0" * 100):
            path.write_bytes(damage)
            self.assertEqual(self.compile(self.work / "healed.strata", "--tune", 0.01).code, 0)
            self.assertTrue(path.read_text().startswith("strata records 1\n"))
            self.assertGreater(len(path.read_text().splitlines()), 3)

    @like_another
    def test_records_of_others_are_refused(self):
        path = self.records()
        path.chmod(0o666)
        try:
            result = self.compile(self.work / "refused.strata", "--tune", 1)
        finally:
            path.chmod(0o600)
        self.assertEqual((result.code, len(result.errors)), (5, 1), result)
        self.assertIn(str(path), result.err)
        self.assertFalse((self.work / "refused.strata").exists())

    def test_wrong_usage(self):
        for options, word in ((["--tune", 0], "0"), (["--tune", "x"], "x"), (["--tune", "inf"], "inf"),
                              (["--tune", 1, "--machine", "avx512-zen5"], "avx512-zen5"),
                              (["--tune", 1, "--without", "tiles"], "--without tiles")):
            with self.subTest(options):
                result = self.compile(self.work / "none.strata", *options)
                self.assertEqual((result.code, len(result.errors)), (2, 1), result)
                self.assertIn(word, result.err)
                self.assertFalse((self.work / "none.strata").exists())


if __name__ == "__main__":
    unittest.main()
