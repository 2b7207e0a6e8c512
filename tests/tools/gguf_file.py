#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes GGUF files for tests, and knows what their blocks mean. Needs numpy only.

    gguf_file.py FOLDER OUT.gguf [--type Q4_K] [--golden]

makes a GGUF file of a Hugging Face folder. In block types the matrices get random codes with scales of the size of the
folder's weights: what they are is said by `dequantise`, not by the folder. --golden prints the lines of
tests/blocks/golden.txt, made with the `gguf` package of PyPI, whose quants.py defines the types, and checks
`dequantise` against it.
"""
import argparse
import json
import re
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import make_checkpoint

ALIGNMENT = 32
F32, F16, BF16 = 0, 1, 30
# name: (type's number, elements of a block, its bytes, bytes at which an f16 begins)
BLOCKS = {"Q4_0": (2, 32, 18, [0]), "Q4_1": (3, 32, 20, [0, 2]), "Q5_0": (6, 32, 22, [0]),
          "Q5_1": (7, 32, 24, [0, 2]), "Q8_0": (8, 32, 34, [0]), "Q2_K": (10, 256, 84, [80, 82]),
          "Q3_K": (11, 256, 110, [108]), "Q4_K": (12, 256, 144, [0, 2]), "Q5_K": (13, 256, 176, [0, 2]),
          "Q6_K": (14, 256, 210, [208]), "IQ4_NL": (20, 32, 18, [0]), "IQ4_XS": (23, 256, 136, [0]),
          "MXFP4": (39, 32, 17, []), "NVFP4": (40, 64, 36, []), "TQ2_0": (35, 256, 66, [64])}
PLAIN = {"F32": F32, "F16": F16, "BF16": BF16}
IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
E2M1 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def random_bytes(seed, count):
    """The output of splitmix64."""
    out = bytearray()
    while len(out) < count:
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = seed
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        out += struct.pack("<Q", z ^ (z >> 31))
    return bytes(out[:count])


def random_blocks(name, count):
    """[count, bytes]: any bits, but finite numbers of f16."""
    _, _, size, f16s = BLOCKS[name]
    raw = np.frombuffer(random_bytes(fnv1a(name.encode()), count * size), np.uint8).reshape(count, size).copy()
    for at in f16s:
        raw[:, at + 1] &= 0xBF
    return raw


def parts(q, width, bits):
    """Codes of so many bits: the lowest of `width` bytes, then the next ones, then those of the next bytes."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    codes = (q.reshape(len(q), -1, 1, width) >> shifts) & np.uint8(2**bits - 1)
    return codes.reshape(len(q), -1).astype(np.int32)


def half(raw, at):
    return raw[:, at:at + 2].copy().view("<f2").astype(np.float32)


def six_bits(raw):
    """The scales and minima of Q4_K and Q5_K; [blocks, 8] each."""
    scale, minimum, both = (raw[:, at:at + 4].astype(np.int32) for at in (4, 8, 12))
    return (np.hstack([scale & 63, (both & 15) | (scale >> 6 << 4)]),
            np.hstack([minimum & 63, (both >> 4) | (minimum >> 6 << 4)]))


