#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuse an op that is asked for by its name outside of src/ops, src/rules and src/import.

    check_op_names.py [ROOT] [--self-test]

What an op does follows from its declaration, its operands' types and its properties (src/ir/op.h). A string that is an
op's name, anywhere else in src/, is a question or a wish by name. What may still be named is listed here, by file; an
entry that nothing needs any more is refused too.
"""
import re
import tempfile
from pathlib import Path

import source_check

# Where ops are declared, rewritten by rules, and made from a model's description; languages that have no ops.
FREE_FOLDERS = {"ops", "rules", "import", "jinja", "grammar", "text"}
FREE_FILES = {"src/vectorize/layout_rules.cpp"}  # a table of rules

# Ops made by hand have no index maps to be told by. Each is named where its code and its cost are, once.
NAMED = {
    "src/cost/leaf_table.cpp": {"attention", "concat", "pack", "take", "largest_k", "unpack", "all_gather",
                                "all_reduce", "all_to_all", "rank_gather", "rank_slice", "reduce_scatter"},
    # Makes them of a plan's reshards.
    "src/distribution/local_program.cpp": {"all_gather", "all_reduce", "all_to_all", "rank_gather", "rank_slice",
                                           "reduce_scatter"},
    "src/compile/rank_program.cpp": {"rank_slice", "slice"},  # a rank's part of a weight
    "src/compile/constant_reader.cpp": {"concat"},  # joins its operands without a copy
    "src/vectorize/own_result.cpp": {"cast"},       # makes a copy of a value
    "src/cli/info.cpp": {"attention"},              # a heading
}
# Scalar functions in the bodies of declarations have names that ops have too; these folders read bodies, or time them.
SCALAR_FOLDERS = {"ir", "machine", "cost", "codegen", "calibrate"}
SCALAR_NAMES = {"abs", "add", "cos", "div", "erf", "exp", "log", "mul", "neg", "rsqrt", "sigmoid", "sin", "sqrt",
                "sub", "tanh"}

# A row of a table, or what a class or a function makes of the name.
DECLARED = re.compile(r'\w\("(\w+)",|^\s*\{"(\w+)",\s*\{"', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|("(?:\\.|[^"\\\n])*")')
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')
# In a longer text: an op of a pattern.
PATTERN = re.compile(r"(\w+)(?:\{[^}]*\})?\(\?")


def op_names(root):
    names = set()
    for path in sorted((root / "src/ops").glob("*.cpp")):
        for groups in DECLARED.findall(path.read_text()):
            names |= {name for name in groups if name}
    return names


def names_in(text, ops):
    """Op names among the string literals, with their lines."""
    text = COMMENT.sub(lambda match: match.group(1) or "", text)
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#include"):
            continue
        for literal in LITERAL.findall(line):
            found = {literal} | set(PATTERN.findall(literal))
            yield from ((number, name) for name in sorted(found & ops))


def violations(root):
    ops = op_names(root)
    if not ops:
        yield "src/ops: no declarations found"
    unused = {(file, name) for file, names in NAMED.items() for name in names}
    for path in sorted((root / "src").rglob("*")):
        file = path.relative_to(root).as_posix()
        folder = path.relative_to(root).parts[1]
        if path.suffix not in (".h", ".cpp") or folder in FREE_FOLDERS or file in FREE_FILES:
            continue
        for number, name in names_in(path.read_text(), ops):
            unused.discard((file, name))
            if name in NAMED.get(file, ()) or (folder in SCALAR_FOLDERS and name in SCALAR_NAMES):
                continue
            yield f"{file}:{number}: asks for the op {name} by its name"
    for file, name in sorted(unused):
        yield f"check_op_names.py: {file} names {name} no more: strike it off the list"


def self_test():
    files = {
        "src/ops/ops.cpp": '      {"matmul",\n       {"a"}, "c = a"},\n      {"mul", {"a"}, "x"},\n'
                           'NamedOp("pack", {"x"}) LoopNestOp("slice", {})',
        "src/rules/table.cpp": '{"r", "matmul(?x)", "pack(?x)"}',
        "src/cost/loops_cost.cpp": 'body.name == "mul"; // as "matmul" does\n#include "pack"\n',
        "src/cost/other.cpp": 'word == "packs"; text = "matmul of rows";',
    }
    for file, names in NAMED.items():
        files[file] = " ".join(f'"{name}"' for name in names)
    wrong = {'op.name() == "matmul"': "matmul", 'constexpr auto kPack = "pack";': "pack",
             'rule("slice{?p}(?x)")': "slice", 'name == "mul"': "mul"}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def found(content):
            for name, text in (files | content).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(violations(root))

        # The small set of ops knows few of the names that are listed.
        known = [message for message in found({}) if "strike" not in message]
        assert known == [], known
        for text, name in wrong.items():
            messages = [message for message in found({"src/plan/plan.cpp": text}) if "strike" not in message]
            assert messages == [f"src/plan/plan.cpp:1: asks for the op {name} by its name"], (text, messages)
        (root / "src/plan/plan.cpp").unlink()
        assert any("cast no more" in message for message in found({"src/vectorize/own_result.cpp": ""}))


if __name__ == "__main__":
    source_check.run("check_op_names", __doc__, violations, self_test, "no op is asked for by its name")
