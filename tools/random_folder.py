#!/usr/bin/env python3
"""Writes a full-size model folder with random quantised weights, to measure speed and memory without a checkpoint.

    tools/random_folder.py /tmp/llava-7b-q4 --shape llava-1.5-7b --type q4
    sensorium bench --model /tmp/llava-7b-q4 --filter 'encode|decode'

The bytes are those that `sensorium quantize` would write for such a model (src/kernels/packed.h has the layout); the values say
nothing. Needs numpy.
"""
import argparse
import json
import pathlib
import struct

import numpy as np

DECODERS = {
    "llama-1.1b": dict(hidden_size=2048, num_hidden_layers=22, num_attention_heads=32, num_key_value_heads=4,
                       intermediate_size=5632, vocab_size=32000, max_position_embeddings=2048),
    "llama-7b": dict(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32,
                     intermediate_size=11008, vocab_size=32000, max_position_embeddings=4096),
    "llava-1.5-7b": dict(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32,
                         intermediate_size=11008, vocab_size=32064, max_position_embeddings=4096),
    "llava-1.1b": dict(hidden_size=2048, num_hidden_layers=22, num_attention_heads=32, num_key_value_heads=4,
                       intermediate_size=5632, vocab_size=32064, max_position_embeddings=2048),
}
TOWER = dict(image_size=336, patch_size=14, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
             intermediate_size=4096, projection_dim=768)
PANEL_ROWS = 64
IMAGE_TOKEN = 32000
DEVIATION = 0.02  # of the weights


def parse_type(name):
    kind, _, group = name.partition("/")
    return kind, int(group) if group else {"bf16": 0, "q8": 128, "q4": 64}[kind]


