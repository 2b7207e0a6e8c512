# SPDX-License-Identifier: Apache-2.0
"""The demo model against what Hugging Face transformers computed with it (models/demo/golden.py)."""
import json
import unittest

import numpy as np
from harness import DEMO, ROOT, StrataTest, numbers_only, reference

GOLDEN = ROOT / "tests/data/demo_golden"
LIMIT = 1e-5


def rows(name):
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


class DemoGoldenTest(StrataTest):
    def test_logits(self):
        for row in rows("logits.jsonl"):
            want = np.load(GOLDEN / row["file"]).astype(np.float64)
            with self.subTest(file=row["file"]):
                self.assertLessEqual(reference.relative_error(self.logits(DEMO, row["ids"]), want), LIMIT)

    @numbers_only
    def test_logits_of_copies(self):
        """Compiled for cores with 256 KiB, and 64, that only copies reach, and run here."""
        whole = json.loads((ROOT / "machines/scratchpad-generic.json").read_text())
        for size in (262144, 65536):
            whole["memory"][0]["capacity_bytes"] = size
            machine, package = self.work / "scratchpad.json", self.work / f"{size}.strata"
            machine.write_text(json.dumps(whole))
            plan = self.strata("compile", DEMO, "--plan-only", "--machine", machine)
            self.assertEqual(plan.code, 0, plan)
            said = [line for line in plan.text.splitlines() if " copies: " in line]
            live = [int(line.split(" bytes of ")[0].split()[-1]) for line in said]
            self.assertGreater(len(live), 10, plan)
            self.assertLessEqual(max(live), size)
            self.assertGreater(max(live), size // 4)
            result = self.strata("compile", DEMO, "--machine", machine, "-o", package)
            self.assertEqual(result.code, 0, result)
            for row in rows("logits.jsonl"):
                want = np.load(GOLDEN / row["file"]).astype(np.float64)
                with self.subTest(size=size, file=row["file"]):
                    self.assertLessEqual(reference.relative_error(self.logits(package, row["ids"]), want), LIMIT)

    def test_greedy_text(self):
        for row in rows("greedy.jsonl"):
            with self.subTest(prompt=row["prompt"]):
                result = self.strata("run", DEMO, "-p", row["prompt"], "-n", 64, "--temp", 0)
                self.assertEqual(result.code, 0, result)
                self.assertEqual(result.text, row["text"] + "\n")

    def test_tokenizer(self):
        cases = rows("tokenizer.jsonl")
        lines = "".join(json.dumps({"text": row["text"]}) + "\n" for row in cases)
        result = self.strata("tokenize", DEMO, "--jsonl", "-", stdin=lines.encode())
        got = [json.loads(line)["ids"] for line in result.text.splitlines()]
        self.assertEqual(got, [row["ids"] for row in cases])


if __name__ == "__main__":
    unittest.main()
