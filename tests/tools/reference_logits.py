#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logits of a Hugging Face checkpoint in float64, straight from its files: what compiled models are compared with.

    reference_logits.py CHECKPOINT_DIR --tokens 1,2,3 [--out REFERENCE.npy]
    reference_logits.py CHECKPOINT_DIR --tokens 1,2,3 --compare OUT.npy [--tolerance 1e-5]

Qwen3, Qwen2 and Llama; F32, F16 and BF16. The whole sequence at once, no cache, numpy only. With --compare it prints
||out - reference|| / ||reference|| and fails when that exceeds the tolerance.
"""
import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np

VOCABULARY_BLOCK = 16384  # rows of the head widened to float64 at a time


def read_tensors(path):
    """{name: array} of one safetensors file; BF16 is widened to float32, which is exact."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        stored = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[entry["dtype"]]
        values = np.memmap(path, stored, "r", 8 + size + entry["data_offsets"][0], tuple(entry["shape"]))
        tensors[name] = (values.astype("<u4") << 16).view("<f4") if entry["dtype"] == "BF16" else values
    return tensors


def load(folder):
    """(config, {name: array}) of a folder with one file or several shards."""
    weights = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        weights |= read_tensors(path)
    return json.loads((Path(folder) / "config.json").read_text()), weights


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon) * weight


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rope_frequencies(config, head_dim):
    """Radians per position of each rotated pair; [head_dim / 2]."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta") or config["rope_theta"]
    frequency = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    kind = rope.get("rope_type", "default")
    if kind == "default":
        return frequency
    if kind != "llama3":
        raise ValueError(f"rope_type {kind}")
    # Long waves are stretched by `factor`, short ones kept, those between blended linearly in turns per old context.
    turns = rope["original_max_position_embeddings"] * frequency / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    keep = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return keep * frequency + (1 - keep) * frequency / rope["factor"]


def rotate(x, frequency):
    """x: [seq, heads, head_dim]; element i turns with element i + head_dim / 2."""
    angle = np.arange(len(x))[:, None, None] * frequency
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle),
                           second * np.cos(angle) + first * np.sin(angle)], axis=-1)


def window_of(config, layer):
    """Tokens up to its own that a query of this layer sees; None: all."""
    if not config.get("use_sliding_window"):
        return None
    types = config.get("layer_types")
    is_sliding = types[layer] == "sliding_attention" if types else layer >= config.get("max_window_layers", 28)
    return config.get("sliding_window") if is_sliding else None


def attention(config, weight, x, window=None):
    """x: [seq, hidden]; weight(name) gives this layer's tensor of `self_attn.` in float64, or None."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads

    def project(name, count):
        y, bias = x @ weight(f"{name}_proj.weight").T, weight(f"{name}_proj.bias")
        return (y if bias is None else y + bias).reshape(len(x), count, head_dim)

    q, k, v = project("q", heads), project("k", groups), project("v", groups)
    if weight("q_norm.weight") is not None:
        q = rms_norm(q, weight("q_norm.weight"), config["rms_norm_eps"])
        k = rms_norm(k, weight("k_norm.weight"), config["rms_norm_eps"])
    frequency = rope_frequencies(config, head_dim)
    q, k = rotate(q, frequency), rotate(k, frequency)
    out = np.empty((len(x), heads, head_dim))
    hidden = np.triu(np.full((len(x), len(x)), -np.inf), 1)
    if window is not None:
        hidden += np.tril(np.full((len(x), len(x)), -np.inf), -window)
    for head in range(heads):
        group = head // (heads // groups)
        scores = q[:, head] @ k[:, group].T / np.sqrt(head_dim) + hidden
        out[:, head] = softmax(scores) @ v[:, group]
    return out.reshape(len(x), -1) @ weight("o_proj.weight").T


def mlp(weight, x):
    gate, up = x @ weight("gate_proj.weight").T, x @ weight("up_proj.weight").T
    return (gate / (1 + np.exp(-gate)) * up) @ weight("down_proj.weight").T


def logits(config, weights, tokens):
    """float64 [len(tokens), vocabulary]."""
    epsilon = config["rms_norm_eps"]

    def part(prefix):
        def weight(name):
            found = weights.get(prefix + name)
            return None if found is None else found.astype(np.float64)
        return weight

    embedding = weights["model.embed_tokens.weight"]
    x = embedding[np.asarray(tokens)].astype(np.float64)
    for index in range(config["num_hidden_layers"]):
        layer, prefix = part(f"model.layers.{index}."), f"model.layers.{index}."
        x = x + attention(config, part(prefix + "self_attn."), rms_norm(x, layer("input_layernorm.weight"), epsilon),
                          window_of(config, index))
        x = x + mlp(part(prefix + "mlp."), rms_norm(x, layer("post_attention_layernorm.weight"), epsilon))
    x = rms_norm(x, part("model.")("norm.weight"), epsilon)
    head = embedding if config.get("tie_word_embeddings") else weights["lm_head.weight"]
    blocks = range(0, len(head), VOCABULARY_BLOCK)
    return np.concatenate([x @ head[at:at + VOCABULARY_BLOCK].astype(np.float64).T for at in blocks], axis=-1)


def relative_error(out, reference):
    return float(np.linalg.norm(np.asarray(out, np.float64) - reference) / np.linalg.norm(reference))


def compare(reference, path, tolerance):
    out = np.load(path)
    if out.shape != reference.shape:
        print(f"shape {out.shape}, expected {reference.shape}")
        return 1
    error = relative_error(out, reference)
    print(f"relative error {error:.3e}, tolerance {tolerance:.1e}")
    return 0 if error <= tolerance else 1  # NaN fails


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", required=True, type=lambda text: [int(token) for token in text.split(",")])
    parser.add_argument("--out")
    parser.add_argument("--compare")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args(arguments)
    reference = logits(*load(options.checkpoint), options.tokens)
    if options.out:
        np.save(options.out, reference)
    if options.compare:
        return compare(reference, options.compare, options.tolerance)
    for token, row in zip(options.tokens, reference):
        top = np.argsort(-row)[:5]
        print(f"{token}: " + "  ".join(f"{i} {row[i]:.6f}" for i in top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
