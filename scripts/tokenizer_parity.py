#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `strata tokenize` with Hugging Face's `tokenizers` library on random strings.

    tokenizer_parity.py --strata PATH --model DIR [--n 100000] [--seed S] [--sentencepiece FILE]

DIR holds a tokenizer.json. The strings mix characters of all planes, combining marks, code, runs of whitespace, digits,
emoji, special tokens, and what SentencePiece's vocabularies spell. Ids are decoded too: those of the strings, cut at
random, and random ones, which make invalid UTF-8. Prints the number of differences, some of them, and the speed of
strata. With --sentencepiece the reference is SentencePiece with that model, and DIR may be a GGUF file that has its
tokenizer; only the strings' ids and their texts are compared then. Needs the PyPI package `tokenizers`, or
`sentencepiece`. Exit status 1 if anything differs.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unicodedata

try:
    import tokenizers
except ImportError:
    tokenizers = None

CODE = ["for (int i = 0; i < n; ++i) {", "\n    return x[i]->y;", "def f(self, *args):\n\t", "}\n\n",
        "#include <vector>",
        "http://a.b/c?d=%20e&f", "SELECT * FROM t WHERE a='b';", "{\"k\": [1, 2.5e-3]}", "\\n\\t", "/* é */", "λx.x"]
WORDS = ["the", " The", "Hello", " naïve", "I'll", "we'VE", "'S", "don't", "'ſ", " 'd", "ﬁn", "Straße", "İstanbul", "ﷺ",
         "日本語", "한국어", "각", "नमस्ते", "สวัสดี", "مرحبا", "שלום", "e\u0301", "A\u030a", "\u1100\u1161\u11a8",
         "Ω", "Å", "q\u0307\u0323", "D\u0307\u0323", "ཇོ", "ந\u0bcd"]
EMOJI = ["🙂", "👨\u200d👩\u200d👧", "🏳️\u200d🌈", "🇩🇪", "👍🏽", "☕️", "\U0001fae8"]
SENTENCE_PIECES = ["\u2581", "\u2581\u2581a", "<0x0A>", "<0xE2>", "<unk>", "<s>", "</s>", "a\u2581b", "\u2581 "]
SPACES = [" ", "  ", "    ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x0b", "\x0c",
          "\x85", "\u200b", "\x1c", "\0"]
MARKS = [c for c in range(0x110000) if unicodedata.category(chr(c)) in ("Mn", "Mc", "Me")]


def any_character(rng):
    while True:
        top = rng.choice((0x80, 0x250, 0x800, 0x3000, 0x10000, 0x20000, 0x110000))
        c = rng.randrange(top)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_piece(rng, special):
    kind = rng.randrange(13)
    if kind == 0:
        return "".join(any_character(rng) for _ in range(rng.randint(1, 12)))
    if kind == 1:
        return any_character(rng) + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randint(1, 6)))
    if kind == 2:
        return rng.choice(CODE)
    if kind == 3:
        return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 8)))
    if kind == 4:
        return str(rng.randrange(10 ** rng.randint(1, 12)))
    if kind == 5:
        return rng.choice(EMOJI)
    if kind == 6 and special:
        token = rng.choice(special)
        return token if rng.random() < 0.8 else token[:rng.randint(1, len(token))]
    if kind == 7:
        return "".join(chr(rng.randrange(0x20, 0x7F)) for _ in range(rng.randint(1, 16)))
    if kind == 8:
        return rng.choice(SPACES) * rng.randint(1, 40)
    if kind == 9:
        return chr(rng.randrange(0x4E00, 0x9FFF)) * rng.randint(1, 4) + chr(rng.randrange(0xAC00, 0xD7A4))
    if kind == 10:
        return rng.choice(SENTENCE_PIECES)
    return rng.choice(WORDS) + rng.choice(("", " ", "'", ".", "\n"))


def random_text(rng, special):
    return "".join(random_piece(rng, special) for _ in range(rng.choice((1, 2, 3, 5, 8, 20))))


def run_lines(command, rows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)
    try:
        start = time.time()
        done = subprocess.run([*command, f.name], stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()], time.time() - start
    finally:
        os.unlink(f.name)


def report(what, texts, got, want):
    bad = [i for i, (g, w) in enumerate(zip(got, want)) if g != w]
    for i in bad[:5]:
        print(f"  {what}: {texts[i]!r}\n    strata     {str(got[i])[:300]}\n    tokenizers {str(want[i])[:300]}")
    print(f"{what}: {len(want)} strings, {len(bad)} different")
    return len(bad) + abs(len(got) - len(want))


def compare_with_sentencepiece(options):
    import sentencepiece
    reference = sentencepiece.SentencePieceProcessor(model_file=options.sentencepiece)
    rng = random.Random(options.seed)
    texts = [random_text(rng, []) for _ in range(options.n)]
    # Special tokens are text for SentencePiece.
    texts = [text for text in texts if not any(name in text for name in ("<s>", "</s>", "<unk>"))]
    want = reference.encode(texts)
    rows, _ = run_lines([options.strata, "tokenize", options.model, "--jsonl"], [{"text": t} for t in texts])
    got = [row["ids"] for row in rows]
    bos = reference.bos_id()
    different = report("ids", texts, [ids[1:] if ids[:1] == [bos] else ids for ids in got], want)
    back, _ = run_lines([options.strata, "detokenize", options.model, "--jsonl"], [{"ids": ids} for ids in want])
    different += report("texts", want, [row["text"] for row in back], reference.decode(want))
    sys.exit(different > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentencepiece")
    options = parser.parse_args()
    if options.sentencepiece:
        compare_with_sentencepiece(options)
    reference = tokenizers.Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    special = [token.content for token in reference.get_added_tokens_decoder().values()]
    rng = random.Random(options.seed)
    texts = [random_text(rng, special) for _ in range(options.n)]

    rows, seconds = run_lines([options.strata, "tokenize", options.model, "--jsonl"], [{"text": t} for t in texts])
    want = [encoding.ids for encoding in reference.encode_batch(texts)]
    different = report("ids", texts, [row["ids"] for row in rows], want)

    # Cut at random, so that ids begin and end inside of characters.
    cut = [ids[rng.randint(0, len(ids) // 2):rng.randint(len(ids) // 2, len(ids))] for ids in want]
    back, _ = run_lines([options.strata, "detokenize", options.model, "--jsonl"], [{"ids": ids} for ids in cut])
    decoded = [reference.decode(ids, skip_special_tokens=False) for ids in cut]
    different += report("texts", cut, [row["text"] for row in back], decoded)

    # Byte tokens and short ones come first in a vocabulary.
    known = [i for i in range(reference.get_vocab_size()) if reference.id_to_token(i) is not None]
    drawn = [[known[int(len(known) * rng.random() ** rng.choice((1, 8)))] for _ in range(rng.randint(0, 12))]
             for _ in range(options.n)]
    back, _ = run_lines([options.strata, "detokenize", options.model, "--jsonl"], [{"ids": ids} for ids in drawn])
    decoded = [reference.decode(ids, skip_special_tokens=False) for ids in drawn]
    different += report("texts of random ids", drawn, [row["text"] for row in back], decoded)

    megabytes = sum(len(t.encode()) for t in texts) / 1e6
    print(f"{megabytes:.1f} MB in {seconds:.2f} s with start and JSON: {megabytes / seconds * 60:.0f} MB/minute")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
