# SPDX-License-Identifier: Apache-2.0
"""GGUF files: the same model as the folder that they were made from; blocks of every type; mistakes."""
import json
import unittest

import numpy as np
from harness import ROOT, StrataTest, like_another, load_module, numbers_only, reference

gguf = load_module(ROOT / "tests/tools/gguf_file.py")

TOKENS = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38, 4, 62, 6]
PROMPT = "Once upon a time, there was"
# Relative error of all logits together, as of folders. The values of blocks are rounded to f16 unless f32 is asked for.
LIMIT = {"f32": 1e-5, "keep": 4e-3}
WIDE = {"model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 256, "vocab_size": 300,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False}


def of(kind):
    return lambda name: kind


class GgufTest(StrataTest):
    optimises = False

    def write(self, name, metadata, tensors, **options):
        path = self.work / name
        path.write_bytes(gguf.gguf_bytes(metadata, tensors, **options))
        return path

    def made_of(self, folder, kind="F32"):
        """(metadata, tensors) of a folder's model."""
        config, weights = reference.load(folder)
        return gguf.make(config, weights, of(kind), reference)[:2]

    def talking(self):
        """(folder, metadata, tensors) of a model with a tokenizer."""
        folder = self.talking_checkpoint()
        metadata, tensors = self.made_of(folder)
        return folder, metadata | gguf.tokenizer_metadata(folder), tensors

    def check_like_folder(self, preset):
        folder = self.checkpoint(preset)
        path = self.write(f"{preset}.gguf", *self.made_of(folder))
        np.testing.assert_array_equal(self.logits(path, TOKENS), self.logits(folder, TOKENS))

    def test_numbers_are_the_folders(self):
        self.check_like_folder("qwen3-nano")

    @numbers_only
    def test_biases(self):
        self.check_like_folder("qwen2-nano")

    @numbers_only
    def test_llama_has_its_rows_in_pairs(self):
        self.check_like_folder("llama-nano")

    @numbers_only
    def test_llama3_rope(self):
        folder = self.checkpoint("llama-nano-rope3")
        config, weights = reference.load(folder)
        got = self.logits(self.write("rope.gguf", *self.made_of(folder)), TOKENS)
        self.assertLess(reference.relative_error(got, reference.logits(config, weights, TOKENS)), LIMIT["f32"])

    def all_types(self):
        """(file, float64 logits) of a model each of whose matrices has another type."""
        rng = np.random.default_rng(7)
        names = [f"model.layers.{i}.{n}" for i in range(2) for n in gguf.LAYER
                 if n.endswith("_proj") and not n.endswith(("qkv_proj", "gate_up_proj"))]
        names += ["model.embed_tokens", "lm_head"]
        sizes = {"q": 256, "k": 128, "v": 128}
        weights = {f"model.layers.{i}.{n}.weight": 1 + 0.1 * rng.standard_normal(256)
                   for i in range(2) for n in ("input_layernorm", "post_attention_layernorm")}
        weights["model.norm.weight"] = 1 + 0.1 * rng.standard_normal(256)
        for name in names:
            rows = sizes.get(name.split(".")[-1][0], 256) if "self_attn" in name else 256
            rows = rows if "layers" in name else 300
            weights[f"{name}.weight"] = rng.standard_normal((rows, 256)) / 16
        kinds = dict(zip((f"{name}.weight" for name in names), [*gguf.BLOCKS, "BF16"]))
        self.assertEqual(len(kinds), len(gguf.BLOCKS) + 1)
        metadata, tensors, values = gguf.make(WIDE, weights, kinds.get, reference)
        scaled = next(name for name, kind in kinds.items() if kind == "NVFP4")
        values[scaled] = values[scaled] * np.float32(0.7)
        scale_name = gguf.tensor_name(scaled).replace(".weight", ".scale")
        tensors[scale_name] = (gguf.F32, (1,), np.float32(0.7).tobytes())
        return self.write("types.gguf", metadata, tensors), reference.logits(WIDE, values, TOKENS)

    def test_every_type(self):
        path, want = self.all_types()
        got = self.logits(path, TOKENS)
        self.assertLess(reference.relative_error(got, want), LIMIT["keep"])
        info = self.strata("info", path)
        self.assertEqual(info.code, 0, info)
        for kind in gguf.BLOCKS:
            self.assertIn(f"1 x {kind}", info.text)

    @numbers_only
    def test_every_type_in_f32(self):
        path, want = self.all_types()
        package = self.work / "types.strata"
        compiled = self.strata("compile", path, "-o", package, "--dtype", "f32")
        self.assertEqual(compiled.code, 0, compiled)
        self.assertLess(reference.relative_error(self.logits(package, TOKENS), want), LIMIT["f32"])

    @numbers_only
    def test_type_of_the_caches(self):
        """Of exact activations the caches are f32, unless another type is chosen, whose rounding is then all."""
        config, weights = reference.load(self.checkpoint("qwen3-nano"))
        metadata, tensors, values = gguf.make(config, weights, of("Q8_0"), reference)
        path, want = self.write("caches.gguf", metadata, tensors), reference.logits(config, values, TOKENS)
        for chosen, made, limits in (((), "f32", (0, 1e-5)), (("--cache-type", "f16"), "f16", (1e-5, 1e-3))):
            package = self.work / f"caches-{made}.strata"
            compiled = self.strata("compile", path, "-o", package, "--activations", "exact", *chosen)
            self.assertEqual(compiled.code, 0, compiled)
            self.assertRegex(self.strata("info", package).text, rf"\ncaches +{made}, ")
            error = reference.relative_error(self.logits(package, TOKENS), want)
            self.assertTrue(limits[0] < error < limits[1], (made, error))

    @numbers_only
    def test_experts_in_blocks(self):
        kinds = {"gate_proj": "Q4_0", "up_proj": "Q8_0", "down_proj": "Q4_1", "gate": "F32"}
        config, weights = reference.load(self.checkpoint("qwen3-moe-blocks"))
        metadata, tensors, values = gguf.make(config, weights, lambda name: kinds.get(name.split(".")[-2], "Q8_0"),
                                              reference)
        path, want = self.write("experts.gguf", metadata, tensors), reference.logits(config, values, TOKENS)
        package = self.work / "experts.strata"
        compiled = self.strata("compile", path, "-o", package, "--activations", "exact")
        self.assertEqual(compiled.code, 0, compiled)
        for step in ([], ["--step", 1]):
            self.assertLess(reference.relative_error(self.logits(package, TOKENS, *step), want), LIMIT["f32"])

    def test_text_is_the_folders(self):
        folder, metadata, tensors = self.talking()
        path = self.write("talking.gguf", metadata, tensors)
        want = self.strata("run", folder, "-p", PROMPT, "-n", 24, "--temp", 0)
        self.assertEqual(want.code, 0, want)
        self.assertEqual(self.strata("run", path, "-p", PROMPT, "-n", 24, "--temp", 0).out, want.out)
        text = "<|im_start|>user\nDon't count 1234 é<|im_end|>"
        self.assertEqual(self.strata("info", path).code, 0)
        ids = self.strata("tokenize", folder, "--text", text)
        self.assertEqual(ids.code, 0, ids)
        self.assertEqual(self.strata("tokenize", path, "--text", text).out, ids.out)
        messages = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
        rendered = self.strata("template", folder, stdin=messages)
        self.assertEqual(rendered.code, 0, rendered)
        self.assertEqual(self.strata("template", path, stdin=messages).out, rendered.out)

    @like_another
    def test_package_talks_too(self):
        _, metadata, tensors = self.talking()
        path, package = self.write("packed.gguf", metadata, tensors), self.work / "packed.strata"
        self.assertEqual(self.strata("compile", path, "-o", package).code, 0)
        want = self.strata("run", path, "-p", PROMPT, "-n", 24, "--temp", 0)
        self.assertEqual(want.code, 0, want)
        self.assertEqual(self.strata("run", package, "-p", PROMPT, "-n", 24, "--temp", 0).out, want.out)
        info = self.strata("info", package).text
        self.assertIn("packed (qwen3", info)
        again = self.work / "again.strata"
        self.strata("compile", path, "-o", again)
        self.assertEqual(again.read_bytes(), package.read_bytes())

    def split(self, metadata, tensors):
        names = list(tensors)
        parts = [names[:3], names[3:]]
        return [self.write(f"split-{i + 1:05d}-of-00002.gguf",
                           (metadata if i == 0 else {}) | {"split.no": i, "split.count": 2},
                           {name: tensors[name] for name in part}) for i, part in enumerate(parts)]

    def test_parts(self):
        folder = self.checkpoint("qwen3-nano")
        first, second = self.split(*self.made_of(folder))
        want = self.logits(folder, TOKENS)
        for part in (first, second):
            np.testing.assert_array_equal(self.logits(part, TOKENS), want)
        self.assert_error(self.strata("compile", first, "-o", second), 2, "would overwrite", second.name)
        second.rename(self.work / "elsewhere.gguf")
        self.assert_error(self.strata("info", first), 3, "a part of the model is missing", second.name)

    def test_other_commands(self):
        path = self.write("commands.gguf", *self.made_of(self.checkpoint("qwen3-nano")))
        for command in (["bench", "-p", 4, "-n", 2, "-r", 1], ["explain"], ["compile", "--plan-only"]):
            result = self.strata(command[0], path, *command[1:])
            self.assertEqual(result.code, 0, result)

    def refuse(self, path, *words, commands=(["info"], ["run", "-p", "a"], ["compile", "-o", "x.strata"])):
        for command in commands:
            with self.subTest(words=words, command=command[0]):
                self.assert_error(self.strata(command[0], path, *command[1:]), 3, path.name, *words)

    def test_models_that_are_not_supported(self):
        _, metadata, tensors = self.talking()
        self.refuse(self.write("other.gguf", metadata | {"general.architecture": "gemma2"}, tensors),
                    'unsupported architecture "gemma2"', "llama, qwen2, qwen3",
                    commands=[["info"], ["logits", "--tokens", "1", "-o", "x.npy"], ["explain"], ["bench"]])
        _, shape, data = tensors["blk.0.attn_q.weight"]
        self.refuse(self.write("type.gguf", metadata, tensors | {"blk.0.attn_q.weight": (28, shape, data * 2)}),
                    '"blk.0.attn_q.weight"', "unsupported dtype F64",
                    commands=[["info"], ["compile", "-o", "x.strata"]])

    def test_tokenizers_that_are_not_supported(self):
        _, metadata, tensors = self.talking()
        for key, value, words in (("model", "t5", 'unsupported tokenizer "t5"'),
                                  ("pre", "other", 'unsupported pre-tokenizer "other"')):
            path = self.write(f"{key}.gguf", metadata | {f"tokenizer.ggml.{key}": value}, tensors)
            self.refuse(path, words, commands=[["run", "-p", "a"], ["chat"], ["tokenize", "--text", "a"]])
            self.logits(path, TOKENS)
        package = self.work / "silent.strata"
        compiled = self.strata("compile", path, "-o", package)
        self.assertEqual(compiled.code, 0, compiled)
        self.assertIn("the package has no tokenizer", compiled.err)
        self.assert_error(self.strata("run", package, "-p", "a"), 3, "no tokenizer")

    def test_no_tokenizer_at_all(self):
        path = self.write("untold.gguf", *self.made_of(self.checkpoint("qwen3-nano")))
        self.refuse(path, "no tokenizer", commands=[["run", "-p", "a"]])

    def test_damaged_files(self):
        _, metadata, tensors = self.talking()
        whole = gguf.gguf_bytes(metadata, tensors)
        for name, content, words in (("short.gguf", whole[:-1], "outside of the file"),
                                     ("half.gguf", whole[:len(whole) // 2], "outside of the file"),
                                     ("head.gguf", whole[:1000], "ends within"),
                                     ("old.gguf", b"GGUF\1\0\0\0" + whole[8:], "version 1"),
                                     ("big.gguf", b"GGUF\0\0\0\3" + whole[8:], "big-endian")):
            path = self.work / name
            path.write_bytes(content)
            self.refuse(path, words)


if __name__ == "__main__":
    unittest.main()
