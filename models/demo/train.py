#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the demo model: a small Qwen3 on the King James Bible.

    bible -f 'Genesis1:1-Revelation22:21' < /dev/null > kjv.txt        # Debian packages bible-kjv, bible-kjv-text
    train.py --text kjv.txt --out models/demo [--steps 6000] [--minutes 45] [--threads 2]

The text has one verse per line, `Ge1:1 In the beginning ...`. Needs torch, transformers, tokenizers, numpy. Weights,
config and tokenizer are written by the libraries' own save functions, whenever a checkpoint is due and at the end.
The learning rate decays to nought over --steps or --minutes, whichever is spent first. One seed and one number of
steps give one model, up to the rounding of the machine's float32 kernels.
"""
import argparse
import math
import random
import re
import time
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers

SEQUENCE = 256
WARM_UP = 200  # steps
CHECKPOINT_EVERY = 300  # s
HELD_OUT_EVERY = 50  # chapters: 2 % of the text never trains
CHAT_SHARE = 0.25  # chat documents, as a share of all tokens, roughly
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# Letters with one leading non-letter, single digits, punctuation runs, line ends, spaces: Qwen's split.
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}")

BOOKS = """Genesis Exodus Leviticus Numbers Deuteronomy Joshua Judges Ruth 1_Samuel 2_Samuel 1_Kings 2_Kings
1_Chronicles 2_Chronicles Ezra Nehemiah Esther Job Psalms Proverbs Ecclesiastes Song_of_Solomon Isaiah Jeremiah
Lamentations Ezekiel Daniel Hosea Joel Amos Obadiah Jonah Micah Nahum Habakkuk Zephaniah Haggai Zechariah Malachi
Matthew Mark Luke John Acts Romans 1_Corinthians 2_Corinthians Galatians Ephesians Philippians Colossians
1_Thessalonians 2_Thessalonians 1_Timothy 2_Timothy Titus Philemon Hebrews James 1_Peter 2_Peter 1_John 2_John 3_John
Jude Revelation""".split()


def read_chapters(path):
    """[(title, [verse, ...])] in the order of the text."""
    chapters, books = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"(\d?[A-Za-z]+)(\d+):(\d+) (.+)", line)
        if not match:
            raise SystemExit(f"train.py: {path}: not a verse: {line[:60]!r}")
        book, chapter, verse, text = match.groups()
        if book not in books:
            books.append(book)
        if verse == "1":
            chapters.append((f"{BOOKS[len(books) - 1].replace('_', ' ')} {chapter}", []))
        chapters[-1][1].append(text.strip())
    if len(books) != len(BOOKS):
        raise SystemExit(f"train.py: {path}: {len(books)} books, expected {len(BOOKS)}")
    return chapters


def chapter_document(chapter):
    title, verses = chapter
    return f"{title}\n\n" + "\n".join(verses) + "<|endoftext|>"


def proper_names(chapters):
    """Words that are only ever written with a capital, in at least five verses."""
    verses = [verse for _, verses in chapters for verse in verses]
    words = [set(re.findall(r"[A-Za-z]+", verse)) for verse in verses]
    count = {}
    for word in (word for group in words for word in group):
        count[word] = count.get(word, 0) + 1
    return {w for w in count if w[0].isupper() and len(w) > 2 and count[w] >= 5 and w.lower() not in count}


def chat_documents(chapters, rng, target_characters):
    """Questions about a name, answered by verses that name it; and verses, answered by those that follow."""
    names, documents, size = proper_names(chapters), [], 0
    questions = ["Tell me of {}.", "Tell me about {}.", "Who is {}?", "What is written of {}?", "Speak of {}."]
    while size < target_characters:
        _, verses = rng.choice(chapters)
        at, span = rng.randrange(len(verses)), rng.randint(1, 3)
        named = sorted(set(re.findall(r"[A-Za-z]+", verses[at])) & names)
        if named and rng.random() < 0.6:
            user, answer = rng.choice(questions).format(rng.choice(named)), verses[at:at + span]
        else:
            user, answer = verses[at], verses[at + 1:at + 1 + span]
        if not answer:
            continue
        documents.append(f"<|im_start|>user\n{user}<|im_end|>\n"
                         f"<|im_start|>assistant\n{' '.join(answer)}<|im_end|>\n<|endoftext|>")
        size += len(documents[-1])
    return documents


def train_tokenizer(chapters, vocab):
    """A byte-level BPE tokenizer of Qwen's kind; special tokens come after the learnt ones."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Split(tokenizers.Regex(SPLIT), "isolated"),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab - len(SPECIAL), initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False)
    tokenizer.train_from_iterator((f"{title}\n\n" + "\n".join(verses) for title, verses in chapters), trainer)
    tokenizer.add_special_tokens([tokenizers.AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        model_max_length=2048, clean_up_tokenization_spaces=False)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(tokenizer):
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=512, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=2, head_dim=32, max_position_embeddings=2048,
        rope_theta=10000.0, tie_word_embeddings=True, rms_norm_eps=1e-6, bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"))
    model = transformers.Qwen3ForCausalLM(config).to(torch.float32)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
        pad_token_id=config.pad_token_id, do_sample=True, temperature=0.8, top_k=40, top_p=0.95)
    return model


