#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what clang-format doesn't: the licence line, the length of files, words that stand for unfinished work, and
the length of lines where no formatter looks after it.

    check_style.py [--self-test]
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LICENCE = "SPDX-License-Identifier: Apache-2.0"
CPP = {".h", ".cpp"}
CODE = CPP | {".py", ".sh", ".cmake"}
MAX_LINES, MAX_COLUMNS = 800, 120
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked_files():
    """What git knows or would add."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, text=True,
                             capture_output=True).stdout
    return [name for name in listing.splitlines() if (ROOT / name).is_file()]


def is_code(name):
    path = Path(name)
    return (path.suffix in CODE or path.name == "CMakeLists.txt") and path.name != "check_style.py"


def problems(name, text):
    lines = text.splitlines()
    if not any(LICENCE in line for line in lines[:2]):
        yield f"{name}: the first line is no '{LICENCE}'"
    if len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines, more than {MAX_LINES}"
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS and Path(name).suffix not in CPP:
            yield f"{name}:{number}: {len(line)} columns, more than {MAX_COLUMNS}"
        if match := UNFINISHED.search(line):
            yield f"{name}:{number}: {match.group(0)}"
        if line != line.rstrip():
            yield f"{name}:{number}: white space at the end"


def self_test():
    good = f"// {LICENCE}\nint x;\n"
    assert list(problems("a.cpp", good)) == []
    for bad in ("int x;\n", good + "// TODO\n", good + "int y; \n", good + "\n" * 900, good + "int y;"):
        assert len(list(problems("a.cpp", bad))) == 1, bad[:80]
    wide = f"# {LICENCE}\n" + "x" * 121 + "\n"
    assert len(list(problems("a.py", wide))) == 1 and not list(problems("a.cpp", wide))
    print("check_style: self-test passed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        return self_test()
    found = [problem for name in tracked_files() if is_code(name)
             for problem in problems(name, (ROOT / name).read_text())]
    print("\n".join(found) or "check_style: nothing to say")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
