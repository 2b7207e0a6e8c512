# SPDX-License-Identifier: Apache-2.0
"""`cmake --install`: the program alone in another place, its manual page, and completion that a shell takes."""
import shutil
import subprocess
import unittest
from pathlib import Path

from harness import DEMO, STRATA, StrataTest

BUILD = Path(STRATA).parent
COMPLETIONS = "share/bash-completion/completions/strata"


class InstallTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.work / "prefix"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True, capture_output=True)

    def completed(self, *words):
        """What bash offers for the last of these words."""
        script = (f"source {self.prefix / COMPLETIONS}; COMP_WORDS=({' '.join(words)} ''); "
                  f"unset 'COMP_WORDS[-1]'; COMP_CWORD={len(words) - 1}; _strata; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True, cwd=DEMO.parent)
        return done.stdout.split()

    def test_the_program_needs_nothing_of_the_sources(self):
        program = self.prefix / "bin/strata"
        done = subprocess.run([program, "info", DEMO], check=True, capture_output=True, text=True, cwd="/")
        self.assertIn("Qwen3ForCausalLM", done.stdout)

    def test_manual_page(self):
        page = (self.prefix / "share/man/man1/strata.1").read_text(encoding="utf-8")
        for word in (".TH STRATA 1", ".SS run", ".SS serve", "\\-\\-temp", ".SH EXIT STATUS"):
            self.assertIn(word, page)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", self.prefix / "share/man/man1/strata.1"],
                                  check=True, capture_output=True, text=True)
            self.assertEqual(done.stderr, "")

    def test_completion(self):
        self.assertEqual(self.completed("strata", "be"), ["bench"])
        self.assertEqual(self.completed("strata", "run", "--te"), ["--temp"])
        self.assertEqual(self.completed("strata", "run", "de"), ["demo"])
        self.assertEqual(self.completed("strata", "run", "--temp", "de"), [])
        self.assertIn("demo", self.completed("strata", "run", "-f", "de"))

    def test_completion_of_other_shells(self):
        zsh = (self.prefix / "share/zsh/vendor-completions/_strata").read_text(encoding="utf-8")
        self.assertTrue(zsh.startswith("#compdef strata\n"))
        fish = (self.prefix / "share/fish/vendor_completions.d/strata.fish").read_text(encoding="utf-8")
        self.assertIn("-l temp -x", fish)
        self.assert_error(self.strata("completion", "tcsh"), 2, "tcsh", "bash, zsh, fish")


if __name__ == "__main__":
    unittest.main()
