#!/usr/bin/env python3
"""Checks that every source file includes only its own layer and the layers above it (docs/architecture.md)."""
import pathlib
import re
import sys

# One line per level; folders on one line are siblings and never include each other.
LEVELS = [
    ["base"],
    ["tensor", "media"],
    ["kernels", "io", "hub"],
    ["ops"],
    ["nn", "text"],
    ["data"],
    ["modality"],
    ["models"],
    ["generate", "train"],
    ["eval"],
    ["apps"],
    ["server"],
    ["cli"],
]

root = pathlib.Path(__file__).resolve().parent.parent
level_of = {folder: i for i, level in enumerate(LEVELS) for folder in level}
faults = []
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cpp", ".inc"):
        continue
    layer = path.relative_to(root / "src").parts[0]
    if layer not in level_of:
        faults.append(f"{path.relative_to(root)}: folder src/{layer} is no layer")
        continue
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^/"]+)/', line)
        if not match:
            continue
        other = match.group(1)
        if other == layer or other not in level_of:
            continue
        if level_of[other] >= level_of[layer]:
            faults.append(f"{path.relative_to(root)}:{number}: {layer} may not include {other}")
for fault in faults:
    print(fault, file=sys.stderr)
print(f"layers: {'ok' if not faults else str(len(faults)) + ' faults'}")
sys.exit(1 if faults else 0)
