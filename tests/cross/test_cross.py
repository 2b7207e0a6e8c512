# SPDX-License-Identifier: Apache-2.0
"""Packages compiled for another architecture: vector instructions in the hot kernels, the right logits under qemu.

    test_cross.py aarch64|riscv64 [unittest's arguments]

What one architecture shows for both is left to one of them; with STRATA_SOAK set both show all.

Needs what `scripts/setup.sh --tests` installs.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from harness import ROOT, StrataTest, reference

BUILD = Path(os.environ.get("STRATA_CROSS_BUILD", ROOT / "build/release/cross"))
# Relative error of all logits together: ||out - ref|| / ||ref||. Activations may be rounded to the weights' dtype.
LIMIT = {"f32": 1e-5, "f16": 4e-3, "bf16": 3e-2}
OBJDUMP = "llvm-objdump-19"
# Where the time goes. One row meets weights in either form; the sum of exceptions is scalar.
KERNELS = ("gemv_panels|multiply_encoded", "gemm_tile", "score_tile", "value_tile")
# Of those, the instances for a number of lanes.
WITH_LANES = (r"<void strata::tensor::(?:(?:gemv_panels|multiply_encoded|gemm_tile)<{0}|"
              r"(?:score_tile|value_tile)<\d+, \d+, strata::tensor::Stream\{{[^}}]*\}}, {0}),")


def run(*command):
    process = subprocess.run([str(word) for word in command], capture_output=True)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: {(process.stdout + process.stderr).decode()[-2000:]}")
    return process.stdout


def section(package, wanted):
    """The bytes of one section; src/package/format.h has the layout."""
    data = package.read_bytes()
    for row in range(64, 64 + 64 * int.from_bytes(data[12:16], "little"), 64):
        offset, size = (int.from_bytes(data[row + at:row + at + 8], "little") for at in (40, 48))
        if data[row:row + 40].rstrip(b"\0") == wanted.encode():
            return data[offset:offset + size]
    raise KeyError(wanted)


class CrossTest:
    """What every architecture passes; a subclass says which one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = BUILD / cls.arch
        launcher = os.environ.get("COMPILER_LAUNCHER")
        run("cmake", "-G", "Ninja", "-S", ROOT / "tests/cross/target", "-B", folder, f"-DTRIPLE={cls.arch}-linux-gnu",
            *([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []))
        run("cmake", "--build", folder, "--target", "run_package", "-j", os.cpu_count())
        cls.runner = folder / "run_package"

    def content(self):
        return json.loads((ROOT / f"machines/{self.machine_name}.json").read_text())

    def machine(self, name, **changes):
        """A file with the architecture's machine, `changes` made to it."""
        path = self.work / f"{name}.json"
        path.write_text(json.dumps(self.content() | changes))
        return path

    def compile(self, model, machine=None):
        package = self.work / "model.strata"
        result = self.strata("compile", model, "-o", package, "--machine", machine or self.machine_name)
        self.assertEqual(result.code, 0, result)
        return package

    def emulated(self, package, step, tokens, cpu=None):
        return subprocess.run([f"qemu-{self.arch}", "-cpu", cpu or self.cpu, "-L", f"/usr/{self.arch}-linux-gnu",
                               str(self.runner), str(package), str(step), *map(str, tokens)], capture_output=True)

    def check_logits(self, preset, dtype, steps, machine=None):
        folder = self.checkpoint(preset, dtype)
        package = self.compile(folder, machine)
        config, weights = reference.load(folder)
        tokens = np.random.default_rng(3).integers(0, config["vocab_size"], 37)
        want = reference.logits(config, weights, tokens)
        for step in steps:
            with self.subTest(step=step):
                process = self.emulated(package, step, tokens)
                self.assertEqual(process.returncode, 0, process.stderr)
                got = np.frombuffer(process.stdout, "<f4").reshape(want.shape)
                self.assertLessEqual(reference.relative_error(got, want), LIMIT[dtype])
        return package

    def kernels(self, package, lanes, vector=None):
        """{kernel: (vector multiply-adds, scalar ones)} of the hot kernels for so many lanes."""
        library = self.work / "code.so"
        library.write_bytes(section(package, "code"))
        pattern, vector, scalar = (re.compile(text) for text in
                                   (WITH_LANES.format(lanes), vector or self.vector_multiply_add,
                                    self.scalar_multiply_add))
        counts, kernel = {}, None
        for line in run(OBJDUMP, "-d", "-C", *self.objdump_flags, library).decode().splitlines():
            if line.endswith(">:"):
                kernel = line if pattern.search(line) else None
            elif kernel:
                before = counts.get(kernel, (0, 0))
                counts[kernel] = (before[0] + bool(vector.search(line)), before[1] + bool(scalar.search(line)))
        return counts

    def assert_vectorised(self, package):
        counts = self.kernels(package, 4)
        for name in KERNELS:
            self.assertTrue(any(re.search(name, kernel) for kernel in counts), f"{name} is not among {sorted(counts)}")
        for kernel, (vector, scalar) in counts.items():
            is_vectorised = vector > scalar if "multiply_encoded" in kernel else vector > 0 and scalar == 0
            self.assertTrue(is_vectorised, f"{kernel} {vector} vector, {scalar} scalar")

    def test_f32(self):
        self.assert_vectorised(self.check_logits("qwen3-nano", "f32", (0, 1, 5)))

    def show_once(self, arch):
        if self.arch != arch and not os.environ.get("STRATA_SOAK"):
            self.skipTest(f"shown on {arch}")

    def test_f32_of_odd_sizes(self):
        self.show_once("riscv64")
        self.check_logits("qwen3-micro", "f32", (0,))

    def test_f16(self):
        self.show_once("aarch64")
        self.assert_vectorised(self.check_logits("qwen3-nano", "f16", (0, 1)))

    def test_bf16(self):
        self.assert_vectorised(self.check_logits("llama-nano", "bf16", (0, 1)))

    def test_without_vectors(self):
        """Right as well, and no vector instruction is found: the search for them can fail."""
        package = self.check_logits("qwen3-nano", "f32", (0, 1), self.scalar_machine())
        counts = self.kernels(package, 1)
        for name in KERNELS:
            self.assertTrue(any(re.search(name, kernel) for kernel in counts), f"{name} is not among {sorted(counts)}")
        for kernel, (vector, scalar) in counts.items():
            self.assertTrue(vector == 0 and scalar > 0, f"{kernel} {vector} vector, {scalar} scalar")

    def scalar_machine(self):
        content = self.content()
        flags = [self.baseline, "-fno-vectorize", "-fno-slp-vectorize"]
        unit = next(unit for unit in content["units"] if unit["dtype"] == "f32") | {"lanes": 1}
        return self.machine("scalar", target=content["target"] | {"clang_flags": flags, "features": []}, units=[unit],
                            vector_registers=content["vector_registers"] | {"bytes": 4})

    def test_refused_elsewhere_by_name(self):
        package = self.compile(self.checkpoint("qwen3-nano"))
        result = self.strata("logits", package, "--tokens", 1, "-o", self.work / "x.npy")
        self.assert_error(result, 3, f"compiled for {self.arch}", "this processor is x86_64")
        process = self.emulated(package, 0, [1], self.lesser_cpu)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f"the package needs {self.lacking}", process.stderr.decode())

    def test_missing_cross_library(self):
        compiler = self.work / "bare-clang++"
        real = shutil.which("clang++-19") or shutil.which("clang++")
        compiler.write_text(f'#!/bin/sh\nexec {real} "$@" --sysroot=/nonexistent --gcc-toolchain=/nonexistent\n')
        compiler.chmod(0o755)
        environment = {"STRATA_CXX": str(compiler), "STRATA_CACHE": str(self.work / "bare")}
        result = self.strata("compile", self.checkpoint("qwen3-nano"), "-o", self.work / "bare.strata", "--machine",
                             self.machine_name, env=environment)
        self.assert_error(result, 4, "file not found", f"install libstdc++-12-dev-{self.debian_name}-cross and lld-19")
        self.assertFalse((self.work / "bare.strata").exists())

    @unittest.skipUnless(shutil.which("g++"), "there is no g++")
    def test_compiler_of_this_architecture_only(self):
        result = self.strata("compile", self.checkpoint("qwen3-nano"), "-o", self.work / "gcc.strata", "--machine",
                             self.machine_name, env={"STRATA_CXX": "g++"})
        self.assert_error(result, 4, f"makes no code for {self.arch}", "set STRATA_CXX to clang++")