def split(name, raw):
    """(codes, scales, offsets or None): what a block's values are made of."""
    if name in ("Q4_0", "IQ4_NL", "Q4_1"):
        codes = parts(raw[:, (4 if name == "Q4_1" else 2):], 16, 4)
        if name == "Q4_1":
            return codes, half(raw, 0), half(raw, 2)
        return IQ4[codes] if name == "IQ4_NL" else codes - 8, half(raw, 0), None
    if name in ("Q5_0", "Q5_1"):
        at = 2 if name == "Q5_0" else 4
        high = np.unpackbits(raw[:, at:at + 4], axis=1, bitorder="little").astype(np.int32)
        codes = parts(raw[:, at + 4:], 16, 4) | high << 4
        return (codes - 16, half(raw, 0), None) if name == "Q5_0" else (codes, half(raw, 0), half(raw, 2))
    if name == "Q8_0":
        return raw[:, 2:].view(np.int8), half(raw, 0), None
    if name == "Q2_K":
        return parts(raw[:, 16:80], 32, 2), half(raw, 80) * (raw[:, :16] & 15), -(half(raw, 82) * (raw[:, :16] >> 4))
    if name == "Q3_K":
        scales = parts(raw[:, 96:104], 8, 4) | parts(raw[:, 104:108], 4, 2) << 4
        codes = parts(raw[:, 32:96], 32, 2) | parts(raw[:, :32], 32, 1) << 2
        return codes - 4, half(raw, 108) * (scales - 32).astype(np.float32), None
    if name in ("Q4_K", "Q5_K"):
        scales, minima = (x.astype(np.float32) for x in six_bits(raw))
        codes = parts(raw[:, (16 if name == "Q4_K" else 48):], 32, 4)
        if name == "Q5_K":
            codes |= parts(raw[:, 16:48], 32, 1) << 4
        return codes, half(raw, 0) * scales, -(half(raw, 2) * minima)
    if name == "Q6_K":
        codes = parts(raw[:, :128], 64, 4) | parts(raw[:, 128:192], 32, 2) << 4
        return codes - 32, half(raw, 208) * raw[:, 192:208].view(np.int8), None
    if name == "IQ4_XS":
        low = parts(raw[:, 4:8], 1, 4)
        high = parts(raw[:, 2:4], 1, 2)
        return IQ4[parts(raw[:, 8:], 16, 4)], half(raw, 0) * ((low | high << 4) - 32).astype(np.float32), None
    if name == "MXFP4":
        return E2M1[parts(raw[:, 1:], 16, 4)], np.ldexp(np.float32(1), raw[:, :1].astype(np.int32) - 128), None
    if name == "NVFP4":
        exponent, fraction = (raw[:, :4] >> 3 & 15).astype(np.int32), (raw[:, :4] & 7).astype(np.float32)
        scales = np.where(exponent == 0, np.ldexp(fraction, -10), np.ldexp(8 + fraction, exponent - 11))
        return E2M1[parts(raw[:, 4:], 8, 4)], np.where(raw[:, :4] == 0x7F, np.float32(0), scales), None
    if name == "TQ2_0":
        return parts(raw[:, :64], 32, 2) - 1, half(raw, 64), None
    raise ValueError(name)


def dequantise(name, raw):
    """[blocks, bytes] -> f32 [blocks, elements]."""
    codes, scales, offsets = split(name, raw)
    spread = lambda x: np.repeat(np.asarray(x, np.float32), codes.shape[1] // x.shape[1], axis=1)
    with np.errstate(over="ignore"):
        values = spread(scales) * codes.astype(np.float32)
    return values if offsets is None else values + spread(offsets)


def print_golden(blocks=64):
    import gguf  # here alone: tests need no package
    print("# Made by tests/tools/gguf_file.py --golden. Each type's values of 64 blocks of random bytes: FNV-1a of")
    print("# their bits, and the first eight.")
    for name in BLOCKS:
        raw = random_blocks(name, blocks)
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[name]), "<f4")
        ours = dequantise(name, raw)
        if values.tobytes() != ours.reshape(values.shape).astype("<f4").tobytes():
            raise SystemExit(f"{name}: not what the package says")
        print(name, f"{fnv1a(values.tobytes()):016x}", *(f"{bits:08x}" for bits in values.view("<u4").ravel()[:8]))


class Array:
    """A metadata value: a list of one kind."""

    def __init__(self, kind, values):
        self.kind, self.values = kind, values


KINDS = {"u8": (0, "<B"), "i8": (1, "<b"), "u16": (2, "<H"), "i16": (3, "<h"), "u32": (4, "<I"), "i32": (5, "<i"),
         "f32": (6, "<f"), "bool": (7, "<?"), "str": (8, None), "u64": (10, "<Q"), "i64": (11, "<q"), "f64": (12, "<d")}
ARRAY = 9


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def kind_of(value):
    return {bool: "bool", int: "u32", float: "f32", str: "str"}[type(value)]


def value_bytes(value):
    """With its type in front."""
    if isinstance(value, Array):
        number, form = KINDS[value.kind]
        items = [string(v) if form is None else struct.pack(form, v) for v in value.values]
        return struct.pack("<IIQ", ARRAY, number, len(items)) + b"".join(items)
    number, form = KINDS[kind_of(value)]
    return struct.pack("<I", number) + (string(value) if form is None else struct.pack(form, value))


