# SPDX-License-Identifier: Apache-2.0
"""Packages: the cache, reproducible bytes, damage, what info and opt show."""
import json
import os
import shutil
import subprocess
import unittest

import numpy as np
from harness import ROOT, STRATA, StrataTest, is_sanitized, like_another, numbers_only, reference, sample


DAMAGES = 10 if is_sanitized() else 40  # of a kind; the loader's own tests have thousands


class PackageTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        cls.package = cls.work / "model.strata"
        cls.cold = cls.strata("compile", cls.model, "-o", cls.package)
        cls.text = cls.strata("run", cls.package, "-p", "Hi", "-n", 8, "--temp", 0, "--ignore-eos").out

    def run_package(self, path):
        return self.strata("run", path, "-p", "Hi", "-n", 8, "--temp", 0, "--ignore-eos", timeout=60)

    def test_report(self):
        self.assertEqual((self.cold.code, self.cold.out), (0, b""), self.cold)
        for word in (str(self.package), "toolchain", "pack", "arena peak", "lower bound", "scratch of a thread"):
            self.assertIn(word, self.cold.err)

    @like_another
    def test_same_inputs_give_the_same_bytes(self):
        again, elsewhere = self.work / "again.strata", self.work / "elsewhere.strata"
        self.assertEqual(self.strata("compile", self.model, "-o", again).code, 0)
        env = {"STRATA_CACHE": str(self.work / "other-cache")}
        self.assertEqual(self.strata("compile", self.model, "-o", elsewhere, env=env).code, 0)
        self.assertEqual(again.read_bytes(), self.package.read_bytes())
        self.assertEqual(elsewhere.read_bytes(), self.package.read_bytes())

    def test_package_and_folder_give_the_same_text(self):
        self.assertTrue(self.text)
        self.assertEqual(self.run_package(self.model).out, self.text)

    def test_cache_is_used_and_follows_the_model(self):
        first = self.strata("info", self.model)
        self.assertEqual(first.code, 0, first)
        self.run_package(self.model)
        self.assertIn("from the cache", self.strata("run", self.model, "-p", "Hi", "-n", 1, "-v").err)
        changed = self.work / "changed"
        shutil.copytree(self.model, changed)
        weights = changed / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-4:] = b"\0\0\0\0"
        weights.write_bytes(content)
        self.assertNotIn("from the cache", self.strata("run", changed, "-p", "Hi", "-n", 1, "-v").err)

    def test_nothing_is_said_of_compiling_what_is_compiled(self):
        self.run_package(self.model)
        self.assertNotIn("compiling", self.run_package(self.model).err)

    @like_another
    def test_processes_that_compile_the_same_model_at_once(self):
        environment = self.environment(STRATA_CACHE=str(self.work / "contended"))
        arguments = [STRATA, "run", self.model, "-p", "Hi", "-n", "8", "--temp", "0", "--ignore-eos"]
        processes = [subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                     for _ in range(4)]
        outputs = [process.communicate(timeout=300)[0] for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 4)
        self.assertEqual(set(outputs), {self.text})
        self.assertEqual(len(list((self.work / "contended").rglob("*.strata"))), 1)

    @like_another
    def test_default_cache_folders(self):
        home = self.work / "home"
        home.mkdir()
        env = {k: v for k, v in self.environment().items() if not k.startswith(("STRATA_", "XDG_"))}
        for more, folder in (({"HOME": str(home)}, home / ".cache/strata"),
                             ({"HOME": str(home), "XDG_CACHE_HOME": str(home / "xdg")}, home / "xdg/strata")):
            subprocess.run([STRATA, "run", self.model, "-p", "Hi", "-n", "1"], env=env | more, check=True,
                           capture_output=True)
            self.assertTrue(any(folder.iterdir()), folder)

    def test_damage_is_refused_or_harmless(self):
        whole, rng = self.package.read_bytes(), np.random.default_rng(1)
        damaged = self.work / "damaged.strata"
        for round_ in range(DAMAGES):
            content = bytearray(whole)
            if round_ % 2:
                content = content[:int(rng.integers(0, len(content)))]
            else:
                content[int(rng.integers(0, min(len(content), 1 << 16)))] ^= 1 << int(rng.integers(0, 8))
            damaged.write_bytes(content)
            result = self.run_package(damaged)
            with self.subTest(round=round_):
                if result.code == 0:
                    self.assertEqual(result.out, self.text)
                else:
                    self.assert_error(result, 3)

    def test_verify_finds_any_flipped_bit(self):
        whole, rng = self.package.read_bytes(), np.random.default_rng(2)
        damaged = self.work / "flipped.strata"
        for _ in range(DAMAGES):
            content = bytearray(whole)
            content[int(rng.integers(0, len(content)))] ^= 1 << int(rng.integers(0, 8))
            damaged.write_bytes(content)
            self.assert_error(self.strata("info", damaged, "--verify"), 3)

    def test_info_of_package_and_folder(self):
        package, folder = self.strata("info", self.package).text, self.strata("info", self.model).text
        for text in (package, folder):
            for word in ("Qwen3ForCausalLM", "layers", "vocabulary", "f32", "tokenizer.json"):
                self.assertIn(word, text)
        for word in ("machine", "compiler", "checksums", "fingerprint"):
            self.assertIn(word, package)

    def test_info_speaks_no_terminals_language(self):
        named, package = self.work / "name\x1b[31m", self.work / "named.strata"
        shutil.copytree(self.model, named)
        self.assertEqual(self.strata("compile", named, "-o", package).code, 0)
        for model in (named, package):
            result = self.strata("info", model)
            self.assertNotIn(b"\x1b", result.out)
            self.assertIn(b"name\\x1b[31m", result.out)

    def test_a_machine_file_runs_nothing(self):
        machine = json.loads((ROOT / "machines/x86-64-baseline.json").read_text())
        target = machine["target"]
        for forged, word in ((machine | {"name": 'x\n#include "/etc/passwd"'}, "'name'"),
                             (machine | {"target": target | {"clang_flags": ["-fplugin=/nonexistent.so"]}}, "-fplugin"),
                             (machine | {"target": target | {"triple": "../../x"}}, "'target.triple'")):
            path = self.work / "forged.json"
            path.write_text(json.dumps(forged))
            output = self.work / "forged.strata"
            self.assert_error(self.strata("compile", self.model, "-o", output, "--machine", path), 3, word)
            self.assertFalse(output.exists())

    @like_another
    def test_no_compiler_of_the_current_folder_is_run(self):
        folder = self.work / "here"
        folder.mkdir()
        for name in ("clang++-19", "clang++", "g++"):
            (folder / name).write_text("#!/bin/sh\ntouch ran\nexit 1\n")
            (folder / name).chmod(0o755)
        env = self.environment(PATH=":" + os.environ["PATH"], STRATA_CXX="", STRATA_CACHE=str(self.work / "empty-path"))
        process = subprocess.run([STRATA, "run", self.model, "-p", "Hi", "-n", "1"], cwd=folder, env=env,
                                 capture_output=True)
        self.assertEqual(process.returncode, 0, process)
        self.assertFalse((folder / "ran").exists())

    def test_failed_compilation_leaves_the_old_package(self):
        target = self.work / "old.strata"
        target.write_bytes(b"old")
        broken = self.work / "broken"
        shutil.copytree(self.model, broken)
        (broken / "config.json").write_text("{")
        self.assert_error(self.strata("compile", broken, "-o", target), 3)
        self.assertEqual(target.read_bytes(), b"old")

    def test_dump_shows_ir_and_code(self):
        folder = self.work / "dump"
        result = self.strata("compile", self.model, "-o", self.work / "dumped.strata", "--dump", folder)
        self.assertEqual(result.code, 0, result)
        endings = {path.suffix for path in folder.rglob("*") if path.is_file()}
        self.assertLessEqual({".ir", ".cpp"}, endings)

    @numbers_only
    def test_plans_without_a_decision_compute_the_same(self):
        tokens = [5, 17, 3, 99, 41, 8, 260]
        full = self.logits(self.package, tokens)
        for name in sample(("egraph", "vectorize", "algebra", "exact", "merge-matmuls")):
            with self.subTest(without=name):
                folder, package = self.work / f"dump-{name}", self.work / f"without-{name}.strata"
                result = self.strata("compile", self.model, "-o", package, "--without", name, "--dump", folder)
                self.assertEqual(result.code, 0, result)
                plan = (folder / "seq1-02-egraph.ir") if name != "egraph" else folder / "seq1-01-import.ir"
                text = plan.read_text()
                self.assertEqual("pack(" in text, name not in ("egraph", "vectorize"))
                if name in ("egraph", "algebra", "merge-matmuls"):
                    self.assertNotIn("concat(", text)
                self.assertEqual((folder / "seq1-02-egraph.ir").exists(), name != "egraph")
                self.assertLessEqual(reference.relative_error(self.logits(package, tokens), full), 1e-4)

    def test_unknown_decision(self):
        result = self.strata("compile", self.model, "-o", self.work / "x.strata", "--without", "merge-matmul")
        self.assert_error(result, 2, "'merge-matmul'", "egraph, vectorize, algebra, exact", "merge-matmuls")

    def test_toolchain_that_is_missing(self):
        env = {"STRATA_CACHE": str(self.work / "no-toolchain"), "PATH": "/nonexistent", "STRATA_CXX": "",
               "CXX": "/nonexistent/c++"}
        result = self.strata("compile", self.model, "-o", self.work / "x.strata", env=env)
        self.assert_error(result, 4)
        self.assertFalse(os.path.exists(self.work / "x.strata"))

    def test_cache_folder_that_can_not_be_made(self):
        result = self.strata("run", self.model, "-p", "Hi", env={"STRATA_CACHE": "/proc/nonexistent/cache"})
        self.assert_error(result, 5)


