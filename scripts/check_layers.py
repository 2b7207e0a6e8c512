#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuse an include that points up the layers.

    check_layers.py [ROOT] [--self-test]

The layers are the folders of src/ in the order of src/CMakeLists.txt; a file may include its own folder and those
before it. Beside that: runtime/, jinja/, grammar/, text/ and serve/ know nothing of the compiler, and tensor/, which
generated code includes alone, knows only itself.
"""
import re
import tempfile
from pathlib import Path

import source_check

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
LAYERS = re.compile(r"foreach\(layer ([^)]*)\)")
# What a folder may use where that is less than all layers before it.
NARROWED = {
    "ranks": {"base", "tensor"},
    "runtime": {"base", "ir", "ops", "machine", "package", "ranks", "tensor"},
    "jinja": {"base"},
    "grammar": {"base"},
    "text": {"base", "jinja", "grammar"},
    "library": {"base", "package", "runtime", "text"},
    "hub": {"base"},
    "serve": {"base", "package", "ranks", "runtime", "grammar", "text", "tensor"},
    "tensor": set(),
}


def layers_of(root):
    """{folder: folders that it may include}"""
    match = LAYERS.search((root / "src/CMakeLists.txt").read_text())
    if not match:
        raise SystemExit("strata: src/CMakeLists.txt lists no layers")
    order = match.group(1).split()
    allowed = {folder: set(order[:index]) | {"tensor"} for index, folder in enumerate(order)}
    allowed["tensor"] = set()
    return {folder: NARROWED.get(folder, names) for folder, names in allowed.items()}


def sources(root):
    for base in ("src", "tensor"):
        yield from sorted(path for path in (root / base).rglob("*") if path.suffix in (".h", ".cpp"))


def folder_of(path, root):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "src" else parts[0]


def violations(root):
    allowed = layers_of(root)
    for path in sources(root):
        folder = folder_of(path, root)
        if folder not in allowed:
            yield f"{path.relative_to(root)}: {folder} is no layer of src/CMakeLists.txt"
            continue
        for include in INCLUDE.findall(path.read_text()):
            target = include.split("/")[0] if "/" in include else folder
            if target in allowed and target != folder and target not in allowed[folder]:
                yield f"{path.relative_to(root)}: {folder} may not include {include}"


def self_test():
    files = {
        "src/CMakeLists.txt": "foreach(layer base ir codegen runtime)\n",
        "src/base/error.h": "#include <string>\n",
        "src/ir/type.h": '#include "base/error.h"\n#include "ir/shape.h"\n',
        "src/codegen/emit.cpp": '  #  include "ir/type.h"\n#include "tensor/vec.h"\n',
        "src/runtime/session.cpp": '#include "base/error.h"\n',
        "tensor/vec.h": '#include "tensor/arch/avx.h"\n#include "other.h"\n',
    }
    wrong = {"src/base/error.h": '#include "ir/type.h"\n', "src/ir/type.h": '#include "codegen/emit.h"\n',
             "src/runtime/session.cpp": '#include "codegen/emit.h"\n', "tensor/vec.h": '#include "base/error.h"\n',
             "src/stray/file.cpp": ""}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def found(content):
            for name, text in (files | content).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(violations(root))

        assert found({}) == [], found({})
        for name, text in wrong.items():
            messages = found({name: text})
            assert len(messages) == 1 and name in messages[0], (name, messages)
            (root / name).unlink()


if __name__ == "__main__":
    source_check.run("check_layers", __doc__, violations, self_test, "no include points up")
