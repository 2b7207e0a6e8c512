# SPDX-License-Identifier: Apache-2.0
"""strata explain: the contract's JSON, the page, what is refused."""
import json
import re
import unittest
import xml.etree.ElementTree as xml

from harness import StrataTest, like_another, numbers_only, sample

OP_KEYS = {"name", "op", "count", "barriers", "layout", "placement", "region", "tree", "bytes", "flops", "predicted_ns",
           "alternatives"}
STATS_KEYS = {"egraph_nodes", "egraph_classes", "stop_reason", "objective_ns", "bound_ns", "saturate_s", "extract_s",
              "barriers_per_token", "rules", "regions"}
LAYERS, HIDDEN, HEADS, KV_HEADS, DIM, INTERMEDIATE = 2, 64, 4, 2, 16, 192  # of qwen3-nano


def ranks(values):
    """From 1; equal values share the mean of their ranks."""
    return [sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
            for value in values]


def spearman(first, second):
    a, b = ranks(first), ranks(second)
    middle = (len(a) + 1) / 2
    products = [sum((x - middle) * (y - middle) for x, y in zip(*pair)) for pair in ((a, b), (a, a), (b, b))]
    return products[0] / (products[1] * products[2]) ** 0.5


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
        barriers = sum(op["barriers"] * op["count"] for op in document["ops"])
        self.assertEqual(document["summary"]["barriers"], barriers)
        self.assertGreaterEqual(barriers, 1 + LAYERS)  # the end of each function, at least
        for op in document["ops"]:
            self.assertLessEqual(OP_KEYS, set(op))
            self.assertEqual("measured_ns" in op, measured)
            self.assertGreater(op["count"], 0)
            self.assertGreater(op["bytes"], 0, op)
            self.assertGreater(op["predicted_ns"], 0, op)
            self.assertTrue(op["name"].startswith(op["region"][0]), op)
            self.assertEqual(len(op["region"]), len(op["op"].split(" + ")))
            self.assertRegex(op["tree"], r"leaf |stage \d")
            if measured:
                self.assertGreater(op["measured_ns"], 0, op)
            for alternative in op["alternatives"]:
                self.assertLessEqual({"layout", "predicted_ns"}, set(alternative))

    @like_another
    def test_regions_are_searched_for(self):
        def searches(*arguments):
            return self.explain("-n", "8", "--machine", "avx512-zen4", *arguments)["stats"]["regions"]
        found = searches()
        self.assertIn("layer", [search["function"] for search in found])
        for search in found:
            curve = search["best_cost_curve"]
            self.assertEqual(curve[0], {"states": 1, "ns": search["before_ns"]})
            self.assertEqual(curve[-1]["ns"], search["after_ns"])
            self.assertLessEqual(search["after_ns"], search["greedy_ns"])
            self.assertIn(search["stop_reason"], ("exhausted", "visits"))
        self.assertEqual(found, searches())
        self.assertEqual({search["method"] for search in searches("--without", "mcts")}, {"greedy"})
        self.assertEqual(searches("--without", "fuse"), [])

    def flops(self, document, name):
        return next(op["flops"] for op in document["ops"] if op["name"] == name)

    @numbers_only
    def test_sizes_are_those_of_the_rows(self):
        for rows in sample((1, 7, 64)):
            document = self.explain("-n", rows, "--without", "fuse")
            self.check_schema(document, measured=False)
            self.assertEqual(document["rows"], rows)
            self.assertEqual(self.flops(document, "layer.down_proj"), 2 * rows * HIDDEN * INTERMEDIATE)
            # Each query sees the rows up to its own: two products and five more operations per score, and every sum is
            # divided once.
            visible = rows * (rows + 1) / 2
            flops = HEADS * (visible * (4 * DIM + 5) + rows * DIM)
            self.assertAlmostEqual(self.flops(document, "layer.attention"), flops, places=3)
            counts = {op["name"]: op["count"] for op in document["ops"]}
            last = counts.get("layer_one.down_proj", 0)  # of a prompt the last row alone
            self.assertEqual(last, 0 if rows == 1 else 1)
            if last:
                self.assertEqual(self.flops(document, "layer_one.down_proj"), 2 * HIDDEN * INTERMEDIATE)
            self.assertEqual((counts["layer.down_proj"] + last, counts["head.embed_tokens"]), (LAYERS, 1))

    def test_limits_are_of_work_and_said(self):
        result = self.strata("explain", self.model, "-o", "json", "--time-limit", "0.000001")
        self.assertEqual(result.code, 0, result)
        stats = json.loads(result.text)["stats"]
        self.assertEqual(stats["stop_reason"], "node limit; extraction: work limit")
        self.assertRegex(result.err, "strata: warning: the search for a plan ended early .node limit")
        result = self.strata("explain", self.model, "-o", "json", "--without", "exact")
        self.assertEqual(json.loads(result.text)["stats"]["method"], "greedy")
        self.assertNotIn("warning", result.err)

    @like_another
    def test_rules_say_what_they_did(self):
        stats = self.explain()["stats"]
        rules = {rule["name"]: rule for rule in stats["rules"]}
        self.assertEqual([rule["seconds"] for rule in stats["rules"]],
                         sorted((rule["seconds"] for rule in rules.values()), reverse=True))
        merge = rules["merge-matmuls"]
        self.assertGreaterEqual(merge["matches"], merge["applications"])
        self.assertGreater(merge["applications"], 0)
        self.assertGreater(merge["nodes"], 0)
        # What rules add is most of the graph; the program itself is the rest.
        added = sum(rule["nodes"] for rule in rules.values())
        self.assertGreater(2 * added, stats["egraph_nodes"])
        self.assertNotIn("merge-matmuls", [rule["name"] for rule in self.explain("--without", "merge-matmuls")
                                           ["stats"]["rules"]])
        self.assertEqual(self.explain(model=self.package)["stats"]["rules"], [])
        text = self.strata("explain", self.model).text
        shown = re.findall(r"\| ([\w-]+) +\| +\d+ \| +\d+ \| +\d+ \| +[\d.]+ \|", text)
        self.assertEqual(len(shown), 12)
        self.assertLessEqual(set(shown), set(rules))
        self.assertIn(f"{len(rules) - 12} more rules matched", text)
        _, root = self.page()
        rows = [row[0].text for row in root.find(".//table[@class='rules']/tbody")]
        self.assertEqual(sorted(rows), sorted(rules))

    def test_package_shows_the_same_plan(self):
        for rows in sample((1, 64)):
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
        times = [(op["predicted_ns"], op["measured_ns"]) for op in document["ops"]]
        self.assertAlmostEqual(summary["rank_correlation"], spearman(*zip(*times)))

    @like_another
    def test_table(self):
        text = self.strata("explain", self.model).text
        self.assertIn("predicted µs", text)
        self.assertNotIn("measured µs", text)
        barriers = self.explain()["stats"]["barriers_per_token"]
        self.assertIn(f" ms with {barriers} barriers\n", text)
        self.assertIn(f"; decoding a token has {barriers} barriers\n", self.strata("explain", self.model, "-n", 8).text)
        self.assertRegex(text, r"\| layer\.q_proj[a-z_]* +\| matmul_nt +\|")
        measured = self.strata("explain", self.package, "--measure", "-t", 1).text
        self.assertRegex(measured, r"median relative error [\d.]+ %, rank correlation -?[\d.]+\.")

    @like_another
    def test_one_op(self):
        for name in ("layer.down_proj", "down_proj"):
            alone = self.explain("--op", name, "--without", "fuse")["ops"]
            self.assertEqual([op["name"] for op in alone], ["layer.down_proj"])
            region = self.explain("--op", name)["ops"]
            self.assertEqual([op["name"].split(" + ")[0] for op in region], ["layer.down_proj"])
        text = self.strata("explain", self.model, "--op", "down_proj").text
        self.assertIn(f"f32[{HIDDEN}, {INTERMEDIATE}]", text)

    def page(self, *arguments, model=None):
        path = self.work / "plan.html"
        result = self.strata("explain", model or self.model, "--html", path, *arguments)
        self.assertEqual(result.code, 0, result)
        text = path.read_text(encoding="utf8")
        return text, xml.fromstring(text.split("\n", 1)[1])  # without the doctype

    def without_seconds(self, page):
        """Those that the search took."""
        return re.sub(r"<b>[\d.]+ s</b>|<table class=.rules.>.*?</table>", "", page, flags=re.S)

    def names(self, root, step):
        return ["".join(link.itertext())
                for link in root.findall(f".//table[@id='ops-{step}']/tbody/tr[@class='op']/td/a")]

    @like_another
    def test_page_needs_nothing_else(self):
        text, root = self.page("--measure", "-t", 1, "-n", 8, model=self.package)
        self.assertFalse(re.search(r"https?://|src=|@import|url\(", text))
        self.assertEqual([child.tag for child in root], ["head", "body"])
        for step, rows in (("decoding", 1), ("prefill", 8)):
            ops = self.explain("-n", rows, "-t", 1, model=self.package)["ops"]
            self.assertEqual(sorted(self.names(root, step)), sorted(op["name"] for op in ops))
            arithmetic = [op for op in ops if op["flops"] > 0]
            for plot, width, height in (("roofline wide", 1100, 520), ("roofline narrow", 380, 420)):
                dots = root.findall(f".//svg[@class='{plot}']/a[@class='dot {step}']")
                self.assertEqual(len(dots), len(arithmetic))
                for shape in (circle for dot in dots for circle in dot.findall("circle")):
                    self.assertTrue(0 <= float(shape.get("cx")) <= width and 0 <= float(shape.get("cy")) <= height,
                                    shape.attrib)
            points = root.findall(f".//svg[@class='accuracy']/a[@class='dot {step}']")
            self.assertEqual(len(points), len(ops))
        self.assertTrue(all("team" in code.text for code in root.findall(".//details[@class='code']/pre")))
        self.assertGreater(len(root.findall(".//details[@class='code']/pre")), 20)

    def test_page_says_why(self):
        text, root = self.page("--machine", "avx512-zen4", "-t", 1)
        rates = [float(rate.text.replace(",", "")) for rate in root.findall(".//p[@class='rate']/b")]
        for rate, rows in zip(rates, (1, 512)):
            document = self.explain("-n", rows, "--machine", "avx512-zen4", "-t", 1)
            predicted = rows / document["summary"]["predicted_ns"] * 1e9
            self.assertAlmostEqual(rate / predicted, 1, delta=0.01)
        sentences = [sentence.text for sentence in root.findall(".//p[@class='sentence']")]
        self.assertEqual(len(sentences), 2)
        for sentence in sentences:
            self.assertRegex(sentence, r"^\d+\u00a0% of the time (reads weights|computes|moves|is short loops)")
        values = {name.text: value.text for name, value in zip(root.findall(".//dl/dt"), root.findall(".//dl/dd"))}
        self.assertEqual((values["threads"], values["its figures"]), ("1", "those of the machine file avx512-zen4"))
        self.assertEqual(self.without_seconds(text),
                         self.without_seconds(self.page("--machine", "avx512-zen4", "-t", 1)[0]))

    def test_page_shows_trees_what_was_weighed_and_the_arena(self):
        arguments = ("-n", 8, "--machine", "avx512-zen4", "-t", 2)
        _, root = self.page(*arguments)
        explained = self.explain(*arguments)
        rows = root.findall(".//table[@id='ops-prefill']/tbody")
        self.assertEqual(len(rows), len(explained["ops"]))
        for row in rows:
            op = explained["ops"][int(row.get("data-order"))]
            self.assertEqual(row.get("id"), f"prefill-{row.get('data-order')}")
            self.assertEqual("".join(row.find("tr/td/a").itertext()), op["name"])
            boxes = len(row.findall(".//div[@class='tree']//div"))
            nodes = [line for line in op["tree"].splitlines() if line.strip() != "}"]
            self.assertEqual(boxes, len(nodes))
        losers = [(row[1].text, row[2].text) for row in root.findall(".//table[@class='joins']/tbody/tr")]
        self.assertTrue(losers)
        for text, more in losers:
            self.assertRegex(text, "^(joining .+ with .+|parting into .+ and .+)$")
            self.assertRegex(more, r"^\+\d+\.\d\d %$")
        for row in root.findall(".//table[@class='tiles']/tbody/tr"):
            self.assertRegex(row[1].text, r"^panels \d+, rows \d+, depth \d+, not panels")
            self.assertRegex(row[2].text, r"^\+\d+\.\d\d %$")
        maps = root.findall(".//svg[@class='arena']")
        decoded = self.explain("-n", 1, *arguments[2:])
        self.assertEqual([len(each.findall("rect")) for each in maps],
                         [arena["buffers"] for each in (decoded, explained) for arena in each["arenas"]
                          if arena["bytes"]])
        for rectangle in (each for svg in maps for each in svg.findall("rect")):
            x, y, width, height = (float(rectangle.get(key)) for key in ("x", "y", "width", "height"))
            self.assertTrue(0 <= x and x + width <= 960 and 0 <= y and y + height <= 280, rectangle.attrib)
            self.assertGreater(width, 0)

    @numbers_only
    def test_arenas_are_near_their_lower_bounds(self):
        for preset in sample(("qwen3-nano", "llama-nano", "qwen2-nano")):
            for rows in (1, 8, 64):
                for more in ([], ["--without", "fuse"]):
                    for arena in self.explain("-n", rows, *more, model=self.checkpoint(preset))["arenas"]:
                        self.assertGreaterEqual(arena["bytes"], arena["lower_bound"])
                        self.assertLessEqual(arena["bytes"], 1.05 * arena["lower_bound"], (preset, rows, arena))

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