class OptTest(StrataTest):
    def test_passes(self):
        folder = self.work / "dump"
        model = self.checkpoint("qwen3-nano")
        self.assertEqual(self.strata("compile", model, "-o", self.work / "x.strata", "--dump", folder).code, 0)
        imported = sorted(folder.glob("*-01-import.ir"))
        self.assertEqual([path.name.split("-")[0] for path in imported], ["chunk", "rows", "seq1"])
        for path in sample(imported):
            texts = {name: self.strata("opt", path, "--passes", name).text for name in
                     ("algebra", "vectorize", "egraph")}
            merges = "q_proj.weight" in path.read_text()
            self.assertEqual(["pack(" in text for text in texts.values()], [False, True, True])
            # Whether the search merges depends on sizes that a module by itself doesn't tell.
            self.assertEqual(["concat(" in texts[name] for name in ("algebra", "vectorize")], [merges, False])
            for name, text in texts.items():
                self.assertEqual(self.strata("opt", "-", "--passes", name, stdin=path.read_bytes()).text, text)
                planned = self.strata("opt", "-", "--passes", "egraph", stdin=text.encode())
                self.assertEqual(planned.code, 0, planned)  # what is printed can be read

    def test_wrong_text(self):
        path = self.work / "wrong.ir"
        path.write_text("this is no IR")
        self.assertIn(self.strata("opt", path).code, (2, 3))

    def test_unknown_pass(self):
        path = self.work / "empty.ir"
        path.write_text("")
        result = self.strata("opt", path, "--passes", "nosuch")
        self.assert_error(result, 2, "nosuch")


if __name__ == "__main__":
    unittest.main()
