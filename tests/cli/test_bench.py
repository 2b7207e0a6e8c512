# SPDX-License-Identifier: Apache-2.0
"""strata bench: llama-bench's formats, names and keys."""
import csv
import io
import json
import re
import unittest
from collections import Counter

from harness import StrataTest

KEYS = {"build_commit", "build_number", "cpu_info", "backends", "model_filename", "model_type", "model_size",
        "model_n_params", "n_batch", "n_ubatch", "n_threads", "type_k", "type_v", "n_prompt", "n_gen", "n_depth",
        "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts"}
SAMPLES = {"samples_ns", "samples_ts"}


class BenchTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.checkpoint("qwen3-nano")

    def bench(self, *arguments):
        result = self.strata("bench", self.model, "-p", 16, "-n", 4, "-r", 2, *arguments)
        self.assertEqual(result.code, 0, result)
        return result.text

    def test_json(self):
        rows = json.loads(self.bench("-t", "1,2", "-o", "json"))
        self.assertEqual([(r["n_threads"], r["n_prompt"], r["n_gen"]) for r in rows],
                         [(1, 16, 0), (1, 0, 4), (2, 16, 0), (2, 0, 4)])
        for row in rows:
            self.assertLessEqual(KEYS | SAMPLES, set(row))
            self.assertEqual((len(row["samples_ns"]), len(row["samples_ts"])), (2, 2))
            tokens = row["n_prompt"] + row["n_gen"]
            for ns, rate in zip(row["samples_ns"], row["samples_ts"]):
                self.assertAlmostEqual(rate * ns / 1e9, tokens, places=6)
            self.assertAlmostEqual(row["avg_ts"], sum(row["samples_ts"]) / 2)
            self.assertEqual(row["backends"], "CPU")
            self.assertGreater(row["model_size"], 0)

    def test_json_lines(self):
        rows = [json.loads(line) for line in self.bench("-o", "jsonl").splitlines()]
        self.assertEqual(len(rows), 2)

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(self.bench("-o", "csv"))))
        self.assertEqual(len(rows), 2)
        self.assertLessEqual(KEYS, set(rows[0]))

    def test_table(self):
        lines = self.bench().splitlines()
        self.assertEqual([cell.strip() for cell in lines[0].split("|")[1:-1]],
                         ["model", "size", "params", "backend", "threads", "test", "t/s"])
        self.assertEqual([line.split("|")[6].strip() for line in lines[2:]], ["pp16", "tg4"])
        self.assertRegex(lines[2].split("|")[7], r"\d+\.\d\d ± \d+\.\d\d")

    def test_depths_and_lists(self):
        lines = self.bench("-p", "8,16", "-n", "0", "-d", "0,64", "-o", "jsonl").splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual([(r["n_prompt"], r["n_depth"]) for r in rows], [(8, 0), (16, 0), (8, 64), (16, 64)])
        self.assertIn("tg4 @ d64", self.bench("-d", 64))

    def test_profile_counts_every_op(self):
        rows = json.loads(self.bench("-t", "1", "--profile", "-o", "json"))
        for row, steps in zip(rows, (1, 4)):
            self.assertLessEqual(KEYS | SAMPLES, set(row))
            counts = {op["name"]: op["count"] for op in row["ops"]}
            self.assertEqual(len(counts), len(row["ops"]))
            # Each projection runs once in each of two layers, alone or in one product with others of the same input.
            # The last layer of a prompt is a version of its own, which makes the last row only.
            roles = Counter()
            for name, count in counts.items():
                if part := re.fullmatch(r"layer(?:_one)?\.([a-z_]+)(?: \+ .*)?", name):  # a region's first op
                    roles.update({role: count for role in part[1].split("_and_")})
            for role in ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "attention"):
                self.assertEqual(roles[role], 2 * steps, role)
            self.assertEqual(counts["forward.embed_tokens" if row["n_gen"] else "forward_one.embed_tokens"], steps)
            self.assertEqual(counts["head.embed_tokens"], steps)
            self.assertAlmostEqual(sum(op["share"] for op in row["ops"]), 1, places=6)
            self.assertLess(0, sum(op["total_ns"] for op in row["ops"]))
            self.assertLessEqual(sum(op["total_ns"] for op in row["ops"]), row["avg_ns"] * 1.01)
            for op in row["ops"]:
                self.assertGreater(op["bytes"], 0, op)
                self.assertAlmostEqual(op["measured_ns"] * op["count"], op["total_ns"], delta=1)

    def test_profile_knows_the_sizes_of_its_calls(self):
        def flops(row, name):
            return next(op["flops"] for op in row["ops"] if op["name"].split(" + ")[0] == name)
        shallow, deep = json.loads(self.bench("-p", 0, "-d", "0,64", "--profile", "-o", "json"))
        # Four queries at the positions 0..3 or 64..67 see 2.5 or 66.5 rows on average.
        dim = 16  # of a head; a score costs two products and five operations, a sum of values a division
        want = (66.5 * (4 * dim + 5) + dim) / (2.5 * (4 * dim + 5) + dim)
        self.assertAlmostEqual(flops(deep, "layer.attention") / flops(shallow, "layer.attention"), want, places=6)
        self.assertEqual(flops(deep, "layer.o_proj"), flops(shallow, "layer.o_proj"))

    def test_profile_table_follows_the_results(self):
        text = self.bench("--profile")
        self.assertRegex(text, r"(?m)^tg4, threads \d+: [\d.]+ ms in ops, of [\d.]+ ms$")
        self.assertIn("| layer.q_proj", text)
        self.assertLess(text.index("pp16"), text.index("of roof"))

    def test_wrong_usage(self):
        for arguments in (["-p", "x"], ["-p", "-1"], ["-n", "1.5"], ["-t", "0"], ["-r", "0"], ["-o", "xml"],
                          ["--profile", "-o", "csv"], ["-p", "0", "-n", "0"], ["-p", "600"], ["-d", "600"]):
            with self.subTest(arguments):
                self.assert_error(self.strata("bench", self.model, *arguments), 2)


if __name__ == "__main__":
    unittest.main()
