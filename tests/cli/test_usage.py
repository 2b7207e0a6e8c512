# SPDX-License-Identifier: Apache-2.0
"""Wrong usage: exit code 2 and one line that says what to do; help and version on standard output."""
import json
import unittest

from harness import DEMO, StrataTest

COMMANDS = ["run", "chat", "compile", "bench", "logits", "perplexity", "tokenize", "detokenize", "template", "info",
            "calibrate", "explain", "opt"]
WITHOUT_ARGUMENTS = ["calibrate"]


class UsageTest(StrataTest):
    optimises = False

    def refuse(self, *arguments, code=2, words=(), **more):
        with self.subTest(" ".join(map(str, arguments))[:80]):
            self.assert_error(self.strata(*arguments, **more), code, *words)

    def test_no_or_unknown_command(self):
        self.refuse(words=["commands:"])
        self.refuse("nosuch", words=["nosuch", "run"])
        self.refuse("--nosuch")

    def test_help(self):
        overview = self.strata("--help")
        self.assertEqual(overview.code, 0)
        for command in COMMANDS:
            self.assertIn(command, overview.text)
            for flag in ("-h", "--help"):
                result = self.strata(command, flag)
                self.assertEqual((result.code, result.err), (0, ""), command)
                for option in ("--verbose", "--quiet", "--log-file"):
                    self.assertIn(option, result.text)

    def test_version(self):
        self.assertRegex(self.strata("--version").text, r"^strata \d+\.\d+\.\d+\n$")
        self.assertRegex(self.strata("version").text, r"^strata \d+\.\d+\.\d+ \(\w+\)\n$")

    def test_help_of_a_command(self):
        self.assertEqual(self.strata("help").text, self.strata("--help").text)
        text = self.strata("help", "run").text
        self.assertIn("Usage: strata run", text)
        self.assertIn("--temp", text)
        self.refuse("help", "nosuch", words=["nosuch", "run"])
        self.refuse("help", "run", "--man")

    def test_unknown_option(self):
        for command in COMMANDS:
            model = [] if command in WITHOUT_ARGUMENTS else [DEMO]
            self.refuse(command, *model, "--nosuch", words=["--nosuch"])

    def test_missing_argument(self):
        for command in COMMANDS:
            if command not in WITHOUT_ARGUMENTS:
                self.refuse(command)
        self.refuse("compile", DEMO, words=["--output"])
        self.refuse("logits", DEMO, "--tokens", "1", words=["--output"])
        self.refuse("run", DEMO, "-p")

    def test_numbers_of_run(self):
        for option, values in {"-n": ["-7", "x", "1.5", "99999999999999999999"], "--temp": ["nan", "inf", "-1", "x"],
                               "--top-k": ["-1", "x"], "--top-p": ["1.1", "-0.1", "nan"], "--min-p": ["2", "nan"],
                               "--repeat-penalty": ["0", "-1", "nan"], "-t": ["0", "-1", "x"], "-c": ["-1", "x"],
                               "-s": ["-2", "x"]}.items():
            for value in values:
                self.refuse("run", DEMO, "-p", "a", option, value, words=[value[:40]])

    def test_prompt(self):
        self.refuse("run", DEMO, "-p", "a", "-f", "b")
        self.refuse("run", DEMO, "-p", "", words=["empty"])
        self.refuse("run", DEMO, words=["empty"])
        self.refuse("run", DEMO, "-f", self.work / "nosuch.txt", words=["nosuch.txt"])
        self.refuse("run", DEMO, "-p", "a b " * 400, "-c", "64", words=["64", "-c"])

    def test_contradictions(self):
        self.refuse("chat", DEMO, "--think", "--no-think")
        self.refuse("info", DEMO, "-q", "-v")

    def test_model_that_is_not_there(self):
        for command in (["run", "-p", "a"], ["chat"], ["compile", "-o", self.work / "x"], ["bench"], ["info"],
                        ["logits", "--tokens", "1", "-o", self.work / "x"], ["tokenize", "--text", "a"],
                        ["detokenize", "--tokens", "1"], ["template"]):
            self.refuse(command[0], self.work / "nosuch", *command[1:], code=3, words=["nosuch"])

    def test_file_that_is_no_model(self):
        path = self.work / "hello.txt"
        path.write_text("hello")
        for command in (["run", "-p", "a"], ["info"], ["bench"]):
            self.refuse(command[0], path, *command[1:], code=3, words=["hello.txt"])

    def test_model_without_a_tokenizer(self):
        folder = self.checkpoint("qwen3-nano")
        for command in (["run", "-p", "a"], ["chat"], ["tokenize", "--text", "a"], ["detokenize", "--tokens", "1"],
                        ["template"], ["perplexity", "-f", "/dev/null"]):
            self.refuse(command[0], folder, *command[1:], code=3, words=["tokenizer.json"])

    def test_tokens_of_logits(self):
        folder, output = self.checkpoint("qwen3-nano"), self.work / "x.npy"
        for tokens in ("", "a", "-1", "1,,2", "1.5", "1,999999", "512", "99999999999"):
            self.refuse("logits", folder, "--tokens", tokens, "-o", output)
        self.refuse("logits", folder, "--tokens", "1", "-o", output, "--step", "0")
        self.refuse("logits", folder, "--tokens", ",".join(["1"] * 513), "-o", output, words=["512"])
        self.assertFalse(output.exists())

    def test_compile_options(self):
        output = ["-o", self.work / "x.strata"]
        self.refuse("compile", DEMO, *output, "--dtype", "q5", words=["f32, f16, bf16, keep, q8, q4"])
        self.refuse("compile", DEMO, *output, "--nodes", "2", words=["mpirun -np 2"])
        self.refuse("compile", DEMO, *output, "--time-limit", "0")
        self.refuse("compile", DEMO, *output, "--time-limit", "nan")
        for workload in ("", "prompt=x", "promt=1", "batch=0", "prompt=0,generate=0"):
            self.refuse("compile", DEMO, *output, "--workload", workload)

    def test_output_that_can_not_be_written(self):
        folder = self.checkpoint("qwen3-nano")
        self.refuse("compile", folder, "-o", "/nonexistent/folder/x.strata", code=5, words=["/nonexistent/folder"])
        self.refuse("logits", folder, "--tokens", "1", "-o", "/nonexistent/folder/x.npy", code=5)
        self.refuse("info", folder, "--log-file", "/nonexistent/folder/log", code=5)

    def test_full_device(self):
        with open("/dev/full", "wb") as full:
            process = self.start("info", DEMO, stdout=full, stderr=-1)
            error = process.communicate()[1].decode()
        self.assertEqual((process.returncode, error.count("strata: error: ")), (5, 1), error)

    def test_jsonl_names_the_line(self):
        good = json.dumps({"text": "a"}).encode()
        for bad in (b"{", b"[]", b"{}", b'{"text": 1}', b'{"text": "\xff"}'):
            result = self.strata("tokenize", DEMO, "--jsonl", "-", stdin=good + b"\n" + bad + b"\n")
            self.assertEqual(result.code, 2, result)
            self.assertIn("line 2", result.errors[0])

    def test_jsonl_ids(self):
        for bad in (b'{"ids": 1}', b'{"ids": [-1]}', b'{"ids": ["1"]}', b'{"ids": [1e3]}', b'{"ids": [99999999]}'):
            self.refuse("detokenize", DEMO, "--jsonl", "-", stdin=bad)

    def test_template_input(self):
        for bad in (b"", b"[]", b"{}", b'{"messages": 1}', b"[" * 100000):
            self.refuse("template", DEMO, stdin=bad)

    def test_environment(self):
        self.refuse("run", DEMO, "-p", "a", env={"STRATA_ARG_TEMP": "nan"}, words=["STRATA_ARG_TEMP"])
        self.refuse("run", DEMO, "-p", "a b " * 400, env={"STRATA_ARG_CTX_SIZE": "64"}, words=["64"])
        result = self.strata("tokenize", DEMO, "--text", "a", env={"STRATA_ARG_TEXT": "b"})
        self.assertEqual(result.text, self.strata("tokenize", DEMO, "--text", "a").text)


if __name__ == "__main__":
    unittest.main()
