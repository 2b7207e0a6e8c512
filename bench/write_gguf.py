#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a Hugging Face folder's geometry and weights as a GGUF file, for measuring a peer on the same model.

    write_gguf.py CHECKPOINT_DIR OUT.gguf [--dtype f32|f16|bf16]

Qwen3, also with experts, Qwen2 and Llama. Needs numpy and the `gguf` package of PyPI. The vocabulary is a list of
placeholders: enough to measure speed, useless for text. Llama's rows of q and k are not reordered, and llama3 rope
scaling is left out; both leave speed as it is.
"""
import argparse
import json
import struct
import sys
from pathlib import Path

import gguf
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/tools"))
import gguf_file

STORED = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
QUANTIZATION = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
                "bf16": gguf.GGMLQuantizationType.BF16}
FILE_TYPE = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
             "bf16": gguf.LlamaFileType.MOSTLY_BF16}


def stored_tensors(folder):
    """Yields (name, dtype tag, array mapped from the file) of every tensor."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(size))
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            yield name, tensor["dtype"], np.memmap(path, STORED[tensor["dtype"]], "r", 8 + size
                                                   + tensor["data_offsets"][0], tuple(tensor["shape"]))


def joined_experts(tensors):
    """The same with the matrices of all experts of a layer as one."""
    alone, tags = {}, {}
    for name, tag, values in tensors:
        alone[name], tags[name] = values, tag
    dtypes = set(tags.values())
    for name, values in gguf_file.stacked(alone).items():
        yield name, tags.get(name, next(iter(dtypes))), values


def to_f32(tag, values):
    if tag == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values.astype("<f4")


def converted(tag, values, dtype):
    """Vectors are f32 in every GGUF; matrices are converted only where the file's dtype differs."""
    dtype = "f32" if values.ndim == 1 else dtype
    if tag == dtype.upper():
        return np.array(values), dtype
    wide = to_f32(tag, values)
    return (wide, dtype) if dtype == "f32" else (gguf.quants.quantize(wide, QUANTIZATION[dtype]), dtype)


def write_geometry(writer, config, dtype):
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_file_type(FILE_TYPE[dtype])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])


def write_vocabulary(writer, size):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([f"<{i}>" for i in range(size)])
    writer.add_token_types([gguf.TokenType.NORMAL] * size)
    writer.add_token_merges(["< >"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)


def write_gguf(folder, out, dtype):
    config = json.loads((Path(folder) / "config.json").read_text())
    writer = gguf.GGUFWriter(out, gguf_file.ARCHITECTURES.get(config["model_type"], config["model_type"]))
    write_geometry(writer, config, dtype)
    write_vocabulary(writer, config["vocab_size"])
    for name, tag, values in joined_experts(stored_tensors(folder)):
        data, kept = converted(tag, values, dtype)
        if kept == "bf16":  # the package takes bf16 as bytes
            data = data.view(np.uint8)
        writer.add_tensor(gguf_file.tensor_name(name), data, raw_dtype=QUANTIZATION[kept])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--dtype", choices=QUANTIZATION, help="instead of the checkpoint's own")
    options = parser.parse_args()
    config = json.loads((Path(options.checkpoint) / "config.json").read_text())
    own = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}[config.get("torch_dtype") or config.get("dtype")]
    write_gguf(options.checkpoint, options.out, options.dtype or own)
    print(f"{options.out}: {Path(options.out).stat().st_size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
