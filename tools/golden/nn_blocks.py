#!/usr/bin/env python3
"""Golden values for src/nn: one pre-norm transformer block in PyTorch (f32), forward and backward.

    python3 tools/golden/nn_blocks.py

Writes tests/golden/nn/block_text.safetensors (causal, one position axis) and block_picture.safetensors (full attention,
row and column positions). RMSNorm, RMS-normalised queries and keys, half-split rotary positions, grouped-query attention
and SwiGLU are written out from their papers. Needs torch and safetensors.
"""
from pathlib import Path

import torch
from safetensors.torch import save_file

DIM, HEADS, KV_HEADS, HEAD_DIM, WIDTH, EPS = 32, 4, 2, 8, 24, 1e-6
LENGTHS = [7, 4]  # two sequences, packed
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "nn"


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight


def rotate(x, positions, theta):
    """x [T, heads, D]; positions [T, axes]: axis a turns its share of the D/2 channel pairs (c, c + D/2)."""
    axes = positions.shape[1]
    pairs = HEAD_DIM // 2 // axes
    frequencies = theta ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    angles = (positions.double()[:, :, None] * frequencies).reshape(len(x), 1, HEAD_DIM // 2)
    cos, sin = angles.cos().float(), angles.sin().float()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def block(x, p, positions, theta, causal):
    rows = len(x)
    qkv = rms_norm(x, p["norm1.weight"]) @ p["attention.qkv.weight"].T
    q, k, v = qkv.reshape(rows, -1, HEAD_DIM).split([HEADS, KV_HEADS, KV_HEADS], dim=1)
    q = rotate(rms_norm(q, p["attention.q_norm.weight"]), positions, theta)
    k = rotate(rms_norm(k, p["attention.k_norm.weight"]), positions, theta)
    k, v = (t.repeat_interleave(HEADS // KV_HEADS, dim=1) for t in (k, v))
    parts, begin = [], 0
    for length in LENGTHS:
        s = slice(begin, begin + length)
        scores = torch.einsum("ihd,jhd->hij", q[s], k[s]) / HEAD_DIM**0.5
        if causal:
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
        parts.append(torch.einsum("hij,jhd->ihd", scores.softmax(-1), v[s]).reshape(length, -1))
        begin += length
    x = x + torch.cat(parts) @ p["attention.out.weight"].T
    gate, up = (rms_norm(x, p["norm2.weight"]) @ p["mlp.gate_up.weight"].T).chunk(2, dim=-1)
    return x + (torch.nn.functional.silu(gate) * up) @ p["mlp.down.weight"].T


def write(name, positions, theta, causal, seed):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0, mean=0.0):
        return (torch.randn(*shape, generator=generator) * scale + mean).requires_grad_(True)

    p = {
        "norm1.weight": normal(DIM, scale=0.2, mean=1.0),
        "attention.qkv.weight": normal((HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM, scale=0.2),
        "attention.out.weight": normal(DIM, HEADS * HEAD_DIM, scale=0.2),
        "attention.q_norm.weight": normal(HEAD_DIM, scale=0.2, mean=1.0),
        "attention.k_norm.weight": normal(HEAD_DIM, scale=0.2, mean=1.0),
        "norm2.weight": normal(DIM, scale=0.2, mean=1.0),
        "mlp.gate_up.weight": normal(2 * WIDTH, DIM, scale=0.2),
        "mlp.down.weight": normal(DIM, WIDTH, scale=0.2),
    }
    x = normal(sum(LENGTHS), DIM)
    y = block(x, p, positions, theta, causal)
    weights = torch.randn(y.shape, generator=generator)
    (y * weights).sum().backward()
    tensors = {"x": x, "y": y, "grad_y": weights, "grad.x": x.grad, "positions": positions.int()}
    for key, value in p.items():
        tensors[key] = value
        tensors["grad." + key] = value.grad
    OUT.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, OUT / f"{name}.safetensors")


write("block_text", torch.cat([torch.arange(n) for n in LENGTHS])[:, None], 10000.0, True, 1)
write("block_picture", torch.tensor([[i // 3, i % 3] for i in range(7)] + [[i // 2, i % 2] for i in range(4)]), 100.0, False, 2)
