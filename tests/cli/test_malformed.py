# SPDX-License-Identifier: Apache-2.0
"""Malformed models: each is refused with exit code 3 and one line, quickly, and leaves nothing behind."""
import copy
import json
import shutil
import struct
import unittest

from harness import StrataTest, read_safetensors, safetensors_bytes

WEIGHT = "model.layers.0.self_attn.q_proj.weight"
OTHER = "model.layers.0.self_attn.k_proj.weight"
QUICK_S = 60


class MalformedTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.checkpoint("qwen3-nano")
        cls.header, cls.body = read_safetensors(cls.base / "model.safetensors")
        cls.config = json.loads((cls.base / "config.json").read_text())

    def refuse(self, file, content, command=None, base=None):
        folder, package = self.work / "bad", self.work / "out" / "bad.strata"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base or self.base, folder)
        package.parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        result = self.strata(*(command or ["compile", folder, "-o", package]), timeout=QUICK_S)
        self.assert_error(result, 3)
        self.assertEqual(list(package.parent.iterdir()), [])
        return result.errors[0]

    def refuse_all(self, file, cases, **more):
        for name, content in cases.items():
            with self.subTest(name):
                self.refuse(file, content, **more)

    def with_entry(self, key, value, name=WEIGHT):
        header = copy.deepcopy(self.header)
        header[name][key] = value
        return safetensors_bytes(header, self.body)

    def test_safetensors_framing(self):
        whole = safetensors_bytes(self.header, self.body)
        self.refuse_all("model.safetensors", {
            "empty": b"", "shorter than its length field": whole[:7], "length 0": struct.pack("<Q", 0),
            "length past the end": struct.pack("<Q", 1 << 40) + b"{}",
            "length overflows": struct.pack("<Q", (1 << 64) - 1) + b"{}", "cut in the header": whole[:100],
            "cut in the data": whole[:-1000], "bytes after the data": whole + b"x" * 64,
        })

    def test_safetensors_json(self):
        self.refuse_all("model.safetensors", {
            "not JSON": safetensors_bytes(b"hello world"), "an array": safetensors_bytes(b"[1, 2]"),
            "not UTF-8": safetensors_bytes(b'{"\xff": 1}'), "nested deeply": safetensors_bytes(b'{"a":' * 100000),
            "a key twice": safetensors_bytes(b'{"a": {}, "a": {}}'),
        })

    def test_safetensors_offsets(self):
        self.refuse_all("model.safetensors", {
            "reversed": self.with_entry("data_offsets", [4096, 0]),
            "past the end": self.with_entry("data_offsets", [0, 1 << 50]),
            "negative": self.with_entry("data_offsets", [-16, 16]),
            "not a pair": self.with_entry("data_offsets", [1]),
            "strings": self.with_entry("data_offsets", ["0", "1"]),
            "overlapping": self.with_entry("data_offsets", self.header[OTHER]["data_offsets"]),
        })

    def test_safetensors_shapes(self):
        self.refuse_all("model.safetensors", {
            "product overflows": self.with_entry("shape", [1 << 40, 1 << 40]),
            "negative": self.with_entry("shape", [-64, -64]), "fraction": self.with_entry("shape", [64.5, 64]),
            "other than the bytes": self.with_entry("shape", [64, 65]),
            "other than the configuration": self.with_entry("shape", [32, 128]),
        })

    def test_safetensors_dtypes(self):
        without = copy.deepcopy(self.header)
        del without[WEIGHT]["dtype"]
        self.refuse_all("model.safetensors", {
            "unknown": self.with_entry("dtype", "Q99"), "missing": safetensors_bytes(without, self.body),
            "of another size": self.with_entry("dtype", "BF16"),
        })

    def test_missing_tensor_is_named(self):
        header = copy.deepcopy(self.header)
        header["renamed"] = header.pop(WEIGHT)
        message = self.refuse("model.safetensors", safetensors_bytes(header, self.body))
        self.assertIn(WEIGHT, message)

    def test_missing_weights_file(self):
        folder = self.work / "no-weights"
        folder.mkdir()
        shutil.copy(self.base / "config.json", folder)
        self.assert_error(self.strata("info", folder), 3, "safetensors")

    def test_shard_that_the_index_names_is_missing(self):
        sharded = self.checkpoint("qwen3-nano", "f32", shards=3)
        folder = self.work / "shard-gone"
        shutil.copytree(sharded, folder)
        gone = sorted(folder.glob("*-of-*.safetensors"))[1]
        gone.unlink()
        self.assert_error(self.strata("info", folder), 3, gone.name)

    def test_config_json(self):
        self.refuse_all("config.json", {"not JSON": b"{", "empty object": b"{}", "an array": b"[]", "empty": b"",
                                        "nested deeply": b'{"a":' * 100000})

    def test_config_values(self):
        changes = {
            "hidden_size": [0, -64, "64", 1 << 40, 64.5, None, []], "num_hidden_layers": [0, 3, 10**9],
            "num_attention_heads": [0, 5], "num_key_value_heads": [0, 3], "vocab_size": [600, 0, -1],
            "head_dim": [0, 15, 1 << 40], "rms_norm_eps": [[1], "x", -1], "rope_theta": [0, "x"],
            "max_position_embeddings": [0, -1],
        }
        for key, values in changes.items():
            for value in values:
                with self.subTest(key=key, value=value):
                    self.refuse("config.json", self.config | {key: value})

    def test_unsupported_features_are_named_with_what_is_supported(self):
        for change, words in (
                ({"architectures": ["NoSuchModel"], "model_type": "nosuch"}, ("NoSuchModel", "Qwen3ForCausalLM")),
                ({"hidden_act": "nosuch"}, ("nosuch", "silu")),
                ({"rope_scaling": {"rope_type": "nosuch", "factor": 2.0}}, ("nosuch", "llama3"))):
            message = self.refuse("config.json", self.config | change)
            for word in words:
                self.assertIn(word, message)

    def test_tokenizer_json(self):
        talking = self.talking_checkpoint()
        model = {"type": "BPE", "vocab": {"a": 0}, "merges": []}
        cases = {
            "not JSON": b"{", "empty object": b"{}", "model of another type": {"model": {"type": "NoSuch"}},
            "merge of unknown tokens": {"model": model | {"merges": [["q", "z"]]}, "added_tokens": []},
            "id out of range": {"model": model | {"vocab": {"a": 1 << 60}}, "added_tokens": []},
            "negative id": {"model": model | {"vocab": {"a": -1}}, "added_tokens": []},
            "nested deeply": b'{"a":' * 100000,
        }
        self.refuse_all("tokenizer.json", cases, base=talking, command=["tokenize", self.work / "bad", "--text", "a"])

    def test_a_name_with_a_newline_stays_one_line(self):
        self.refuse("config.json", self.config | {"architectures": ["No\nSuch\x1b[31mModel" + "x" * 1000],
                                                   "model_type": "no\nsuch"})


if __name__ == "__main__":
    unittest.main()