def gguf_bytes(metadata, tensors, version=3):
    """tensors: {name: (type's number, shape as numpy has it, bytes)}."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += string(key) + value_bytes(value)
    body = bytearray()
    for name, (number, shape, data) in tensors.items():
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), number, len(body))
        body += data + bytes(-len(data) % ALIGNMENT)
    return head + bytes(-len(head) % ALIGNMENT) + bytes(body)


LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "self_attn.qkv_proj": "attn_qkv",
         "mlp.gate_up_proj": "ffn_up"}
EXPERT_LAYER = {"mlp.gate": "ffn_gate_inp", "mlp.experts.gate_proj": "ffn_gate_exps",
                "mlp.experts.up_proj": "ffn_up_exps", "mlp.experts.down_proj": "ffn_down_exps"}
# Where a family's norms stand elsewhere.
NORMS = {"olmo2": {"post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm"},
         "glm4": {"post_self_attn_layernorm": "post_attention_norm", "post_mlp_layernorm": "post_ffw_norm"},
         "gemma3_text": {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
                         "post_feedforward_layernorm": "post_ffw_norm"}}
# Of the others the name is the type's.
ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3", "qwen3_moe": "qwen3moe"}
PAIRED = ("llama", "mistral", "granite", "smollm3")
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def tensor_name(name, family="llama"):
    stem, kind = name.rsplit(".", 1)
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", stem)
    if not layer:
        return f"{TOP[stem]}.{kind}"
    return f"blk.{layer[1]}.{(LAYER | EXPERT_LAYER | NORMS.get(family, {}))[layer[2]]}.{kind}"


def heads_of(config, name):
    """Of q and k of families whose rows a GGUF has in another order; 0: of another tensor."""
    if config["model_type"] not in PAIRED:
        return 0
    return {"q": config["num_attention_heads"], "k": config["num_key_value_heads"]}.get(
        (re.search(r"\.([qk])_proj\.", name) or [0, ""])[1], 0)


def paired(values, heads):
    """The rows of each head so that what is turned together, i and i + dim/2, lies side by side."""
    return values.reshape(heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def unpaired(values, heads):
    return values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def encoded(name, kind, values, rng):
    """(bytes, values as stored) of a matrix in a type."""
    if kind in PLAIN:
        dtype = kind.lower()
        return make_checkpoint.encode(values, dtype), make_checkpoint.rounded(values, dtype).reshape(values.shape)
    _, elements, size, f16s = BLOCKS[kind]
    raw = rng.integers(0, 256, (values.size // elements, size), dtype=np.uint8)
    for at in f16s:
        raw[:, at:at + 2] = np.full((len(raw), 1), 1, "<f2").view(np.uint8)
    if kind == "MXFP4":
        raw[:, 0] = 127
    if kind == "NVFP4":
        raw[:, :4] = rng.integers(0x30, 0x40, (len(raw), 4))
    # Scales so that the values are about as large as those of the folder.
    size = values.std() / dequantise(kind, raw).std()
    for at in f16s:
        raw[:, at:at + 2] = np.full((len(raw), 1), size, "<f2").view(np.uint8)
    if kind == "MXFP4":
        raw[:, 0] = 127 + round(float(np.log2(size)))
    if kind == "NVFP4":
        raw[:, :4] += np.uint8(8 * max(-5, round(float(np.log2(size)))) % 256)
    return raw.tobytes(), dequantise(kind, raw).reshape(values.shape)


def tokenizer_metadata(folder):
    """Of a folder's byte-level BPE of Qwen's kind."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokens = {i: t for t, i in tokenizer["model"]["vocab"].items()}
    special = {t["id"]: t["content"] for t in tokenizer["added_tokens"]}
    tokens |= special
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    ids = {t: i for i, t in tokens.items()}
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.tokens": Array("str", [tokens[i] for i in range(len(tokens))]),
            "tokenizer.ggml.token_type": Array("i32", [3 if i in special else 1 for i in range(len(tokens))]),
            "tokenizer.ggml.merges": Array("str", merges), "tokenizer.ggml.eos_token_id": ids[config["eos_token"]],
            "tokenizer.ggml.add_bos_token": False, "tokenizer.chat_template": config["chat_template"]}


MULTIPLIERS = {"embedding_multiplier": "embedding_scale", "residual_multiplier": "residual_scale",
               "attention_multiplier": "attention.scale", "logits_scaling": "logit_scale"}
YARN = {"factor": "factor", "original_max_position_embeddings": "original_context_length",
        "beta_fast": "yarn_beta_fast"}


def scaling(config, reference):
    """What a file says of rotation beside its base, with the tensors that longrope has: (metadata, tensors)."""
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    rope, metadata, tensors = config.get("rope_scaling") or {}, {}, {}
    if "partial_rotary_factor" in config:
        metadata["rope.dimension_count"] = int(head_dim * config["partial_rotary_factor"])
    kind = rope.get("rope_type", rope.get("type"))
    if kind in ("linear", "yarn"):
        metadata["rope.scaling.type"] = kind
        metadata |= {f"rope.scaling.{YARN[key]}": value for key, value in rope.items() if key in YARN}
    if kind == "longrope":
        metadata["rope.scaling.original_context_length"] = config["original_max_position_embeddings"]
        metadata["rope.scaling.attn_factor"] = float(reference.rope_of(config, head_dim)[1])
        for name in ("short", "long"):
            factors = np.array(rope[f"{name}_factor"], "<f4")
            tensors[f"rope_factors_{name}.weight"] = (F32, factors.shape, factors.tobytes())
    return metadata, tensors


