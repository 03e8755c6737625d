#!/usr/bin/env python3
"""Golden checkpoint files for src/io, made by the libraries that define the formats.

    python3 tools/golden/io_checkpoints.py

Writes tests/golden/io/checkpoints: GGUF files by gguf-py with their dequantised values beside them, and torch.save's
archives with the values that torch.load gives (*.safetensors). Needs torch, safetensors, numpy and gguf.
"""
import io
import json
import re
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "io" / "checkpoints"
OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(20240229)

# Where the f16 scales stand in a block. Any other bytes are valid; a scale that is no number would make the comparison
# one of NaNs.
SCALES = {
    Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}


def random_blocks(kind, rows, blocks):
    size = gguf.GGML_QUANT_SIZES[kind][1]
    data = rng.integers(0, 256, (rows * blocks, size), dtype=np.uint8)
    for place in SCALES[kind]:
        scales = rng.standard_normal(rows * blocks).astype(np.float16)
        data[:, place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return data.reshape(rows, blocks * size)


def add_metadata(writer):
    writer.add_uint8("t.u8", 255)
    writer.add_int8("t.i8", -128)
    writer.add_uint16("t.u16", 65535)
    writer.add_int16("t.i16", -32768)
    writer.add_uint32("t.u32", 2**32 - 1)
    writer.add_int32("t.i32", -(2**31))
    writer.add_uint64("t.u64", 2**64 - 1)
    writer.add_int64("t.i64", -(2**63))
    writer.add_float32("t.f32", 0.1)
    writer.add_float64("t.f64", 0.1)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "naïve\n")
    writer.add_array("t.ints", [1, -2, 3])
    writer.add_array("t.floats", [0.5, -1.5])
    writer.add_array("t.bools", [True, False])
    writer.add_array("t.strings", ["<s>", "", "é"])
    writer.add_array("t.nested", [[1, 2], [3]])


# Every type that is read, with random blocks. Values: gguf-py's dequantize.
path = OUT / "types.gguf"
writer = gguf.GGUFWriter(path, "tiny")
add_metadata(writer)
values = {}
for kind in SCALES:
    data = random_blocks(kind, 2, 1 if gguf.GGML_QUANT_SIZES[kind][0] == 256 else 2)
    writer.add_tensor(f"{kind.name.lower()}.weight", data, raw_dtype=kind)
    values[f"{kind.name.lower()}.weight"] = gguf.dequantize(data, kind)
plain = {
    "f32.weight": np.array([[1.5, -2.0, 3.25], [0.0, 1e-3, -0.0]], dtype=np.float32),
    "f16.weight": np.array([0.5, -65504.0, 6e-8], dtype=np.float16),
    "i8.weight": np.array([-128, 127], dtype=np.int8),
    "i32.weight": np.array([-(2**31), 2**31 - 1], dtype=np.int32),
    "i64.weight": np.array([-(2**63), 2**63 - 1], dtype=np.int64),
}
for name, data in plain.items():
    writer.add_tensor(name, data)
    values[name] = data
bf16 = gguf.quantize(np.array([[1.0, -0.5, 100.0, 3.14159]], dtype=np.float32), Type.BF16)
writer.add_tensor("bf16.weight", bf16, raw_dtype=Type.BF16)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
values = {name: torch.from_numpy(data) for name, data in values.items()}
values["bf16.weight"] = torch.from_numpy(gguf.dequantize(bf16, Type.BF16)).bfloat16()
save_torch(values, OUT / "types.safetensors")

# Version 2 has the same layout.
bytes_v3 = path.read_bytes()
assert bytes_v3[:8] == b"GGUF" + struct.pack("<I", 3)
(OUT / "version2.gguf").write_bytes(bytes_v3[:4] + struct.pack("<I", 2) + bytes_v3[8:])

