# SPDX-License-Identifier: Apache-2.0
"""A model that computes NaN: what is said of it, and where; `logits` writes them for those who look."""
import shutil
import unittest

import numpy as np

from harness import DEMO, StrataTest, edit_tensor, read_safetensors

NORM = "model.layers.1.post_attention_layernorm.weight"


class NanTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.work / "nan"
        shutil.copytree(cls.talking_checkpoint(), cls.model)
        header, body = read_safetensors(cls.model / "model.safetensors")
        begin, end = header[NORM]["data_offsets"]
        values = np.frombuffer(body[begin:end], "<f4").copy()
        values[0] = np.nan
        edit_tensor(cls.model / "model.safetensors", NORM, values)
        cls.talk = ["-p", "In the", "--temp", "0", "-n", "5"]

    def test_run(self):
        result = self.strata("run", self.model, *self.talk, "-q")
        self.assert_error(result, 1, "position", "not numbers", "-v")

    def test_the_first_op_is_named(self):
        # Of a prompt's tokens the last layer makes the last row only, by a version of its own.
        for prompt, where in (("In the", r"layer_one\.[^(]+ \(\w+( \+ \w+)*\)"),
                              ("I", r"layer\.[^(]+ \(\w+( \+ \w+)*\), execution 2 of \d")):
            result = self.strata("run", self.model, *self.talk[2:], "-p", prompt, "-v")
            self.assert_error(result, 1, "not numbers")
            self.assertRegex(result.err, "the first NaN comes from " + where)

    def test_chat(self):
        result = self.strata("chat", self.model, "-q", stdin=b"hello\n")
        self.assertEqual((result.code, len(result.errors)), (1, 1), result)

    def test_perplexity(self):
        text = self.work / "text.txt"
        text.write_text((DEMO / "README.md").read_text())
        self.assert_error(self.strata("perplexity", self.model, "-f", text, "-c", "16", "-q"), 1, "position")

    def test_logits_are_written_with_a_warning(self):
        path = self.work / "logits.npy"
        result = self.strata("logits", self.model, "--tokens", "1,2,3", "-o", path)
        self.assertEqual(result.code, 0, result)
        self.assertIn("warning: the logits from position 0 on are not all numbers", result.err)
        self.assertTrue(np.isnan(np.load(path)).any())

    def test_a_sound_model_is_not_blamed(self):
        result = self.strata("run", self.talking_checkpoint(), *self.talk, "-v")
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("NaN", result.err)


if __name__ == "__main__":
    unittest.main()
