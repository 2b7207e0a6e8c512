#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what clang-format doesn't: the licence line, the length of files, words that stand for unfinished work, the
length of lines where no formatter looks after it, streams, and that ThreadSanitizer's build has every test with
threads.

    check_style.py [--self-test]
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LICENCE = "SPDX-License-Identifier: Apache-2.0"
CPP = {".h", ".cpp"}
CODE = CPP | {".py", ".sh", ".cmake"}
MAX_LINES, MAX_COLUMNS = 800, 120
# What a test with threads, or with locks, includes. Tests that run generated code by a header of their own have none
# that ThreadSanitizer sees into.
THREADS = re.compile(r'^#include (<(?:atomic|barrier|condition_variable|future|latch|mutex|semaphore|shared_mutex|'
                     r'stop_token|thread)>|"(?:runtime/(?:session|thread_team)|tensor/team|compile/parallel_for|'
                     r'calibrate/(?:calibrate|windows)|tune/runner)\.h")', re.MULTILINE)
LISTED = re.compile(r"strata_test\((\w+)[^)]*?THREADS([^)]*)\)")
# What a test includes of which a sanitizer's build does less: another build must run it too.
SAMPLED = re.compile(r'^#include "tests/sweep\.h"', re.MULTILINE)
LOGIC = re.compile(r"strata_test\((\w+)[^)]*?\bLOGIC\b")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# A stream keeps std::bad_alloc for itself, and a file that it could not open for want of memory looks like none: what
# it reads or writes is then less than all, without a word. src/base has what takes their place.
STREAM = re.compile(r"^#include <(fstream|iostream|sstream)>|\b(fopen)\(")


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
        if name.startswith("src/") and (match := STREAM.search(line)):
            yield f"{name}:{number}: {match.group(1) or match.group(2)} loses what no memory is left for"


def thread_problems(tests):
    """Tests with threads that ThreadSanitizer's build would leave out."""
    for folder in sorted(path.parent for path in tests.glob("*/CMakeLists.txt")):
        listed = {name for target, names in LISTED.findall((folder / "CMakeLists.txt").read_text())
                  if target == folder.name for name in names.split()}
        files = {path.name.removesuffix("_test.cpp"): path for path in sorted(folder.glob("*_test.cpp"))}
        for name, path in files.items():
            match = THREADS.search(path.read_text())
            if match and name not in listed:
                yield f"{path.relative_to(tests.parent)}: includes {match.group(1)}: list it in THREADS of {folder.name}"
        for name in sorted(listed - set(files)):
            yield f"{folder.relative_to(tests.parent)}/CMakeLists.txt: THREADS names {name}, which is no test"


def logic_problems(tests):
    """Tests that only a sanitizer's build would run, and there but a sample of their cases."""
    for listing in sorted(tests.glob("*/CMakeLists.txt")):
        for name in LOGIC.findall(listing.read_text()):
            for path in sorted((tests / name).iterdir()):
                if is_code(path.name) and SAMPLED.search(path.read_text()):
                    yield f"{path.relative_to(tests.parent)}: samples under a sanitizer: {name} is no LOGIC test"


def logic_self_test():
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests"
        (tests / "a").mkdir(parents=True)
        (tests / "a/one_test.cpp").write_text('#include "tests/sweep.h"\n')
        for mark, count in (("", 0), (" THREADS one", 0), (" LOGIC", 1), (" LOGIC THREADS one", 1)):
            (tests / "a/CMakeLists.txt").write_text(f"strata_test(a strata_a{mark})\n")
            assert len(list(logic_problems(tests))) == count, mark


def threads_self_test():
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests"
        for name, text in {"a/CMakeLists.txt": "strata_test(a strata_a THREADS one\n  two)\n",
                           "a/one_test.cpp": "#include <thread>\n", "a/two_test.cpp": "",
                           "a/plain_test.cpp": "#include <string>\n",
                           "b/CMakeLists.txt": "strata_test(b strata_b)\n"}.items():
            (tests / name).parent.mkdir(parents=True, exist_ok=True)
            (tests / name).write_text(text)
        assert list(thread_problems(tests)) == [], list(thread_problems(tests))
        for text in ("#include <mutex>\n", '#include "runtime/session.h"\n'):
            (tests / "a/plain_test.cpp").write_text(text)
            assert len(list(thread_problems(tests))) == 1, text
        (tests / "a/plain_test.cpp").unlink()
        (tests / "a/two_test.cpp").unlink()
        assert len(list(thread_problems(tests))) == 1


def self_test():
    threads_self_test()
    logic_self_test()
    good = f"// {LICENCE}\nint x;\n"
    assert list(problems("a.cpp", good)) == []
    for bad in ("int x;\n", good + "// TODO\n", good + "int y; \n", good + "\n" * 900, good + "int y;"):
        assert len(list(problems("a.cpp", bad))) == 1, bad[:80]
    for stream in ("#include <sstream>\n", "auto* file = std::fopen(path);\n"):
        assert len(list(problems("src/a.cpp", good + stream))) == 1 and not list(problems("tests/a.cpp", good + stream))
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
    found += thread_problems(ROOT / "tests")
    found += logic_problems(ROOT / "tests")
    print("\n".join(found) or "check_style: nothing to say")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
