#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The template engine against jinja2 in the environment of Hugging Face transformers, on snippets drawn at random.

Snippets come from a grammar of expressions by type and of statements. Where jinja2 gives a text, the engine must give
the same; where jinja2 fails, the engine may do as it likes, as long as it ends. STRATA_SEED draws other snippets,
STRATA_SNIPPETS says how many (2,000; with STRATA_SOAK 40,000). STRATA_JINJA names the engine (jinja_render_lines).
"""

import json
import os
import re
import subprocess
import sys
import unittest
from datetime import datetime

from snippets import Grammar

try:
    import jinja2
    import jinja2.ext
    import jinja2.sandbox
except ImportError:
    sys.exit(f"{sys.executable} has no jinja2 to compare with: scripts/setup.sh --tests installs python3-jinja2")

ENGINE = os.environ.get("STRATA_JINJA", "build/release/tests/jinja_render_lines")
SEED = int(os.environ.get("STRATA_SEED", "1"))
SNIPPETS = int(os.environ.get("STRATA_SNIPPETS", "40000" if os.environ.get("STRATA_SOAK") else "2000"))
SHOWN = int(os.environ.get('STRATA_SHOWN', '12'))

CONTEXT = {
    "messages": [
        {"role": "system", "content": "Be nice"},
        {"role": "user", "content": "Hi <b>é🙂</b> & 'you'"},
        {
            "role": "assistant",
            "content": "Yo\nline two",
            "n": 3,
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5, None, True], "b": "x\"y"}}}],
        },
        {"role": "tool", "content": "  42 "},
    ],
    "d": {"b": 1, "a": [1, 2.5, None, True], "C": {"x": "y\n\"q\""}, "k v": "é"},
    "l": [3, 1, 2, 1],
    "names": ["bob", "Al", "carl", "al"],
    "pairs": [["a", 1], ["b", 2]],
    "rows": [{"k": "a", "v": 2, "w": 1}, {"k": "b", "v": 1, "w": 2}, {"k": "A", "v": 3, "w": 2}],
    "s": "  Hello World  ",
    "u": "héllo wörld ßé",
    "h": "<a href=\"x\">1 & 2</a>",
    "e": "",
    "csv": "a,b,,c",
    "n": 7,
    "z": 0,
    "neg": -13,
    "f": 2.5,
    "g": -0.125,
    "t": True,
    "no": False,
    "nothing": None,
}


class Generation(jinja2.ext.Extension):
    """{% generation %} as transformers has it: a block with a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("body"), [], [], body).set_lineno(line)

    def body(self, caller):
        return caller()


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=lambda form: datetime.now().strftime(form))
    return env


# What jinja2 shows of objects that are made on the way depends on where they lie; integers beyond 64 bits are refused.
UNCOMPARED = re.compile(
    r" at 0x|generator object|dict_(items|keys|values)\(|range\(\d|\d{18}|<Macro|<class|<function|built-in"
)


def expected(env, source):
    try:
        return env.from_string(source).render(**json.loads(json.dumps(CONTEXT)))
    except Exception:  # whatever jinja2 and Python make of a wrong template
        return None


def engine(sources):
    rows = "".join(json.dumps({"template": source, "context": CONTEXT}) + "\n" for source in sources)
    done = subprocess.run([ENGINE], input=rows.encode(), capture_output=True, timeout=3600)
    if done.returncode != 0:
        raise AssertionError(f"{ENGINE} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]


def compare(sources):
    """([what differs], how many were compared)"""
    env, wrong, compared = environment(), [], 0
    for source, result in zip(sources, engine(sources), strict=True):
        want = expected(env, source)
        if want is None or UNCOMPARED.search(want):
            continue
        compared += 1
        if result.get("rendered") != want:
            wrong.append(f"{source}\n  jinja2: {want!r}\n  here:   {result.get('rendered', result)!r}")
    return wrong, compared


class AgainstJinja2(unittest.TestCase):
    def test_snippets_drawn_at_random(self):
        sources = [Grammar(f"{SEED}-{i}").template() for i in range(SNIPPETS)]
        wrong, compared = compare(sources)
        print(f"{compared} of {SNIPPETS} snippets compared, {len(wrong)} differ")
        self.assertGreater(compared, SNIPPETS // 3)
        self.assertEqual(wrong, [], "\n".join(sorted(wrong, key=len)[:SHOWN]))


if __name__ == "__main__":
    unittest.main()