EXPERTS = {"num_experts": "expert_count", "num_experts_per_tok": "expert_used_count",
           "moe_intermediate_size": "expert_feed_forward_length"}


def stacked(weights):
    """The matrices of all experts of a layer as one, [experts, n, k]."""
    found, parts = {}, {}
    for name, array in weights.items():
        expert = re.fullmatch(r"(.*\.experts\.)(\d+)\.(.*)", name)
        if not expert:
            found[name] = array
            continue
        own = parts.setdefault(expert[1] + expert[3], {})
        own[int(expert[2])] = array
        found.setdefault(expert[1] + expert[3], own)
    return {name: np.stack([array[i] for i in range(len(array))]) if isinstance(array, dict) else array
            for name, array in found.items()}


def apart(values):
    """The other way."""
    found = {}
    for name, array in values.items():
        if ".experts." not in name:
            found[name] = array
            continue
        head, tail = name.split(".experts.")
        found |= {f"{head}.experts.{i}.{tail}": own for i, own in enumerate(array)}
    return found


def geometry(config):
    arch = ARCHITECTURES.get(config["model_type"], config["model_type"])
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    theta = (config.get("rope_parameters") or config)["rope_theta"]
    metadata = {"block_count": config["num_hidden_layers"], "context_length": config["max_position_embeddings"],
                "embedding_length": hidden, "feed_forward_length": config["intermediate_size"],
                "attention.head_count": heads, "attention.head_count_kv": config["num_key_value_heads"],
                "attention.key_length": config.get("head_dim") or hidden // heads,
                "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]), "rope.freq_base": float(theta)}
    metadata |= {name: config[key] for key, name in MULTIPLIERS.items() if key in config}
    metadata |= {name: config[key] for key, name in EXPERTS.items() if key in config}
    if config["model_type"] in ("phi3", "gemma3_text"):
        metadata["attention.sliding_window"] = config["sliding_window"]
    if "sliding_window_pattern" in config:
        metadata["attention.sliding_window_pattern"] = config["sliding_window_pattern"]
    return {"general.architecture": arch} | {f"{arch}.{key}": value for key, value in metadata.items()}


def rope_divisors(config, reference):
    """Of each pair's frequency where the model scales them as Llama 3 does; f32, else None."""
    if (config.get("rope_scaling") or {}).get("rope_type") != "llama3":
        return None
    dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    plain = reference.rope_frequencies(config | {"rope_scaling": None}, dim)
    return (plain / reference.rope_frequencies(config, dim)).astype("<f4")


def make(config, weights, kind_of, reference, seed=1):
    """(metadata, tensors, values by Hugging Face's names) of a model whose matrices have the types that kind_of says by
    their names. `reference` is tests/tools/reference_logits.py."""
    rng = np.random.default_rng(seed)
    tensors, values = {}, {}
    for name, array in stacked(weights).items():
        array = np.array(array, np.float32)
        heads = heads_of(config, name)
        kind = "F32" if array.ndim == 1 else kind_of(name)
        data, kept = encoded(name, kind, paired(array, heads) if heads else array, rng)
        values[name] = unpaired(kept, heads) if heads else kept
        if config["model_type"] == "gemma3_text" and name.endswith("norm.weight"):
            data = make_checkpoint.encode(1 + array, "f32")
        number = PLAIN[kind] if kind in PLAIN else BLOCKS[kind][0]
        tensors[tensor_name(name, config["model_type"])] = (number, array.shape, data)
    divisors = rope_divisors(config, reference)
    if divisors is not None:
        tensors["rope_freqs.weight"] = (F32, divisors.shape, divisors.tobytes())
    metadata = geometry(config)
    more, factors = scaling(config, reference)
    metadata |= {f"{metadata['general.architecture']}.{key}": value for key, value in more.items()}
    return metadata, tensors | factors, apart(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--type", choices=[*PLAIN, *BLOCKS], default="F32")
    parser.add_argument("--golden", action="store_true")
    options = parser.parse_args()
    if options.golden:
        return print_golden()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import reference_logits
    config, weights = reference_logits.load(options.folder)
    metadata, tensors, _ = make(config, weights, lambda name: options.type, reference_logits)
    if (Path(options.folder) / "tokenizer.json").exists():
        metadata |= tokenizer_metadata(Path(options.folder))
    Path(options.out).write_bytes(gguf_bytes(metadata, tensors))


if __name__ == "__main__":
    main()
