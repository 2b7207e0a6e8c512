#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a Hugging Face folder with a published model's exact geometry and random weights.

    make_checkpoint.py OUT_DIR --preset qwen3-0.6b [--dtype bf16] [--layers N] [--distinct N] [--shards K] [--seed 1]
                       [--tokenizer DIR]

Speed does not depend on what the weights say, so such a folder serves benchmarks; the small presets serve numerical
tests. One preset, dtype and seed give the same bytes on every machine. Needs numpy only.
"""
import argparse
import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

QWEN_IDS = {"bos_token_id": 151643, "eos_token_id": 151645}
LLAMA_IDS = {"bos_token_id": 128000, "eos_token_id": 128001}
SMALL_IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
COMMON = {"hidden_act": "silu", "attention_dropout": 0.0, "rope_scaling": None, "use_cache": True,
          "initializer_range": 0.02}
WINDOW = {"sliding_window": None, "use_sliding_window": False}
FAMILIES = {
    "qwen3": COMMON | WINDOW | QWEN_IDS | {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0},
    "qwen3_moe": COMMON | WINDOW | QWEN_IDS | {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "norm_topk_prob": True},
    "qwen2": COMMON | WINDOW | QWEN_IDS | {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0},
    "llama": COMMON | LLAMA_IDS | {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "mlp_bias": False,
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0},
    "mistral": COMMON | SMALL_IDS | {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "sliding_window": None},
    "granite": COMMON | SMALL_IDS | {
        "architectures": ["GraniteForCausalLM"], "model_type": "granite", "attention_bias": False, "mlp_bias": False,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
        "attention_multiplier": 0.015625, "logits_scaling": 8.0},
    "smollm3": COMMON | WINDOW | SMALL_IDS | {
        "architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "attention_bias": False, "mlp_bias": False,
        "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "no_rope_layer_interval": 4},
    "olmo2": COMMON | SMALL_IDS | {
        "architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "attention_bias": False, "rms_norm_eps": 1e-6,
        "rope_theta": 500000.0},
    "phi3": COMMON | SMALL_IDS | {
        "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "sliding_window": None, "original_max_position_embeddings": 4096},
    "glm4": COMMON | SMALL_IDS | {
        "architectures": ["Glm4ForCausalLM"], "model_type": "glm4", "attention_bias": True, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    "gemma3_text": SMALL_IDS | {
        "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "attention_bias": False,
        "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 16, "sliding_window": 9,
        "sliding_window_pattern": 3},
}
LLAMA3_ROPE = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8192}
# The wave lengths of head_dim 16 at theta 500000 fall on both sides of, and into, this smoothing band.
LLAMA3_ROPE_NANO = LLAMA3_ROPE | {"factor": 8.0, "original_max_position_embeddings": 256}
# The second layer's queries see 9 tokens, the first one's all.
WINDOWS_NANO = {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1}
YARN_NANO = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64, "beta_fast": 4.0}
# Sequences longer than 24 tokens are beyond what a tiny model was trained on; a divisor for each of 6 pairs.
LONGROPE_NANO = {"rope_type": "longrope", "short_factor": [1.0, 1.01, 1.05, 1.1, 1.2, 1.3],
                 "long_factor": [1.0, 1.3, 2.0, 4.5, 8.0, 20.0]}

EXPERTS = ("num_experts", "num_experts_per_tok", "moe_intermediate_size")


def experts(*numbers, **more):
    return dict(zip(EXPERTS, numbers)) | more


GEOMETRY = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
            "intermediate_size", "vocab_size", "tie_word_embeddings", "max_position_embeddings")
PRESETS = {  # name: (family, geometry in GEOMETRY's order, further keys)
    "qwen3-nano": ("qwen3", (64, 2, 4, 2, 16, 192, 512, True, 512), {}),
    "qwen3-micro": ("qwen3", (160, 3, 6, 3, 32, 416, 1000, False, 512), {}),  # no power of two; heads wider than hidden
    "qwen3-vocab": ("qwen3", (64, 2, 4, 2, 16, 192, 151936, True, 512), {}),  # Qwen3's tokenizer fits
    "qwen3-0.6b": ("qwen3", (1024, 28, 16, 8, 128, 3072, 151936, True, 40960), {}),
    "qwen3-1.7b": ("qwen3", (2048, 28, 16, 8, 128, 6144, 151936, True, 40960), {}),
    "qwen3-4b": ("qwen3", (2560, 36, 32, 8, 128, 9728, 151936, True, 40960), {}),
    "qwen3-8b": ("qwen3", (4096, 36, 32, 8, 128, 12288, 151936, False, 40960), {}),
    "qwen3-14b": ("qwen3", (5120, 40, 40, 8, 128, 17408, 151936, False, 40960), {}),
    "qwen3-32b": ("qwen3", (5120, 64, 64, 8, 128, 25600, 151936, False, 40960), {}),
    # No size is a multiple of 16; one layer of three has no experts.
    "qwen3-moe-nano": ("qwen3_moe", (72, 3, 4, 2, 16, 200, 512, False, 512),
                       experts(7, 3, 40, mlp_only_layers=[1], norm_topk_prob=False)),
    "qwen3-moe-blocks": ("qwen3_moe", (64, 2, 4, 2, 32, 192, 512, True, 512),
                         experts(6, 2, 96)),
    "qwen3-moe-2.5b-a0.4b": ("qwen3_moe", (1024, 24, 16, 4, 64, 3072, 32000, True, 4096), experts(64, 8, 512)),
    "qwen3-0.4b-dense": ("qwen3", (1024, 24, 16, 4, 64, 4096, 32000, True, 4096), {}),  # as many active parameters
    "qwen3-30b-a3b": ("qwen3_moe", (2048, 48, 32, 4, 128, 6144, 151936, False, 40960), experts(128, 8, 768)),
    "qwen3-235b-a22b": ("qwen3_moe", (4096, 94, 64, 4, 128, 12288, 151936, False, 40960), experts(128, 8, 1536)),
    "qwen2-nano": ("qwen2", (64, 2, 4, 2, None, 192, 512, True, 512), {}),
    "qwen2-nano-windows": ("qwen2", (64, 2, 4, 2, None, 192, 512, True, 512), WINDOWS_NANO),
    "qwen2.5-0.5b": ("qwen2", (896, 24, 14, 2, None, 4864, 151936, True, 32768), {}),
    "llama-nano": ("llama", (96, 2, 6, 2, 16, 256, 640, False, 512), {}),
    "llama-nano-rope3": ("llama", (96, 2, 6, 2, 16, 256, 640, False, 512), {"rope_scaling": LLAMA3_ROPE_NANO}),
    "llama-nano-linear": ("llama", (96, 2, 6, 2, 16, 256, 640, False, 512),
                          {"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "llama-nano-yarn": ("llama", (96, 2, 6, 2, 16, 256, 640, False, 512), {"rope_scaling": YARN_NANO}),
    "mistral-nano": ("mistral", (64, 2, 4, 2, 24, 192, 512, False, 512), {"sliding_window": 9}),
    "granite-nano": ("granite", (64, 2, 4, 2, None, 192, 512, True, 512), {}),
    "smollm3-nano": ("smollm3", (64, 4, 4, 2, None, 192, 512, True, 512), {}),
    "olmo2-nano": ("olmo2", (64, 2, 4, 2, None, 192, 512, False, 512), {}),
    "phi3-nano": ("phi3", (64, 2, 4, 2, None, 192, 512, True, 512),
                  {"rope_scaling": LONGROPE_NANO, "partial_rotary_factor": 0.75, "sliding_window": 29,
                   "original_max_position_embeddings": 24}),
    "glm4-nano": ("glm4", (64, 2, 4, 2, 16, 192, 512, False, 512), {}),
    "gemma3-nano": ("gemma3_text", (64, 3, 4, 2, 16, 192, 512, True, 512), {}),
    "llama-3.2-1b": ("llama", (2048, 16, 32, 8, 64, 8192, 128256, True, 131072), {"rope_scaling": LLAMA3_ROPE}),
}
DTYPES = {"f32": ("F32", "float32"), "f16": ("F16", "float16"), "bf16": ("BF16", "bfloat16")}
ITEM_SIZE = {"f32": 4, "f16": 2, "bf16": 2}
MIXED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MOST_DISTINCT = len(DTYPES) ** len(MIXED)
CHUNK = 1 << 24  # elements drawn at a time: bounds memory


def config_of(preset, dtype, layers=None):
    family, geometry, more = PRESETS[preset]
    config = FAMILIES[family] | dict(zip(GEOMETRY, geometry)) | more | {"torch_dtype": DTYPES[dtype][1]}
    if config["head_dim"] is None:  # implied by hidden_size / num_attention_heads
        del config["head_dim"]
    if layers:
        config["num_hidden_layers"] = layers
    return config


# The layer's norms before and after attention, before and after the MLP, in the order of the modules.
NORMS = {"olmo2": ((), ("post_attention_layernorm", "post_feedforward_layernorm")),
         "glm4": (("input_layernorm",),
                  ("post_attention_layernorm", "post_self_attn_layernorm", "post_mlp_layernorm")),
         "gemma3_text": (("input_layernorm",), ("post_attention_layernorm", "pre_feedforward_layernorm",
                                                "post_feedforward_layernorm"))}
USUAL_NORMS = (("input_layernorm",), ("post_attention_layernorm",))
QKV_BIASED = ("qwen2", "glm4")


def tensors_of(config):
    """[(name, shape)] in the order of Hugging Face's modules."""
    hidden, heads, groups = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    family, vocab = config["model_type"], config["vocab_size"]
    rows = {"q": heads * head_dim, "k": groups * head_dim, "v": groups * head_dim}
    first_norms, other_norms = NORMS.get(family, USUAL_NORMS)
    layer = [(f"{name}.weight", (hidden,)) for name in first_norms]
    for name, count in (rows if family != "phi3" else {"qkv": sum(rows.values())}).items():
        layer.append((f"self_attn.{name}_proj.weight", (count, hidden)))
        if family in QKV_BIASED:
            layer.append((f"self_attn.{name}_proj.bias", (count,)))
    layer.append(("self_attn.o_proj.weight", (hidden, rows["q"])))
    if family in ("qwen3", "qwen3_moe", "gemma3_text", "olmo2"):
        is_whole = family == "olmo2"
        layer += [(f"self_attn.{name}_norm.weight", (rows[name] if is_whole else head_dim,)) for name in "qk"]
    layer += [(f"{name}.weight", (hidden,)) for name in other_norms]
    mlps = [layer + mlp_of(config, index) for index in range(config["num_hidden_layers"])]
    tensors = [("model.embed_tokens.weight", (vocab, hidden))]
    for index, layer in enumerate(mlps):
        tensors += [(f"model.layers.{index}.{name}", shape) for name, shape in layer]
    tensors.append(("model.norm.weight", (hidden,)))
    if not config["tie_word_embeddings"]:
        tensors.append(("lm_head.weight", (vocab, hidden)))
    return tensors


