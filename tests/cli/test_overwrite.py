# SPDX-License-Identifier: Apache-2.0
"""An output that is one of the inputs is refused with exit code 2, whatever its path looks like; nothing is touched."""
import os
import shutil
import unittest

from harness import StrataTest


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class OverwriteTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.work / "model"
        shutil.copytree(cls.talking_checkpoint(), cls.model)

    def names_of(self, file):
        """The file by other names."""
        link, hard = self.work / f"link-{file}", self.work / f"hard-{file}"
        for path in (link, hard):
            path.unlink(missing_ok=True)
        link.symlink_to(self.model / file)
        os.link(self.model / file, hard)
        return [self.model / file, self.model / ".." / self.model.name / file,
                os.path.relpath(self.model / file), link, hard]

    def refuse(self, *arguments, stdin=b""):
        with self.subTest(" ".join(map(str, arguments))):
            self.assert_error(self.strata(*arguments, stdin=stdin), 2, "would overwrite", "another output")

    def test_a_file_of_the_model(self):
        before = contents(self.model)
        for file in ("model.safetensors", "config.json", "tokenizer.json"):
            for name in self.names_of(file):
                self.refuse("compile", self.model, "-o", name)
                self.refuse("logits", self.model, "--tokens", "1", "-o", name)
                self.refuse("explain", self.model, "--html", name)
                self.refuse("tokenize", self.model, "--text", "a", "--log-file", name)
        self.assertEqual(contents(self.model), before)

    def test_a_package(self):
        package = self.work / "m.strata"
        self.assertEqual(self.strata("compile", self.model, "-o", package).code, 0)
        before = package.read_bytes()
        self.refuse("logits", package, "--tokens", "1", "-o", package)
        self.refuse("info", package, "--log-file", package)
        self.assertEqual(package.read_bytes(), before)

    def test_a_prompt(self):
        prompt = self.work / "prompt.txt"
        prompt.write_text("In the beginning")
        self.refuse("run", self.model, "-f", prompt, "--log-file", prompt)
        with open(prompt) as file:
            process = self.start("tokenize", self.model, "--log-file", prompt, stdin=file, stdout=-1, stderr=-1)
            _, error = process.communicate()
        self.assertEqual((process.returncode, b"standard input" in error), (2, True), error)
        self.assertEqual(prompt.read_text(), "In the beginning")

    def test_a_machine_file(self):
        machine = self.work / "machine.json"
        machine.write_text("{}")
        self.refuse("compile", self.model, "-o", machine, "--machine", machine)
        self.assertEqual(machine.read_text(), "{}")

    def test_two_outputs_in_one_file(self):
        output = self.work / "x"
        for command in (["calibrate", "-o"], ["logits", self.model, "--tokens", "1", "-o"]):
            result = self.strata(*command, output, "--log-file", self.work / "." / "x")
            self.assert_error(result, 2, "the same file")
        self.assertFalse(output.exists())

    def test_other_files_in_the_models_folder_may_be_written(self):
        folder = self.work / "beside"
        shutil.copytree(self.model, folder)
        for _ in range(2):
            result = self.strata("compile", folder, "-o", folder / "m.strata", "--log-file", folder / "log.txt")
            self.assertEqual(result.code, 0, result)


if __name__ == "__main__":
    unittest.main()
