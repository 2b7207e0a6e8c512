# SPDX-License-Identifier: Apache-2.0
"""Slips of the command line: the message says what was meant; a variable's value is blamed by the variable's name."""
import unittest

from harness import DEMO, StrataTest


class MeantTest(StrataTest):
    optimises = False

    def refuse(self, *arguments, words, env=None, code=2):
        with self.subTest(" ".join(map(str, arguments))):
            self.assert_error(self.strata(*arguments, env=env), code, *words)

    def test_misspelt_command(self):
        self.refuse("runn", DEMO, words=["'runn'", "did you mean run?"])
        self.refuse("tokenise", DEMO, words=["did you mean tokenize?"])
        result = self.strata("xylophone")
        self.assert_error(result, 2, "commands: run")
        self.assertNotIn("did you mean", result.err)

    def test_misspelt_option(self):
        self.refuse("run", DEMO, "-p", "a", "--tmp", "0", words=["'--tmp'", "did you mean --temp?"])
        self.refuse("run", DEMO, "-p", "a", "--top_k=4", words=["'--top_k'", "did you mean --top-k?"])

    def test_a_text_without_its_option(self):
        self.refuse("run", DEMO, "some text", words=["'some text'", "did you mean -p TEXT?"])
        self.refuse("tokenize", DEMO, "some text", words=["did you mean --text TEXT?"])
        self.refuse("detokenize", DEMO, "1,2", words=["did you mean --tokens"])

    def test_a_text_without_quotes(self):
        self.refuse("run", DEMO, "-p", "some", "text", words=["'text'", "quotes"])

    def test_options_of_llama_cpp(self):
        self.refuse("run", DEMO, "-p", "a", "-ngl", "99", words=["'-ngl'", "processor"])
        self.refuse("run", DEMO, "-p", "a", "-fa", words=["'-fa'"])
        for option in ("-ctk", "--cache-type-v"):
            self.refuse("run", DEMO, "-p", "a", option, "f16", words=[f"'{option}'", "give --cache-type"])
        self.refuse("run", "-m", DEMO, "-p", "a", words=["'-m'", "first argument"])
        self.refuse("run", DEMO, "-cnv", words=["strata chat"])

    def test_values_that_look_like_options_still_work(self):
        self.assertEqual(self.strata("tokenize", DEMO, "--text=-ngl").code, 0)

    def test_values_of_variables(self):
        self.refuse("run", DEMO, "-p", "a", env={"STRATA_ARG_TEMP": "abc"}, words=["STRATA_ARG_TEMP: 'abc'"])
        self.refuse("run", DEMO, "-p", "a", env={"STRATA_ARG_FILE": "x"}, words=["STRATA_ARG_FILE"])
        self.refuse("logits", DEMO, "-o", "x.npy", env={"STRATA_ARG_TOKENS": "abc"}, words=["STRATA_ARG_TOKENS: 'abc'"])
        self.refuse("info", DEMO, env={"STRATA_ARG_LOG_FILE": "/nonexistent/x"}, code=5,
                    words=["/nonexistent/x", "STRATA_ARG_LOG_FILE"])

    def test_a_flag_is_blamed_by_its_own_name(self):
        result = self.strata("run", DEMO, "-p", "a", "--temp", "abc", env={"STRATA_ARG_TEMP": "1"})
        self.assert_error(result, 2, "--temp: 'abc'")
        self.assertNotIn("STRATA_ARG", result.err)

    def test_a_variable_that_another_command_reads_otherwise(self):
        package = self.work / "x.strata"
        result = self.strata("compile", self.checkpoint("qwen3-nano"), env={"STRATA_ARG_OUTPUT": str(package)})
        self.assertEqual(result.code, 0, result)
        self.assertTrue(package.exists())

    def test_help_in_spite_of_a_wrong_variable(self):
        self.assertEqual(self.strata("run", "--help", env={"STRATA_ARG_TEMP": "abc"}).code, 0)


if __name__ == "__main__":
    unittest.main()
