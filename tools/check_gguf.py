#!/usr/bin/env python3
"""Compares a GGUF model (model.gguf, mmproj.gguf) that `sensorium convert --to gguf` wrote with the folder that it was made of.

    check_gguf.py FOLDER PAIR

The files are read by the package `gguf`; names come from its own table, the order of rows from its converter's rule. Exits with 1
and names what differs. Needs gguf, numpy and safetensors; FOLDER holds f32 tensors in one model.safetensors.
"""
import json
import pathlib
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

folder, pair = map(pathlib.Path, sys.argv[1:3])
config = json.loads((folder / "config.json").read_text())
text = config.get("text_config", config)
source = load_file(folder / "model.safetensors")
faults = []


def in_pairs(rows, heads):
    """As LlamaModel.permute of llama.cpp's converter."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def projector_name(name):
    """LLaVA's projector is a sequence of linear, activation, linear, which clip.cpp reads as mm.0 and mm.2."""
    for ours, theirs in (("multi_modal_projector.linear_1.", "mm.0."), ("multi_modal_projector.linear_2.", "mm.2.")):
        if ours in name:
            return theirs + name.rsplit(".", 1)[1]
    return None


def compare(path, architecture, blocks, canonical):
    """Every tensor of the file is one of the folder's; returns the names that were found."""
    reader = gguf.GGUFReader(path)
    names = gguf.get_tensor_name_map(architecture, blocks)
    tensors = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    found = set()
    for name, value in source.items():
        theirs = projector_name(name) or names.get_name(canonical(name), try_suffixes=(".weight", ".bias"))
        if theirs not in tensors:
            continue
        if architecture == gguf.MODEL_ARCH.LLAMA:
            if ".q_proj." in name:
                value = in_pairs(value, text["num_attention_heads"])
            if ".k_proj." in name:
                value = in_pairs(value, text["num_key_value_heads"])
        if not np.array_equal(tensors[theirs].reshape(value.shape), value):
            faults.append(f"{path.name}: {theirs} is not {name}")
        found.add(theirs)
    for name in set(tensors) - found - {"rope_freqs.weight", "model.image_newline"}:
        faults.append(f"{path.name}: {name} is none of the folder's tensors")
    return reader, found


def value(reader, key):
    field = reader.get_field(key)
    if field is None:
        faults.append(f"{key} is missing")
        return None
    return field.contents()


def decoder_name(name):
    for old, new in (("model.language_model.", "model."), ("language_model.model.", "model."), ("language_model.", "")):
        if name.startswith(old):
            return new + name[len(old):]
    return name


architecture = gguf.MODEL_ARCH.QWEN2 if text["model_type"] == "qwen2" else gguf.MODEL_ARCH.LLAMA
reader, found = compare(pair / "model.gguf", architecture, text["num_hidden_layers"], decoder_name)
expected = 9 * text["num_hidden_layers"] + (2 if text.get("tie_word_embeddings") else 3)
expected += 3 * text["num_hidden_layers"] if text["model_type"] == "qwen2" else 0
if len(found) != expected:
    faults.append(f"model.gguf: {len(found)} tensors, expected {expected}")
prefix = value(reader, "general.architecture")
for key, wanted in ((f"{prefix}.block_count", text["num_hidden_layers"]), (f"{prefix}.embedding_length", text["hidden_size"]),
                    (f"{prefix}.attention.head_count", text["num_attention_heads"]),
                    (f"{prefix}.attention.head_count_kv", text["num_key_value_heads"])):
    if value(reader, key) != wanted:
        faults.append(f"{key} is {value(reader, key)}, expected {wanted}")
if len(value(reader, "tokenizer.ggml.tokens")) != text["vocab_size"]:
    faults.append("tokenizer.ggml.tokens has another length than the embedding")
if (pair / "mmproj.gguf").exists():
    layers = config["vision_config"]["num_hidden_layers"]
    state = config.get("vision_feature_layer", -2)
    state = layers + 1 + state if state < 0 else state

    def tower_name(name):
        name = name.removeprefix("model.")
        if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
            name = "vision_tower.vision_model." + name.removeprefix("vision_tower.")
        return name

    reader, found = compare(pair / "mmproj.gguf", gguf.MODEL_ARCH.MMPROJ, layers, tower_name)
    if value(reader, "clip.vision.block_count") != state:
        faults.append(f"clip.vision.block_count is {value(reader, 'clip.vision.block_count')}, expected {state}")
    if len(found) != 16 * state + 5 + 4:
        faults.append(f"mmproj.gguf: {len(found)} tensors, expected {16 * state + 9}")
print("\n".join(faults) or f"{pair}: as {folder}")
sys.exit(1 if faults else 0)
