#!/usr/bin/env python3
"""Writes src/text/html_entities.inc: HTML 5's named character references, from Python's html.entities.

    python3 tools/html_entities.py
"""
from html.entities import html5
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "src" / "text" / "html_entities.inc"


def literal(text):
    """Bytes of UTF-8; each escape ends its literal, so that no digit runs on."""
    return "".join(f'\\x{byte:02X}' for byte in text.encode())


lines = [f'{{"{name}", "{literal(html5[name])}"}},' for name in sorted(html5)]
rows, row = [], ""
for line in lines:
    if len(row) + len(line) + 1 > 120:
        rows.append(row)
        row = ""
    row += (" " if row else "") + line
OUT.write_text("// Made by tools/html_entities.py: names (sorted by their bytes), and what they stand for in UTF-8.\n" +
               "\n".join(rows + [row]) + "\n")
