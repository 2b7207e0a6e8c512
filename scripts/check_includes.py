#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuse a file of src/ that names what it does not include: the precompiled header would hide that.

    check_includes.py [ROOT] [--self-test]

Looked for are the names of the headers in the precompiled header (cmake/StrataTargets.cmake). A file has a header that
it includes itself or through the project's own headers.
"""
import re
import tempfile
from pathlib import Path

import source_check

NAMES = {
    "algorithm": r"std::(?:ranges::(?!begin|end|size|subrange|views)\w+|min|max|clamp|sort|find|find_if|copy|fill|"
                 r"any_of|all_of|none_of|reverse|equal|lower_bound|upper_bound|stable_sort|count|count_if)\(",
    "filesystem": r"std::filesystem\b",
    "functional": r"std::function\b",
    "map": r"std::(?:multi)?map<",
    "memory": r"std::(?:(?:unique|shared|weak)_ptr|make_(?:unique|shared))\b",
    "mutex": r"std::(?:mutex|lock_guard|unique_lock|scoped_lock|once_flag|call_once)\b",
    "nlohmann/json.hpp": r"nlohmann::(?:ordered_)?json(?:::|[(;{])",
    "optional": r"std::(?:optional|nullopt|make_optional)\b",
    "set": r"std::(?:multi)?set<",
    "span": r"std::span\b",
    "sstream": r"std::[io]?stringstream\b",
    "string": r"std::(?:string|to_string|stoi|stoll|stod|getline)\b",
    "unordered_map": r"std::unordered_map\b",
    "vector": r"std::vector\b",
}
PATTERNS = {header: re.compile(pattern) for header, pattern in NAMES.items()}
COMMENT_OR_LITERAL = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"')
SYSTEM = re.compile(r"^#include <([\w./]+)>", re.MULTILINE)
OWN = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
PRECOMPILED = re.compile(r"set\(STRATA_COMMON_HEADERS ([^)]*)\)")


class Includes:
    """The standard headers that a file has, its own and those of the project's headers."""

    def __init__(self, root):
        self.root = root
        self.known = {}

    def of(self, path):
        if path not in self.known:
            self.known[path] = set()  # a circle adds nothing
            text = path.read_text()
            found = set(SYSTEM.findall(text))
            for name in OWN.findall(text):
                if (header := self.find(path, name)) is not None:
                    found |= self.of(header)
            self.known[path] = found
        return self.known[path]

    def find(self, path, name):
        places = (self.root / "src" / name, self.root / name, path.parent / name)
        return next((place for place in places if place.is_file()), None)


def violations(root):
    listed = PRECOMPILED.search((root / "cmake/StrataTargets.cmake").read_text())
    precompiled = set(re.findall(r"<([\w./]+)>", listed.group(1))) if listed else set()
    for header in sorted(precompiled ^ set(NAMES)):
        yield f"check_includes.py: <{header}> is looked for, or precompiled, but not both"
    includes = Includes(root)
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        has = includes.of(path)
        text = COMMENT_OR_LITERAL.sub("", path.read_text())
        for header, pattern in PATTERNS.items():
            match = pattern.search(text)
            if match and header not in has:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{path.relative_to(root)}:{line}: names {match.group(0)} without #include <{header}>"


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def found(content):
            files = {"cmake/StrataTargets.cmake": f"set(STRATA_COMMON_HEADERS {' '.join(f'<{n}>' for n in NAMES)})",
                     "src/a/a.h": "#include <string>\n", "src/a/a.cpp": '#include "a/a.h"\nstd::string text;\n'}
            for name, text in (files | content).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(violations(root))

        assert found({}) == [], found({})
        assert found({"src/a/a.cpp": '// std::vector<int>\nauto x = "std::vector<int>";\n'}) == []
        for name in ("std::vector<int> x;", "std::map<int, int> x;", "auto x = std::ranges::sort(y);",
                     "std::optional<int> x;", "std::unique_ptr<int> x;", "using Json = nlohmann::json;"):
            assert len(found({"src/a/a.cpp": f'#include "a/a.h"\n{name}\n'})) == 1, name
        assert len(found({"src/a/a.cpp": "", "cmake/StrataTargets.cmake": "set(STRATA_COMMON_HEADERS <array>)"})) > 1


if __name__ == "__main__":
    source_check.run("check_includes", __doc__, violations, self_test, "every file includes what it names")
