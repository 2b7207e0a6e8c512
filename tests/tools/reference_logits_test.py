# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "bench"), str(Path(__file__).resolve().parent)]
import make_checkpoint  # noqa: E402
import reference_logits  # noqa: E402

GOLDEN = SOURCE / "tests" / "data" / "demo_golden"


class ReferenceLogitsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_agrees_with_transformers_on_the_demo_model(self):
        config, weights = reference_logits.load(SOURCE / "models" / "demo")
        for line in (GOLDEN / "logits.jsonl").read_text().splitlines():
            entry = json.loads(line)
            golden = np.load(GOLDEN / entry["file"]).astype(np.float64)
            mine = reference_logits.logits(config, weights, entry["ids"])
            self.assertLessEqual(reference_logits.relative_error(mine, golden), 1e-5, entry["file"])

    def test_no_position_sees_a_later_one(self):
        for preset in ("qwen3-micro", "qwen2-nano", "llama-nano-rope3", "gemma3-nano", "glm4-nano", "phi3-nano"):
            make_checkpoint.write_checkpoint(self.folder / preset, preset, "f32")
            config, weights = reference_logits.load(self.folder / preset)
            longer = reference_logits.logits(config, weights, [3, 1, 4, 1, 5])
            shorter = reference_logits.logits(config, weights, [3, 1, 4])
            np.testing.assert_allclose(longer[:3], shorter, rtol=1e-9, atol=1e-12)
            self.assertGreater(np.abs(longer[3] - longer[1]).max(), 1e-3)  # position matters: token 1 stands at both

    def test_llama3_rope_keeps_short_waves_stretches_long_ones_and_blends_between(self):
        config = make_checkpoint.config_of("llama-nano-rope3", "f32")
        scaled = reference_logits.rope_frequencies(config, 16)
        plain = reference_logits.rope_frequencies(config | {"rope_scaling": None}, 16)
        wave, old = 2 * np.pi / plain, config["rope_scaling"]["original_max_position_embeddings"]
        ratio = plain / scaled
        np.testing.assert_allclose(ratio[wave < old / 4], 1.0)
        np.testing.assert_allclose(ratio[wave > old], 8.0)
        between = ratio[(wave > old / 4) & (wave < old)]
        self.assertTrue(len(between) and np.all((between > 1) & (between < 8)))

    def test_an_unknown_rope_is_refused(self):
        config = make_checkpoint.config_of("llama-nano", "f32") | {"rope_scaling": {"rope_type": "nosuch"}}
        with self.assertRaisesRegex(ValueError, "nosuch"):
            reference_logits.rope_frequencies(config, 16)

    def test_yarn_keeps_what_turns_often_and_divides_what_turns_seldom(self):
        config = make_checkpoint.config_of("llama-nano-yarn", "f32")
        scaled, amplitude = reference_logits.rope_of(config, 16)
        ratio = reference_logits.rope_frequencies(config | {"rope_scaling": None}, 16) / scaled
        self.assertAlmostEqual(ratio[0], 1)
        self.assertAlmostEqual(ratio[-1], 8)
        self.assertTrue(np.any((ratio > 1.01) & (ratio < 7.9)))
        self.assertAlmostEqual(amplitude, 0.1 * np.log(8) + 1)

    def compare(self, out):
        make_checkpoint.write_checkpoint(self.folder / "m", "qwen3-nano", "f32")
        np.save(self.folder / "out.npy", out)
        with contextlib.redirect_stdout(io.StringIO()):
            return reference_logits.main([str(self.folder / "m"), "--tokens", "1,2", "--compare",
                                          str(self.folder / "out.npy")])

    def test_compare_accepts_equal_and_refuses_different_misshapen_and_nan(self):
        make_checkpoint.write_checkpoint(self.folder / "m", "qwen3-nano", "f32")
        exact = reference_logits.logits(*reference_logits.load(self.folder / "m"), [1, 2])
        self.assertEqual(self.compare(exact.astype(np.float32)), 0)
        self.assertEqual(self.compare(exact * 1.001), 1)
        self.assertEqual(self.compare(exact[:1]), 1)
        self.assertEqual(self.compare(exact * np.nan), 1)


if __name__ == "__main__":
    unittest.main()
