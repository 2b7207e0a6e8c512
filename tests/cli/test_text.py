# SPDX-License-Identifier: Apache-2.0
"""Text in and out: tokenize, detokenize, template, run, perplexity."""
import json
import math
import os
import re
import shutil
import subprocess
import unicodedata
import unittest
from types import SimpleNamespace

import numpy as np
from harness import (DEMO, Result, StrataTest, edit_tensor, is_sanitized, numbers_only, read_safetensors, reference,
                     sample)

TEXTS = ["", "Hello, world", "  two  spaces ", "line\nline\r\n", "naïve café", "e\u0301", "日本語 🙂👨‍👩‍👧", "a\x00b",
         "<|im_start|>user", "1234567 x=1;", "\u202eright to left", "tab\there"]


class TextTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()

    def lines(self, command, rows):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        result = self.strata(command, self.model, "--jsonl", "-", stdin=text.encode())
        self.assertEqual(result.code, 0, result)
        return [json.loads(line) for line in result.text.splitlines()]

    def run_model(self, *arguments, **more):
        result = self.strata("run", self.model, "--temp", 0, *arguments, **more)
        self.assertEqual(result.code, 0, result)
        return result

    def greedy(self, prompt, count):
        """The reference's own continuation."""
        config, weights = reference.load(self.model)
        tokens = self.lines("tokenize", [{"text": prompt}])[0]["ids"]
        for _ in range(count):
            tokens.append(int(reference.logits(config, weights, tokens)[-1].argmax()))
        return tokens[-count:]

    def test_guesses_change_no_text(self):
        # A small random model soon repeats itself.
        for prompt, limit in (("Hello, world", 60), ("one two three one two three one", 30)):
            guessing = self.run_model("-p", prompt, "-n", limit, "--ignore-eos")
            alone = self.run_model("-p", prompt, "-n", limit, "--ignore-eos", "--draft-max", 0)
            self.assertEqual(guessing.text, alone.text)
            self.assertNotIn("guessed", alone.err)
        guessed, right = map(int, re.search(r"of (\d+) guessed (\d+) were right", guessing.err).groups())
        self.assertGreater(guessed, 0)
        self.assertLessEqual(right, guessed)
        # With a stop string, a small context and a seed too.
        for more in (["--stop", alone.text.split()[2]], ["-c", 64, "-n", -1], ["--temp", 0.9, "-s", 5]):
            texts = {self.run_model("-p", prompt, "-n", limit, "--ignore-eos", "--draft-max", most, *more).text
                     for most in (0, 3, 15)}
            self.assertEqual(len(texts), 1, more)

    def test_detokenize_inverts_tokenize(self):
        rows = self.lines("tokenize", [{"text": text} for text in TEXTS])
        back = self.lines("detokenize", rows)
        self.assertEqual([row["text"] for row in back], [unicodedata.normalize("NFC", text) for text in TEXTS])

    def test_the_three_inputs_of_tokenize_agree(self):
        path = self.work / "text.txt"
        path.write_text("Hello, world")
        want = self.lines("tokenize", [{"text": "Hello, world"}])[0]["ids"]
        for arguments, stdin in ((["--text", "Hello, world"], b""), (["-f", path], b""), ([], b"Hello, world")):
            result = self.strata("tokenize", self.model, *arguments, stdin=stdin)
            self.assertEqual([int(i) for i in result.text.split(",")], want)

    def test_ids_are_output_as_they_are_input(self):
        ids = self.strata("tokenize", self.model, "--text", "In the beginning").text
        self.assertEqual(self.strata("detokenize", self.model, "--tokens", ids).text, "In the beginning")

    def test_invalid_utf8(self):
        result = self.strata("tokenize", self.model, stdin=b"a\xff\xfeb\xc3")
        self.assertEqual(result.code, 0, result)
        back = self.strata("detokenize", self.model, "--tokens", result.text).text
        self.assertEqual(back.replace("\ufffd", ""), "ab")

    def test_special_tokens_are_recognised(self):
        self.assertEqual(len(self.lines("tokenize", [{"text": "<|im_end|>"}])[0]["ids"]), 1)

    def test_template(self):
        messages = [{"role": "user", "content": "Hi"}]
        rows = self.lines("template", [{"messages": messages}, {"messages": messages, "add_generation_prompt": True}])
        user = "<|im_start|>user\nHi<|im_end|>\n"
        self.assertEqual([row["rendered"] for row in rows], [user, user + "<|im_start|>assistant\n"])
        path = self.work / "messages.json"
        path.write_text(json.dumps({"messages": messages}))
        self.assertEqual(self.strata("template", self.model, "-f", path).text, user)

    def test_greedy_text_is_the_references(self):
        tokens = self.greedy("And it came to pass", 6)
        want = self.strata("detokenize", self.model, "--tokens", ",".join(map(str, tokens))).text
        self.assertEqual(self.run_model("-p", "And it came to pass", "-n", 6, "--ignore-eos").text, want + "\n")

    def test_prompt_from_file_and_standard_input(self):
        path = self.work / "prompt.txt"
        path.write_text("In the")
        want = self.run_model("-p", "In the", "-n", 8).out
        self.assertEqual(self.run_model("-f", path, "-n", 8).out, want)
        self.assertEqual(self.run_model("-n", 8, stdin=b"In the").out, want)

    def test_one_line_break_at_the_end_of_a_file_is_not_part_of_the_prompt(self):
        want = self.run_model("-p", "In the", "-n", 8).out
        path = self.work / "prompt-line.txt"
        for ending in (b"\n", b"\r\n"):
            path.write_bytes(b"In the" + ending)
            self.assertEqual(self.run_model("-f", path, "-n", 8).out, want)
            self.assertEqual(self.run_model("-n", 8, stdin=b"In the" + ending).out, want)
        path.write_bytes(b"In the\n\n")
        self.assertEqual(self.run_model("-f", path, "-n", 8).out, self.run_model("-p", "In the\n", "-n", 8).out)
        path.write_bytes(b"In the\r")
        self.assertEqual(self.run_model("-f", path, "-n", 8).out, self.run_model("-p", "In the\r", "-n", 8).out)

    def test_number_of_tokens(self):
        self.assertEqual(self.run_model("-p", "In", "-n", 0).text, "\n")
        result = self.run_model("-p", "In", "-n", 5, "--ignore-eos")
        self.assertIn("generated 5 tokens", result.err)

    def test_full_context_ends_the_text(self):
        result = self.run_model("-p", "In", "-n", -1, "--ignore-eos", "-c", 32)
        self.assertIn("context is full", result.err)
        self.assertTrue(result.out)

    def test_quiet_and_log_file(self):
        log = self.work / "log"
        result = self.run_model("-p", "In", "-n", 3, "-q", "--log-file", log)
        self.assertEqual(result.err, "")
        self.assertIn("generated", log.read_text())

    def test_statistics_go_to_standard_error(self):
        result = self.run_model("-p", "In", "-n", 3)
        self.assertIn("t/s", result.err)
        self.assertNotIn("t/s", result.text)

    def test_one_seed_one_text(self):
        def drawn(seed):
            return self.run_model("-p", "In", "-n", 24, "--temp", 1, "--top-k", 0, "-s", seed).out
        self.assertEqual(drawn(3), drawn(3))
        self.assertGreater(len({drawn(seed) for seed in range(4)}), 1)

    def test_drawn_seed_is_told(self):
        err = self.run_model("-p", "In", "-n", 1, "-v").err
        self.assertRegex(err, r"seed: \d+")

    def test_stop_string_across_tokens_is_cut_off(self):
        whole = self.run_model("-p", "In the", "-n", 24, "--ignore-eos").text
        stop = whole[8:14]
        cut = self.run_model("-p", "In the", "-n", 24, "--ignore-eos", "--stop", stop, "--stop", "not in the text").text
        self.assertEqual(cut, whole[:whole.index(stop)] + "\n")

    def test_a_special_token_is_a_stop_string(self):
        # The token that the model likes best after the prompt changes its row with <|im_start|>.
        model = self.work / "special"
        shutil.copytree(self.model, model, dirs_exist_ok=True)
        ids = self.lines("tokenize", [{"text": "In the<|im_start|>"}])[0]["ids"]
        best = self.greedy("In the", 1)[0]
        self.assertNotIn(best, ids)
        header, body = read_safetensors(model / "model.safetensors")
        entry = header["model.embed_tokens.weight"]
        begin, end = entry["data_offsets"]
        rows = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"]).copy()
        rows[[ids[-1], best]] = rows[[best, ids[-1]]]
        edit_tensor(model / "model.safetensors", "model.embed_tokens.weight", rows)
        arguments = ["run", model, "--temp", 0, "-p", "In the", "-n", 8, "--ignore-eos"]
        whole, cut = self.strata(*arguments), self.strata(*arguments, "--stop", "<|im_start|>")
        self.assertEqual(cut.text, "\n")
        self.assertIn("generated 1 token", cut.err)
        self.assertIn("generated 8 tokens", whole.err)
        self.assertNotIn("<|im_start|>", whole.text)

    def test_environment_variable_and_flag(self):
        env = {"STRATA_ARG_N": "2"}
        self.assertIn("generated 2 tokens", self.run_model("-p", "In", "--ignore-eos", env=env).err)
        self.assertIn("generated 3 tokens", self.run_model("-p", "In", "--ignore-eos", "-n", 3, env=env).err)

    def test_output_is_whole_characters(self):
        for seed in range(3):
            self.run_model("-p", "日本", "-n", 60, "--temp", 3, "--top-k", 0, "--top-p", 1, "--min-p", 0, "--ignore-eos",
                           "-s", seed).out.decode("utf8")

    def test_perplexity(self):
        text = (DEMO / "tokenizer_config.json").read_text() * 4
        path = self.work / "text"
        path.write_text(text)
        result = self.strata("perplexity", self.model, "-f", path, "-c", 64)
        self.assertRegex(result.text, r"^Final estimate: PPL = [\d.]+ \+/- [\d.]+\n$")
        config, weights = reference.load(self.model)
        tokens = self.lines("tokenize", [{"text": text}])[0]["ids"]
        losses = []
        for start in range(0, len(tokens) - 63, 64):
            logits = reference.logits(config, weights, tokens[start:start + 64])
            logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
            losses += [-logits[i, tokens[start + i + 1]] for i in range(32, 63)]
        self.assertAlmostEqual(float(result.text.split()[4]) / math.exp(np.mean(losses)), 1, places=4)

    def noisy_model(self):
        """The same model with noise on its embedding."""
        folder = self.work / "noisy"
        if not folder.exists():
            shutil.copytree(self.model, folder)
            rng = np.random.default_rng(11)
            table = reference.load(self.model)[1]["model.embed_tokens.weight"]
            edit_tensor(folder / "model.safetensors", "model.embed_tokens.weight",
                        table + rng.standard_normal(table.shape, dtype=np.float32) / 16)
        return folder

    def log_probabilities(self, model, tokens):
        logits = self.logits(model, tokens).astype(np.float64)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    @numbers_only
    def test_perplexity_against_another_model(self):
        text = (DEMO / "tokenizer_config.json").read_text() * 3
        noisy = self.noisy_model()
        result = self.strata("perplexity", noisy, "--against", self.model, "-f", "-", "-c", 64, "-o", "json",
                             stdin=text.encode())
        self.assertEqual(result.code, 0, result)
        figures = json.loads(result.text)
        tokens = self.lines("tokenize", [{"text": text}])[0]["ids"]
        divergences, same, losses, others = [], [], [], []
        for start in range(0, len(tokens) - 63, 64):
            chunk = tokens[start:start + 64]
            q, p = (self.log_probabilities(model, chunk)[32:63] for model in (noisy, self.model))
            divergences += list((np.exp(p) * (p - q)).sum(-1))
            same += list(p.argmax(-1) == q.argmax(-1))
            losses += list(-q[np.arange(31), chunk[33:64]])
            others += list(-p[np.arange(31), chunk[33:64]])
        count, (own, other) = len(same), (math.exp(np.mean(x)) for x in (losses, others))
        error = np.std(own * np.array(losses) - other * np.array(others), ddof=1) / math.sqrt(count)
        want = {"ppl": own, "ppl_error": own * np.std(losses, ddof=1) / math.sqrt(count), "tokens": count,
                "ppl_against": other, "ppl_difference": own - other, "ppl_difference_error": error,
                "kl_mean": np.mean(divergences), "kl_mean_error": np.std(divergences, ddof=1) / math.sqrt(count),
                "kl_max": np.max(divergences), "kl_min": np.min(divergences), "kl_median": np.median(divergences),
                "same_top": np.mean(same), "same_top_error": math.sqrt(np.var(same, ddof=1) / count)}
        for key, share in (("99_9", 0.999), ("99", 0.99), ("95", 0.95), ("90", 0.9), ("10", 0.1), ("5", 0.05),
                           ("1", 0.01), ("0_1", 0.001)):
            want["kl_p" + key] = np.quantile(divergences, share)
        self.assertEqual(figures.keys(), want.keys())
        for key, value in want.items():
            self.assertAlmostEqual(figures[key] / value, 1, 3, key)
        self.assertTrue(0.01 < figures["kl_mean"] and 0 < figures["same_top"] < 1, figures)

    def test_a_model_against_itself(self):
        text = (DEMO / "tokenizer_config.json").read_text()
        result = self.strata("perplexity", self.model, "--against", self.model, "-f", "-", "-c", 64,
                             stdin=text.encode())
        self.assertRegex(result.text, r"^Final estimate: PPL = [\d.]+ \+/- [\d.]+\n\n\| figure")
        for name, value in (("KL divergence, largest", "0.000000"), ("same top token", "100.000 ± 0.000 %"),
                            ("difference of perplexity", "0.0000 ± 0.0000")):
            self.assertRegex(result.text, rf"\n\| {name} +\| +{value} \|")

    def test_models_that_are_not_compared(self):
        text = ("--file", "-", "-c", 16)
        for name in ("tokenizer", "vocabulary"):
            folder = self.work / name
            shutil.copytree(self.model, folder)
            if name == "tokenizer":
                tokenizer = json.loads((folder / "tokenizer.json").read_text())
                tokenizer["normalizer"] = {"type": "Lowercase"}
                (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
            else:
                table = reference.load(self.model)[1]["model.embed_tokens.weight"]
                edit_tensor(folder / "model.safetensors", "model.embed_tokens.weight", np.vstack([table, table[:16]]))
                config = json.loads((folder / "config.json").read_text())
                config["vocab_size"] += 16
                (folder / "config.json").write_text(json.dumps(config))
            result = self.strata("perplexity", self.model, "--against", folder, *text, stdin=b"In THE Beginning " * 20)
            self.assert_error(result, 2, f"another {name}", folder.name)
        without_text = self.checkpoint("qwen3-nano")
        silent = self.strata("perplexity", self.model, "--against", without_text, *text, stdin=b"a" * 99)
        self.assert_error(silent, 3, "no tokenizer")


class HostileTemplateTest(StrataTest):
    """A template from the network may neither run for long nor take the machine's memory."""
    optimises = False

    def render(self, source):
        """(result, MiB at the most)"""
        folder = self.work / "hostile"
        folder.mkdir(exist_ok=True)
        shutil.copy(DEMO / "tokenizer.json", folder)
        (folder / "chat_template.jinja").write_text(source)
        process = self.start("template", folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            process.stdin.write(b'{"messages": []}')
            process.stdin.close()
            out, err = process.stdout.read(), process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return Result(SimpleNamespace(returncode=process.returncode, stdout=out, stderr=err)), usage.ru_maxrss / 1024

    def test_memory_is_bounded(self):
        plain = self.render("x")[1]
        growing = "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = NEXT %}{% endfor %}"
        for source in sample((growing.replace("NEXT", "ns.l + ns.l"), growing.replace("NEXT", "[ns.l, 'a' * 4000000]"),
                              "{{ ('a,' * 4000000).split(',')|length }}", "{{ ('a' * 8000000)|list|length }}")):
            result, peak = self.render(source)
            self.assert_error(result, 3, "limit of memory")
            # A sanitizer keeps what is freed.
            if not is_sanitized():
                self.assertLess(peak - plain, 64, source)

    def test_work_is_bounded(self):
        result, _ = self.render("{% set s=' '*800000 %}{% for i in range(90000) %}{% if s.strip() %}{% endif %}"
                                "{% endfor %}")
        self.assert_error(result, 3, "limit of steps", "line 1")


class DemoTextTest(StrataTest):
    def test_chat_of_the_demo_model_ends_by_itself(self):
        prompt = self.strata("template", DEMO, stdin=json.dumps({
            "messages": [{"role": "user", "content": "Who is David?"}], "add_generation_prompt": True}).encode()).text
        result = self.strata("run", DEMO, "-p", prompt, "-n", 400, "--temp", 0)
        self.assertEqual(result.code, 0, result)
        self.assertNotIn("<|im_end|>", result.text)
        self.assertGreater(len(result.text.split()), 3)


if __name__ == "__main__":
    unittest.main()
