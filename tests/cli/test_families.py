# SPDX-License-Identifier: Apache-2.0
"""Model families, of folders and of GGUF files, against a float64 computation from the same numbers: more tokens than
windows have, and than the contexts that RoPE is stretched from."""
import json
import unittest

import numpy as np
from harness import ROOT, StrataTest, load_module, numbers_only, reference

gguf = load_module(ROOT / "tests/tools/gguf_file.py")

LIMIT = 1e-5  # ||out - ref|| / ||ref||, in f32
TOKENS = 75


class FamiliesTest(StrataTest):
    optimises = False

    def check(self, preset, steps=(0,), has_gguf=True):
        folder = self.checkpoint(preset)
        config, weights = reference.load(folder)
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], TOKENS)
        want = reference.logits(config, weights, tokens)
        for step in steps:
            with self.subTest(preset=preset, step=step):
                got = self.logits(folder, tokens, *(["--step", step] if step else []))
                self.assertLessEqual(reference.relative_error(got, want), LIMIT)
        if has_gguf:
            path = self.work / f"{preset}.gguf"
            metadata, tensors, _ = gguf.make(config, weights, lambda name: "F32", reference)
            path.write_bytes(gguf.gguf_bytes(metadata, tensors))
            with self.subTest(preset=preset, form="GGUF"):
                self.assertLessEqual(reference.relative_error(self.logits(path, tokens), want), LIMIT)

    @numbers_only
    def test_linear_scaling(self):
        self.check("llama-nano-linear")

    @numbers_only
    def test_yarn(self):
        self.check("llama-nano-yarn")

    @numbers_only
    def test_mistral(self):
        self.check("mistral-nano", has_gguf=False)  # files of that architecture, llama, have no windows

    @numbers_only
    def test_qwen3_moe(self):
        self.check("qwen3-moe-nano", steps=(0, 1, 5), has_gguf=False)  # files of that architecture have no dense layers
        self.check("qwen3-moe-blocks")

    @numbers_only
    def test_granite(self):
        self.check("granite-nano")

    @numbers_only
    def test_smollm3(self):
        self.check("smollm3-nano")

    @numbers_only
    def test_olmo2(self):
        self.check("olmo2-nano")

    @numbers_only
    def test_phi3(self):
        self.check("phi3-nano", steps=(0, 1))

    @numbers_only
    def test_glm4(self):
        self.check("glm4-nano", steps=(0, 1))

    def test_gemma3(self):
        self.check("gemma3-nano", steps=(0, 1))

    def test_experts_that_are_missing_are_named(self):
        folder = self.checkpoint("qwen3-moe-nano", seed=9)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes().replace(b"2.mlp.experts.3.up_proj", b"2.mlp.experts.9.up_proj", 1))
        self.assert_error(self.strata("info", folder), 3, "model.layers.2.mlp.experts.3.up_proj.weight", str(folder))

    def test_contradictions_are_one_clear_line(self):
        changes = {"qwen3-moe-nano": ({"moe_intermediate_size": 48}, "layers.0.mlp.experts.0.gate_proj.weight"),
                   "qwen3-moe-blocks": ({"num_experts_per_tok": 7}, "num_experts_per_tok"),
                   "granite-nano": ({"logits_scaling": None}, "logits_scaling"),
                   "gemma3-nano": ({"layer_types": ["full_attention"] * 3}, "layer_types"),
                   "llama-nano-yarn": ({"rope_scaling": {"rope_type": "nosuch"}}, "nosuch"),
                   "phi3-nano": ({"intermediate_size": 200}, "gate_up_proj.weight")}
        for preset, (change, word) in changes.items():
            config_file = self.checkpoint(preset, seed=8) / "config.json"
            config_file.write_text(json.dumps(json.loads(config_file.read_text()) | change))
            self.assert_error(self.strata("info", config_file.parent), 3, word, str(config_file.parent))


if __name__ == "__main__":
    unittest.main()
