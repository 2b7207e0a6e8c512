# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that transformers loads, though they aren't as it writes them: the same logits, or a warning."""
import json
import shutil
import unittest

import numpy as np

from harness import StrataTest, read_safetensors, reference, safetensors_bytes

TOKENS = [1, 2, 3, 4]


class ImportTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.checkpoint("qwen3-nano")
        cls.tied = json.loads((cls.base / "config.json").read_text())["tie_word_embeddings"]

    def copy(self, name):
        folder = self.work / name
        shutil.copytree(self.base, folder)
        return folder

    @staticmethod
    def add_tensor(folder, name, values):
        header, body = read_safetensors(folder / "model.safetensors")
        content = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [len(body), len(body) + len(content)]}
        (folder / "model.safetensors").write_bytes(safetensors_bytes(header, body + content))

    def test_a_head_of_its_own_under_a_tied_config(self):
        self.assertTrue(self.tied)
        folder = self.copy("own-head")
        config = json.loads((folder / "config.json").read_text())
        head = np.random.default_rng(1).standard_normal((config["vocab_size"], config["hidden_size"]))
        self.add_tensor(folder, "lm_head.weight", head)
        logits = self.logits(folder, TOKENS)
        self.assertIn("own weights", self.strata("info", folder).text)
        # What transformers computes: as if the config didn't tie them.
        (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
        wanted = reference.logits(*reference.load(folder), TOKENS)
        self.assertLess(reference.relative_error(logits, wanted), 1e-4)
        self.assertGreater(np.abs(logits - self.logits(self.base, TOKENS)).max(), 0.1)

    def test_tensors_that_nobody_uses_are_named(self):
        folder = self.copy("extra")
        self.add_tensor(folder, "model.layers.0.self_attn.rotary_emb.inv_freq", np.zeros(8))
        self.add_tensor(folder, "model.layers.0.mlp.extra", np.zeros(8))
        result = self.strata("compile", folder, "-o", self.work / "extra.strata")
        self.assertEqual(result.code, 0, result)
        self.assertIn("strata: warning: 1 tensor of the checkpoint is not used: model.layers.0.mlp.extra\n", result.err)
        self.assertNotIn("warning", self.strata("compile", self.base, "-o", self.work / "base.strata").err)

    def test_names_without_the_prefix(self):
        folder = self.copy("base-model")
        header, body = read_safetensors(folder / "model.safetensors")
        header = {name.removeprefix("model."): entry for name, entry in header.items()}
        (folder / "model.safetensors").write_bytes(safetensors_bytes(header, body))
        np.testing.assert_array_equal(self.logits(folder, TOKENS), self.logits(self.base, TOKENS))

    def test_configurations_that_change_nothing(self):
        config = json.loads((self.base / "config.json").read_text())
        without = {key: value for key, value in config.items() if key != "max_position_embeddings"}
        for name, changed in {"window": config | {"use_sliding_window": True, "sliding_window": 8},
                              "no window": config | {"use_sliding_window": True, "sliding_window": None},
                              "no architectures": config | {"architectures": []},
                              "another architecture": config | {"architectures": ["Qwen3Model"]},
                              "no experts": config | {"num_experts": 0},
                              "infinity": config | {"initializer_range": float("inf")},
                              "no positions": without}.items():
            with self.subTest(name):
                folder = self.copy(name.replace(" ", "-"))
                (folder / "config.json").write_text(json.dumps(changed))
                result = self.strata("info", folder)
                self.assertEqual((result.code, "Qwen3ForCausalLM" in result.text), (0, True), result)


if __name__ == "__main__":
    unittest.main()
