# SPDX-License-Identifier: Apache-2.0
"""strata explain: the contract's JSON, the page, what is refused."""
import json
import re
import unittest
import xml.etree.ElementTree as xml

from harness import StrataTest

OP_KEYS = {"name", "op", "count", "layout", "placement", "fused_into", "bytes", "flops", "predicted_ns", "alternatives"}
STATS_KEYS = {"egraph_nodes", "egraph_classes", "stop_reason", "objective_ns", "bound_ns", "saturate_s", "extract_s"}
LAYERS, HIDDEN, HEADS, KV_HEADS, DIM, INTERMEDIATE = 2, 64, 4, 2, 16, 192  # of qwen3-nano


class ExplainTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.checkpoint("qwen3-nano")
        cls.package = cls.work / "nano.strata"
        assert cls.strata("compile", cls.model, "-o", cls.package).code == 0

    def explain(self, *arguments, model=None):
        result = self.strata("explain", model or self.model, "-o", "json", *arguments)
        self.assertEqual(result.code, 0, result)
        return json.loads(result.text)

    def check_schema(self, document, measured):
        self.assertLessEqual(STATS_KEYS, set(document["stats"]))
        names = [op["name"] for op in document["ops"]]
        self.assertEqual(len(names), len(set(names)))
        for op in document["ops"]:
            self.assertLessEqual(OP_KEYS, set(op))
            self.assertEqual("measured_ns" in op, measured)
            self.assertGreater(op["count"], 0)
            self.assertGreater(op["bytes"], 0, op)
            self.assertGreater(op["predicted_ns"], 0, op)
            if measured and op["fused_into"] is None:
                self.assertGreater(op["measured_ns"], 0, op)
            for alternative in op["alternatives"]:
                self.assertLessEqual({"layout", "predicted_ns"}, set(alternative))

    def flops(self, document, name):
        return next(op["flops"] for op in document["ops"] if op["name"] == name)

    def test_sizes_are_those_of_the_rows(self):
        for rows in (1, 7, 64):
            document = self.explain("-n", rows)
            self.check_schema(document, measured=False)
            self.assertEqual(document["rows"], rows)
            self.assertEqual(self.flops(document, "layer.down_proj"), 2 * rows * HIDDEN * INTERMEDIATE)
            # Each query sees the rows up to its own: two products and five more operations per score.
            visible = rows * (rows + 1) / 2
            self.assertAlmostEqual(self.flops(document, "layer.attention"), HEADS * visible * (4 * DIM + 5), places=3)
            counts = {op["name"]: op["count"] for op in document["ops"]}
            self.assertEqual((counts["layer.down_proj"], counts["head.embed_tokens"]), (LAYERS, 1))

    def test_limits_are_of_work_and_said(self):
        result = self.strata("explain", self.model, "-o", "json", "--time-limit", "0.000001")
        self.assertEqual(result.code, 0, result)
        stats = json.loads(result.text)["stats"]
        self.assertEqual(stats["stop_reason"], "node limit; extraction: work limit")
        self.assertRegex(result.err, "strata: warning: the search for a plan ended early .node limit")
        result = self.strata("explain", self.model, "-o", "json", "--without", "exact")
        self.assertEqual(json.loads(result.text)["stats"]["method"], "greedy")
        self.assertNotIn("warning", result.err)

    def test_package_shows_the_same_plan(self):
        for rows in (1, 64):
            model, package = self.explain("-n", rows), self.explain("-n", rows, model=self.package)
            self.assertEqual(len(model["ops"]), len(package["ops"]))
            for one, other in zip(model["ops"], package["ops"]):
                self.assertAlmostEqual(one.pop("predicted_ns"), other.pop("predicted_ns"), places=6)
                one.pop("alternatives"), other.pop("alternatives")
                self.assertEqual(one, other)

    def test_measure(self):
        document = self.explain("--measure", "-n", 16, "-t", 1, model=self.package)
        self.check_schema(document, measured=True)
        summary = document["summary"]
        self.assertGreaterEqual(summary["repetitions"], 7)
        self.assertAlmostEqual(summary["measured_ns"], sum(op["measured_ns"] * op["count"] for op in document["ops"]),
                               delta=1)
        errors = sorted(abs(op["predicted_ns"] - op["measured_ns"]) / op["measured_ns"] for op in document["ops"])
        half = len(errors) // 2
        median = errors[half] if len(errors) % 2 else (errors[half - 1] + errors[half]) / 2
        self.assertAlmostEqual(summary["median_relative_error"], median)
        self.assertLessEqual(abs(summary["rank_correlation"]), 1)

    def test_table(self):
        text = self.strata("explain", self.model).text
        self.assertIn("predicted µs", text)
        self.assertNotIn("measured µs", text)
        self.assertRegex(text, r"\| layer\.q_proj[a-z_]* +\| matmul_nt +\|")
        measured = self.strata("explain", self.package, "--measure", "-t", 1).text
        self.assertRegex(measured, r"median relative error [\d.]+ %, rank correlation -?[\d.]+\.")

    def test_one_op(self):
        for name in ("layer.down_proj", "down_proj"):
            self.assertEqual([op["name"] for op in self.explain("--op", name)["ops"]], ["layer.down_proj"])
        text = self.strata("explain", self.model, "--op", "down_proj").text
        self.assertIn(f"f32[{HIDDEN}, {INTERMEDIATE}]", text)

    def test_page_needs_nothing_else(self):
        path = self.work / "plan.html"
        result = self.strata("explain", self.package, "--measure", "-t", 1, "-n", 8, "--html", path)
        self.assertEqual(result.code, 0, result)
        page = path.read_text(encoding="utf8")
        self.assertFalse(re.search(r"https?://|src=|@import|url\(", page))
        root = xml.fromstring(page.split("\n", 1)[1])  # without the doctype
        self.assertEqual([child.tag for child in root], ["head", "body"])
        names = [row[0].text for row in root.find(".//tbody")]
        self.assertEqual(names, [op["name"] for op in self.explain("-n", 8)["ops"]])
        dots = root.findall(".//svg/circle[@class='measured']")
        arithmetic = [op for op in self.explain("-n", 8)["ops"] if op["flops"] > 0]
        self.assertEqual(len(dots), len(arithmetic))
        for shape in root.findall(".//svg/circle"):
            self.assertTrue(0 <= float(shape.get("cx")) <= 960 and 0 <= float(shape.get("cy")) <= 520, shape.attrib)

    def test_wrong_usage(self):
        for arguments, words in ((["--op", "nosuch"], ["nosuch", "layer.q_proj"]), (["-n", "0"], ["--rows"]),
                                 (["-n", "x"], ["x"]), (["-n", "513"], ["513", "1 to 512"]), (["-o", "csv"], ["csv"]),
                                 (["-t", "0"], ["0"])):
            with self.subTest(arguments):
                self.assert_error(self.strata("explain", self.model, *arguments), 2, *words)
        self.assert_error(self.strata("explain", self.work / "nosuch"), 3, "nosuch")
        self.assert_error(self.strata("explain", self.model, "--html", self.work / "no" / "a.html"), 5, "a.html")


if __name__ == "__main__":
    unittest.main()
