# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "bench"), str(Path(__file__).resolve().parent)]
import make_checkpoint  # noqa: E402
import reference_logits  # noqa: E402

PUBLISHED_PARAMETERS = {
    "qwen3-0.6b": 596_049_920, "qwen3-1.7b": 1_720_574_976, "qwen3-4b": 4_022_468_096, "qwen3-8b": 8_190_735_360,
    "qwen2.5-0.5b": 494_032_768, "llama-3.2-1b": 1_235_814_400}


class MakeCheckpointTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def write(self, name, *arguments, **options):
        make_checkpoint.write_checkpoint(self.folder / name, *arguments, **options)
        return reference_logits.load(self.folder / name)

    def test_published_models_have_their_published_number_of_parameters(self):
        for preset, count in PUBLISHED_PARAMETERS.items():
            tensors = make_checkpoint.tensors_of(make_checkpoint.config_of(preset, "bf16"))
            self.assertEqual(sum(math.prod(shape) for _, shape in tensors), count, preset)

    def test_one_seed_gives_the_same_bytes_and_another_seed_others(self):
        files = []
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            self.write(name, "qwen3-nano", "f32", seed=seed)
            files.append((self.folder / name / "model.safetensors").read_bytes())
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0], files[2])

    def test_shards_hold_the_same_weights_as_one_file(self):
        _, whole = self.write("whole", "llama-nano", "bf16")
        _, parts = self.write("parts", "llama-nano", "bf16", shards=3)
        index = json.loads((self.folder / "parts" / "model.safetensors.index.json").read_text())
        self.assertEqual(sorted(index["weight_map"]), sorted(whole))
        self.assertEqual(len(set(index["weight_map"].values())), 3)
        for name, values in whole.items():
            np.testing.assert_array_equal(values, parts[name], name)

    def test_distinct_layers_differ_in_the_types_of_their_matrices(self):
        self.write("mixed", "qwen3-nano", "bf16", layers=5, distinct=4)
        with open(self.folder / "mixed" / "model.safetensors", "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        kinds = []
        for layer in range(5):
            names = [name for name in header if name.startswith(f"model.layers.{layer}.")]
            kinds.append(tuple(header[name]["dtype"] for name in names))
        self.assertEqual(kinds[4], kinds[0])
        self.assertEqual(len(set(kinds)), 4)
        self.assertEqual({dtype for kind in kinds for dtype in kind}, {"F32", "F16", "BF16"})

    def test_bf16_rounds_to_nearest_even(self):
        bits = np.array([0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0xBF80FFFF], "<u4")
        out = np.frombuffer(make_checkpoint.encode(bits.view("<f4"), "bf16"), "<u2")
        self.assertEqual([hex(value) for value in out], ["0x3f80", "0x3f80", "0x3f82", "0x3f81", "0xbf81"])

    def test_numbers_of_another_type_are_kept_in_wider_ones(self):
        _, narrow = self.write("narrow", "qwen3-nano", "bf16")
        for dtype in ("f32", "f16"):
            _, wide = self.write(dtype, "qwen3-nano", dtype, numbers="bf16")
            _, plain = self.write(f"plain {dtype}", "qwen3-nano", dtype)
            for name, values in narrow.items():
                floor = 6e-8 if dtype == "f16" else 0  # a subnormal number of f16 has fewer bits
                np.testing.assert_allclose(wide[name].astype("f4"), values, rtol=0, atol=floor)
            self.assertTrue(any((wide[name] != plain[name]).any() for name in wide))

    def test_layers_and_dtype_are_those_asked_for(self):
        config, weights = self.write("m", "qwen2-nano", "f16", layers=1)
        self.assertEqual((config["num_hidden_layers"], config["torch_dtype"]), (1, "float16"))
        self.assertIn("model.layers.0.self_attn.k_proj.bias", weights)
        self.assertNotIn("model.layers.1.mlp.up_proj.weight", weights)
        self.assertEqual(weights["model.norm.weight"].dtype, np.float16)

    def test_an_unknown_preset_is_a_usage_error(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as err:
            make_checkpoint.main([str(self.folder / "m"), "--preset", "qwen9"])
        self.assertIn("qwen9", err.getvalue())


if __name__ == "__main__":
    unittest.main()
