# SPDX-License-Identifier: Apache-2.0
"""The cache: what it is keyed on, that it heals, that it needs neither a compiler nor to be written, whom it trusts."""
import json
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from harness import QUICK_COMPILER, StrataTest, sample

NO_COMPILER = {"PATH": "/nonexistent", "STRATA_CXX": ""}
CLOCK_STEP_S = 2.1  # a file that changed less long ago isn't remembered


class CacheTest(StrataTest):
    """Every test has a copy of one filled cache."""
    takes_cache = False
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        cls.filled = cls.work / "filled"
        result = cls.strata("run", cls.model, *cls.arguments, env={"STRATA_CACHE": str(cls.filled)})
        assert result.code == 0, result
        cls.text = result.out

    arguments = ("-p", "Hi", "-n", 8, "--temp", 0, "--ignore-eos")

    def setUp(self):
        self.home = self.work / self.id().split(".")[-1]
        self.cache = self.home / "cache"
        shutil.copytree(self.filled, self.cache)

    def run_model(self, model=None, *more, **options):
        env = {"STRATA_CACHE": str(self.cache)} | options.pop("env", {})
        return self.strata("run", model or self.model, *self.arguments, "-v", *more, env=env, **options)

    def assert_runs(self, result, from_cache):
        self.assertEqual((result.code, result.out), (0, self.text), result)
        self.assertEqual("from the cache" in result.err, from_cache, result)

    def packages(self):
        return sorted((self.cache / "packages").glob("*.strata"))

    @property
    def package(self):
        package, = self.packages()
        return package

    def damage(self, path, change):
        content = bytearray(path.read_bytes())
        path.write_bytes(change(content))

    # What it is keyed on

    def assert_one_package_for(self, model):
        self.assert_runs(self.run_model(model), from_cache=True)
        self.assertEqual(len(self.packages()), 1)

    def test_a_model_that_was_renamed_touched_or_copied(self):
        moved = self.home / "another-name"
        shutil.copytree(self.model, moved)
        self.assert_one_package_for(moved)
        os.utime(moved / "model.safetensors")
        self.assert_one_package_for(moved)

    def test_texts_that_were_edited_count_at_once(self):
        edited = self.home / "edited"
        shutil.copytree(self.model, edited)
        template = edited / "tokenizer_config.json"
        config = json.loads(template.read_text())
        template.write_text(json.dumps(config | {"chat_template": "EDITED"}))
        self.assert_one_package_for(edited)
        rendered = self.strata("template", edited, stdin=b'{"messages": []}')
        self.assertEqual(rendered.out, b"EDITED", rendered)

    def test_snapshots_of_the_hub(self):
        repository = self.home / "models--Org--Name"
        blobs = repository / "blobs"
        shutil.copytree(self.model, blobs)
        for revision in ("abc", "def"):
            snapshot = repository / "snapshots" / revision
            snapshot.mkdir(parents=True)
            for blob in blobs.iterdir():
                (snapshot / blob.name).symlink_to(blob)
            self.assert_one_package_for(snapshot)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text("def")
        self.assert_one_package_for(repository)
        for command in (("info",), ("tokenize", "--text", "Hi")):
            result = self.strata(command[0], repository, *command[1:])
            self.assertEqual(result.code, 0, result)
        (repository / "refs/main").write_text("nosuch")
        self.assert_error(self.run_model(repository), 3, "models--Org--Name", "snapshot")

    def test_weights_that_differ_make_another_package(self):
        changed = self.home / "changed"
        shutil.copytree(self.model, changed)
        self.damage(changed / "model.safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        self.assertEqual(self.run_model(changed).code, 0)
        self.assertEqual(len(self.packages()), 2)

    def test_a_package_of_its_own_holds_its_texts(self):
        package = self.home / "own.strata"
        result = self.strata("compile", self.model, "-o", package, env={"STRATA_CACHE": str(self.cache)})
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.run_model(package).out, self.text)
        self.assertIn("section tokenizer.json", self.strata("info", package).text)
        self.assertNotIn("section tokenizer.json", self.strata("info", self.package).text)

    # It heals

    def test_a_damaged_package_is_made_again(self):
        whole = self.package.read_bytes()
        changes = {"empty": lambda content: b"", "cut": lambda content: content[:5000],
                   "shorter": lambda content: content[:-1], "other": lambda content: b"x" * len(content),
                   "weight": lambda content: content[:-1] + bytes([content[-1] ^ 1])}
        for name, change in sample(changes.items()):
            with self.subTest(name):
                self.damage(self.package, change)
                self.assert_runs(self.run_model(), from_cache=False)
                self.assertEqual(self.package.read_bytes(), whole)
                self.assert_runs(self.run_model(), from_cache=True)

    def test_damaged_objects_are_made_again(self):
        whole = self.package.read_bytes()
        changes = {"empty": lambda content: b"", "cut": lambda content: content[:300],
                   "flipped": lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:]}
        for name, change in sample(changes.items()):
            with self.subTest(name):
                for path in (self.cache / "objects").glob("*.o"):
                    self.damage(path, change)
                self.package.unlink()
                self.assert_runs(self.run_model(), from_cache=False)
                self.assertEqual(self.package.read_bytes(), whole)

    def test_damaged_headers_are_made_again(self):
        whole = self.package.read_bytes()

        def compile_again():
            for path in (self.cache / "objects").glob("*.o"):
                path.unlink()
            self.package.unlink()
            self.assert_runs(self.run_model(), from_cache=False)
            self.assertEqual(self.package.read_bytes(), whole)

        headers, = (self.cache / "objects").glob("headers-*")
        for path in headers.glob("*.o"):  # what another folder's was copied from
            path.unlink()
        compile_again()
        precompiled, = headers.glob("*.o")
        paths = (precompiled, headers / "tensor/tensor.h")
        before = [path.read_bytes() for path in paths]
        for path in paths:
            self.damage(path, lambda content: content[:100] + b"x" + content[101:])
        compile_again()
        self.assertEqual([path.read_bytes() for path in paths], before)

    # Every byte is verified once

    def test_a_named_package_that_is_damaged_is_refused(self):
        package = self.home / "own.strata"
        shutil.copy(self.package, package)
        logits = ("logits", package, "--tokens", "1,2", "-o", self.home / "x.npy")
        env = {"STRATA_CACHE": str(self.cache)}
        self.assertEqual(self.strata(*logits, env=env).code, 0)
        time.sleep(CLOCK_STEP_S)
        self.assertEqual(self.strata(*logits, env=env).code, 0)
        self.damage(package, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        for command in (logits, ("bench", package, "-p", 4, "-n", 0, "-r", 1)):
            self.assert_error(self.strata(*command, env=env), 3, str(package), "\"weights\" is wrong")
        self.assertTrue(package.exists())

    def test_verify_is_an_option_of_every_command_with_a_model(self):
        package = self.home / "own.strata"
        self.assertEqual(self.strata("compile", self.model, "-o", package, "--verify").code, 0)
        commands = {"tokenize": ("--text", "Hi"), "detokenize": ("--tokens", "1"), "explain": (), "info": (),
                    "run": ("-p", "Hi", "-n", 1), "logits": ("--tokens", "1", "-o", self.home / "x.npy"),
                    "perplexity": ("-f", __file__, "-c", 64), "bench": ("-p", 4, "-n", 0, "-r", 1)}
        for name, more in sample(commands.items()):
            self.assertEqual(self.strata(name, package, *more, "--verify").code, 0, name)
        self.damage(package, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        self.assertEqual(self.strata("tokenize", package, "--text", "Hi").code, 0, "no weight is needed")
        for name, more in sample((commands | {"chat": (), "template": ()}).items()):
            with self.subTest(name):
                self.assert_error(self.strata(name, package, *more, "--verify"), 3, "own.strata")

    # What is there runs

    def test_without_a_compiler(self):
        self.assert_runs(self.run_model(env=NO_COMPILER), from_cache=True)
        self.assert_runs(self.run_model(env={"PATH": "/nonexistent", "STRATA_CXX": "nosuch"}), from_cache=True)
        self.package.unlink()
        self.assert_error(self.run_model(env=NO_COMPILER), 4, "no C++ compiler")

    def test_a_package_of_another_compiler_is_used_when_there_is_none(self):
        compiler = self.home / "c++"
        compiler.write_text(f"#!/bin/sh\ntest \"$1\" = --version && echo clang of another day && exit\n"
                            f'exec {QUICK_COMPILER} "$@"\n')
        compiler.chmod(0o755)
        self.package.unlink()
        self.assert_runs(self.run_model(env={"STRATA_CXX": str(compiler)}), from_cache=False)
        self.assert_runs(self.run_model(env=NO_COMPILER), from_cache=True)
        self.assert_runs(self.run_model(), from_cache=False)

    def test_in_a_cache_that_can_not_be_written(self):
        program = self.without_write_permission()
        arguments = [*program, "run", str(self.model), *map(str, self.arguments)]
        env = self.environment(STRATA_CACHE=str(self.cache))
        process = subprocess.run(arguments, env=env, capture_output=True, timeout=60)
        self.assertEqual((process.returncode, process.stdout), (0, self.text), process)

    # Whom it trusts

    def test_folders_and_files_are_the_users_alone(self):
        for path in (self.filled, *self.filled.rglob("*")):
            if path.suffix != ".lock":
                self.assertEqual(path.stat().st_mode & 0o77, 0, path)

    def test_what_others_can_write_is_refused_by_name(self):
        for path in (self.cache, self.cache / "packages", self.package):
            with self.subTest(path.name):
                mode = path.stat().st_mode
                path.chmod(mode | 0o022)
                self.assert_error(self.run_model(), 5, str(path), "other users can write")
                path.chmod(mode)
        self.cache.chmod(0o770)
        result = self.strata("compile", self.model, "-o", self.home / "x.strata", env={"STRATA_CACHE": str(self.cache)})
        self.assert_error(result, 5, str(self.cache), "other users can write")
        self.cache.chmod(0o700)
        self.package.unlink()
        for path in sample((self.cache / "objects", *(self.cache / "objects").glob("*.o"))):
            mode = path.stat().st_mode
            path.chmod(mode | 0o002)
            self.assert_error(self.run_model(), 5, path.name, "other users can write")
            path.chmod(mode)

    @unittest.skipIf(os.geteuid() != 0, "only root can give files away")
    def test_what_is_another_users_is_refused_by_name(self):
        for path in (self.cache, self.package):
            os.chown(path, 12345, -1)
            self.assert_error(self.run_model(), 5, str(path), "another user (12345)")
            os.chown(path, 0, -1)


if __name__ == "__main__":
    unittest.main()
