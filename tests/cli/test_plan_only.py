# SPDX-License-Identifier: Apache-2.0
"""strata compile --plan-only: the contract's JSON, a folder without weights, what is refused; no file is made."""
import json
import shutil
import unittest

from harness import ROOT, StrataTest, like_another, read_safetensors

MACHINE = ["--machine", "avx512-zen4", "-t", "2"]
LAYERS = 2  # of qwen3-nano


class PlanOnlyTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.checkpoint("qwen3-nano")

    def config_alone(self, name="config-alone", **changes):
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        config = json.loads((self.model / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        return folder

    def files(self):
        """All but the solved tiles, which the cache keeps for each machine."""
        return sorted(path for path in self.work.rglob("*") if path.parent.name != "tiles")

    def plan(self, model, *arguments):
        before = self.files()
        result = self.strata("compile", model, "--plan-only", "-o", "json", *arguments)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.files(), before)
        return json.loads(result.text)

    def test_schema(self):
        plan = self.plan(self.model, *MACHINE)
        self.assertLess(0, plan["predicted"]["decode_s"])
        self.assertLess(plan["predicted"]["decode_s"], plan["predicted"]["prefill_s"])
        self.assertEqual(plan["memory_bytes_per_device"], [sum(plan["memory"].values())])
        self.assertEqual((plan["bytes_per_link"], plan["collectives_per_layer"]), ({}, []))
        names = [(region["version"], name) for region in plan["regions"] for name in region["ops"]]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([placed["op"].split(" + ")[0] for placed in plan["placements"]],
                         [region["ops"][0] for region in plan["regions"]])
        for region in plan["regions"]:
            self.assertRegex(region["tree"], r"leaf |stage \d")
            self.assertEqual(region["tree"].count("{"), region["tree"].count("}"))
            self.assertEqual(region["tree"].count("barrier") > 0, region["tree"].startswith("barrier"))
        for version, name in (("seq1", "layer.down_proj"), ("chunk", "layer.down_proj"), ("seq1", "head.embed_tokens")):
            self.assertIn((version, name), names)
        joined = [region for region in plan["regions"] if len(region["ops"]) > 1]
        self.assertTrue(joined)
        self.assertEqual(plan, self.plan(self.model, *MACHINE))

    @like_another
    def test_explain_says_the_same(self):
        plan = self.plan(self.model, *MACHINE)
        explained = json.loads(self.strata("explain", self.model, "-o", "json", *MACHINE).text)
        self.assertEqual(explained["stats"]["barriers_per_token"], plan["barriers_per_token"])
        self.assertEqual(explained["summary"]["barriers"], plan["barriers_per_token"])
        self.assertGreater(plan["barriers_per_token"], LAYERS)
        decoding = [region for region in plan["regions"] if region["version"] == "seq1"]
        self.assertEqual([op["region"] for op in explained["ops"]], [region["ops"] for region in decoding])
        self.assertEqual([op["tree"] for op in explained["ops"]], [region["tree"] for region in decoding])
        self.assertEqual(plan["barriers_per_token"], sum(region["barriers"] * region["count"] for region in decoding))
        many = json.loads(self.strata("explain", self.model, "-o", "json", "-n", "64", *MACHINE).text)
        self.assertEqual(many["stats"]["barriers_per_token"], plan["barriers_per_token"])
        self.assertNotEqual(many["summary"]["barriers"], plan["barriers_per_token"])

    def test_config_alone_is_enough(self):
        folder = self.config_alone()
        result = self.strata("compile", folder, "--plan-only", "-o", "json", *MACHINE)
        self.assertIn("the model has no weights", result.err)
        self.assertEqual(result.code, 0)

    @like_another
    def test_config_alone_plans_what_the_weights_do(self):
        folder = self.config_alone()
        with_weights, without = self.plan(self.model, *MACHINE), self.plan(folder, *MACHINE)
        for key in ("memory", "regions", "predicted"):
            self.assertEqual(with_weights[key], without[key])  # random f32 weights have no encoding
        wide = self.plan(self.config_alone("bf16", torch_dtype="bfloat16"), *MACHINE)["memory"]["weights"]
        self.assertLess(wide, without["memory"]["weights"])
        self.assertEqual(self.plan(folder, *MACHINE, "--dtype", "bf16")["memory"]["weights"], wide)
        unnamed = self.plan(self.config_alone("unnamed", torch_dtype=None, dtype=None), *MACHINE)
        self.assertEqual(unnamed["memory"], without["memory"])
        header, _ = read_safetensors(self.model / "model.safetensors")
        stored = sum(end - begin for begin, end in (entry["data_offsets"] for name, entry in header.items()
                                                    if name != "__metadata__"))
        self.assertGreaterEqual(without["memory"]["weights"], stored)
        self.assertLess(without["memory"]["weights"], 2 * stored)

    @like_another
    def test_options_reach_the_plan(self):
        folder = self.config_alone()
        plan = self.plan(folder, *MACHINE)
        apart = self.plan(folder, *MACHINE, "--without", "fuse")
        self.assertEqual({len(region["ops"]) for region in apart["regions"]}, {1})
        self.assertLess(plan["barriers_per_token"], apart["barriers_per_token"])
        all_rows = self.plan(folder, *MACHINE, "--without", "rows")
        self.assertIn("layer_one", {region["function"] for region in plan["regions"]})
        self.assertEqual({region["function"] for region in all_rows["regions"]}, {"forward", "layer", "head"})
        self.assertGreater(all_rows["predicted"]["prefill_s"], plan["predicted"]["prefill_s"])
        self.assertEqual(plan["threads"], 2)
        self.assertEqual(self.plan(folder, *MACHINE, "-t", "1")["threads"], 1)
        longer = self.plan(folder, *MACHINE, "--workload", "prompt=1024,generate=256")
        self.assertGreater(longer["predicted"]["prefill_s"], 1.5 * plan["predicted"]["prefill_s"])
        batch = self.plan(folder, *MACHINE, "--workload", "batch=4")
        self.assertEqual(batch["memory"]["caches"], 4 * plan["memory"]["caches"])
        self.assertGreater(batch["predicted"]["decode_s"], plan["predicted"]["decode_s"])
        self.assertEqual(self.plan(folder, *MACHINE, "--workload", "prompt=0")["predicted"]["prefill_s"], 0)

    @like_another
    def test_more_cores_than_key_value_heads_split_the_context(self):
        machine = json.loads((ROOT / "machines/avx512-zen4.json").read_text()) | {"cores": 64}
        machine["memory"][2]["shared_by"], machine["memory"][3]["shared_by"] = 8, 64
        machine["memory"][3]["read_bytes_per_s"] = {"1": 30e9, "8": 200e9, "64": 400e9}
        folder = self.config_alone("long", torch_dtype="bfloat16", max_position_embeddings=8192, head_dim=128,
                                   num_attention_heads=8, num_key_value_heads=4)

        def planned(name, barrier_s, *arguments):
            path = self.work / name
            path.write_text(json.dumps(machine | {"barrier_s": barrier_s}))
            result = self.strata("compile", folder, "--plan-only", "-o", "json", "--machine", path, "--workload",
                                 "prompt=4096", *arguments)
            self.assertEqual(result.code, 0, result)
            plan = json.loads(result.text)
            tree, = (region["tree"] for region in plan["regions"]
                     if region["version"] == "seq1" and "leaf attention-start" in region["tree"])
            return plan, tree

        whole, tree = planned("cores.json", machine["barrier_s"], "-t", "2")
        self.assertNotIn("split", tree)
        plan, tree = planned("cores.json", machine["barrier_s"], "-t", "64")
        self.assertRegex(tree, r"(?s)split t into \d+ \{[^}]*leaf attention-start.*\nbarrier\n.*leaf attention-combine")
        apart, tree = planned("cores.json", machine["barrier_s"], "-t", "64", "--without", "split")
        self.assertNotIn("split", tree)
        self.assertLess(plan["predicted"]["decode_s"], apart["predicted"]["decode_s"])
        self.assertEqual(plan["barriers_per_token"], apart["barriers_per_token"] + LAYERS)
        _, tree = planned("slow.json", 1000 * machine["barrier_s"], "-t", "64")
        self.assertNotIn("split", tree)

    @like_another
    def test_more_cores_than_groups_of_columns_share_rows(self):
        machine = json.loads((ROOT / "machines/avx512-zen4.json").read_text()) | {"cores": 64, "barrier_s": 2e-6}
        machine["memory"][2]["shared_by"], machine["memory"][3]["shared_by"] = 8, 64
        machine["memory"][3]["read_bytes_per_s"] = {"1": 30e9, "8": 200e9, "64": 400e9}
        path = self.work / "many-cores.json"
        path.write_text(json.dumps(machine))
        folder = self.config_alone("wide", torch_dtype="bfloat16", hidden_size=1024, intermediate_size=3072)

        def planned(*arguments):
            plan = self.plan(folder, "--machine", path, *arguments)
            trees = {name.split(".")[-1]: region["tree"] for region in plan["regions"] for name in region["ops"]
                     if region["version"] == "chunk" and region["function"] == "layer"}
            return plan, trees

        plan, trees = planned()
        self.assertRegex(trees["down_proj"], r"parallel \w+ by 64 \{\s+parallel \w+ by \d+ \{")
        for region in plan["regions"]:
            if region["version"] == "seq1" and "leaf attention" not in region["tree"]:
                self.assertNotRegex(region["tree"], r"parallel [^{]*\{\s+parallel")
        apart, trees = planned("--without", "grid")
        self.assertNotRegex(trees["down_proj"], r"parallel [^{]*\{\s+parallel")
        self.assertLess(plan["predicted"]["prefill_s"], 0.8 * apart["predicted"]["prefill_s"])
        self.assertEqual(plan["predicted"]["decode_s"], apart["predicted"]["decode_s"])
        self.assertEqual(planned("-t", "1")[0], planned("-t", "1", "--without", "grid")[0])

    @like_another
    def test_regions_reach_the_choice_of_layouts(self):
        """SiLU's factor runs in lanes where packing the other half of the product is no pass over memory."""
        machine = ["--machine", "avx2-zen3", "-t", "1"]
        plan, apart = self.plan(self.model, *machine), self.plan(self.model, *machine, "--without", "joint")
        self.assertLess(plan["predicted"]["prefill_s"], 0.99 * apart["predicted"]["prefill_s"])
        self.assertLess(len(plan["regions"]), len(apart["regions"]))
        command = ["explain", self.model, "-o", "json", *machine]
        second = json.loads(self.strata(*command).text)["stats"]["second_round"]
        self.assertTrue(second["is_kept"])
        self.assertLess(second["second_ns"], second["first_ns"])
        self.assertIsNone(json.loads(self.strata(*command, "--without", "joint").text)["stats"]["second_round"])

    @like_another
    def test_text(self):
        default = self.strata("compile", self.model, "--plan-only", *MACHINE)
        self.assertEqual(default.code, 0, default)
        text = self.strata("compile", self.model, "--plan-only", "-o", "text", *MACHINE).text
        self.assertEqual(text, default.text)
        markdown = self.strata("compile", self.model, "--plan-only", "-o", "md", *MACHINE).text
        self.assertRegex(markdown, r"^# .*\n\n(- .*\n)+\n```\n[^`]*\n```\n$")
        self.assertIn(text.partition("\n\n")[2], markdown)
        plan = self.plan(self.model, *MACHINE)
        self.assertIn(f"with {plan['barriers_per_token']} barriers", default.text)
        for region in plan["regions"]:
            self.assertIn(region["tree"].splitlines()[0], default.text)

    def test_mistakes(self):
        folder = self.config_alone()
        for arguments, words in ((["-o", "out.strata"], ["out.strata", "json, md or text"]), (["-o", "csv"], ["csv"]),
                                 (["--nodes", "0"], ["--nodes"]), (["--without", "nosuch"], ["nosuch"]),
                                 (["--workload", "prompt=x"], ["prompt"]), (["--machine", "nosuch"], ["nosuch"])):
            with self.subTest(arguments):
                self.assert_error(self.strata("compile", folder, "--plan-only", *arguments), 2, *words)
        self.assert_error(self.strata("compile", folder), 2, "--output")
        self.assert_error(self.strata("compile", folder, "-o", self.work / "x.strata"), 3, "no model.safetensors")
        self.assert_error(self.strata("explain", folder), 3, "no model.safetensors")
        for changes, words in (({"torch_dtype": "int8"}, ["int8", "bfloat16"]), ({"hidden_size": 0}, ["hidden_size"])):
            self.assert_error(self.strata("compile", self.config_alone("wrong", **changes), "--plan-only"), 3, *words)
        empty = self.work / "empty"
        empty.mkdir()
        self.assert_error(self.strata("compile", empty, "--plan-only"), 3, "empty")
        cut = self.work / "cut"
        shutil.copytree(self.model, cut)
        (cut / "model.safetensors").write_bytes(b"x" * 9)
        self.assert_error(self.strata("compile", cut, "--plan-only"), 3, "model.safetensors")


if __name__ == "__main__":
    unittest.main()