class Writer:
    """Collects tensors by name and size, then writes them one by one."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.tensors = []  # name, dtype, shape, bytes, function that makes them

    def matrix(self, name, type_name, n, k):
        kind, group = parse_type(type_name)
        panels = -(-n // PANEL_ROWS)
        step_values, step_bytes = (2, 256) if kind == "bf16" else (4, 128 if kind == "q4" else 256)
        assert k % (group or step_values) == 0, f"{name}: {k} is no multiple of the group"
        groups = k // group if group else 1
        data_bytes = (group or k) // step_values * step_bytes
        scale_bytes = PANEL_ROWS * 2 if group else 0
        size = panels * groups * (scale_bytes + data_bytes)

        def make():
            if kind == "bf16":
                return self.brain(size // 2)
            block = np.frombuffer(self.rng.bytes(size), np.uint8).reshape(panels * groups, -1).copy()
            # Uniform integers of b bits deviate by about 2^b / sqrt(12).
            scale = np.float16(DEVIATION / ((16 if kind == "q4" else 256) / 12 ** 0.5))
            block[:, :scale_bytes] = np.tile(np.array([scale]).view(np.uint8), PANEL_ROWS)
            return block.tobytes()

        self.tensors.append((f"{name}.{kind}/{group}" if group else f"{name}.{kind}", "U8", [size], size, make))

    def brain(self, count):
        values = self.rng.standard_normal(count, np.float32) * np.float32(DEVIATION)
        return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()

    def table(self, name, shape):
        count = int(np.prod(shape))
        self.tensors.append((name, "BF16", list(shape), count * 2, lambda: self.brain(count)))

    def vector(self, name, n, value):
        self.tensors.append((name, "F32", [n], n * 4, lambda: np.full(n, value, np.float32).tobytes()))

    def layer_norm(self, name, n):
        self.vector(name + ".weight", n, 1)
        self.vector(name + ".bias", n, 0)

    def linear(self, name, type_name, n, k):
        self.matrix(name + ".weight", type_name, n, k)
        self.vector(name + ".bias", n, 0)

    def write(self, path):
        self.tensors.sort(key=lambda tensor: tensor[1] != "U8")  # aligned, as the program writes them
        header, offset = {}, 0
        for name, dtype, shape, size, _ in self.tensors:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-(len(text) + 8) % 64)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for *_, make in self.tensors:
                file.write(make())
        return offset


def add_decoder(writer, sizes, kind):
    dim, width = sizes["hidden_size"], sizes["intermediate_size"]
    head = dim // sizes["num_attention_heads"]
    output = "q8" if parse_type(kind)[0] == "q4" else kind
    writer.table("decoder.embedding.weight", (sizes["vocab_size"], dim))
    for i in range(sizes["num_hidden_layers"]):
        name = f"decoder.layers.{i}"
        writer.vector(name + ".norm1.weight", dim, 1)
        writer.matrix(name + ".attention.qkv.weight", kind, dim + 2 * sizes["num_key_value_heads"] * head, dim)
        writer.matrix(name + ".attention.out.weight", kind, dim, dim)
        writer.vector(name + ".norm2.weight", dim, 1)
        writer.matrix(name + ".mlp.gate_up.weight", kind, 2 * width, dim)
        writer.matrix(name + ".mlp.down.weight", kind, dim, width)
    writer.vector("decoder.norm.weight", dim, 1)
    writer.matrix("decoder.output.weight", output, sizes["vocab_size"], dim)


def add_tower(writer, decoder_dim, kind):
    dim, width, patch = TOWER["hidden_size"], TOWER["intermediate_size"], TOWER["patch_size"]
    writer.vector("vision.class_token", dim, 0.01)
    writer.table("vision.patch.weight", (dim, 3, patch, patch))
    writer.table("vision.position.weight", ((TOWER["image_size"] // patch) ** 2 + 1, dim))
    writer.layer_norm("vision.pre_norm", dim)
    for i in range(TOWER["num_hidden_layers"]):
        name = f"vision.layers.{i}"
        writer.layer_norm(name + ".norm1", dim)
        writer.linear(name + ".attention.qkv", kind, 3 * dim, dim)
        writer.linear(name + ".attention.out", kind, dim, dim)
        writer.layer_norm(name + ".norm2", dim)
        writer.linear(name + ".mlp.fc1", kind, width, dim)
        writer.linear(name + ".mlp.fc2", kind, dim, width)
    writer.layer_norm("vision.post_norm", dim)
    writer.linear("projector.fc1", kind, decoder_dim, dim)
    writer.linear("projector.fc2", kind, decoder_dim, decoder_dim)


def byte_alphabet():
    """GPT-2's printable characters for the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def tokenizer_json(size, pictures):
    """One token a byte; the rest of the vocabulary is never met."""
    specials = {"<unk>": 0, "<s>": 1, "</s>": 2, **({"<image>": IMAGE_TOKEN} if pictures else {})}
    vocabulary = dict(specials)
    for i, char in enumerate(byte_alphabet()):
        vocabulary[char] = 3 + i
    taken = set(vocabulary.values())
    vocabulary.update({f"<filler {i}>": i for i in range(size) if i not in taken})
    added = [dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for text, i in specials.items()]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    return dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=level,
                post_processor=None, decoder=level,
                model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                           end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, vocab=vocabulary, merges=[]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shape", choices=DECODERS, default="llama-1.1b")
    parser.add_argument("--type", default="q4", help="of the decoder: q4, q8 or bf16, with a group as in q4/32")
    parser.add_argument("--towers", default="q8", help="of tower and projector")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    sizes, pictures = DECODERS[options.shape], options.shape.startswith("llava")
    text = dict(model_type="llama", hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0, bos_token_id=1,
                eos_token_id=2, tie_word_embeddings=False, **sizes)
    config = text
    if pictures:
        config = dict(model_type="llava", text_config=text, image_token_index=IMAGE_TOKEN, projector_hidden_act="gelu",
                      vision_feature_layer=-2, vision_feature_select_strategy="default", image_seq_length=576,
                      vision_config=dict(model_type="clip_vision_model", hidden_act="quick_gelu", layer_norm_eps=1e-5,
                                         **TOWER))
    config["quantization"] = dict(decoder=options.type, towers=options.towers)

    writer = Writer(options.seed)
    if pictures:
        add_tower(writer, sizes["hidden_size"], options.towers)
    add_decoder(writer, sizes, options.type)
    options.folder.mkdir(parents=True, exist_ok=False)
    (options.folder / "config.json").write_text(json.dumps(config, indent=2))
    (options.folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(32001 if pictures else 32000, pictures)))
    if pictures:
        side = TOWER["image_size"]
        (options.folder / "preprocessor_config.json").write_text(json.dumps(dict(
            image_processor_type="CLIPImageProcessor", do_resize=True, do_center_crop=True, do_normalize=True,
            do_rescale=True, rescale_factor=1 / 255, do_convert_rgb=True, resample=3, size=dict(shortest_edge=side),
            crop_size=dict(height=side, width=side), image_mean=[0.48145466, 0.4578275, 0.40821073],
            image_std=[0.26862954, 0.26130258, 0.27577711])))
    size = writer.write(options.folder / "model.safetensors")
    print(f"{options.folder}: {size / 1e9:.2f} GB, seed {options.seed}")


if __name__ == "__main__":
    main()
