# SPDX-License-Identifier: Apache-2.0
"""Large language models that Strata compiled, from Python.

    import strata_llm

    strata_llm.compile("path/to/Qwen3-0.6B", "qwen3.strata")     # by the program `strata`, once
    with strata_llm.Model("qwen3.strata") as model:
        print(model.generate("The capital of France is", limit=20, temperature=0))
        for piece in model.stream_chat([{"role": "user", "content": "Hello"}], limit=100):
            print(piece, end="", flush=True)

A package is a program: open one only from a source whose programs you would run. One caller at a time for one model.
"""
from __future__ import annotations

import array
import ctypes
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Model", "StrataError", "compile", "version"]


class StrataError(RuntimeError):
    """What failed, where, and what to do, in one line."""


class _Sampling(ctypes.Structure):
    _fields_ = [
        ("limit", ctypes.c_int64), ("temperature", ctypes.c_float), ("top_k", ctypes.c_int32),
        ("top_p", ctypes.c_float), ("min_p", ctypes.c_float), ("repeat_penalty", ctypes.c_float),
        ("repeat_last_n", ctypes.c_int32), ("presence_penalty", ctypes.c_float),
        ("frequency_penalty", ctypes.c_float), ("seed", ctypes.c_uint64), ("ignores_end_tokens", ctypes.c_int32),
        ("begins_text", ctypes.c_int32), ("stop", ctypes.POINTER(ctypes.c_char_p)), ("stop_count", ctypes.c_size_t),
    ]


