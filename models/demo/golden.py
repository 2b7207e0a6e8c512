#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the demo model's golden data: what transformers computes in float32 with eager attention.

    golden.py --model models/demo --out tests/data/demo_golden

logits.jsonl      {"file", "ids"}: the prompt whose logits, float32 [tokens, vocabulary], are in the .npy file
greedy.jsonl      {"prompt", "prompt_ids", "ids", "text", "stopped", "margin"}: at most 64 tokens, each the most likely
                  one; `stopped` when an end token came, which is in neither ids nor text; `margin` is the least
                  distance between the best and the second-best logit on the way
tokenizer.jsonl   {"text", "ids"}: the tokenizers library's ids, special tokens recognised

Of the candidate prompts the first 20 whose margin leaves nothing to rounding are kept: a golden must not depend on the
machine.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
import transformers

TOKENS = 64
PROMPTS = 20
LEAST_MARGIN = 1e-3

LOGITS_OF = [
    "In",
    "And it came to pass in those days, that there went out a decree from Caesar, that all the world should be taxed.",
    "Genesis 50\n\nAnd Joseph fell upon his father's face, and wept upon him, and kissed him.\nAnd Joseph commanded "
    "his servants the physicians to embalm his father: and the physicians embalmed Israel.\nAnd forty days were "
    "fulfilled for him;",
]
CHAT = ["Tell me of Noah.", "Who is David?", "What is written of Jerusalem?", "Speak of Solomon.",
        "Tell me about Moses.", "Who is Pharaoh?", "And God said,"]
PLAIN = [
    "In the beginning", "And Moses said unto the people,", "The LORD is my", "Blessed are they", "Now king David",
    "And the angel of the LORD", "Woe unto", "The words of the wise", "Psalms 23\n\n", "Jonah 1\n\n",
    "And he took bread, and", "Hear, O Israel:", "Then Pilate", "I saw a new heaven and", "Thou shalt not",
    "A soft answer turneth away wrath:", "And it came to pass", "My son,", "And the waters", "Then Peter",
    "Praise ye the LORD.", "And Jesus answered", "The sons of", "Behold, the days come,", "Who can find",
]
TOKENIZER = PLAIN + CHAT + [
    "", " ", "\n\n\n", "  two  spaces  ", "tab\there", "MiXeD CaSe's 'LL don't", "12345 67,890.5", "e\u0301 \u00e9",
    "\u6771\u4eac \u043c\u0438\u0440 \U0001f54a", "a\u0000b", "<|im_start|>user\nhi<|im_end|>\n", "<|im_start|",
    "x = f(y) != {z};\r\n", "\u00a0\u2003\u3000", "\u1112\u1161\u11ab \ud55c",
]


def greedy(model, ids, end):
    """([token], stopped, margin)"""
    cache, feed, out, margin = None, torch.tensor([ids]), [], float("inf")
    while len(out) < TOKENS:
        step = model(input_ids=feed, past_key_values=cache, use_cache=True)
        cache, best = step.past_key_values, torch.topk(step.logits[0, -1], 2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        token = int(best.indices[0])
        if token in end:
            return out, True, margin
        out.append(token)
        feed = torch.tensor([[token]])
    return out, False, margin


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_logits(model, tokenizer, out):
    rows = []
    for index, prompt in enumerate(LOGITS_OF):
        ids, name = tokenizer(prompt).input_ids, f"logits_{index}.npy"
        np.save(out / name, model(input_ids=torch.tensor([ids])).logits[0].numpy())
        rows.append({"file": name, "ids": ids})
    write_lines(out / "logits.jsonl", rows)


def write_greedy(model, tokenizer, out):
    end, rows = set(model.generation_config.eos_token_id), []
    chats = [tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False,
                                           add_generation_prompt=True) for text in CHAT]
    for prompt in chats + PLAIN:
        prompt_ids = tokenizer(prompt).input_ids
        ids, stopped, margin = greedy(model, prompt_ids, end)
        text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if margin >= LEAST_MARGIN and ids:
            rows.append({"prompt": prompt, "prompt_ids": prompt_ids, "ids": ids, "text": text, "stopped": stopped,
                         "margin": round(margin, 6)})
    if len(rows) < PROMPTS:
        raise SystemExit(f"golden.py: only {len(rows)} prompts are clear of ties; add candidates")
    write_lines(out / "greedy.jsonl", rows[:PROMPTS])


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    write_logits(model, tokenizer, out)
    write_lines(out / "tokenizer.jsonl", [{"text": text, "ids": tokenizer(text).input_ids} for text in TOKENIZER])
    write_greedy(model, tokenizer, out)


if __name__ == "__main__":
    main()
