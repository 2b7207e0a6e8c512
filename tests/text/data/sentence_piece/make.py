#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files beside it: small tokenizers of SentencePiece's kind, and what the reference libraries make of texts.

    make.py [--models DIR]

Trains a BPE and a unigram model of 400 tokens on docs/, writes them as Hugging Face's tokenizer.json, encodes and
decodes some texts with that library in the variants below, and the BPE model with SentencePiece itself. --models also
writes each variant to DIR/NAME/tokenizer.json, for scripts/tokenizer_parity.py. Needs the PyPI packages sentencepiece,
tokenizers and protobuf.
"""
import argparse
import copy
import json
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

HERE = Path(__file__).parent
DOCS = HERE.parents[3] / "docs"
SPACE = "\u2581"
FOREIGN = "Grüße aus Köln, naïve café, Ελληνικά, русский текст, 日本語の文章です。中文文本。 한국어 🙂\n" * 5

TEXTS = ["", " ", "a", " a", "  two  spaces ", "The quick brown fox, don't!", "line\nline\r\n\ttab",
         "naïve café Ελληνικά", "日本語 🙂👨\u200d👩\u200d👧", "a\x00b\x7f", "<s>bos</s> <unk>",
         "hello<|user|>world <|user|>  x", "<0x0A>\u2581\u2581a",
         "1234567 x = f(1);", " " * 37 + "x" + " " * 12, "ﬁ ½ ① Å e\u0301 İ", "\U00010348\U000e0001",
         "x" * 60, "==========----------", "\u3000\u00a0wide"]

REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREPEND = {"type": "Prepend", "prepend": SPACE}
LLAMA_NORMALIZER = {"type": "Sequence", "normalizers": [PREPEND, REPLACE]}
TO_SPACE = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
GEMMA_DECODER = {"type": "Sequence", "decoders": [TO_SPACE, {"type": "ByteFallback"}, {"type": "Fuse"}]}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
LLAMA_DECODER = {"type": "Sequence", "decoders": [*GEMMA_DECODER["decoders"], STRIP]}
SQUEEZE = {"type": "Sequence", "normalizers": [
    {"type": "NFKC"}, {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": SPACE}]}
LOWER = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, REPLACE]}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


def split(text, behavior):
    return {"type": "Split", "pattern": {"String": text}, "behavior": behavior, "invert": False}


# What a variant changes: sections of the file, "model": parts of the model.
VARIANTS = {
    "llama": {},
    "llama-normalized": {"added": {"normalized": True}},
    "phi": {"added": {"rstrip": True}},
    "metaspace-first": {"normalizer": None, "pre_tokenizer": metaspace("first", False)},
    "metaspace-always": {"normalizer": None, "pre_tokenizer": metaspace("always", True),
                         "decoder": metaspace("always", True)},
    "metaspace-never": {"normalizer": None, "pre_tokenizer": metaspace("never", True), "decoder": GEMMA_DECODER},
    "gemma": {"normalizer": REPLACE, "pre_tokenizer": split(" ", "MergedWithPrevious"), "decoder": GEMMA_DECODER},
    "split-next": {"normalizer": None, "pre_tokenizer": split("e", "MergedWithNext"), "decoder": GEMMA_DECODER},
    "split-isolated": {"normalizer": None, "pre_tokenizer": split("o", "Isolated"), "decoder": GEMMA_DECODER},
    "unknown-fused": {"model": {"byte_fallback": False}},
    "unknown-each": {"model": {"byte_fallback": False, "fuse_unk": False}},
    "dropped": {"model": {"byte_fallback": False, "unk_token": None}},
    "lower": {"normalizer": LOWER},
    "unigram": {"base": "unigram"},
    "unigram-whole": {"base": "unigram", "normalizer": None, "pre_tokenizer": metaspace("first", False)},
    "unigram-unknown": {"base": "unigram", "model": {"byte_fallback": False}},
    "unigram-squeezed": {"base": "unigram", "normalizer": SQUEEZE},
}


def train(folder, kind):
    corpus = folder / "corpus.txt"
    corpus.write_text("".join(path.read_text() for path in sorted(DOCS.glob("*.md"))) + FOREIGN)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / kind), model_type=kind, vocab_size=400, byte_fallback=True,
        character_coverage=0.99, num_threads=1, max_sentence_length=20000, split_digits=True,
        allow_whitespace_only_pieces=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        user_defined_symbols=["<|user|>"], minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / f"{kind}.model").read_bytes())
    return [[piece.piece, piece.score, piece.type] for piece in model.pieces]


def merges(pieces):
    """All ways to make a piece of two, best first."""
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    found = []
    for piece, score, _ in pieces:
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ids and piece[i:] in ids]
        found += [(-score, ids[left], ids[right], left, right) for left, right in cuts]
    return [f"{left} {right}" for *_, left, right in sorted(found)]


def tokenizer_file(pieces, kind):
    special = [{"id": i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": type_ != 4} for i, (piece, _, type_) in enumerate(pieces) if type_ in (2, 3, 4)]
    if kind == "bpe":
        model = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                 "vocab": {piece: i for i, (piece, _, _) in enumerate(pieces)}, "merges": merges(pieces)}
    else:
        model = {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": [piece[:2] for piece in pieces]}
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    post = {"type": "TemplateProcessing", "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [bos],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    return {"version": "1.0", "added_tokens": special, "normalizer": LLAMA_NORMALIZER, "pre_tokenizer": None,
            "post_processor": post, "decoder": LLAMA_DECODER, "model": model}


def apply(base, changes):
    changed = copy.deepcopy(base)
    for name, value in changes.items():
        if name == "model":
            changed["model"] |= value
        elif name == "added":
            changed["added_tokens"] = [token | value for token in changed["added_tokens"]]
        elif name != "base":
            changed[name] = value
    return changed


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def cases_of(name, file):
    reference = tokenizers.Tokenizer.from_str(json.dumps(file))
    for text in TEXTS:
        ids = reference.encode(text).ids
        yield {"variant": name, "text": text, "ids": ids, "back": reference.decode(ids, skip_special_tokens=False)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pieces = {kind: train(Path(folder), kind) for kind in ("bpe", "unigram")}
        reference = sentencepiece.SentencePieceProcessor(model_file=folder + "/bpe.model")
        # A text that spells special tokens is left out: SentencePiece takes them for text.
        plain = [text for text in TEXTS if "<s>" not in text and "<|user|>" not in text]
        encoded = [(text, reference.encode(text)) for text in plain]
        write_lines(HERE / "gguf_cases.jsonl", [{"text": text, "ids": ids, "back": reference.decode(ids)}
                                                for text, ids in encoded])
    bases = {kind: tokenizer_file(pieces[kind], kind) for kind in pieces}
    for kind, base in bases.items():
        (HERE / f"{kind}_tokenizer.json").write_text(json.dumps(base, ensure_ascii=False) + "\n")
    (HERE / "bpe_pieces.json").write_text(json.dumps(pieces["bpe"], ensure_ascii=False) + "\n")
    (HERE / "variants.json").write_text(json.dumps(VARIANTS, ensure_ascii=False, indent=1) + "\n")
    rows = []
    for name, changes in VARIANTS.items():
        file = apply(bases[changes.get("base", "bpe")], changes)
        rows += cases_of(name, file)
        if options.models:
            (options.models / name).mkdir(parents=True, exist_ok=True)
            (options.models / name / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False))
    write_lines(HERE / "cases.jsonl", rows)


if __name__ == "__main__":
    main()
