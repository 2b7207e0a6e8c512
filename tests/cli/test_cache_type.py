# SPDX-License-Identifier: Apache-2.0
"""The type of a context's keys and values, chosen apart from the weights' (--cache-type)."""
import json
import re
import unittest

import numpy as np
from harness import DEMO, StrataTest, numbers_only, reference, sample

# Relative error of all logits together, by the less precise one of weights and caches.
LIMIT = {"f32": 1e-5, "f16": 1e-3, "bf16": 1e-2}
PRECISION = ("f32", "f16", "bf16")


class CacheTypeTest(StrataTest):
    optimises = False

    def compiled(self, model, dtype, cache):
        package = self.work / f"{model.name}-{dtype}-{cache}.strata"
        if not package.exists():
            result = self.strata("compile", model, "-o", package, "--dtype", dtype, "--cache-type", cache)
            self.assertEqual(result.code, 0, result)
        return package

    def check_logits(self, preset, dtype, cache):
        """At once and step by step, of numbers that bf16 holds: of the weights' rounding nothing is seen."""
        folder = self.checkpoint(preset, "f32", numbers="bf16")
        package = self.compiled(folder, dtype, cache)
        config, weights = reference.load(folder)
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], 75)
        want = reference.logits(config, weights, tokens)
        limit = LIMIT[max(dtype, cache, key=PRECISION.index)]
        whole = self.logits(package, tokens)
        errors = {}
        for step in (0, 1, 5):
            got = self.logits(package, tokens, "--step", step) if step else whole
            errors[step] = reference.relative_error(got, want)
            self.assertLessEqual(errors[step], limit, step)
            self.assertLessEqual(reference.relative_error(got, whole), limit, step)
        return errors

    @numbers_only
    def test_logits(self):
        for preset, dtype, cache in (("qwen3-micro", "f32", "bf16"), ("llama-nano", "f32", "f16"),
                                     ("qwen3-nano", "bf16", "f32"), ("llama-nano", "bf16", "f16"),
                                     ("qwen3-nano", "f16", "f32")):
            with self.subTest(preset=preset, dtype=dtype, cache=cache):
                errors = self.check_logits(preset, dtype, cache)
                if dtype == "f32":  # what the cache rounds is seen
                    self.assertGreater(min(errors.values()), LIMIT["f32"])

    @numbers_only
    def test_windows(self):
        self.check_logits("qwen2-nano-windows", "f32", "bf16")


class ChosenCacheTest(StrataTest):
    """What the choice changes beside the numbers."""
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()

    def package(self, *more):
        result = self.strata("run", self.model, "-p", "Hi", "-n", 1, "-v", *more)
        return re.search(r"package: (\S+) \((.*)\)", result.err)

    def test_key_of_the_cache(self):
        plain, half, again = (self.package(*more) for more in ((), ("--cache-type", "f16"), ("--cache-type", "f16")))
        self.assertNotEqual(plain[1], half[1])
        self.assertEqual(again[1], half[1])
        self.assertIn("from the cache", again[2])
        self.assertEqual(self.package("--cache-type", "keep")[1], plain[1])
        caches = [re.search(r"\ncaches +(\S+), (.*) for each token", self.strata("info", path[1]).text)
                  for path in (plain, half)]
        self.assertEqual([found[1] for found in caches], ["f32", "f16"])
        self.assertEqual([found[2] for found in caches], self.bytes_per_token())
        self.assertIn("--cache-type=f16", self.strata("info", half[1]).text)
        self.check_package(half[1])

    def bytes_per_token(self):
        config = json.loads((self.model / "config.json").read_text())
        elements = 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]
        return [f"{elements * size} B" if elements * size < 1024 else f"{elements * size / 1024:.2f} KiB"
                for size in (4, 2)]

    def check_package(self, package):
        """One that is made keeps its type."""
        tokens = ("--tokens", "1,2", "-o", self.work / "x.npy")
        self.assertEqual(self.strata("logits", package, *tokens, "--cache-type", "f16").code, 0)
        for command in (("logits", package, *tokens), ("bench", package), ("explain", package)):
            refused = self.strata(*command, "--cache-type", "bf16")
            self.assert_error(refused, 2, "--cache-type bf16", "caches of type f16", str(package))

    @numbers_only
    def test_bench_and_explain_say_it(self):
        columns = json.loads(self.strata("bench", self.model, "-p", 1, "-n", 0, "-r", 1, "-o", "json",
                                         "--cache-type", "bf16").text)[0]
        self.assertEqual((columns["type_k"], columns["type_v"]), ("bf16", "bf16"))
        for cache in sample(("keep", "f16", "bf16")):
            ops = json.loads(self.strata("explain", self.model, "-o", "json", "--cache-type", cache).text)["ops"]
            types = {op["type"].split("[")[0] for op in ops if op["op"] == "cache_append"}
            self.assertEqual(types, {"f32" if cache == "keep" else cache})

    def test_memory_of_a_plan(self):
        memory = {cache: json.loads(self.strata("compile", self.model, "--plan-only", "-o", "json",
                                                "--cache-type", cache).text)["memory"]
                  for cache in ("keep", "bf16")}
        self.assertEqual(memory["keep"]["caches"], 2 * memory["bf16"]["caches"])
        self.assertEqual(memory["keep"]["weights"], memory["bf16"]["weights"])

    @numbers_only
    def test_effect_on_the_predictions(self):
        text = (DEMO / "tokenizer_config.json").read_bytes()
        kl = {}
        for cache in ("f16", "bf16"):
            result = self.strata("perplexity", self.model, "--cache-type", cache, "--against", self.model, "-f", "-",
                                 "-c", 64, "-o", "json", stdin=text)
            self.assertEqual(result.code, 0, result)
            kl[cache] = json.loads(result.text)["kl_mean"]
        self.assertTrue(0 < kl["f16"] < kl["bf16"] < 1e-3, kl)

    def test_wrong_types(self):
        commands = (("compile", "-o", self.work / "no.strata"), ("run", "-p", "Hi"), ("chat",), ("bench",), ("serve",),
                    ("logits", "--tokens", 1, "-o", self.work / "no.npy"), ("perplexity", "-f", "-"), ("explain",))
        for command, *more in commands:
            for wrong in ("q8", "F16", ""):
                refused = self.strata(command, self.model, *more, "--cache-type", wrong)
                self.assert_error(refused, 2, "--cache-type", f"'{wrong}' is not one of f32, f16, bf16, keep")


if __name__ == "__main__":
    unittest.main()
