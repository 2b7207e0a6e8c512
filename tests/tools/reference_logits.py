#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logits of a Hugging Face checkpoint in float64, straight from its files: what compiled models are compared with.

    reference_logits.py CHECKPOINT_DIR --tokens 1,2,3 [--out REFERENCE.npy]
    reference_logits.py CHECKPOINT_DIR --tokens 1,2,3 --compare OUT.npy [--tolerance 1e-5]

Llama, Qwen2, Qwen3 and its mixtures of experts, Mistral, Ministral, Granite, SmolLM3, OLMo 2, Phi-3, GLM-4 and
Gemma 3's text models; F32, F16 and BF16. The whole sequence at once, no cache, numpy only. With --compare it prints
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


def rope_parameters(config, is_sliding=False):
    """The one dict of newer configurations, of both spellings; layers with windows may have another."""
    rope = dict(config.get("rope_parameters") or {})
    rope = rope.get("sliding_attention" if is_sliding else "full_attention", rope)
    if not config.get("rope_parameters"):
        is_local = is_sliding and "rope_local_base_freq" in config
        rope = dict({} if is_local else config.get("rope_scaling") or {})
        rope.setdefault("rope_theta", config["rope_local_base_freq" if is_local else "rope_theta"])
    rope.setdefault("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))
    if "original_max_position_embeddings" in config:
        rope["original_max_position_embeddings"] = config["original_max_position_embeddings"]
    return rope


def yarn_keep(theta, dims, old, rope):
    """What share of each pair's own frequency is kept: all of those that turn often in the old context."""
    def pair_that_turns(turns):
        return dims / 2 * np.log(old / (2 * np.pi * turns)) / np.log(theta)

    first, last = (pair_that_turns(rope.get(key) or turns) for key, turns in (("beta_fast", 32), ("beta_slow", 1)))
    if rope.get("truncate", True):
        first, last = np.floor(first), np.ceil(last)
    first, last = max(first, 0), min(last, dims - 1)
    return 1 - np.clip((np.arange(dims // 2) - first) / max(last - first, 0.001), 0, 1)


def rope_of(config, head_dim, is_sliding=False):
    """(radians per position of each rotated pair, by what sines and cosines are multiplied)."""
    rope = rope_parameters(config, is_sliding)
    dims, theta = int(head_dim * rope["partial_rotary_factor"]), rope["rope_theta"]
    frequency = theta ** (-np.arange(0, dims, 2) / dims)
    kind = rope.get("rope_type", rope.get("type", "default"))
    longest = config.get("max_position_embeddings")
    old = rope.get("original_max_position_embeddings", longest)
    if kind in ("default", "dynamic"):  # dynamic: no sequence is longer than max_position_embeddings
        return frequency, 1.0
    if kind == "linear":
        return frequency / rope["factor"], 1.0
    if kind == "yarn":
        factor, keep = rope.get("factor", longest / old), yarn_keep(theta, dims, old, rope)
        grown = [0.1 * (rope.get(key) or 1) * np.log(max(factor, 1)) + 1 for key in ("mscale", "mscale_all_dim")]
        own = grown[0] / grown[1] if rope.get("mscale") and rope.get("mscale_all_dim") else 0.1 * np.log(factor) + 1
        return keep * frequency + (1 - keep) * frequency / factor, rope.get("attention_factor", own)
    if kind in ("longrope", "su"):
        factor = rope.get("factor", longest / old)
        own = np.sqrt(1 + np.log(factor) / np.log(old)) if factor > 1 else 1.0
        divisor = rope["long_factor" if longest > old else "short_factor"]
        return frequency / np.array(divisor), rope.get("attention_factor", own)
    if kind != "llama3":
        raise ValueError(f"rope_type {kind}")
    # Long waves are stretched by `factor`, short ones kept, those between blended linearly in turns per old context.
    turns = rope["original_max_position_embeddings"] * frequency / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    keep = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return keep * frequency + (1 - keep) * frequency / rope["factor"], 1.0


def rope_frequencies(config, head_dim):
    """Radians per position of each rotated pair; [rotated dimensions / 2]."""
    return rope_of(config, head_dim)[0]


def rotate(x, frequency, amplitude=1.0, is_interleaved=False):
    """x: [seq, heads, head_dim]; of the rotated dimensions, which come first, i turns with i + half of them, or where
    they are interleaved 2i with 2i + 1."""
    dims = 2 * len(frequency)
    angle = np.arange(len(x))[:, None, None] * frequency
    cos, sin = amplitude * np.cos(angle), amplitude * np.sin(angle)
    first = slice(0, dims, 2) if is_interleaved else slice(0, dims // 2)
    second = slice(1, dims, 2) if is_interleaved else slice(dims // 2, dims)
    out = x.copy()
    out[..., first] = x[..., first] * cos - x[..., second] * sin
    out[..., second] = x[..., second] * cos + x[..., first] * sin
    return out


def has_rope(config, layer):
    if config["model_type"] != "smollm3":
        return True
    listed = config.get("no_rope_layers")
    return bool(listed[layer]) if listed else (layer + 1) % config.get("no_rope_layer_interval", 4) != 0


def is_sliding(config, layer):
    """Whether the layer is one of those with a window."""
    family, types = config["model_type"], config.get("layer_types")
    if family in ("qwen2", "qwen3", "smollm3") and not config.get("use_sliding_window"):
        return False
    if types:
        return types[layer] == "sliding_attention"
    if family in ("qwen2", "qwen3"):
        return layer >= config.get("max_window_layers", 28)
    if family == "smollm3":
        return not has_rope(config, layer)
    if family == "gemma3_text":
        return (layer + 1) % config.get("sliding_window_pattern", 6) != 0
    return family in ("mistral", "ministral", "phi3")


def window_of(config, layer):
    """Tokens up to its own that a query of this layer sees; None: all."""
    return config.get("sliding_window") if is_sliding(config, layer) else None


def projection(weight, x, name, fused, sizes):
    """x times a matrix, which may be some rows of one with others: `fused` with parts of such sizes by name."""
    matrix, bias = weight(f"{name}.weight"), weight(f"{name}.bias")
    if matrix is None:
        names = list(sizes)
        begin = sum(sizes[n] for n in names[:names.index(name)])
        matrix = weight(f"{fused}.weight")[begin:begin + sizes[name]]
    return x @ matrix.T if bias is None else x @ matrix.T + bias


def attention_scale(config, head_dim):
    if "attention_multiplier" in config:
        return config["attention_multiplier"]
    return config.get("query_pre_attn_scalar", head_dim) ** -0.5


def attention(config, weight, x, layer):
    """x: [seq, hidden]; weight(name) gives this layer's tensor of `self_attn.` in float64, or None."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim, epsilon = config.get("head_dim") or config["hidden_size"] // heads, config["rms_norm_eps"]
    sizes = {"q_proj": heads * head_dim, "k_proj": groups * head_dim, "v_proj": groups * head_dim}
    rows = {name: projection(weight, x, name, "qkv_proj", sizes) for name in sizes}
    for name in ("q", "k"):
        scale = weight(f"{name}_norm.weight")
        if scale is not None:  # of each head, or as wide as all of them
            rows[f"{name}_proj"] = rms_norm(rows[f"{name}_proj"].reshape(len(x), -1, len(scale)), scale, epsilon)
    q, k, v = (rows[name].reshape(len(x), -1, head_dim) for name in sizes)
    if has_rope(config, layer):
        turn = *rope_of(config, head_dim, is_sliding(config, layer)), config["model_type"] == "glm4"
        q, k = rotate(q, *turn), rotate(k, *turn)
    out = np.empty((len(x), heads, head_dim))
    hidden = np.triu(np.full((len(x), len(x)), -np.inf), 1)
    window = window_of(config, layer)
    if window is not None:
        hidden += np.tril(np.full((len(x), len(x)), -np.inf), -window)
    for head in range(heads):
        group = head // (heads // groups)
        scores = q[:, head] @ k[:, group].T * attention_scale(config, head_dim) + hidden
        out[:, head] = softmax(scores) @ v[:, group]
    return projection(weight, out.reshape(len(x), -1), "o_proj", None, None)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def mlp(config, weight, x):
    sizes = {name: config["intermediate_size"] for name in ("gate_proj", "up_proj")}
    gate, up = (projection(weight, x, name, "gate_up_proj", sizes) for name in sizes)
    activation = gelu_tanh if config["model_type"] == "gemma3_text" else silu
    return projection(weight, activation(gate) * up, "down_proj", None, None)


def has_experts(config, layer):
    is_step = (layer + 1) % config.get("decoder_sparse_step", 1) == 0
    return bool(config.get("num_experts")) and is_step and layer not in config.get("mlp_only_layers", [])


def experts(config, weight, x):
    """Each row by the experts of its largest scores, of equal ones the first, weighed by the softmax of all scores,
    which may be made to sum to 1 over the chosen ones."""
    scores = x @ weight("gate.weight").T
    shares, out = softmax(scores), np.zeros_like(x)
    chosen = np.argsort(-scores, axis=-1, kind="stable")[:, :config["num_experts_per_tok"]]
    for row, ids in enumerate(chosen):
        shared = shares[row, ids]
        if config.get("norm_topk_prob", False):
            shared = shared / shared.sum()
        for share, expert in zip(shared, ids):
            own = {name: weight(f"experts.{expert}.{name}_proj.weight") for name in ("gate", "up", "down")}
            out[row] += share * ((silu(x[row] @ own["gate"].T) * (x[row] @ own["up"].T)) @ own["down"].T)
    return out


# The norms before attention, after it, before the MLP, after it.
NORMS = {"olmo2": (None, "post_attention_layernorm", None, "post_feedforward_layernorm"),
         "glm4": ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"),
         "gemma3_text": ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
                         "post_feedforward_layernorm")}
USUAL_NORMS = ("input_layernorm", None, "post_attention_layernorm", None)


def logits(config, weights, tokens):
    """float64 [len(tokens), vocabulary]."""
    epsilon, family = config["rms_norm_eps"], config["model_type"]
    before, after, before_mlp, after_mlp = NORMS.get(family, USUAL_NORMS)

    def part(prefix):
        def weight(name):
            found = weights.get(prefix + name)
            if found is None:
                return None
            found = found.astype(np.float64)
            return found + 1 if family == "gemma3_text" and name.endswith("norm.weight") else found
        return weight

    def normed(x, layer, name):
        return x if name is None else rms_norm(x, layer(f"{name}.weight"), epsilon)

    embedding = weights["model.embed_tokens.weight"]
    x = embedding[np.asarray(tokens)].astype(np.float64) * config.get("embedding_multiplier", 1)
    if family == "gemma3_text":
        x = x * np.sqrt(config["hidden_size"])
    share = config.get("residual_multiplier", 1)
    for index in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{index}."
        layer = part(prefix)
        added = attention(config, part(prefix + "self_attn."), normed(x, layer, before), index)
        x = x + share * normed(added, layer, after)
        kind = experts if has_experts(config, index) else mlp
        x = x + share * normed(kind(config, part(prefix + "mlp."), normed(x, layer, before_mlp)), layer, after_mlp)
    x = rms_norm(x, part("model.")("norm.weight"), epsilon) / config.get("logits_scaling", 1)
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
