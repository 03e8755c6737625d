#!/usr/bin/env python3
"""Golden files for src/io, made by the libraries that define the formats.

    python3 tools/golden/io_files.py

Writes tests/golden/io: hf.safetensors (by safetensors), written.safetensors (the bytes that write_safetensors must make,
put together here by the specification and read back with safetensors), *.npy (by NumPy), events.bin (by TensorBoard).
Needs torch, safetensors, numpy and tensorboard.
"""
import json
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "io"
OUT.mkdir(parents=True, exist_ok=True)

save_file(
    {
        "a.f32": torch.tensor([[1.5, -2.0, 3.25], [0.0, 1e-3, float("inf")]]),
        "b.bf16": torch.tensor([1.0, -0.5, 100.0], dtype=torch.bfloat16),
        "c.f16": torch.tensor([[0.5], [-65504.0]], dtype=torch.float16),
        "d.i8": torch.tensor([-128, 0, 127], dtype=torch.int8),
        "e.u8": torch.tensor([0, 255], dtype=torch.uint8),
        "f.i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "g.i64": torch.tensor([-(2**63), 2**63 - 1], dtype=torch.int64),
        "scalar": torch.tensor(7.0),
        "empty": torch.zeros(0, 4),
    },
    OUT / "hf.safetensors",
    metadata={"format": "pt", "note": "naïve"},
)

tensors = [
    ("second", "F32", [2, 2], struct.pack("<4f", 1, 2, 3, 4)),
    ("first", "U8", [3], bytes([7, 8, 9])),
    ("odd.bf16", "BF16", [1], struct.pack("<H", 0x3FC0)),
]
header, offset = {"__metadata__": {"format": "pt"}}, 0
for name, dtype, shape, data in tensors:
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
    offset += len(data)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-(8 + len(text)) % 64)
path = OUT / "written.safetensors"
path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t[3] for t in tensors))
with safe_open(path, "pt") as file:
    assert file.metadata() == {"format": "pt"}
    assert file.get_tensor("second").tolist() == [[1, 2], [3, 4]]
    assert file.get_tensor("first").tolist() == [7, 8, 9]
    assert file.get_tensor("odd.bf16").tolist() == [1.5]

np.save(OUT / "f4.npy", np.arange(6, dtype="<f4").reshape(2, 3) / 4)
np.save(OUT / "f8.npy", np.array([0.1, -2.5]))
np.save(OUT / "f2.npy", np.array(1.5, dtype="<f2"))
np.save(OUT / "i2.npy", np.array([[-32768], [32767]], dtype="<i2"))
np.save(OUT / "u2.npy", np.array([65535, 1], dtype="<u2"))
np.save(OUT / "bool.npy", np.array([True, False, True]))
np.save(OUT / "fortran.npy", np.asfortranarray(np.ones((2, 3), dtype="<f4")))
np.save(OUT / "big_endian.npy", np.ones(2, dtype=">f4"))
np.save(OUT / "empty.npy", np.zeros((0, 3), dtype="<i8"))
with open(OUT / "version2.npy", "wb") as file:
    np.lib.format.write_array(file, np.array([1, 2, 3], dtype="<i4"), version=(2, 0))

with open(OUT / "events.bin", "wb") as file:
    writer = RecordWriter(file)
    for wall_time, tag, step, value in [(1700000000.25, "loss/total", 0, 2.5), (1700000001.5, "lr", 300, -1e-3)]:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.write(Event(wall_time=wall_time, step=step, summary=summary).SerializeToString())
