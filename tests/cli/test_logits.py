# SPDX-License-Identifier: Apache-2.0
"""Logits against a float64 computation from the same files, at once and step by step through the cache."""
import unittest

import numpy as np
from harness import DEMO, StrataTest, like_another, numbers_only, reference, sample

# Relative error of all logits together: ||out - ref|| / ||ref||. Activations may be rounded to the weights' dtype.
LIMIT = {"f32": 1e-5, "f16": 4e-3, "bf16": 3e-2}


class CheckedLogits(StrataTest):
    def check(self, preset, dtype, shards=1, steps=(0, 1, 5)):
        folder = self.checkpoint(preset, dtype, shards)
        config, weights = reference.load(folder)
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], 37)
        want = reference.logits(config, weights, tokens)
        for step in steps:
            with self.subTest(preset=preset, dtype=dtype, step=step):
                got = self.logits(folder, tokens, *(["--step", step] if step else []))
                self.assertEqual((got.shape, got.dtype), (want.shape, np.float32))
                self.assertLessEqual(reference.relative_error(got, want), LIMIT[dtype])
        for count in sample((17, 2, 37)):  # what `run` feeds: the last row alone, by versions of the program for that
            with self.subTest(preset=preset, dtype=dtype, last=count):
                got = self.logits(folder, tokens[:count], "--last")
                self.assertEqual(got.shape, (1, want.shape[1]))
                self.assertLessEqual(reference.relative_error(got, want[count - 1:count]), LIMIT[dtype])


class LogitsTest(CheckedLogits):
    @numbers_only
    def test_qwen3(self):
        self.check("qwen3-nano", "f32")

    def test_qwen3_of_odd_sizes(self):
        self.check("qwen3-micro", "f32")

    @numbers_only
    def test_qwen3_bf16(self):
        self.check("qwen3-micro", "bf16")

    def test_qwen3_f16_in_three_shards(self):
        self.check("qwen3-nano", "f16", shards=3)

    @numbers_only
    def test_result_does_not_depend_on_the_threads(self):
        """Not by a bit: how many work on a step depends on what else the machine does."""
        tokens = list(range(1, 40))
        for step in ([], ["--step", 1]):
            one = self.logits(self.checkpoint("qwen3-micro"), tokens, "-t", 1, *step)
            for threads in (2, 3, 5):
                more = self.logits(self.checkpoint("qwen3-micro"), tokens, "-t", threads, "--fixed-team", *step)
                self.assertTrue(np.array_equal(more, one), (threads, step))

    @numbers_only
    def test_a_long_prompt_equals_its_steps(self):
        folder = self.checkpoint("qwen3-nano")
        tokens = np.random.default_rng(4).integers(0, 512, 300)
        whole = self.logits(folder, tokens)
        self.assertLessEqual(reference.relative_error(self.logits(folder, tokens, "--step", 7), whole), LIMIT["f32"])
        for step in ([], ["--step", 130]):
            got = self.logits(folder, tokens, "--last", *step)
            self.assertLessEqual(reference.relative_error(got, whole[-1:]), LIMIT["f32"], step)

    @numbers_only
    def test_demo_model(self):
        config, weights = reference.load(DEMO)
        tokens = list(range(100, 130))
        error = reference.relative_error(self.logits(DEMO, tokens), reference.logits(config, weights, tokens))
        self.assertLessEqual(error, LIMIT["f32"])


class UnoptimisedLogitsTest(CheckedLogits):
    """What another model or plan computes; an optimising compiler would take most of the time."""
    optimises = False

    @numbers_only
    def test_qwen2_has_biases(self):
        self.check("qwen2-nano", "f32")

    @numbers_only
    def test_qwen2_bf16(self):
        self.check("qwen2-nano", "bf16", steps=(0,))

    @numbers_only
    def test_windows_of_some_layers(self):
        self.check("qwen2-nano-windows", "f32")

    @numbers_only
    def test_windows_in_pairs(self):
        self.check("qwen2-nano-windows", "bf16", steps=(0, 1))

    @numbers_only
    def test_llama_with_its_own_head(self):
        self.check("llama-nano", "f32")

    @numbers_only
    def test_llama_bf16(self):
        self.check("llama-nano", "bf16", steps=(0, 1))

    @numbers_only
    def test_llama3_rope_scaling(self):
        self.check("llama-nano-rope3", "f32")

    @like_another
    def test_of_a_prompt_whose_rows_are_all_made(self):
        folder = self.checkpoint("qwen3-nano")
        package = self.work / "all-rows.strata"
        self.assertEqual(self.strata("compile", folder, "-o", package, "--without", "rows").code, 0)
        tokens = list(range(1, 38))
        want = self.logits(folder, tokens)
        for last in ([], ["--last"]):
            got = self.logits(package, tokens, *last)
            self.assertLessEqual(reference.relative_error(got, want[-got.shape[0]:]), LIMIT["f32"])

    @numbers_only
    def test_other_dtype_than_the_files(self):
        folder = self.checkpoint("qwen3-nano", "f32")
        package = self.work / "as-bf16.strata"
        self.assertEqual(self.strata("compile", folder, "-o", package, "--dtype", "bf16").code, 0)
        tokens = [1, 2, 3, 4, 5]
        want = reference.logits(*reference.load(folder), tokens)
        error = reference.relative_error(self.logits(package, tokens), want)
        self.assertLessEqual(error, LIMIT["bf16"])
        self.assertGreater(error, LIMIT["f32"], "the weights were not rounded")

    @numbers_only
    def test_numbers_narrower_than_their_type(self):
        """What was converted from bf16 keeps the precision of what it is, however it is stored."""
        for dtype, limit in (("f32", LIMIT["f32"]), ("f16", 1e-3)):  # the cache of an f16 model is f16
            folder = self.checkpoint("qwen3-micro", dtype, numbers="bf16")
            package = self.work / f"narrow-{dtype}.strata"
            self.assertEqual(self.strata("compile", folder, "-o", package).code, 0)
            tokens = list(range(1, 38))
            want = reference.logits(*reference.load(folder), tokens)
            for step in (0, 1):
                got = self.logits(package, tokens, *(["--step", step] if step else []))
                self.assertLessEqual(reference.relative_error(got, want), limit, (dtype, step))


if __name__ == "__main__":
    unittest.main()
