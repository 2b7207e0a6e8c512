# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the program under test, random checkpoints, a cache of their own.

STRATA_BIN names the program. Each test class has a folder and a compile cache that vanish with it. STRATA_TEST_OBJECTS
names a folder in which the packages, objects and solved tiles that one class made wait for the next, and for the next
build: most of the time would be the compiler's, for the same models.
"""
import contextlib
import functools
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
STRATA = os.path.abspath(os.environ.get("STRATA_BIN", ROOT / "build/release/strata"))
DEMO = ROOT / "models/demo"
OBJECTS = Path(os.environ["STRATA_TEST_OBJECTS"]) if "STRATA_TEST_OBJECTS" in os.environ else None
QUICK_COMPILER = ROOT / "tests/cli/quick_clang.sh"
KEEPING_COMPILER = ROOT / "tests/cli/keeping_clang.sh"
KEPT = {"packages": (".strata", 60), "objects": (".o", 1000), "tiles": (".txt", 10)}  # of a cache: folder, files
MAX_MESSAGE = 400  # bytes of an error line
TIMEOUT_S = 300


@functools.cache
def sanitizer():
    """The program's: "address", "thread" or ""."""
    program = Path(STRATA).read_bytes()
    return "address" if b"__asan_init" in program else "thread" if b"__tsan_init" in program else ""


def is_sanitized():
    return sanitizer() != ""


def always_optimises():
    # Unoptimised code of packages calls memcpy, which ThreadSanitizer sees, between barriers that it doesn't see.
    return bool(os.environ.get("STRATA_SOAK")) or sanitizer() == "thread"


def numbers_only(test):
    """Of a test that shows nothing to a sanitizer but more numbers: generated code isn't sanitized."""
    return unittest.skipIf(is_sanitized(), "the numbers are seen without a sanitizer")(test)


def like_another(test):
    """Of a test that takes the same ways through the program as another one of its file."""
    return unittest.skipIf(is_sanitized(), "another test shows a sanitizer the same")(test)


def sample(cases):
    """All of the cases; under a sanitizer, to which they look alike, each third."""
    return list(cases)[::3] if is_sanitized() else list(cases)


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_module(ROOT / "tests/tools/reference_logits.py")


