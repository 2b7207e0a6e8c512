#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pre_tokenizer_cases.jsonl: for each name of GGUF's "tokenizer.ggml.pre" the regular expressions of its Split
steps, and how Hugging Face's library cuts some texts with them. Needs the PyPI package tokenizers."""
import json
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

REST = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
QWEN2 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + REST
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
QWEN35 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + REST
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD, OTHERS = r"[^\r\n\p{L}\p{N}]?", r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
TEKKEN = f"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*|" + r"\p{N}" + OTHERS + REST
GPT4O = (f"{LEAD}{UPPER}*{LOWER}+{CONTRACTION}?|{LEAD}{UPPER}+{LOWER}*{CONTRACTION}?|" + r"\p{N}{1,3}" + OTHERS + REST)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EAST_ASIAN = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+"
WIDE = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+"
CASED = ("\\s?["
         "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373"
         "\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481"
         "\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B"
         "\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B"
         "\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB"
         "\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128"
         "\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
         "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF"
         "\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3"
         "\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF"
         "\U0001E900-\U0001E943"
         "]+")

REGEXES = {
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "qwen2": [QWEN2], "deepseek-r1-qwen": [QWEN2], "qwen35": [QWEN35],
    "llama-bpe": [LLAMA3], "llama3": [LLAMA3], "llama-v3": [LLAMA3], "tekken": [TEKKEN], "gpt-4o": [GPT4O],
    "deepseek-llm": [r"[\r\n]", CASED, WIDE, r"\s+$", EAST_ASIAN, r"\p{N}+"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN, r"\p{N}"],
}
TEXTS = ["Hello, World! don't I'LL HTMLParser x=1;", "  a\n\n  b \t\r\n ", "12345 1,234.5 ½ ٣٤٥٦",
         "日本語テキスト、한국어。 中文 ",
         "e\u0301E\u0301 ªBC Ab ǅx ʰX", "a/b//c\n/ </s>\n\n", "Ünï ΑΒγ 'S'ſ",
         "\u3000\u3000!\u201c「x」", " \u0301x \u0301 ",
         "🙂👍🏽 $+<=>^~|`"]


def main():
    rows = []
    for name, regexes in REGEXES.items():
        steps = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated") for regex in regexes])
        for text in TEXTS:
            words = [word for word, _ in steps.pre_tokenize_str(text)]
            rows.append({"pre": name, "text": text, "words": words})
        rows.append({"pre": name, "regexes": regexes})
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    Path(__file__).with_name("pre_tokenizer_cases.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
