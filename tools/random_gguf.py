#!/usr/bin/env python3
"""Writes GGUF files with random weights in the shapes of random_folder.py, so that llama.cpp and its forks can be measured beside
Sensorium without a checkpoint.

    tools/random_gguf.py /tmp/llama-7b-q4_0.gguf --shape llama-7b --type q4_0
    tools/random_gguf.py /tmp/mmproj.gguf --tower llava-1.5-7b

Layout: the GGUF specification, version 3. The vocabulary has a token for every byte and fillers. Needs numpy.
"""
import argparse
import struct

import numpy as np

from random_folder import DECODERS, DEVIATION, TOWER

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # of metadata values
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6                      # of tokens
PICTURE_BLOCKS = TOWER["num_hidden_layers"] - 1                  # LLaVA reads the state behind the last block but one


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(item):
    """A metadata value with its type."""
    kind, content = item
    if kind == ARRAY:
        element, values = content
        packed = b"".join(string(v) if element == STRING else struct.pack({INT32: "<i", FLOAT32: "<f"}[element], v)
                          for v in values)
        return struct.pack("<IIQ", ARRAY, element, len(values)) + packed
    data = string(content) if kind == STRING else struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<?"}[kind], content)
    return struct.pack("<I", kind) + data


class Writer:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.metadata, self.tensors = {}, []

    def add(self, name, kind, shape, fill=None):
        """`shape` as in the model, [rows, columns]; `fill`: the value of all elements instead of random ones."""
        self.tensors.append((name, kind, shape, fill))

    def linear(self, name, kind, rows, columns):
        self.add(name + ".weight", kind, (rows, columns))
        self.add(name + ".bias", "f32", (rows,), 0)

    def layer_norm(self, name, width):
        self.add(name + ".weight", "f32", (width,), 1)
        self.add(name + ".bias", "f32", (width,), 0)

    def data(self, kind, shape, fill):
        count = int(np.prod(shape))
        if kind == "f32":
            return (np.full(count, fill, np.float32) if fill is not None
                    else self.rng.standard_normal(count, np.float32) * DEVIATION).astype(np.float32).tobytes()
        if kind in ("f16", "bf16"):
            values = self.rng.standard_normal(count, np.float32) * np.float32(DEVIATION)
            return (values.astype(np.float16) if kind == "f16" else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes()
        values, levels = (16, 16) if kind == "q4_0" else (32, 256)  # bytes of a block of 32
        blocks = np.frombuffer(self.rng.bytes(count // 32 * (2 + values)), np.uint8).reshape(-1, 2 + values).copy()
        blocks[:, :2] = np.array([DEVIATION / (levels / 12 ** 0.5)], np.float16).view(np.uint8)
        return blocks.tobytes()

    def write(self, path):
        infos, offset, sizes = b"", 0, []
        for name, kind, shape, _ in self.tensors:
            size = {"f32": 4, "f16": 2, "bf16": 2, "q4_0": 18 / 32, "q8_0": 34 / 32}[kind] * int(np.prod(shape))
            infos += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), TYPES[kind], offset)
            sizes.append(int(size))
            offset += -(-int(size) // ALIGNMENT) * ALIGNMENT
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.metadata))
        head += b"".join(string(key) + value(item) for key, item in self.metadata.items()) + infos
        with open(path, "wb") as file:
            file.write(head + bytes(-len(head) % ALIGNMENT))
            for (_, kind, shape, fill), size in zip(self.tensors, sizes):
                file.write(self.data(kind, shape, fill) + bytes(-size % ALIGNMENT))
        return offset


def add_vocabulary(writer, size):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokens += [f"▁filler{i}" for i in range(size - len(tokens))]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (size - 259)
    writer.metadata |= {
        "tokenizer.ggml.model": (STRING, "llama"), "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.scores": (ARRAY, (FLOAT32, [0.0] * size)), "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.bos_token_id": (UINT32, 1), "tokenizer.ggml.eos_token_id": (UINT32, 2),
        "tokenizer.ggml.unknown_token_id": (UINT32, 0)}


