# SPDX-License-Identifier: Apache-2.0
"""Random answers under random schemas hold by an independent validator, Debian's python3-jsonschema.

STRATA_RANDOM_ANSWERS names the program of random_answers.cpp, STRATA_SEED draws other schemas, STRATA_SOAK draws many.
"""
import datetime
import json
import os
import random
import re
import subprocess
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

PATTERNS = ["^a+$", "b", "^(x|yz){1,3}$", "^[^a-z\\d]{2,4}$", "^\\w+-\\d?$", "^[\"\\\\]*é$", "a|^b$", "^.{3}$", "\\.$"]
FORMATS = {
    "date": datetime.date.fromisoformat,
    "time": lambda text: datetime.time.fromisoformat(text.replace("Z", "+00:00")),
    "date-time": lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")),
    "uuid": lambda text: re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) or 1 / 0,
    "ipv4": lambda text: [1 / 0 for part in text.split(".") if not 0 <= int(part) <= 255],
}
NAMES = ["a", "b", "ab", "the name", "é", "\"\\", ""]


class Schemas:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def number(self):
        rng = self.rng
        bounds = {}
        low = rng.choice([rng.randrange(-200, 200), round(rng.uniform(-20, 20), 2)])
        if rng.random() < 0.5:
            bounds[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if rng.random() < 0.5:
            bounds[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.choice([1, 10, 1000, 2.5])
        return {"type": rng.choice(["number", "integer"])} | bounds

    def string(self):
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:
            return {"type": "string", "pattern": rng.choice(PATTERNS)}
        if kind == 1:
            return {"type": "string", "format": rng.choice(list(FORMATS))}
        if kind == 2:
            low = rng.randrange(4)
            return {"type": "string", "minLength": low, "maxLength": low + rng.randrange(4)}
        return {"type": "string"}

    def value(self):
        return self.rng.choice([None, True, 0, -7, 2.5, "a", "é\"\\\n", [1, "x"], {"k": [None]}])

    def array(self, depth):
        rng = self.rng
        schema = {"type": "array"}
        if rng.random() < 0.8:
            schema["items"] = self.schema(depth - 1)
        if rng.random() < 0.4:
            schema["prefixItems"] = [self.schema(depth - 1) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.5:
            schema["minItems"] = rng.randrange(4)
        if rng.random() < 0.5:
            schema["maxItems"] = schema.get("minItems", 0) + rng.randrange(4)
        return schema

    def object(self, depth):
        rng = self.rng
        names = rng.sample(NAMES, rng.randrange(5))
        schema = {"type": "object", "properties": {name: self.schema(depth - 1) for name in names}}
        schema["required"] = [name for name in names if rng.random() < 0.5]
        if rng.random() < 0.6:
            schema["additionalProperties"] = rng.choice([False, True, self.schema(depth - 1)])
        if not names:
            schema |= rng.choice([{}, {"maxProperties": 2}, {"minProperties": 1},
                                  {"propertyNames": {"pattern": "^[a-c]{2}"}}])
        return schema

    def combination(self, depth):
        rng = self.rng
        some = [self.schema(depth - 1) for _ in range(rng.randrange(1, 4))]
        kind = rng.randrange(5)
        if kind == 0:
            return {"allOf": [self.number() | {"type": "number"}, self.number()]}
        if kind == 1:
            return {"allOf": [self.object(depth - 1), self.object(depth - 1)]}
        if kind == 2:
            return {"type": ["object", "integer"], "anyOf": some}
        if kind == 3:
            return {"oneOf": some}
        return {"anyOf": some}

    def schema(self, depth):
        rng = self.rng
        leaves = [self.number, self.string, lambda: {"const": self.value()}, lambda: {"type": ["boolean", "null"]},
                  lambda: {"enum": [self.value() for _ in range(3)]}, lambda: rng.choice([True, {}]),
                  lambda: {"$ref": "#/$defs/" + rng.choice("xy")}]
        if depth <= 0:
            return rng.choice(leaves)()
        nested = [self.array, self.object, self.object, self.combination]
        return rng.choice(nested)(depth) if rng.random() < 0.7 else rng.choice(leaves)()

    def document(self):
        root = self.schema(3)
        return (root if isinstance(root, dict) else {}) | {"$defs": {"x": self.object(1), "y": self.array(1)}}


@unittest.skipIf(jsonschema is None, "jsonschema is not installed: scripts/setup.sh --tests")
class RandomSchemaTest(unittest.TestCase):
    def test_answers_hold(self):
        count = 20_000 if os.environ.get("STRATA_SOAK") else 300
        first = int(os.environ.get("STRATA_SEED", 1)) * 1_000_000
        documents = []
        for seed in range(first, first + count):
            document = Schemas(seed).document()
            documents.append(document)
        lines = "".join(json.dumps({"schema": document, "seed": seed, "count": 4}) + "\n"
                        for seed, document in enumerate(documents))
        made = subprocess.run([os.environ["STRATA_RANDOM_ANSWERS"]], input=lines, capture_output=True, text=True,
                              encoding="utf8", check=True).stdout.splitlines()
        checker = jsonschema.FormatChecker(formats=())
        for name, parse in FORMATS.items():
            checker.checks(name, raises=(ValueError, ZeroDivisionError))(
                lambda value, parse=parse: not isinstance(value, str) or parse(value) is not False)
        texts = refused = 0
        for document, line in zip(documents, made, strict=True):
            answer = json.loads(line)
            if "error" in answer:
                refused += 1
                self.assertRegex(answer["error"], "oneOf|no text fulfils|minProperties|maxProperties|propertyNames|"
                                                  "pattern|format|twice|left-recursive", document)
                continue
            validator = jsonschema.Draft202012Validator(document, format_checker=checker)
            for text in answer["texts"]:
                texts += 1
                errors = list(validator.iter_errors(json.loads(text)))
                self.assertFalse(errors, (document, text))
        self.assertGreater(texts, 2 * count)
        self.assertLess(refused, count // 2)


if __name__ == "__main__":
    unittest.main()