def _load() -> ctypes.CDLL:
    """STRATA_LIBRARY, the library beside this file, or the installed one."""
    beside = Path(__file__).with_name("libstrata.so.0")
    path = os.environ.get("STRATA_LIBRARY") or (str(beside) if beside.exists() else "libstrata.so.0")
    library = ctypes.CDLL(path)
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    sizes, tokens = ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_int32)
    for name, result, *arguments in [
            ("error", text), ("version", text),
            ("open", pointer, text, ctypes.c_int, ctypes.c_int64), ("close", None, pointer),
            ("vocabulary", ctypes.c_int64, pointer), ("context", ctypes.c_int64, pointer),
            ("position", ctypes.c_int64, pointer),
            ("tokenize", pointer, pointer, text, size, sizes), ("detokenize", pointer, pointer, tokens, size, sizes),
            ("render_chat", pointer, pointer, text, sizes), ("free", None, pointer),
            ("feed", pointer, pointer, tokens, size), ("rewind", ctypes.c_int, pointer, ctypes.c_int64),
            ("default_sampling", _Sampling),
            ("begin", pointer, pointer, text, size, ctypes.POINTER(_Sampling)),
            ("next", ctypes.c_int, pointer, ctypes.POINTER(pointer), sizes), ("end", text, pointer),
            ("finish", None, pointer)]:
        function = getattr(library, "strata_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def _failure() -> StrataError:
    return StrataError(_library.strata_error().decode("utf-8", "replace"))


def _tokens(tokens: Iterable[int]) -> ctypes.Array[ctypes.c_int32]:
    values = list(tokens)
    return (ctypes.c_int32 * len(values))(*values)


def version() -> str:
    return _library.strata_version().decode()


def compile(model: str | os.PathLike[str], package: str | os.PathLike[str], *options: str) -> None:
    """Compiles a folder or a GGUF file into a package: `strata compile MODEL -o PACKAGE OPTIONS...`, by the program
    STRATA or the one on PATH."""
    program = os.environ.get("STRATA") or shutil.which("strata")
    if program is None:
        raise StrataError("there is no program 'strata' on PATH; install it, or set STRATA to its path")
    done = subprocess.run([program, "compile", os.fspath(model), "-o", os.fspath(package), "-q", *options],
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise StrataError(done.stderr.strip().removeprefix("strata: error: "))


class Model:
    """A package. threads: the most that work, 0: all; context: tokens that a text holds, 0: the model's own limit, at
    most 4096. Closed at the end of a `with`, by close(), or when nothing refers to it."""

    def __init__(self, package: str | os.PathLike[str], threads: int = 0, context: int = 0) -> None:
        self._model: int | None = None
        self._model = _library.strata_open(os.fsencode(package), threads, context)
        if not self._model:
            raise _failure()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self._model:
            _library.strata_close(self._model)
        self._model = None

    def _open(self) -> int:
        if not self._model:
            raise StrataError("the model is closed")
        return self._model

    @property
    def vocabulary(self) -> int:
        return _library.strata_vocabulary(self._open())

    @property
    def context(self) -> int:
        return _library.strata_context(self._open())

    @property
    def position(self) -> int:
        """How many tokens the model holds."""
        return _library.strata_position(self._open())

    def tokenize(self, text: str) -> list[int]:
        data, count = text.encode("utf-8", "surrogatepass"), ctypes.c_size_t()
        tokens = _library.strata_tokenize(self._open(), data, len(data), ctypes.byref(count))
        if not tokens:
            raise _failure()
        try:
            return list((ctypes.c_int32 * count.value).from_address(tokens))
        finally:
            _library.strata_free(tokens)

    def _text(self, text: int | None, length: ctypes.c_size_t) -> str:
        if not text:
            raise _failure()
        try:
            return ctypes.string_at(text, length.value).decode("utf-8", "replace")
        finally:
            _library.strata_free(text)

    def detokenize(self, tokens: Iterable[int]) -> str:
        values, length = _tokens(tokens), ctypes.c_size_t()
        return self._text(_library.strata_detokenize(self._open(), values, len(values), ctypes.byref(length)), length)

    def render_chat(self, messages: Sequence[dict[str, Any]], **context: Any) -> str:
        """The model's chat template; `context` is what else it knows: tools, enable_thinking."""
        chat = {"messages": list(messages), "add_generation_prompt": True} | context
        length = ctypes.c_size_t()
        data = json.dumps(chat).encode()
        return self._text(_library.strata_render_chat(self._open(), data, ctypes.byref(length)), length)

    def feed(self, tokens: Iterable[int]) -> array.array[float]:
        """Appends tokens; the logits of the last one."""
        values = _tokens(tokens)
        logits = _library.strata_feed(self._open(), values, len(values))
        if not logits:
            raise _failure()
        copy = array.array("f")
        copy.frombytes(ctypes.string_at(logits, 4 * self.vocabulary))
        return copy

    def rewind(self, position: int = 0) -> None:
        """Forgets all from a position on."""
        if _library.strata_rewind(self._open(), position) != 0:
            raise _failure()

    def logits(self, tokens: Iterable[int]) -> array.array[float]:
        """Of the last one of these tokens, with nothing before them."""
        self.rewind(0)
        return self.feed(tokens)

    def stream(self, prompt: str, *, limit: int = -1, temperature: float | None = None, top_k: int | None = None,
               top_p: float | None = None, min_p: float | None = None, repeat_penalty: float | None = None,
               repeat_last_n: int | None = None, presence_penalty: float | None = None,
               frequency_penalty: float | None = None, seed: int | None = None, stop: Sequence[str] = (),
               ignores_end_tokens: bool = False, begins_text: bool = False) -> Iterator[str]:
        """The continuation of a prompt, piece by piece. What is None is as for `strata run`; seed: drawn."""
        sampling = _library.strata_default_sampling()
        given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p,
                 "repeat_penalty": repeat_penalty, "repeat_last_n": repeat_last_n,
                 "presence_penalty": presence_penalty, "frequency_penalty": frequency_penalty}
        for name, value in given.items():
            if value is not None:
                setattr(sampling, name, value)
        sampling.limit, sampling.seed = limit, random.getrandbits(64) if seed is None else seed
        sampling.ignores_end_tokens, sampling.begins_text = ignores_end_tokens, begins_text
        texts = (ctypes.c_char_p * max(len(stop), 1))(*[text.encode() for text in stop])
        sampling.stop, sampling.stop_count = texts, len(stop)
        data = prompt.encode("utf-8", "surrogatepass")
        text = _library.strata_begin(self._open(), data, len(data), ctypes.byref(sampling))
        if not text:
            raise _failure()
        piece, length, more = ctypes.c_void_p(), ctypes.c_size_t(), 1
        try:
            while more == 1:
                self._open()
                more = _library.strata_next(text, ctypes.byref(piece), ctypes.byref(length))
                if more < 0:
                    raise _failure()
                if length.value:
                    yield ctypes.string_at(piece.value, length.value).decode("utf-8", "replace")
        finally:
            _library.strata_finish(text)

    def generate(self, prompt: str, **options: Any) -> str:
        """stream()'s pieces as one text."""
        return "".join(self.stream(prompt, **options))

    def stream_chat(self, messages: Sequence[dict[str, Any]], *, template: dict[str, Any] | None = None,
                    **options: Any) -> Iterator[str]:
        """The answer to messages by the model's chat template; `template` is what else that knows."""
        return self.stream(self.render_chat(messages, **(template or {})), begins_text=True, **options)

    def chat(self, messages: Sequence[dict[str, Any]], **options: Any) -> str:
        """stream_chat()'s pieces as one text."""
        return "".join(self.stream_chat(messages, **options))