def copy_cache(source, target):
    """What `target` lacks; each file appears there whole."""
    for folder, (suffix, _) in KEPT.items():
        (target / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (source / folder).glob(f"*{suffix}"):
            copied = target / folder / path.name
            if not copied.exists():
                with contextlib.suppress(FileNotFoundError):
                    half = shutil.copy(path, f"{copied}.{os.getpid()}")
                    os.replace(half, copied)


def keep_cache(source):
    copy_cache(source, OBJECTS)
    for folder, (_, most) in KEPT.items():
        with contextlib.suppress(FileNotFoundError):  # another class removes them too
            newest_first = sorted((OBJECTS / folder).iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in newest_first[most:]:
                path.unlink()


class Result:
    def __init__(self, process):
        self.code, self.out = process.returncode, process.stdout
        self.err = process.stderr.decode("utf8", "replace")

    @property
    def text(self):
        return self.out.decode("utf8")

    @property
    def errors(self):
        return [line for line in self.err.splitlines() if line.startswith("strata: error: ")]

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out[:200]!r}, stderr {self.err[-600:]!r}"


class StrataTest(unittest.TestCase):
    takes_cache = True  # that earlier classes filled
    optimises = True  # the code of packages; where nothing is asked of it, it is only if always_optimises()

    @classmethod
    def setUpClass(cls):
        cls.work = Path(tempfile.mkdtemp(prefix="strata-test-"))
        cls.cache = cls.work / "cache"
        cls.addClassCleanup(shutil.rmtree, cls.work, ignore_errors=True)
        if OBJECTS and cls.takes_cache:
            copy_cache(OBJECTS, cls.cache)
            cls.cache.chmod(0o700)
            cls.addClassCleanup(keep_cache, cls.cache)

    @classmethod
    def environment(cls, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STRATA_ARG_")}
        is_quick = not cls.optimises and not always_optimises()
        compiler = {"STRATA_CXX": str(QUICK_COMPILER)} if is_quick else {}
        return kept | {"STRATA_CACHE": str(cls.cache)} | compiler | more

    @classmethod
    def strata(cls, *arguments, stdin=b"", env=None, timeout=TIMEOUT_S):
        process = subprocess.run([STRATA, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                                 env=cls.environment(**(env or {})))
        return Result(process)

    @classmethod
    def start(cls, *arguments, **options):
        return subprocess.Popen([STRATA, *map(str, arguments)], env=cls.environment(), **options)

    @classmethod
    def checkpoint(cls, preset, dtype="f32", shards=1, seed=7, numbers=None):
        """A random model without a tokenizer."""
        folder = cls.work / f"{preset}-{dtype}-{shards}-{seed}-{numbers or dtype}"
        if not folder.exists():
            subprocess.run([sys.executable, ROOT / "bench/make_checkpoint.py", folder, "--preset", preset, "--dtype",
                            dtype, "--shards", str(shards), "--seed", str(seed),
                            *(["--numbers", numbers] if numbers else [])], check=True, stdout=subprocess.DEVNULL)
        return folder

    @classmethod
    def talking_checkpoint(cls):
        """A random model small enough to compile quickly, with the demo model's tokenizer and chat template."""
        folder = cls.work / "talking"
        if not folder.exists():
            shutil.copytree(cls.checkpoint("qwen3-nano"), folder)
            rng = np.random.default_rng(5)
            rows = json.loads((DEMO / "config.json").read_text())["vocab_size"]
            config = json.loads((folder / "config.json").read_text())
            edit_tensor(folder / "model.safetensors", "model.embed_tokens.weight",
                        rng.standard_normal((rows, config["hidden_size"]), dtype=np.float32) / 8)
            (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows}))
            for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
                shutil.copy(DEMO / name, folder)
        return folder

    def logits(self, model, tokens, *more):
        path = self.work / "logits.npy"
        path.unlink(missing_ok=True)
        result = self.strata("logits", model, "--tokens", ",".join(map(str, tokens)), "-o", path, *more)
        self.assertEqual(result.code, 0, result)
        return np.load(path)

    def without_write_permission(self):
        """The class's folder is read-only for the rest of the test; the words of a command that obeys that."""
        program, wrapper = STRATA, []
        if os.geteuid() == 0:  # whom no permission stops
            wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            program = shutil.copy(STRATA, self.work)
        subprocess.run(["chmod", "-R", "a+rX,a-w", self.work], check=True)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.work], check=True)
        return [*wrapper, str(program)]

    def assert_error(self, result, code, *words):
        """One short line that says `words`, the exit code, and nothing on standard output."""
        self.assertEqual(result.code, code, result)
        self.assertEqual(len(result.errors), 1, result)
        self.assertLess(len(result.errors[0].encode()), MAX_MESSAGE, result)
        self.assertEqual(result.out, b"", result)
        for word in words:
            self.assertIn(word, result.errors[0])


def read_safetensors(path):
    """(header, body) with the header parsed."""
    raw = Path(path).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + length]), raw[8 + length:]


def safetensors_bytes(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def edit_tensor(path, name, values):
    """Replaces a float32 tensor by one of another shape."""
    header, body = read_safetensors(path)
    tensors, data = {}, b""
    for key, entry in header.items():
        if key == "__metadata__":
            tensors[key] = entry
            continue
        begin, end = entry["data_offsets"]
        content = values.astype("<f4").tobytes() if key == name else body[begin:end]
        shape = list(values.shape) if key == name else entry["shape"]
        tensors[key] = entry | {"shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    Path(path).write_bytes(safetensors_bytes(tensors, data))