def optimizer_of(model, rate):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))


def rate_at(options, step, progress):
    """Linear warm-up, then a cosine down to a fiftieth."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return options.rate * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.98 * cosine)


def loss_of(model, windows):
    """Mean cross entropy of windows' tokens 1.. given those before; windows: int64 [batch, SEQUENCE + 1]."""
    logits = model(input_ids=windows[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model, stream):
    count = (len(stream) - 1) // SEQUENCE
    windows = torch.stack([stream[i * SEQUENCE:i * SEQUENCE + SEQUENCE + 1] for i in range(count)])
    model.eval()
    losses = [loss_of(model, part).item() * len(part) for part in windows.split(16)]
    model.train()
    return sum(losses) / count


@torch.no_grad()
def sample(model, tokenizer, prompt, tokens=60):
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    model.eval()
    out = model.generate(ids, max_new_tokens=tokens, do_sample=False)
    model.train()
    return tokenizer.decode(out[0], skip_special_tokens=False)


def train(model, streams, options, log):
    rng = torch.Generator().manual_seed(options.seed)
    optimizer = optimizer_of(model, options.rate)
    training, held_out = streams
    started, saved, recent, step, progress = time.time(), time.time(), [], 0, 0.0
    while progress < 1.0:
        elapsed = time.time() - started
        progress = max(step / options.steps, elapsed / (60 * options.minutes))
        for group in optimizer.param_groups:
            group["lr"] = rate_at(options, step, progress)
        at = torch.randint(len(training) - SEQUENCE - 1, (options.batch,), generator=rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):  # products in bf16, weights and sums in f32: 1.7x faster
            loss = loss_of(model, torch.stack([training[i:i + SEQUENCE + 1] for i in at.tolist()]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent, step = (recent + [loss.item()])[-100:], step + 1
        if step % 100 == 0:
            log(f"step {step:5d}  {elapsed:6.0f} s  rate {optimizer.param_groups[0]['lr']:.2e}  "
                f"training loss {np.mean(recent):.4f}")
        if step % 500 == 0:
            log(f"step {step:5d}  held-out loss {held_out_loss(model, held_out):.4f}")
        if time.time() - saved > CHECKPOINT_EVERY:
            model.save_pretrained(options.out)
            saved = time.time()
    log(f"final: {step} steps, {step * options.batch * SEQUENCE} tokens, {time.time() - started:.0f} s")
    log(f"final: training loss {np.mean(recent):.4f}, held-out loss {held_out_loss(model, held_out):.4f}")


def show(model, tokenizer, log):
    for prompt in ("In the beginning", "And Moses said",
                   "<|im_start|>user\nTell me of Noah.<|im_end|>\n<|im_start|>assistant\n"):
        log(f"greedy: {sample(model, tokenizer, prompt)!r}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--vocab", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    log_file = open(Path(options.out) / "training_log.txt", "w", encoding="utf-8")

    def log(line):
        print(line, flush=True)
        print(line, file=log_file, flush=True)

    rng, chapters = random.Random(options.seed), read_chapters(options.text)
    held_out, training = chapters[HELD_OUT_EVERY // 2::HELD_OUT_EVERY], list(chapters)
    del training[HELD_OUT_EVERY // 2::HELD_OUT_EVERY]
    documents = [chapter_document(chapter) for chapter in training]
    share = CHAT_SHARE / (1 - CHAT_SHARE)
    documents += chat_documents(training, rng, share * sum(map(len, documents)))
    rng.shuffle(documents)

    tokenizer = train_tokenizer(training, options.vocab)
    tokenizer.save_pretrained(options.out, save_jinja_files=False)
    encode = lambda texts: torch.tensor([i for ids in tokenizer(texts).input_ids for i in ids])
    streams = encode(documents), encode([chapter_document(chapter) for chapter in held_out])
    model = make_model(tokenizer)
    log(f"torch {torch.__version__}, transformers {transformers.__version__}, tokenizers {tokenizers.__version__}, "
        f"seed {options.seed}")
    log(f"{len(training)} chapters to train on, {len(held_out)} held out; {len(documents)} documents; "
        f"{len(streams[0])} and {len(streams[1])} tokens; {sum(p.numel() for p in model.parameters())} parameters")
    train(model, streams, options, log)
    show(model, tokenizer, log)
    model.save_pretrained(options.out)


if __name__ == "__main__":
    main()
