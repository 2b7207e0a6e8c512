# SPDX-License-Identifier: Apache-2.0
"""libstrata and its Python do what the program does; misuse is one line; the header is C."""
import os
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np
from harness import DEMO, ROOT, STRATA, StrataTest

LIBRARY = Path(STRATA).parent / "libstrata.so.0"
os.environ["STRATA_LIBRARY"] = str(LIBRARY)
sys.path.insert(0, str(ROOT / "python"))
import strata_llm  # noqa: E402

PROMPT = "In the beginning"
MESSAGES = [{"role": "user", "content": "Who made the earth?"}]


class LibraryTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.package = cls.work / "demo.strata"
        done = subprocess.run([STRATA, "compile", DEMO, "-o", cls.package, "-q"], env=os.environ | cls.environment(),
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def setUp(self):
        self.model = strata_llm.Model(self.package, threads=1)
        self.addCleanup(self.model.close)

    def refuse(self, *words, call):
        with self.assertRaises(strata_llm.StrataError) as raised:
            call()
        message = str(raised.exception)
        self.assertNotIn("\n", message)
        for word in words:
            self.assertIn(word, message)

    def test_texts(self):
        tokens = self.model.tokenize(PROMPT)
        self.assertEqual(tokens, list(map(int, self.strata("tokenize", DEMO, "--text", PROMPT).text.split(","))))
        self.assertEqual(self.model.detokenize(tokens), PROMPT)
        self.assertEqual(self.model.tokenize(""), [])

    def test_logits(self):
        tokens = self.model.tokenize(PROMPT)
        out = self.work / "logits.npy"
        ids = ",".join(map(str, tokens))
        self.assertEqual(self.strata("logits", self.package, "--tokens", ids, "-o", out, "-t", "1").code, 0)
        rows = np.load(out)
        np.testing.assert_allclose(self.model.logits(tokens), rows[-1], rtol=1e-5, atol=1e-5)
        # One by one, and from a position on.
        self.model.rewind(2)
        self.assertEqual(self.model.position, 2)
        for i in range(2, len(tokens)):
            np.testing.assert_allclose(self.model.feed(tokens[i:i + 1]), rows[i], rtol=1e-4, atol=1e-4)

    def test_generating_is_what_run_does(self):
        text = self.strata("run", self.package, "-p", PROMPT, "-n", "30", "--temp", "0", "-t", "1").text
        self.assertEqual(self.model.generate(PROMPT, limit=30, temperature=0), text.removesuffix("\n"))
        # What the model holds of the prompt is not computed again, and changes nothing.
        pieces = list(self.model.stream(PROMPT, limit=30, temperature=0))
        self.assertEqual("".join(pieces), text.removesuffix("\n"))
        self.assertGreater(len(pieces), 5)
        seeded = self.model.generate(PROMPT, limit=20, seed=7)
        self.assertEqual(self.model.generate(PROMPT, limit=20, seed=7), seeded)

    def test_ends(self):
        text = self.model.generate(PROMPT, limit=30, temperature=0)
        word = text.split()[4]
        self.assertEqual(self.model.generate(PROMPT, limit=30, temperature=0, stop=[word]), text[:text.index(word)])
        self.assertEqual(self.model.generate(PROMPT, limit=0), "")
        small = strata_llm.Model(self.package, threads=1, context=64)
        small.generate(PROMPT, temperature=0, ignores_end_tokens=True)
        self.assertEqual(small.position, 64)

    def test_chat(self):
        answer = self.model.chat(MESSAGES, limit=12, temperature=0)
        self.assertEqual("".join(self.model.stream_chat(MESSAGES, limit=12, temperature=0)), answer)
        self.assertIn(MESSAGES[0]["content"], self.model.render_chat(MESSAGES))

    def test_misuse(self):
        tokens = self.model.tokenize(PROMPT)
        self.refuse("/nosuch", call=lambda: strata_llm.Model("/nosuch"))
        self.refuse(str(DEMO), call=lambda: strata_llm.Model(DEMO))
        self.refuse("no token", call=lambda: self.model.feed([]))
        self.refuse("5000", call=lambda: self.model.feed([5000]))
        self.refuse("99", call=lambda: self.model.rewind(99))
        self.refuse("-1", call=lambda: self.model.rewind(-1))
        self.refuse("empty", call=lambda: self.model.generate(""))
        self.refuse("context", call=lambda: self.model.logits(tokens * 1000))
        self.refuse("0 or more", call=lambda: strata_llm.Model(self.package, threads=-1))
        text = self.model.stream(PROMPT, limit=5)
        next(text)
        self.model.feed(tokens)
        self.refuse("something else", call=lambda: next(text))
        self.model.close()
        self.refuse("closed", call=lambda: self.model.position)
        os.environ["STRATA"] = STRATA
        self.refuse("/nosuch", call=lambda: strata_llm.compile("/nosuch", self.work / "x.strata"))

    def test_the_header_is_c(self):
        program = self.work / "program.c"
        program.write_text('#include "strata.h"\n#include <stdio.h>\n'
                           "int main(int argc, char** argv) {\n"
                           "  strata_model* model = strata_open(argv[argc - 1], 1, 0);\n"
                           '  if (!model) { printf("%s\\n", strata_error()); return 1; }\n'
                           '  printf("%ld\\n", (long)strata_vocabulary(model));\n'
                           "  strata_close(model);\n  return 0;\n}\n", encoding="utf-8")
        subprocess.run(["clang-19", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", ROOT / "src/library",
                        program, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", "-o", self.work / "program"], check=True)
        done = subprocess.run([self.work / "program", self.package], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, f"{self.model.vocabulary}\n"))
        done = subprocess.run([self.work / "program", "/nosuch"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nosuch", done.stdout)


if __name__ == "__main__":
    unittest.main()
