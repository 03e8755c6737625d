#!/usr/bin/env python3
"""Writes src/text/unicode_classes.inc: which code points are letters (\\p{L}) and numbers (\\p{N}).

The reference is the regular expression engine of the Python package `tokenizers` (Oniguruma), probed over every code
point, because its Unicode version decides where published tokenizers split text. A second list holds the members of
each category and some scripts that Unicode 14.0, the version that PCRE2 10.42 knows, had not assigned yet; patterns
that run through PCRE2 get these ranges added. Needs Python 3.11, whose `unicodedata` is 14.0.

Usage: text_unicode_classes.py > src/text/unicode_classes.inc
"""
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers

CATEGORIES = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So".split()
SCRIPTS = "Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Devanagari Thai".split()
ALL = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)


def members(pattern):
    left = set(normalizers.Replace(Regex(pattern), "").normalize_str(ALL))
    return [ord(c) for c in ALL if c not in left]


def ranges(points):
    out = []
    for point in points:
        if out and out[-1][1] == point - 1:
            out[-1][1] = point
        else:
            out.append([point, point])
    return out


def wrap(items, width=116):
    line = " "
    for item in items:
        if len(line) + len(item) + 1 > width:
            print(line)
            line = " "
        line += " " + item
    print(line)


def table(name, points):
    rs = ranges(points)
    print(f"inline constexpr CodePointRange {name}[{len(rs)}] = {{")
    wrap([f"{{0x{a:X}, 0x{b:X}}}," for a, b in rs])
    print("};")


def class_text(points):
    items = ["\\\\x{%X}" % a if a == b else "\\\\x{%X}-\\\\x{%X}" % (a, b) for a, b in ranges(points)]
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) > 100:
            lines.append(line)
            line = ""
        line += item
    return "\n     ".join(f'"{text}"' for text in lines + [line])


def main():
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    print("// Made by tools/golden/text_unicode_classes.py; do not edit.")
    print(f"// Reference: the regular expressions of the Python package tokenizers {tokenizers.__version__}.")
    table("kLetterRanges", members(r"\p{L}"))
    table("kNumberRanges", members(r"\p{N}"))
    print("inline constexpr GrownProperty kGrownProperties[] = {")
    for name in CATEGORIES + SCRIPTS:
        newer = [p for p in members(r"\p{%s}" % name) if unicodedata.category(chr(p)) == "Cn"]
        if newer:
            print(f'    {{"{name}",\n     {class_text(newer)}}},')
    print("};")


main()
