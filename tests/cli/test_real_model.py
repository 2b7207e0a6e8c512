# SPDX-License-Identifier: Apache-2.0
"""SmolLM2-135M-Instruct, as scripts/demo.sh --real fetches it: text that a person would take for an answer."""
import unittest

import numpy as np

from harness import ROOT, StrataTest, numbers_only

MODELS = sorted((ROOT / "build/real").rglob("*.gguf"))


@unittest.skipUnless(MODELS, "scripts/demo.sh --real has not fetched the model")
class RealModelTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.packages = {}
        for activations in ("exact", "rounded"):
            cls.packages[activations] = cls.work / f"{activations}.strata"
            result = cls.strata("compile", MODELS[0], "--activations", activations, "-o", cls.packages[activations])
            assert result.code == 0, result

    def test_conversation(self):
        for activations, package in self.packages.items():
            with self.subTest(activations):
                result = self.strata("chat", package, "-n", 60, "--temp", 0,
                                     stdin=b"Give me three tips for a good night's sleep.\n")
                self.assertEqual(result.code, 0, result)
                self.assertIn("sleep schedule", result.text)

    @numbers_only
    def test_rounding_is_small(self):
        tokens = np.random.default_rng(2).integers(17, 49152, 24)
        exact, rounded = (self.logits(package, tokens) for package in self.packages.values())
        self.assertLess(np.linalg.norm(rounded - exact) / np.linalg.norm(exact), 0.08)


if __name__ == "__main__":
    unittest.main()
