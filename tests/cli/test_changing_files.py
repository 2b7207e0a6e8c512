# SPDX-License-Identifier: Apache-2.0
"""Files that are cut or changed while they are mapped."""
import os
import shutil
import subprocess
import unittest

from harness import QUICK_COMPILER, Result, StrataTest


class ChangingFilesTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        cls.whole = cls.work / "whole.strata"
        result = cls.strata("compile", cls.model, "-o", cls.whole)
        assert result.code == 0, result

    def finished(self, process, timeout=60):
        out, err = process.communicate(timeout=timeout)
        return Result(subprocess.CompletedProcess([], process.returncode, out, err))

    def assert_one_line(self, result, path, *words):
        self.assertEqual(result.code, 1, result)
        self.assertEqual(len(result.errors), 1, result)
        for word in (str(path), *words):
            self.assertIn(word, result.errors[0])

    def test_a_package_that_is_cut_while_it_runs(self):
        for size in (0, 5000):
            package = self.work / f"cut-{size}.strata"
            shutil.copy(self.whole, package)
            process = self.start("run", package, "-p", "Hi", "-n", 500, "-c", 512, "--ignore-eos",
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.read(1)
            os.truncate(package, size)
            with self.subTest(size=size):
                self.assert_one_line(self.finished(process), package, "cut while it was in use")

    def compiler_that_first(self, does):
        """A compiler before whose first run something happens to the checkpoint."""
        compiler = self.work / "c++"
        compiler.write_text(f"#!/bin/sh\ntest \"$1\" = --version || {does}\nexec {QUICK_COMPILER} \"$@\"\n")
        compiler.chmod(0o755)
        return compiler

    def compile_while(self, does):
        model = self.work / "changing"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(self.model, model)
        weights, output = model / "model.safetensors", self.work / "out.strata"
        env = {"STRATA_CXX": str(self.compiler_that_first(does.format(weights))),
               "STRATA_CACHE": str(self.work / "other-cache")}
        result = self.strata("compile", model, "-o", output, env=env)
        shutil.rmtree(self.work / "other-cache", ignore_errors=True)
        self.assertFalse(output.exists())
        self.assertEqual([path.name for path in self.work.glob("*.tmp")], [])
        self.assertEqual([path.name for path in self.work.glob(".*.tmp")], [])
        return result, weights

    def test_a_checkpoint_that_is_cut_while_it_is_compiled(self):
        self.assert_one_line(*self.compile_while("truncate -s 1000 '{}'"), "cut while it was in use")

    def test_a_checkpoint_that_is_changed_while_it_is_compiled(self):
        self.assert_one_line(*self.compile_while("touch '{}'"), "changed while it was read")


if __name__ == "__main__":
    unittest.main()