def add_decoder(writer, name, kind):
    sizes = DECODERS[name]
    dim, width, heads = sizes["hidden_size"], sizes["intermediate_size"], sizes["num_attention_heads"]
    keys = sizes["num_key_value_heads"] * dim // heads
    numbers = {"context_length": sizes["max_position_embeddings"], "embedding_length": dim, "feed_forward_length": width,
               "block_count": sizes["num_hidden_layers"], "attention.head_count": heads, "vocab_size": sizes["vocab_size"],
               "attention.head_count_kv": sizes["num_key_value_heads"], "rope.dimension_count": dim // heads}
    writer.metadata |= {"general.architecture": (STRING, "llama"), "general.name": (STRING, name),
                        **{f"llama.{key}": (UINT32, number) for key, number in numbers.items()},
                        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, 1e-5), "llama.rope.freq_base": (FLOAT32, 1e4)}
    add_vocabulary(writer, sizes["vocab_size"])
    writer.add("token_embd.weight", kind, (sizes["vocab_size"], dim))
    for i in range(sizes["num_hidden_layers"]):
        block = f"blk.{i}."
        writer.add(block + "attn_norm.weight", "f32", (dim,), 1)
        for matrix, rows, columns in (("attn_q", dim, dim), ("attn_k", keys, dim), ("attn_v", keys, dim),
                                      ("attn_output", dim, dim), ("ffn_gate", width, dim), ("ffn_up", width, dim),
                                      ("ffn_down", dim, width)):
            writer.add(f"{block}{matrix}.weight", kind, (rows, columns))
        writer.add(block + "ffn_norm.weight", "f32", (dim,), 1)
    writer.add("output_norm.weight", "f32", (dim,), 1)
    writer.add("output.weight", "q8_0" if kind == "q4_0" else kind, (sizes["vocab_size"], dim))


def add_tower(writer, decoder, kind):
    dim, width, patch, side = TOWER["hidden_size"], TOWER["intermediate_size"], TOWER["patch_size"], TOWER["image_size"]
    out = DECODERS[decoder]["hidden_size"]
    numbers = {"image_size": side, "patch_size": patch, "embedding_length": dim, "feed_forward_length": width,
               "projection_dim": out, "block_count": PICTURE_BLOCKS, "attention.head_count": TOWER["num_attention_heads"]}
    writer.metadata |= {
        "general.architecture": (STRING, "clip"), "general.type": (STRING, "mmproj"), "clip.has_vision_encoder": (BOOL, True),
        "clip.has_text_encoder": (BOOL, False), "clip.has_llava_projector": (BOOL, True), "clip.projector_type": (STRING, "mlp"),
        "clip.use_gelu": (BOOL, False), **{f"clip.vision.{key}": (UINT32, number) for key, number in numbers.items()},
        "clip.vision.attention.layer_norm_epsilon": (FLOAT32, 1e-5),
        "clip.vision.image_mean": (ARRAY, (FLOAT32, [0.48145466, 0.4578275, 0.40821073])),
        "clip.vision.image_std": (ARRAY, (FLOAT32, [0.26862954, 0.26130258, 0.27577711]))}
    writer.add("v.class_embd", "f32", (dim,))
    writer.add("v.patch_embd.weight", "f16", (dim, 3, patch, patch))
    writer.add("v.position_embd.weight", "f16", ((side // patch) ** 2 + 1, dim))
    writer.layer_norm("v.pre_ln", dim)
    for i in range(PICTURE_BLOCKS):
        block = f"v.blk.{i}."
        writer.layer_norm(block + "ln1", dim)
        for matrix in ("attn_q", "attn_k", "attn_v", "attn_out"):
            writer.linear(block + matrix, kind, dim, dim)
        writer.layer_norm(block + "ln2", dim)
        writer.linear(block + "ffn_up", kind, width, dim)
        writer.linear(block + "ffn_down", kind, dim, width)
    writer.linear("mm.0", kind, out, dim)
    writer.linear("mm.2", kind, out, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--shape", choices=DECODERS, default="llama-1.1b")
    parser.add_argument("--tower", choices=DECODERS, help="write the tower and projector for this decoder instead")
    parser.add_argument("--type", choices=TYPES, help="of the matrices; default q4_0, of a tower f16")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    writer = Writer(options.seed)
    if options.tower:
        add_tower(writer, options.tower, options.type or "f16")
    else:
        add_decoder(writer, options.shape, options.type or "q4_0")
    print(f"{options.file}: {writer.write(options.file) / 1e9:.2f} GB, seed {options.seed}")


if __name__ == "__main__":
    main()