class Aarch64Test(CrossTest, StrataTest):
    arch, debian_name, machine_name = "aarch64", "arm64", "neon-generic"
    cpu, lesser_cpu, lacking = "max", "cortex-a57", "fp16, dotprod"
    baseline = "-march=armv8-a"
    objdump_flags = ["--mattr=+all"]
    vector_multiply_add, scalar_multiply_add = r"\bfmla\s+v\d+\.4s", r"\bfn?m(add|sub)\s+s"

    def test_bf16_dot_products(self):
        content = self.content()
        target = content["target"] | {"clang_flags": ["-march=armv8.6-a"], "features": ["bf16"]}
        unit = content["units"][0] | {"name": "bf16-dot2", "dtype": "bf16", "k": 2}
        machine = self.machine("armv8.6", target=target, units=content["units"] + [unit])
        package = self.check_logits("qwen3-nano", "bf16", (0, 1), machine)
        counts = self.kernels(package, 4, r"\bbfdot\s+v\d+\.4s")
        # Where a product is small, making pairs of the rows may cost more than it gains: others multiply floats.
        pairs = re.compile("gemm_tile<.*::bf16, .*::bf16[,>]")
        tiles = [vector for kernel, (vector, _) in counts.items() if pairs.search(kernel)]
        self.assertGreater(len(tiles), 0)
        self.assertGreater(min(tiles), 0, counts)


class Riscv64Test(CrossTest, StrataTest):
    arch, debian_name, machine_name = "riscv64", "riscv64", "rvv-generic"
    cpu, lesser_cpu, lacking = "rv64,v=true,vlen=128,vext_spec=v1.0", "rv64", "v"
    baseline = "-march=rv64gc"
    objdump_flags = []
    vector_multiply_add, scalar_multiply_add = r"\bvfn?m(acc|add|sac|sub)\.v[vf]\b", r"\bfn?m(add|sub)\.s"

    def test_longer_vectors(self):
        package = self.compile(self.checkpoint("qwen3-nano"))
        tokens = range(20)
        short = self.emulated(package, 0, tokens)
        long = self.emulated(package, 0, tokens, "rv64,v=true,vlen=256,vext_spec=v1.0")
        self.assertEqual((short.returncode, short.stdout), (0, long.stdout))


if __name__ == "__main__":
    classes = {case.arch: case.__name__ for case in (Aarch64Test, Riscv64Test)}
    unittest.main(argv=[sys.argv[0], *sys.argv[2:], classes[sys.argv[1]]])