# Quantised by gguf-py: the bytes that write_gguf makes of the f32 tensor. The rows hold values of many magnitudes, a row
# of zeros, ties of the largest magnitude and values in the middle between two levels.
source = (rng.standard_normal((6, 64)) * np.exp2(rng.integers(-12, 12, (6, 1)))).astype(np.float32)
source[1] = 0
source[2] = np.tile(np.array([1, -1, 0.5, -0.5, 0.25, 0.125, 7 / 8, -15 / 16], dtype=np.float32), 8)
source[3, :32] = 3.0
source[3, 32:] = np.linspace(-127, 127, 32, dtype=np.float32) + np.float32(0.5)
save_numpy({"source": source}, OUT / "quantize_source.safetensors")
path = OUT / "quantized.gguf"
writer = gguf.GGUFWriter(path, "tiny")
writer.add_custom_alignment(64)
writer.add_array("names", ["a", "b"])
writer.add_tensor("f32", source)
writer.add_tensor("f16", source.astype(np.float16))
for kind in [Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]:
    writer.add_tensor(kind.name.lower(), gguf.quantize(source, kind), raw_dtype=kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# A type that is not read.
path = OUT / "unsupported.gguf"
writer = gguf.GGUFWriter(path, "tiny")
writer.add_tensor("blk.0.q", np.zeros((1, gguf.GGML_QUANT_SIZES[Type.Q2_K][1]), dtype=np.uint8), raw_dtype=Type.Q2_K)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# PyTorch: a module's state dict with buffers, a parameter, every element type, views of one storage.
torch.manual_seed(3)
module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
state = module.state_dict()
base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state.update({
    "view.row": base[1],
    "view.transposed": base.t(),
    "view.columns": base[:, 1:3],
    "view.every_second": base.flatten()[1::2],
    "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
    "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "parameter": torch.nn.Parameter(torch.tensor([0.25, -4.0])),
    "scalar": torch.tensor(7.0),
    "empty": torch.zeros(0, 4),
    "f64": torch.tensor([0.1, -2.5], dtype=torch.float64),
    "f16": torch.tensor([[0.5], [-65504.0]], dtype=torch.float16),
    "bf16": torch.tensor([1.0, -0.5, 100.0], dtype=torch.bfloat16),
    "i8": torch.tensor([-128, 0, 127], dtype=torch.int8),
    "u8": torch.tensor([0, 255], dtype=torch.uint8),
    "i16": torch.tensor([[-32768], [32767]], dtype=torch.int16),
    "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
    "i64": torch.tensor([-(2**63), 2**63 - 1], dtype=torch.int64),
    "bool": torch.tensor([True, False, True]),
})
torch.save(state, OUT / "state.bin")
expected = {}
for name, tensor in torch.load(OUT / "state.bin", weights_only=True).items():
    tensor = {torch.float64: tensor.float(), torch.int16: tensor.int(), torch.bool: tensor.byte()}.get(tensor.dtype, tensor)
    expected[name] = tensor.detach().contiguous().clone()
save_torch(expected, OUT / "state.safetensors")
state_bytes = (OUT / "state.bin").read_bytes()
with zipfile.ZipFile(io.BytesIO(state_bytes)) as archive:
    entries = {info.filename: archive.read(info) for info in archive.infolist()}
(OUT / "state.pkl").write_bytes(entries["state/data.pkl"])

# As PyTorch 1.6 to 2.0 wrote it, without byteorder and the hidden entries; by another ZIP writer, without zip64.
with zipfile.ZipFile(OUT / "old_layout.bin", "w", zipfile.ZIP_STORED) as archive:
    for name, data in entries.items():
        if "/." not in name and not name.endswith("byteorder"):
            archive.writestr(zipfile.ZipInfo(name), data)

# A training checkpoint around the weights.
linear = torch.nn.Linear(2, 1)
with torch.no_grad():
    linear.weight.copy_(torch.tensor([[1.0, 2.0]]))
    linear.bias.fill_(3.0)
torch.save(linear.state_dict(), OUT / "protocol4.pth", pickle_protocol=4)
optimizer = torch.optim.AdamW(linear.parameters())
linear(torch.ones(1, 2)).sum().backward()
optimizer.step()
torch.save({"epoch": 3, "loss": 0.5, "big": 2**70, "model": linear.state_dict(), "optimizer": optimizer.state_dict(),
            "history": [torch.tensor([1.0]), None, "text"], "shape": torch.Size([1, 2]), "dtype": torch.float16},
           OUT / "training.pth")

# What is refused.
buffer = io.BytesIO()
torch.save(OrderedDict(a=torch.zeros(2)), buffer, _use_new_zipfile_serialization=False)
# Its storages are named by their address.
(OUT / "legacy.bin").write_bytes(re.sub(rb"[0-9]{8,}", lambda digits: b"7" * len(digits[0]), buffer.getvalue()))
torch.save({"w": torch.zeros(2, dtype=torch.float8_e4m3fn)}, OUT / "float8.bin")
torch.save(linear, OUT / "whole_module.bin")


class Attack:
    def __reduce__(self):
        import os

        return os.system, ("touch sensorium-was-here",)


torch.save({"w": torch.zeros(2), "x": Attack()}, OUT / "os_system.bin")

# Shards as save_pretrained wrote them.
folder = OUT / "sharded"
folder.mkdir(exist_ok=True)
shards = {"pytorch_model-00001-of-00002.bin": {"a": torch.tensor([1.0, 2.0])},
          "pytorch_model-00002-of-00002.bin": {"b": torch.tensor([[3.0]]), "c": torch.tensor([4], dtype=torch.int64)}}
for name, tensors in shards.items():
    torch.save(tensors, folder / name)
index = {"metadata": {"total_size": 20}, "weight_map": {t: name for name, tensors in shards.items() for t in tensors}}
(folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
