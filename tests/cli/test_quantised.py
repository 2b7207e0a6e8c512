# SPDX-License-Identifier: Apache-2.0
"""compile --dtype q8 and q4: logits of numbers that are codes already, and of others; sizes; what is refused."""
import json
import shutil
import unittest

import numpy as np
from harness import ROOT, StrataTest, edit_tensor, load_module, numbers_only, reference

gguf = load_module(ROOT / "tests/tools/gguf_file.py")

TOKENS = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38, 4, 62, 6]
MODEL = {"model_type": "llama", "hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 384, "vocab_size": 300,
         "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False}
SHAPES = {"self_attn.q_proj": (256, 256), "self_attn.k_proj": (128, 256), "self_attn.v_proj": (128, 256),
          "self_attn.o_proj": (256, 256), "mlp.gate_proj": (384, 256), "mlp.up_proj": (384, 256),
          "mlp.down_proj": (256, 384)}
CODEBOOK = [-127, -100, -78, -61, -47, -33, -21, -9, 2, 13, 24, 36, 49, 64, 82, 106]  # src/blocks/own_format.cpp
# Relative error of all logits of random numbers together, to those of the numbers as they were.
NOISE = {"q8": 0.04, "q4": 0.3}


def on_grid(rng, shape, dtype):
    """Numbers that blocks hold as they are: codes times multiples, of 32, of a number of their block."""
    if dtype == "q8":
        codes = rng.integers(-127, 128, shape)
        codes[:, ::16] = -127
        return codes * 2.0 ** -11
    codes = rng.choice(CODEBOOK, shape)
    codes[:, ::32] = -127
    multiples = rng.integers(60, 127, (shape[0], shape[1] // 32))
    multiples[:, ::4] = 127
    return codes * np.repeat(multiples, 32, axis=1) * 2.0 ** -18


class QuantisedTest(StrataTest):
    optimises = False

    def compiled(self, model, dtype, *more):
        package = self.work / f"{model.name}-{dtype}{len(more)}.strata"
        result = self.strata("compile", model, "-o", package, "--dtype", dtype, *more)
        self.assertEqual(result.code, 0, result)
        return package

    def grid(self, dtype):
        """(GGUF file of f32, float64 logits)"""
        rng = np.random.default_rng(3)
        weights = {f"model.layers.0.{n}.weight": 1 + 0.1 * rng.standard_normal(256)
                   for n in ("input_layernorm", "post_attention_layernorm")}
        weights["model.norm.weight"] = 1 + 0.1 * rng.standard_normal(256)
        for name, shape in SHAPES.items():
            weights[f"model.layers.0.{name}.weight"] = on_grid(rng, shape, dtype)
        for name in ("model.embed_tokens", "lm_head"):
            weights[f"{name}.weight"] = on_grid(rng, (300, 256), "q8")
        metadata, tensors, values = gguf.make(MODEL, weights, lambda name: "F32", reference)
        path = self.work / f"grid-{dtype}.gguf"
        path.write_bytes(gguf.gguf_bytes(metadata, tensors))
        return path, reference.logits(MODEL, values, TOKENS)

    def test_codes_are_kept(self):
        for dtype in ("q8", "q4"):
            with self.subTest(dtype):
                path, want = self.grid(dtype)
                got = self.logits(self.compiled(path, dtype, "--activations", "exact"), TOKENS)
                self.assertLess(reference.relative_error(got, want), 1e-5)

    def test_random_numbers(self):
        folder = self.checkpoint("qwen3-micro")
        config, weights = reference.load(folder)
        want = reference.logits(config, weights, TOKENS)
        errors = {}
        for dtype, most in NOISE.items():
            package = self.compiled(folder, dtype)
            errors[dtype] = reference.relative_error(self.logits(package, TOKENS), want)
            self.assertLess(errors[dtype], most)
            self.assertIn(f"{dtype.upper()}", self.strata("info", package).text)
        self.assertLess(4 * errors["q8"], errors["q4"])

    def weights(self, model, dtype):
        """Bytes of the weights, as planned."""
        plan = self.strata("compile", model, "--plan-only", "-o", "json", "--dtype", dtype, "--machine",
                           "avx512-zen4", "-t", 2)
        self.assertEqual(plan.code, 0, plan)
        return json.loads(plan.text)["memory"]["weights"]

    @numbers_only
    def test_sizes(self):
        folder = self.checkpoint("qwen3-micro")
        sizes = {dtype: self.weights(folder, dtype) for dtype in ("f16", "q8", "q4")}
        self.assertLess(sizes["q8"], 0.58 * sizes["f16"])
        self.assertLess(sizes["q4"], 0.75 * sizes["q8"])
        alone = self.work / "alone"
        alone.mkdir()
        shutil.copy(folder / "config.json", alone)
        for dtype in ("q8", "q4"):
            self.assertEqual(self.weights(alone, dtype), sizes[dtype], "what the format says needs no values")

    def test_mistakes(self):
        folder = self.checkpoint("qwen3-nano")
        broken = self.work / "broken"
        shutil.copytree(folder, broken)
        name = "model.layers.1.mlp.up_proj.weight"
        values = np.ones((192, 64), np.float32)
        values[17, 5] = np.nan
        edit_tensor(broken / "model.safetensors", name, values)
        for dtype in ("q8", "q4"):
            out = self.work / "none.strata"
            self.assert_error(self.strata("compile", broken, "-o", out, "--dtype", dtype), 3, name, "not finite")
            self.assertFalse(out.exists())
        config, weights = reference.load(folder)
        metadata, tensors, _ = gguf.make(config, weights, lambda _: "Q8_0", reference)
        path = self.work / "blocks.gguf"
        path.write_bytes(gguf.gguf_bytes(metadata, tensors))
        result = self.strata("compile", path, "-o", self.work / "none.strata", "--dtype", "q4")
        self.assert_error(result, 3, "quantised already", "Q8_0")
        self.assert_error(self.strata("compile", folder, "-o", self.work / "none.strata", "--dtype", "q5"), 2, "q5")


if __name__ == "__main__":
    unittest.main()
