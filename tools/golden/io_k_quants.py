#!/usr/bin/env python3
"""Writes tests/golden/io/checkpoints/k_quants.safetensors: values and the blocks that ggml's reference quantiser makes of them.

    io_k_quants.py LIBRARY

LIBRARY: libggml-base.so of a llama.cpp build (any library that exports quantize_row_q4_K_ref and its neighbours), built
without fused multiply-add (-ffp-contract=off). Needs numpy and safetensors.
"""
import ctypes
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent.parent / "tests/golden/io/checkpoints"
BLOCK_BYTES = {"q4_K": 144, "q5_K": 176, "q6_K": 210}

library = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_LOCAL)
rng = np.random.default_rng(11)
# Rows of many magnitudes; one of zeros, one without negative values, one with a single large value, sub-blocks of zeros, and
# one that repeats few values.
source = (rng.standard_normal((8, 512)) * np.exp2(rng.integers(-10, 4, (8, 1)))).astype(np.float32)
source[1] = 0
source[2] = np.abs(source[2])
source[3, 100] = 50
source[4, 64:160] = 0
source[5] = np.tile(np.array([1, -1, 0.5, -0.5, 0.25, 0.125, 7 / 8, -15 / 16], dtype=np.float32), 64)
tensors = {"source": source}
for name, size in BLOCK_BYTES.items():
    blocks = np.zeros((8, 2 * size), dtype=np.uint8)
    quantize = getattr(library, f"quantize_row_{name}_ref")
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    quantize(source.ctypes.data, blocks.ctypes.data, source.size)
    tensors[name.lower()] = blocks
save_file(tensors, OUT / "k_quants.safetensors")
