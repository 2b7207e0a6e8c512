# SPDX-License-Identifier: Apache-2.0
"""A MODEL that is something else: every command says what it is and what to do, with exit code 3."""
import shutil
import unittest

from harness import DEMO, StrataTest

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
COMMANDS = (["run", "-p", "a"], ["chat"], ["tokenize", "--text", "a"], ["info"], ["bench"], ["explain"],
            ["logits", "--tokens", "1", "-o", "x.npy"], ["compile", "-o", "x.strata"])


class WrongModelTest(StrataTest):
    optimises = False

    def refuse(self, model, *words, commands=COMMANDS):
        for command in commands:
            with self.subTest(command[0]):
                self.assert_error(self.strata(command[0], model, *command[1:]), 3, *words)

    def file(self, name, content):
        path = self.work / name
        path.write_bytes(content)
        return path

    def folder(self, name, *files):
        path = self.work / name
        path.mkdir()
        for file in files:
            (path / file).touch()
        return path

    def test_gguf_file(self):
        self.refuse(self.file("m.gguf", b"GGUF\3\0\0\0" + bytes(4000)), "general.architecture", "m.gguf",
                    commands=[command for command in COMMANDS if command[0] not in ("run", "chat", "tokenize")])

    def test_one_file_of_a_model(self):
        self.refuse(DEMO / "model.safetensors", "one file of a model", "folder")

    def test_pytorch_checkpoint(self):
        self.refuse(self.file("m.bin", b"PK\x03\x04" + bytes(100)), "PyTorch", "safetensors")

    def test_web_page(self):
        self.refuse(self.file("m.strata", b"<!DOCTYPE html>\n<html>"), "a web page", "download")

    def test_empty_file(self):
        self.refuse(self.file("empty.strata", b""), "the file is empty")

    def test_empty_folder(self):
        self.refuse(self.folder("empty"), "the folder is empty")

    def test_adapter(self):
        self.refuse(self.folder("lora", "adapter_config.json", "adapter_model.safetensors"), "LoRA adapter", "merge")

    def test_folder_of_gguf_files(self):
        self.refuse(self.folder("quantised", "README.md", "q4.gguf"), "GGUF", "one of the files")

    def test_folder_in_pytorchs_format(self):
        self.refuse(self.folder("old", "pytorch_model.bin"), "PyTorch", "safetensors")

    def test_folder_that_is_no_model(self):
        self.refuse("/etc", "not a model's folder", "config.json", "/etc")

    def test_weights_left_in_git_lfs(self):
        folder = self.work / "pointer"
        shutil.copytree(DEMO, folder)
        (folder / "model.safetensors").write_bytes(LFS_POINTER)
        self.refuse(folder, "git-LFS pointer", "model.safetensors", "git lfs pull",
                    commands=[command for command in COMMANDS if command[0] != "tokenize"])

    def test_texts_left_in_git_lfs(self):
        for name in ("tokenizer.json", "config.json"):
            folder = self.work / f"pointer-{name}"
            shutil.copytree(DEMO, folder)
            (folder / name).write_bytes(LFS_POINTER)
            self.refuse(folder, "git-LFS pointer", name, commands=[["run", "-p", "a"], ["tokenize", "--text", "a"]])

    def test_weights_in_another_format(self):
        folder = self.folder("unsaved", "pytorch_model.bin")
        shutil.copy(DEMO / "config.json", folder)
        self.refuse(folder, "PyTorch", "safetensors", commands=[["info"], ["compile", "-o", "x.strata"]])


if __name__ == "__main__":
    unittest.main()
