# SPDX-License-Identifier: Apache-2.0
"""Snippets of templates drawn from a grammar: expressions by type, and statements."""
import random
import re


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.names = []

    def one_of(self, *choices):
        return self.pick(choices)()

    def const_text(self):
        return self.pick(
            [
                '""',
                "'a'",
                '"Hello"',
                "'b,c;d'",
                '"<i>"',
                "'x y'",
                '"é"',
                "'0'",
                "'-12'",
                "' 3.5 '",
                "'a-b'",
                '"l\\n1"',
                "'aXbXc'",
                "'%'",
                "'it''s'",
                '"{}"',
                "'ab' 'cd'",
                "'\\t'",
                "'1e3'",
                "'abcabc'",
            ]
        )

    def small(self):
        return self.pick(["0", "1", "2", "3", "-1", "-2", "5", "10", "n", "z"])

    def text(self, depth):
        if depth <= 0:
            return self.one_of(
                self.const_text,
                self.const_text,
                lambda: self.pick(["s", "u", "h", "e", "csv"]),
                lambda: self.pick(
                    [
                        "messages[0].role",
                        "messages[1]['content']",
                        "d['k v']",
                        "names[1]",
                        "messages[-1].content",
                        "rows[0].k",
                    ]
                ),
            )
        sub = lambda: self.text(depth - 1)
        number = lambda: self.integer(depth - 2)
        return self.one_of(
            lambda: self.text(0),
            lambda: self.text(0),
            lambda: f"({sub()} ~ {self.any(depth - 1)})",
            lambda: f"({sub()} + {sub()})",
            lambda: f"({sub()} * {self.pick(['0', '1', '2', '3', '-1', 'true'])})",
            lambda: f"{self.atom(sub())}[{self.slice(depth)}]",
            lambda: f"{self.atom(sub())}[{self.small()}]",
            lambda: f"({sub()})|{self.text_filter(depth)}",
            lambda: f"({sub()})|{self.text_filter(depth)}",
            lambda: f"({sub()}).{self.text_method(depth)}",
            lambda: f"({sub()}).{self.text_method(depth)}",
            lambda: f"({sub()}).{self.text_method(depth)}",
            lambda: f"({sub()} if {self.condition(depth - 1)} else {sub()})",
            lambda: f"({self.any(depth - 1)})|string",
            lambda: f"({self.any(depth - 1)})|tojson{self.json_options()}",
            lambda: f"({self.sequence(depth - 1)})|join{self.pick(['', '(', '('])}".replace("join(", f"join({sub()})"),
            lambda: f"({sub()}).join({self.texts(depth - 1)})",
            lambda: self.formatted(depth),
            lambda: f"({sub()})|default({sub()}{self.pick(['', ', true'])})",
            lambda: f"({sub()})|replace({sub()}, {sub()}{self.pick(['', ', 1', ', 0'])})",
            lambda: f"({number()})|string",
            lambda: f"('' ~ {self.any(depth - 1)})",
        )

    def atom(self, text):
        return text if re.fullmatch(r"\w+", text) else f"({text})"

    def slice(self, depth):
        part = lambda: self.pick(["", "", self.small()])
        return part() + ":" + part() + self.pick(["", "", ":" + self.pick(["1", "2", "-1", "-2", ""])])

    def json_options(self):
        return self.pick(
            [
                "",
                "",
                "",
                "(indent=2)",
                "(ensure_ascii=true)",
                "(sort_keys=true)",
                "(indent=4)",
                "(separators=(',', ':'))",
                "(indent=0)",
                "(indent=1, separators=(', ', ' = '))",
            ]
        )

    def text_filter(self, depth):
        t = lambda: self.text(depth - 2)
        return self.one_of(
            lambda: self.pick(
                [
                    "upper",
                    "lower",
                    "capitalize",
                    "title",
                    "trim",
                    "e",
                    "escape",
                    "safe",
                    "string",
                    "forceescape",
                    "reverse",
                    "first",
                    "last",
                    "urlencode",
                    "list|join('-')",
                ]
            ),
            lambda: f"trim({t()})",
            lambda: f"center({self.small()})",
            lambda: f"indent({self.small()})",
            lambda: f"indent({self.pick(['2', '3', t()])}, true{self.pick(['', ', true'])})",
            lambda: f"truncate({self.pick(['5', '3', '8', '9, true', '7, false, t' ])})".replace(
                "t)", self.const_text() + ")"
            ),
            lambda: f"truncate(5, true, '', {self.small()})",
        )

    def text_method(self, depth):
        t = lambda: self.text(depth - 2)
        i = self.small
        return self.one_of(
            lambda: self.pick(
                [
                    "upper()",
                    "lower()",
                    "title()",
                    "capitalize()",
                    "strip()",
                    "lstrip()",
                    "rstrip()",
                    "swapcase()",
                    "casefold()",
                    "expandtabs(4)",
                    "split()[0]",
                    "splitlines()[0]",
                ]
            ),
            lambda: f"{self.pick(['strip', 'lstrip', 'rstrip', 'removeprefix', 'removesuffix'])}({t()})",
            lambda: f"{self.pick(['ljust', 'rjust', 'center'])}({i()}{self.pick(['', ', ' + repr('*')])})",
            lambda: f"zfill({i()})",
            lambda: f"replace({t()}, {t()}{self.pick(['', ', 1', ', -1'])})",
            lambda: f"split({t()})|join('|')",
            lambda: f"rsplit({t()}, {i()})|join('|')",
            lambda: f"split({t()}, {i()})|last",
            lambda: f"{self.pick(['partition', 'rpartition'])}({t()})|join('|')",
            lambda: f"rsplit(none, {i()})|join('|')",
            lambda: f"split(none, {i()})|join('|')",
            lambda: f"splitlines({self.pick(['', 'true'])})|join('|')",
        )

    def formatted(self, depth):
        spec = lambda: self.pick(["", ":", ":>5", ":<4", ":^7", ":*^6", ":5", "!r", "!s:>6", ":.2"])
        number = lambda: self.pick(
            [
                ":d",
                ":5d",
                ":05",
                ":+",
                ":x",
                ":#x",
                ":b",
                ":,",
                ":>4",
                ":e",
                ":.2f",
                ":.1%",
                ":g",
                ":_",
                ":o",
                ":X",
                "",
                ":8.3f",
                ":=+6",
                ": ",
            ]
        )
        percent = lambda: self.pick(["%s", "%5s", "%-5s|", "%r", "%.2s"])
        percent_number = lambda: self.pick(
            [
                "%d",
                "%5d",
                "%05d",
                "%+d",
                "%x",
                "%X",
                "%o",
                "%#x",
                "%.2f",
                "%e",
                "%g",
                "%i",
                "%-4d|",
                "% d",
                "%s",
                "%.3d",
                "%c",
                "%5.1f",
                "%G",
            ]
        )
        text, value = lambda: self.text(depth - 2), lambda: self.any(depth - 2)
        integer = lambda: self.pick([self.integer(depth - 2), self.number(depth - 2)])
        return self.one_of(
            lambda: f"'<{{{spec()}}}>'.format({text()})",
            lambda: f"'{{0{number()}}} {{1{spec()}}}'.format({integer()}, {text()})",
            lambda: f"'{{{number()}}}'.format({integer()})",
            lambda: f"'{{x{spec()}}}{{{{}}}}'.format(x={text()})",
            lambda: f"'{{0.k}}{{0[v]}}{{1[0]}}'.format(rows[{self.pick('012')}], l)",
            lambda: f"('{percent()}' % {text()})",
            lambda: f"('{percent_number()}' % {integer()})",
            lambda: f"('{percent()} {percent_number()}' % ({value()}, {integer()}))",
            lambda: f"'{percent()}'|format({value()})",
            lambda: f"'%(a)s {percent_number()}%%'|format(a={text()})",
            lambda: f"('%(b)s%(k v)s' % d)",
            lambda: f"('{percent()}' % ({value()},))",
        )

    def integer(self, depth):
        if depth <= 0:
            return self.pick(["0", "1", "2", "7", "42", "-3", "n", "z", "neg", "l[0]", "true", "1_000", "rows[1].v"])
        sub = lambda: self.integer(depth - 1)
        return self.one_of(
            lambda: self.integer(0),
            lambda: f"({sub()} {self.pick('+-*')} {sub()})",
            lambda: f"({sub()} {self.pick(['//', '%'])} {self.pick(['2', '3', '-4', '7'])})",
            lambda: f"(-{sub()})",
            lambda: f"({self.any(depth - 1)})|length",
            lambda: f"({self.text(depth - 1)})|int",
            lambda: f"({self.text(depth - 1)})|int({sub()}{self.pick(['', ', 16', ', 8', ', 2'])})",
            lambda: f"({self.number(depth - 1)})|int",
            lambda: f"({sub()})|abs",
            lambda: f"({self.integers(depth - 1)})|sum",
            lambda: f"({self.integers(depth - 1)})|{self.pick(['max', 'min', 'first', 'last'])}",
            lambda: f"({self.text(depth - 1)}).{self.pick(['find', 'rfind', 'count', 'index', 'rindex'])}"
            f"({self.text(depth - 2)})",
            lambda: f"({self.text(depth - 1)}).{self.pick(['find', 'rfind', 'count'])}({self.text(0)}, {self.small()}"
            f"{self.pick(['', ', ' + self.small()])})",
            lambda: f"({self.text(depth - 1)})|wordcount",
            lambda: f"rows|sum(attribute='{self.pick('vw')}')",
            lambda: f"({self.integers(depth - 1)}).{self.pick(['count', 'index'])}({sub()})",
            lambda: f"({sub()} ** {self.pick('0123')})",
        )

    def number(self, depth):
        if depth <= 0:
            return self.pick(
                ["0.0", "1.5", "2.25", "1e3", "f", "g", "-0.5", "1.0e-7", "123456789.0", "1e16", "n", "0.1"]
            )
        sub = lambda: self.number(depth - 1)
        return self.one_of(
            lambda: self.number(0),
            lambda: f"({sub()} {self.pick(['+', '-', '*'])} {sub()})",
            lambda: f"({sub()} / {self.pick(['2', '4', '3', '0.5'])})",
            lambda: f"({sub()} // {self.pick(['2', '0.5'])})",
            lambda: f"({sub()} % {self.pick(['2', '0.75', '-3'])})",
            lambda: f"({self.text(depth - 1)})|float",
            lambda: f"({sub()})|round"
            + self.pick(['', '(1)', '(2)', "(1, 'floor')", "(0, 'ceil')", '(-1)']),
            lambda: f"({sub()})|abs",
            lambda: f"({self.text(depth - 1)})|float({sub()})",
            lambda: f"({sub()} ** 2)",
        )

    def condition(self, depth):
        if depth <= 0:
            return self.pick(["t", "no", "true", "false", "n > 3", "e", "nothing", "undefined_name", "l", "z", "not t"])
        sub = lambda: self.condition(depth - 1)
        order = lambda: self.pick(["<", "<=", ">", ">=", "==", "!="])
        return self.one_of(
            lambda: self.condition(0),
            lambda: f"({sub()} {self.pick(['and', 'or'])} {sub()})",
            lambda: f"(not {sub()})",
            lambda: f"({self.integer(depth - 1)} {order()} {self.number(depth - 1)})",
            lambda: f"({self.text(depth - 1)} {order()} {self.text(depth - 1)})",
            lambda: f"({self.any(depth - 1)} {self.pick(['==', '!='])} {self.any(depth - 1)})",
            lambda: f"({self.text(depth - 1)} {self.pick(['in', 'not in'])} {self.text(depth - 1)})",
            lambda: f"({self.any(0)} {self.pick(['in', 'not in'])} {self.sequence(depth - 1)})",
            lambda: f"({self.const_text()} in d)",
            lambda: f"(1 < {self.integer(depth - 1)} <= 5)",
            lambda: f"({self.any(depth - 1)} is {self.pick(['', 'not '])}{self.test()})",
            lambda: f"({self.text(depth - 1)}).{self.text_question(depth)}",
            lambda: f"({self.integer(depth - 1)} is "
            f"{self.pick(['odd', 'even', 'divisibleby 3', 'eq 2', 'gt(1)', 'le 4'])})",
        )

    def test(self):
        return self.pick(
            [
                "defined",
                "undefined",
                "none",
                "string",
                "number",
                "integer",
                "float",
                "boolean",
                "mapping",
                "iterable",
                "sequence",
                "true",
                "false",
                "callable",
                "in [1, 'a', none]",
                "eq 'a'",
                "lower",
                "upper",
                "escaped",
                "sameas none",
                "ne 1",
                "filter",
                "test",
            ]
        )

    def text_question(self, depth):
        return self.one_of(
            lambda: self.pick(
                [
                    "isdigit",
                    "isalpha",
                    "isalnum",
                    "isspace",
                    "isupper",
                    "islower",
                    "istitle",
                    "isascii",
                    "isnumeric",
                    "isdecimal",
                    "isidentifier",
                    "isprintable",
                ]
            )
            + "()",
            lambda: f"{self.pick(['startswith', 'endswith'])}({self.text(depth - 2)})",
            lambda: f"{self.pick(['startswith', 'endswith'])}(({self.text(0)}, 'a'))",
            lambda: f"startswith({self.text(0)}, {self.small()})",
        )

    def texts(self, depth):
        if depth <= 0:
            return self.pick(["names", "['x', 'y']", "[]", "csv.split(',')", "('a', '<')", "d", "'ab'"])
        return self.one_of(
            lambda: self.texts(0),
            lambda: f"[{self.text(depth - 1)}, {self.text(depth - 1)}]",
            lambda: f"({self.texts(depth - 1)})|map('{self.pick(['upper', 'trim', 'title', 'string', 'e'])}')|list",
            lambda: f"rows|map(attribute='k')|list",
            lambda: f"({self.text(depth - 1)}).split()",
            lambda: f"({self.texts(depth - 1)})|{self.pick(['sort', 'unique|list', 'reverse|list', 'list'])}",
            lambda: f"({self.texts(depth - 1)})|sort"
            f"({self.pick(['true', 'reverse=true', 'false, true', 'case_sensitive=true'])})",
            lambda: f"({self.texts(depth - 1)})|select('{self.pick(['lower', 'upper', 'string'])}')|list",
            lambda: f"({self.texts(depth - 1)})|reject('in', {self.texts(0)})|list",
            lambda: f"({self.text(depth - 1)})|list",
            lambda: "d|list",
            lambda: "d.keys()|list",
        )

    def integers(self, depth):
        if depth <= 0:
            return self.pick(
                ["l", "[1, 2]", "[]", "range(3)|list", "range(n)", "range(5, 0, -2)|list", "(4, 5)", "[true, 0]"]
            )
        return self.one_of(
            lambda: self.integers(0),
            lambda: f"[{self.integer(depth - 1)}, {self.integer(depth - 1)}]",
            lambda: f"({self.integers(depth - 1)})|"
            + self.pick(['sort', 'unique|list', 'reverse|list', 'sort(reverse=true)']),
            lambda: f"({self.integers(depth - 1)})|select('{self.pick(['odd', 'even'])}')|list",
            lambda: f"({self.integers(depth - 1)})|reject('gt', {self.integer(0)})|list",
            lambda: f"(({self.integers(depth - 1)})|list + ({self.integers(depth - 1)})|list)",
            lambda: f"rows|map(attribute='{self.pick('vw')}')|list",
            lambda: f"({self.integers(depth - 1)})[{self.slice(depth)}]|list",
            lambda: f"(({self.integers(depth - 1)})|list * {self.pick('0123')})",
        )

    def sequence(self, depth):
        if depth <= 0:
            return self.pick(
                ["l", "names", "rows", "messages", "d", "pairs", "[]", "()", "s", "none", "d.a", "[none, 1.5]"]
            )
        sub = lambda: self.sequence(depth - 1)
        key = lambda: self.pick(["k", "v", "w", "role", "nosuch", "content"])
        return self.one_of(
            lambda: self.sequence(0),
            lambda: self.texts(depth),
            lambda: self.integers(depth),
            lambda: f"[{self.any(depth - 1)}, {self.any(depth - 1)}]",
            lambda: f"({self.any(depth - 1)},)",
            lambda: f"({sub()})|{self.pick(['selectattr', 'rejectattr'])}('{key()}')|list",
            lambda: f"(rows)|{self.pick(['selectattr', 'rejectattr'])}"
            f"('{self.pick('vw')}', '{self.pick(['eq', 'gt', 'equalto', '>=', 'ne'])}', {self.small()})|list",
            lambda: f"rows|sort(attribute='{self.pick(['k', 'v', 'w,v', 'w,k'])}'{self.pick(['', ', reverse=true'])})",
            lambda: f"({sub()})|map(attribute='{key()}'{self.pick(['', ', default=0'])})|list",
            lambda: f"({sub()})|batch({self.pick(['1', '2', '3, 0'])})|list",
            lambda: f"({sub()})|slice({self.pick(['1', '2', '3, 0'])})|list",
            lambda: f"rows|groupby('{self.pick('kvw')}')|list",
            lambda: f"rows|unique(attribute='{self.pick('kw')}')|list",
            lambda: f"d|{self.pick(['items', 'dictsort'])}|list",
            lambda: "d.items()|list",
            lambda: "d.values()|list",
            lambda: f"({sub()})[{self.slice(depth)}]",
            lambda: f"({sub()})|list",
            lambda: f"({sub()})|reverse|list",
            lambda: f"rows|groupby('w', default=0)|map('last')|list",
            lambda: "rows|map('items')|map('list')|list",
            lambda: f"rows|{self.pick(['max', 'min'])}(attribute='{self.pick('kvw')}')",
            lambda: f"({sub()})|select|list",
            lambda: f"({self.text(depth - 1)}).{self.pick(['partition', 'rpartition'])}({self.text(0)})",
        )

    def mapping(self, depth):
        return self.one_of(
            lambda: "d",
            lambda: "rows[0]",
            lambda: "{}",
            lambda: f"{{'a': {self.any(depth - 1)}}}",
            lambda: f"{{{self.any(0)}: {self.any(depth - 1)}, 'q': 1}}",
            lambda: "d.C",
            lambda: f"dict(x={self.any(depth - 1)})",
            lambda: f"dict(d, y={self.any(depth - 1)})",
            lambda: f"dict(**rows[1])",
            lambda: "dict(pairs)",
            lambda: f"dict([[{self.any(0)}, 2]])",
        )

    def any(self, depth):
        if depth <= 0:
            return self.one_of(
                lambda: self.text(0),
                lambda: self.integer(0),
                lambda: self.number(0),
                lambda: self.pick(["none", "true", "undefined_name", "d.nosuch", "nothing", "no", "[]"]),
            )
        return self.one_of(
            lambda: self.text(depth),
            lambda: self.text(depth),
            lambda: self.integer(depth),
            lambda: self.number(depth),
            lambda: self.condition(depth),
            lambda: self.sequence(depth),
            lambda: self.mapping(depth),
            lambda: self.any(0),
            lambda: f"({self.mapping(depth - 1)}).{self.pick(['a', 'k', 'nosuch', 'x'])}",
            lambda: f"({self.mapping(depth - 1)}).get({self.const_text()}, {self.any(0)})",
            lambda: f"({self.sequence(depth - 1)})[{self.small()}]",
            lambda: f"({self.sequence(depth - 1)})|{self.pick(['first', 'last'])}",
            lambda: f"({self.any(depth - 1)} {self.pick(['and', 'or'])} {self.any(depth - 1)})",
            lambda: f"({self.any(depth - 1)} if {self.condition(depth - 1)} else {self.any(depth - 1)})",
            lambda: f"({self.any(depth - 1)})|default({self.any(depth - 1)}{self.pick(['', ', true'])})",
        )

    # Statements

    def data(self):
        return self.pick(
            ["", " ", "\n", "text", "  \n  ", "a\n", " b ", "\n\n", "{# c #}", "{#- c -#}\n", "x\n  ", "\t"]
        )

    def tag(self, text):
        return "{%" + self.pick(["", "", "-", "+"]) + f" {text} " + self.pick(["", "", "-"]) + "%}"

    def output(self, depth):
        return "{{" + self.pick(["", "-"]) + " " + self.any(depth) + " " + self.pick(["", "-"]) + "}}"

    def body(self, depth):
        return "".join(self.data() + self.statement(depth - 1) + self.data() for _ in range(self.random.randint(1, 2)))

    def statement(self, depth):
        if depth <= 0:
            return self.one_of(lambda: self.output(2), lambda: self.output(1), lambda: self.data())
        tag, body = self.tag, lambda: self.body(depth)
        return self.one_of(
            lambda: self.output(3),
            lambda: self.output(2),
            lambda: tag(f"if {self.condition(2)}")
            + body()
            + self.pick(["", tag("else") + body(), tag(f"elif {self.condition(1)}") + body() + tag("else") + body()])
            + tag("endif"),
            lambda: tag(f"for x in {self.sequence(2)}")
            + self.loop_body(depth)
            + self.pick(["", tag("else") + body()])
            + tag("endfor"),
            lambda: tag(
                f"for x in {self.sequence(1)} if {self.pick(['x', 'x is string', 'loop is defined', 'x is mapping'])}"
            )
            + self.loop_body(depth)
            + tag("endfor"),
            lambda: tag(
                f"for a, b in {self.pick(['pairs', 'd.items()', 'd|dictsort', 'rows|groupby(' + repr('w') + ')'])}"
            )
            + "{{ a }}{{ b }}"
            + self.loop_body(depth)
            + tag("endfor"),
            lambda: tag(f"for a, (b, c) in [[1, [2, 3]], [{self.small()}, ['x', {self.any(1)}]]]")
            + "{{ a }}{{ b }}{{ c }}"
            + body()
            + tag("endfor"),
            lambda: tag(f"set v = {self.any(2)}") + body() + "{{ v }}",
            lambda: tag(f"set v, w = {self.any(1)}, {self.any(1)}") + "{{ v }}{{ w }}",
            lambda: tag(f"set v{self.pick(['', ' | upper', ' | trim | length'])}") + body() + tag("endset") + "{{ v }}",
            lambda: tag(f"set ns = namespace(c={self.any(1)})")
            + tag(f"for x in {self.sequence(1)}")
            + tag("set ns.c = x")
            + tag("endfor")
            + "{{ ns.c }}",
            lambda: tag(f"macro m(p, q={self.any(1)})")
            + "{{ p }}{{ q }}{{ varargs }}{{ kwargs }}"
            + body()
            + tag("endmacro")
            + "{{ m("
            + self.pick([self.any(1), "1, 2", "1, 2, 3", "q=1, p=2", "1, r=2", "*l", "*[1], **{'z': 2}", ""])
            + ") }}",
            lambda: tag("macro m(p)")
            + "[{{ caller(p) }}]"
            + tag("endmacro")
            + tag(f"call(y) m({self.any(1)})")
            + "{{ y }}"
            + body()
            + tag("endcall"),
            lambda: tag(
                "filter " + self.pick(['upper', 'trim', "replace('a', 'b')", 'e', 'indent(2)'])
            )
            + body()
            + tag("endfilter"),
            lambda: tag(f"with v = {self.any(2)}, w = 1") + "{{ v }}" + body() + tag("endwith"),
            lambda: tag("raw") + "{{ x }}{% y %}" + self.data() + tag("endraw"),
            lambda: tag("generation") + body() + tag("endgeneration"),
            lambda: tag("for x in [[1, [2, [3]]], [4]] recursive")
            + "{{ loop.depth }}{% if x is iterable %}{{ loop(x) }}{% else %}"
            "{{ x }}{% endif %}" + tag("endfor"),
        )

    def loop_body(self, depth):
        loop = self.pick(
            [
                "{{ loop.index }}",
                "{{ loop.index0 }}",
                "{{ loop.first }}",
                "{{ loop.last }}",
                "{{ loop.length }}",
                "{{ loop.revindex }}",
                "{{ loop.cycle('a', 'b') }}",
                "{{ loop.changed(x) }}",
                "{{ loop.previtem }}",
                "{{ loop.nextitem }}",
                "",
                "{{ loop.depth }}",
                "{% if loop.index > 2 %}{% break %}{% endif %}",
                "{% if loop.first %}{% continue %}{% endif %}",
            ]
        )
        return self.data() + loop + self.pick(["{{ x }}", ""]) + self.body(depth)

    def template(self):
        return self.pick(
            [
                lambda: "{{ " + self.any(3) + " }}",
                lambda: "{{ " + self.text(3) + " }}",
                lambda: self.body(3),
                lambda: self.body(2),
            ]
        )()
