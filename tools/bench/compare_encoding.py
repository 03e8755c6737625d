#!/usr/bin/env python3
"""Pictures to vectors of the joint space: the default model's encoder in Sensorium beside the same network in PyTorch.

    python3 tools/bench/compare_encoding.py build/release/sensorium --threads 2 --rounds 5

Both read weights/default. The vectors of a picture must agree (cosine of 0.999), or nothing is timed and the exit status is 1. Then every
round times each variant once, in turn: eight decoded pictures of 320 x 240 to vectors, milliseconds. PyTorch gets its filters standardised
beforehand and the pictures as one batch of one size, in channels-last order. Needs a Python with torch, numpy, safetensors and Pillow.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES, WIDTH, HEIGHT = 8, 320, 240


class Encoder(torch.nn.Module):
    """The stem of residual convolutions, the transformer, and the head of the joint space."""

    def __init__(self, folder):
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        self.n = config["image"]
        self.w = torch.nn.ParameterDict()
        for name, tensor in load_file(folder / "model.safetensors").items():
            if name.startswith(("image.", "joint.image.")):
                self.w[name.replace(".", "/")] = torch.nn.Parameter(tensor.float(), requires_grad=False)
        for key in [key for key in self.w if key.endswith("/gain")]:
            conv = key[: -len("/gain")]
            weight = self.w[conv + "/weight"]
            flat = weight.flatten(1)
            centred = flat - flat.mean(1, keepdim=True)
            scaled = centred / torch.sqrt(centred.square().mean(1, keepdim=True) + 1e-6)
            scaled = scaled * self.w[key][:, None] / flat.shape[1] ** 0.5
            filters = scaled.view_as(weight).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            self.w[conv + "/weight"] = torch.nn.Parameter(filters, requires_grad=False)

    def get(self, name):
        return self.w[name.replace(".", "/")]

    def conv(self, x, name, stride, relu):
        weight = self.get(name + ".weight")
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        x = F.group_norm(x, self.n["norm_groups"], self.get(name + ".norm.weight"), self.get(name + ".norm.bias"), 1e-5)
        return F.relu(x) if relu else x

    def turn(self, rows, columns, dtype):
        pairs = self.n["dim"] // self.n["heads"] // 2
        powers = self.n["rope_theta"] ** (-2 * torch.arange(pairs // 2, dtype=torch.float64) / pairs)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        angles = torch.cat((y.reshape(-1, 1) * powers, x.reshape(-1, 1) * powers), 1)
        return angles.cos().to(dtype)[None, :, None], angles.sin().to(dtype)[None, :, None]

    def forward(self, pixels):
        x = self.conv(pixels, "image.stem", 2, True)
        for stage, blocks in enumerate(self.n["stem_blocks"]):
            for i in range(blocks):
                name, stride = f"image.stages.{stage}.{i}", 2 if i == 0 else 1
                y = self.conv(self.conv(x, name + ".conv1", stride, True), name + ".conv2", 1, False)
                if name.replace(".", "/") + "/shortcut/weight" in self.w:
                    x = self.conv(x, name + ".shortcut", stride, False)
                x = F.relu(x + y)
        batch, channels, rows, columns = x.shape
        x = x.permute(0, 2, 3, 1).reshape(batch, rows * columns, channels)
        x = F.linear(x, self.get("image.embed.weight"), self.get("image.embed.bias"))
        cos, sin = self.turn(rows, columns, x.dtype)
        heads = self.n["heads"]

        def norm(value, name):
            return F.rms_norm(value, value.shape[-1:], self.get(name), 1e-6)

        def rotate(value):
            low, high = value.chunk(2, -1)
            return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)

        for i in range(self.n["layers"]):
            name = f"image.layers.{i}"
            qkv = F.linear(norm(x, name + ".norm1.weight"), self.get(name + ".attention.qkv.weight"))
            q, k, v = qkv.view(batch, rows * columns, 3, heads, -1).unbind(2)
            q, k = rotate(norm(q, name + ".attention.q_norm.weight")), rotate(norm(k, name + ".attention.k_norm.weight"))
            y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
            x = x + F.linear(y.transpose(1, 2).reshape(batch, rows * columns, -1), self.get(name + ".attention.out.weight"))
            gate, up = F.linear(norm(x, name + ".norm2.weight"), self.get(name + ".mlp.gate_up.weight")).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, self.get(name + ".mlp.down.weight"))
        x = norm(x, "image.norm.weight").mean(1)
        x = F.layer_norm(x, x.shape[-1:], self.get("joint.image.norm.weight"), self.get("joint.image.norm.bias"), 1e-5)
        x = F.gelu(F.linear(x, self.get("joint.image.mlp.fc1.weight"), self.get("joint.image.mlp.fc1.bias")))
        return F.normalize(F.linear(x, self.get("joint.image.mlp.fc2.weight"), self.get("joint.image.mlp.fc2.bias")).float())


def pixels_of(pictures, dtype):
    scaled = (torch.from_numpy(pictures).to(torch.float32) / 255 - 0.5) * 4
    return scaled.permute(0, 3, 1, 2).to(dtype).contiguous(memory_format=torch.channels_last)


def sensorium_vector(binary, picture):
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(picture).save(f"{folder}/picture.png")
        subprocess.run([binary, "embed", f"{folder}/picture.png", "--npy", f"{folder}/vector.npy"], check=True,
                       stdout=subprocess.DEVNULL)
        return torch.from_numpy(numpy.load(f"{folder}/vector.npy"))[0]


def sensorium_ms(binary, threads):
    report = json.loads(subprocess.run([binary, "bench", "--filter", f"embed/imagex{PICTURES}", "--threads", str(threads), "--json"],
                                       check=True, stdout=subprocess.PIPE, text=True).stdout)
    return report["results"][0]["median_ms"]


def torch_ms(encoder, pictures, dtype, runs=10):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        encoder(pixels_of(pictures, dtype))
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--eager", action="store_true", help="leave the compiled variants out: compiling takes a minute")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pictures = numpy.random.default_rng(1).integers(0, 256, (PICTURES, HEIGHT, WIDTH, 3), dtype=numpy.uint8)
    folder = ROOT / "weights/default"
    variants = {}
    for dtype, name in ((torch.float32, "torch f32"), (torch.bfloat16, "torch bf16")):
        encoder = Encoder(folder).eval().to(dtype)
        cosine = float(encoder(pixels_of(pictures[:1], dtype))[0] @ sensorium_vector(options.binary, pictures[0]))
        if cosine < 0.999:
            sys.exit(f"{name}: the vectors of a picture have a cosine of {cosine:.5f}: not the same network")
        variants[name] = (encoder, dtype)
        if not options.eager:
            variants[name + " compiled"] = (torch.compile(encoder), dtype)
    times = {"sensorium bf16": []} | {name: [] for name in variants}
    for encoder, dtype in variants.values():
        torch_ms(encoder, pictures, dtype, 3)  # compiles, allocates
    for _ in range(options.rounds):
        times["sensorium bf16"].append(sensorium_ms(options.binary, options.threads))
        for name, (encoder, dtype) in variants.items():
            times[name].append(torch_ms(encoder, pictures, dtype))
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(value for name, value in medians.items() if name.startswith("torch"))
    print(f"| variant | ms for {PICTURES} pictures | pictures/s | speed beside the best PyTorch |\n|---|---:|---:|---:|")
    for name, value in medians.items():
        print(f"| {name} | {value:.1f} | {1e3 * PICTURES / value:.0f} | {best / value:.2f} |")


if __name__ == "__main__":
    main()