def has_experts(config, layer):
    is_step = (layer + 1) % config.get("decoder_sparse_step", 1) == 0
    return "num_experts" in config and is_step and layer not in config["mlp_only_layers"]


def mlp_of(config, layer):
    """[(name, shape)] of one layer."""
    hidden, inner, family = config["hidden_size"], config["intermediate_size"], config["model_type"]
    if has_experts(config, layer):
        count, size = config["num_experts"], config["moe_intermediate_size"]
        shapes = {"gate_proj": (size, hidden), "up_proj": (size, hidden), "down_proj": (hidden, size)}
        return [("mlp.gate.weight", (count, hidden))] + [
            (f"mlp.experts.{i}.{name}.weight", shape) for i in range(count) for name, shape in shapes.items()]
    widths = {"gate_up": 2 * inner} if family in ("phi3", "glm4") else {"gate": inner, "up": inner}
    return [(f"mlp.{name}_proj.weight", (width, hidden)) for name, width in widths.items()] + [
        ("mlp.down_proj.weight", (hidden, inner))]


def mixed_dtype(name, dtype, distinct):
    """Of a tensor where layers are of `distinct` kinds: those of layer i are the digits of a number that i gives."""
    parts = name.split(".")
    if distinct == 1 or parts[-1] != "weight" or parts[-2] not in MIXED:
        return dtype
    number = int(parts[2]) % distinct * (MOST_DISTINCT // distinct)
    return list(DTYPES)[number // len(DTYPES) ** MIXED.index(parts[-2]) % len(DTYPES)]


def encode(values, dtype):
    """float32 -> little-endian bytes of dtype, rounded to nearest even."""
    if dtype != "bf16":
        return values.astype("<f4" if dtype == "f32" else "<f2").tobytes()
    bits = values.astype("<f4").view("<u4")
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype("<u2").tobytes()


def rounded(values, dtype):
    """float32 -> the nearest numbers of dtype, in float32."""
    data = encode(values, dtype)
    if dtype == "bf16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, "<f4" if dtype == "f32" else "<f2").astype("<f4")


def draw(rng, name, shape, norm_mean=1.0):
    """Chunks of float32: activations stay of order one through the layers, and no norm weight or bias is neutral."""
    if "norm" in name:
        mean, deviation = norm_mean, 0.1
    elif name.endswith("bias"):
        mean, deviation = 0.0, 0.1
    elif "embed_tokens" in name:
        mean, deviation = 0.0, shape[-1] ** -0.5
    else:
        mean, deviation = 0.0, max(0.02, 0.5 * shape[-1] ** -0.5)
    left = int(np.prod(shape))
    while left:
        count = min(left, CHUNK)
        yield rng.standard_normal(count, dtype=np.float32) * np.float32(deviation) + np.float32(mean)
        left -= count


def write_safetensors(path, tensors, rng, dtype, numbers, distinct=1, norm_mean=1.0):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        own = mixed_dtype(name, dtype, distinct)
        begin, end = end, end + int(np.prod(shape)) * ITEM_SIZE[own]
        header[name] = {"dtype": DTYPES[own][0], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            for values in draw(rng, name, shape, norm_mean):
                file.write(encode(rounded(values, numbers), mixed_dtype(name, dtype, distinct)))
    return end


def write_weights(folder, tensors, rng, dtype, numbers, shards, distinct=1, norm_mean=1.0):
    if shards == 1:
        return write_safetensors(folder / "model.safetensors", tensors, rng, dtype, numbers, distinct, norm_mean)
    total, weight_map = 0, {}
    for shard, part in enumerate(np.array_split(np.arange(len(tensors)), shards), 1):
        name = f"model-{shard:05d}-of-{shards:05d}.safetensors"
        chosen = [tensors[i] for i in part]
        total += write_safetensors(folder / name, chosen, rng, dtype, numbers, distinct, norm_mean)
        weight_map |= {tensor: name for tensor, _ in chosen}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    return total


def write_checkpoint(folder, preset, dtype="bf16", layers=None, shards=1, seed=1, tokenizer=None, numbers=None,
                     distinct=1):
    """Write the folder; returns the number of bytes of weights."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(preset, dtype, layers)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"bos_token_id": config["bos_token_id"], "eos_token_id": config["eos_token_id"]}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json") if tokenizer else ():
        shutil.copy(Path(tokenizer) / name, folder)
    rng = np.random.Generator(np.random.PCG64(seed))
    norm_mean = 0.0 if config["model_type"] == "gemma3_text" else 1.0  # its norms multiply by 1 + weight
    return write_weights(folder, tensors_of(config), rng, dtype, numbers or "f32", shards, distinct, norm_mean)


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--numbers", choices=DTYPES, help="round the weights to it first, like a checkpoint that was "
                        "converted from it")
    parser.add_argument("--layers", type=positive, help="instead of the published number")
    parser.add_argument("--distinct", type=positive, default=1, help="kinds of layers, which differ in the types of "
                        f"their matrices: f32, f16 and bf16 mixed (at most {MOST_DISTINCT})")
    parser.add_argument("--shards", type=positive, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", help="folder whose tokenizer files are copied")
    options = parser.parse_args(arguments)
    if options.distinct > MOST_DISTINCT:
        parser.error(f"there are {MOST_DISTINCT} kinds of layers at most")
    size = write_checkpoint(options.out, options.preset, options.dtype, options.layers, options.shards, options.seed,
                            options.tokenizer, options.numbers, options.distinct)
    print(f"{options.out}: {options.preset} {options.dtype}, {size / 1e6:.1f} MB of weights", file=sys.stderr)


if __name__ == "__main__":
    main()
