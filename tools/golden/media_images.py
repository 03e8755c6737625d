#!/usr/bin/env python3
"""Makes tests/golden/media: small picture files of every kind with what Pillow decodes them to, and the results of
Pillow's resizing, blending, blurring and warping. Needs Pillow and NumPy.

index.json holds, for each case, either the SHA-256 of the expected samples (exact) or the name of a raw file with them
and a tolerance in levels (lossy decoders and floating point differ by a level between library versions).
"""

import hashlib
import io
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "media"
rng = np.random.default_rng(20)


def picture(width, height):
    """Gradients, edges, saturated colours and a noisy corner."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1), 255 * (x + y) / max(width + height - 2, 1)], -1)
    image = Image.fromarray(rgb.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse([width // 8, height // 8, width // 2, height // 2], fill=(230, 20, 30))
    draw.rectangle([width // 2, height // 3, width - width // 5, height - height // 4], fill=(10, 200, 90))
    draw.line([0, height - 1, width - 1, 0], fill=(255, 255, 255), width=2)
    array = np.array(image)
    h, w = height // 3, width // 3
    array[height - h :, :w] = rng.integers(0, 256, (h, w, 3))
    return Image.fromarray(array)


def digest(image):
    return hashlib.sha256(np.ascontiguousarray(np.array(image)).tobytes()).hexdigest()


# --- PNG files that Pillow cannot write (any depth, Adam7) ---

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(samples, depth):
    """samples: [h, w, c] unsigned. One filter byte (type 0 or, for variety, 2 = up on every third row) per row."""
    rows, previous = [], None
    for index, row in enumerate(samples):
        if depth == 16:
            data = row.astype(">u2").tobytes()
        elif depth == 8:
            data = row.astype(np.uint8).tobytes()
        else:
            bits = ((row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            data = np.packbits(bits.reshape(-1)).tobytes()
        filtered = data
        kind = 0
        if index % 3 == 2 and previous is not None:
            kind = 2
            filtered = bytes((a - b) & 255 for a, b in zip(data, previous))
        rows.append(bytes([kind]) + filtered)
        previous = data
    return b"".join(rows)


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def write_png(samples, color_type, depth, interlaced=False, extra=()):
    height, width = samples.shape[:2]
    if interlaced:
        raw = b""
        for x0, y0, dx, dy in ADAM7:
            part = samples[y0::dy, x0::dx]
            if part.size:
                raw += pack_rows(part, depth)
    else:
        raw = pack_rows(samples, depth)
    data = zlib.compress(raw, 9)
    half = len(data) // 2
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced)))
    for kind, body in extra:
        out += chunk(kind, body)
    return out + chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:]) + chunk(b"IEND", b"")


def over_white(image):
    rgba = image.convert("RGBA")
    result = Image.new("RGB", image.size, (255, 255, 255))
    result.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
    return result


def pillow_rgb(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    image = ImageOps.exif_transpose(image)
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    return over_white(image) if has_alpha else image.convert("RGB")


def make_pngs():
    width, height = 23, 17
    base = np.array(picture(width, height)).astype(np.int64)
    grey = base.sum(-1, keepdims=True) // 3
    alpha = ((np.mgrid[0:height, 0:width][1] * 255) // (width - 1))[..., None].astype(np.int64)
    wide = base * 257 - (base > 0) * rng.integers(0, 200, base.shape)
    files = {}
    for interlaced in (False, True):
        tag = "_interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8):
            files[f"grey{depth}{tag}"] = write_png(grey >> (8 - depth), 0, depth, interlaced)
            colours = min(1 << depth, 200)
            palette = b"".join(bytes([(i * 37) & 255, (i * 91 + 40) & 255, (255 - i * 53) & 255]) for i in range(colours))
            index = (grey * colours) // 256
            files[f"palette{depth}{tag}"] = write_png(index, 3, depth, interlaced, [(b"PLTE", palette)])
            trns = bytes((i * 83) & 255 for i in range(max(colours // 2, 1)))
            files[f"palette{depth}_trns{tag}"] = write_png(index, 3, depth, interlaced, [(b"PLTE", palette), (b"tRNS", trns)])
            files[f"grey{depth}_trns{tag}"] = write_png(grey >> (8 - depth), 0, depth, interlaced, [(b"tRNS", struct.pack(">H", (1 << depth) - 1))])
        files[f"rgb8{tag}"] = write_png(base, 2, 8, interlaced)
        files[f"rgb8_trns{tag}"] = write_png(base, 2, 8, interlaced, [(b"tRNS", struct.pack(">HHH", 10, 200, 90))])
        files[f"rgb16{tag}"] = write_png(wide, 2, 16, interlaced)
        files[f"la8{tag}"] = write_png(np.concatenate([grey, alpha], -1), 4, 8, interlaced)
        files[f"la16{tag}"] = write_png(np.concatenate([grey * 257, alpha * 257], -1), 4, 16, interlaced)
        files[f"rgba8{tag}"] = write_png(np.concatenate([base, alpha], -1), 6, 8, interlaced)
        files[f"rgba16{tag}"] = write_png(np.concatenate([wide, alpha * 250], -1), 6, 16, interlaced)
    cases = []
    for name, data in files.items():
        cases.append({"name": f"png_{name}", "data": data, "expected": pillow_rgb(data)})
    # Pillow clips 16-bit grey to 255 instead of taking the high byte; here all 16-bit files keep the high byte.
    grey16 = grey * 257 - (grey > 0) * 100
    for interlaced in (False, True):
        data = write_png(grey16, 0, 16, interlaced)
        expected = Image.fromarray(np.repeat(grey16 >> 8, 3, -1).astype(np.uint8))
        cases.append({"name": "png_grey16" + ("_interlaced" if interlaced else ""), "data": data, "expected": expected,
                      "grey16": hashlib.sha256(grey16.astype("<u2").tobytes()).hexdigest()})
    # A colour key of 16 bits must match all 16, not the high byte.
    wide[0, 0] = wide[0, 1] + 1
    key = wide[0, 1]
    data = write_png(wide, 2, 16, False, [(b"tRNS", struct.pack(">HHH", *[int(v) for v in key]))])
    expected = (wide >> 8).astype(np.uint8)
    expected[(wide == key).all(-1)] = 255
    cases.append({"name": "png_rgb16_trns", "data": data, "expected": Image.fromarray(expected)})
    data = write_png(base, 2, 8, False, [(b"eXIf", exif_block(6, "big"))])
    cases.append({"name": "png_exif6", "data": data, "expected": pillow_rgb(data), "orientation": 6})
    data = write_png(base[:1, :1], 2, 8)
    cases.append({"name": "png_1x1", "data": data, "expected": pillow_rgb(data)})
    return cases


# --- JPEG ---

def exif_block(orientation, order, kind=3):
    e = ">" if order == "big" else "<"
    head = (b"MM\0*" if order == "big" else b"II*\0") + struct.pack(e + "I", 8)
    value = struct.pack(e + "HH", orientation, 0) if kind == 3 else struct.pack(e + "I", orientation)
    entries = [struct.pack(e + "HHI", 0x0100, 4, 1) + struct.pack(e + "I", 77), struct.pack(e + "HHI", 0x0112, kind, 1) + value]
    return head + struct.pack(e + "H", len(entries)) + b"".join(entries) + struct.pack(e + "I", 0)


def jpeg_bytes(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def make_jpegs():
    image = picture(67, 45)
    small = picture(23, 17)
    grey = image.convert("L")
    files = {
        "420": jpeg_bytes(image, quality=85, subsampling=2),
        "422": jpeg_bytes(image, quality=85, subsampling=1),
        "444": jpeg_bytes(image, quality=95, subsampling=0),
        "progressive": jpeg_bytes(image, quality=80, progressive=True),
        "optimized": jpeg_bytes(image, quality=60, optimize=True),
        "restart": jpeg_bytes(image, quality=75, restart_marker_blocks=3),
        "grey": jpeg_bytes(grey, quality=85),
        "grey_progressive": jpeg_bytes(grey, quality=85, progressive=True),
        "rgb": jpeg_bytes(image, quality=90, keep_rgb=True),
        "1x1": jpeg_bytes(image.crop((5, 5, 6, 6)), quality=90),
        "17x1": jpeg_bytes(image.crop((5, 5, 22, 6)), quality=90),
    }
    cmyk_array = np.concatenate([np.array(image), np.array(grey)[..., None] // 2], -1)
    cmyk = jpeg_bytes(Image.fromarray(cmyk_array, "CMYK"), quality=90)
    files["cmyk"] = cmyk
    # The same data, declared as YCCK by the last byte of the Adobe segment.
    at = cmyk.index(b"Adobe") + 11
    assert cmyk[at] == 0
    files["ycck"] = cmyk[:at] + b"\x02" + cmyk[at + 1 :]
    cases = [{"name": f"jpeg_{name}", "data": data, "expected": pillow_rgb(data), "tolerance": 2} for name, data in files.items()]
    for orientation in range(1, 9):
        for order in ("big", "little"):
            data = jpeg_bytes(small, quality=95, subsampling=0, exif=b"Exif\0\0" + exif_block(orientation, order))
            cases.append({"name": f"jpeg_exif{orientation}_{order}", "data": data, "expected": pillow_rgb(data), "tolerance": 2,
                          "orientation": orientation})
    return cases


# --- WebP ---

def make_webps():
    image = picture(67, 45)
    alpha = Image.fromarray(np.array(image)[..., 0] // 2 + 100)
    rgba = image.copy()
    rgba.putalpha(alpha)

    def webp(source, **options):
        out = io.BytesIO()
        source.save(out, "WEBP", **options)
        return out.getvalue()

    lossy = {"lossy": webp(image, quality=80), "lossy_alpha": webp(rgba, quality=80)}
    exact = {
        "lossless": webp(image, lossless=True),
        "lossless_alpha": webp(rgba, lossless=True, exact=True),
        "exif6": webp(image, lossless=True, exif=b"Exif\0\0" + exif_block(6, "little")),
        "animated": webp(rgba, lossless=True, save_all=True, append_images=[image.convert("RGBA"), rgba.rotate(90)], duration=50),
    }
    cases = [{"name": f"webp_{name}", "data": data, "expected": pillow_rgb(data), "tolerance": 1} for name, data in lossy.items()]
    cases += [{"name": f"webp_{name}", "data": data, "expected": pillow_rgb(data)} for name, data in exact.items()]
    cases[2 + 2]["orientation"] = 6
    return cases


# --- operations ---

FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def make_resizes(sources):
    cases = []

    def add(source, width, height, name, box=None):
        result = sources[source].resize((width, height), FILTERS[name], box=box)
        cases.append({"source": source, "width": width, "height": height, "filter": name, "box": box, "sha256": digest(result)})

    sizes = [(1, 1), (7, 5), (16, 61), (30, 23), (60, 47), (61, 20), (61, 47), (62, 48), (97, 31), (100, 201), (224, 224)]
    for source in sources:
        for width, height in sizes:
            for name in FILTERS:
                add(source, width, height, name)
    for name in FILTERS:
        for box in [(0, 0, 61, 47), (3, 5, 40, 31), (0.1, 0.3, 60.7, 46.9), (10.25, 7.5, 11.75, 8.25), (20, 0, 61, 47)]:
            add("rgb", 33, 29, name, box)
            add("grey", 61, 47, name, box)
    return cases


def make_colors(sources):
    image, grey = sources["rgb"], sources["grey"]
    cases = [{"source": "rgb", "op": "grey", "sha256": digest(image.convert("L"))}]
    for factor in (0.0, 0.3, 0.85, 1.0, 1.2, 2.75):
        for op, enhancer in (("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)):
            cases.append({"source": "rgb", "op": op, "value": factor, "sha256": digest(enhancer(image).enhance(factor))})
    cases.append({"source": "grey", "op": "brightness", "value": 1.4, "sha256": digest(ImageEnhance.Brightness(grey).enhance(1.4))})
    cases.append({"source": "grey", "op": "contrast", "value": 0.6, "sha256": digest(ImageEnhance.Contrast(grey).enhance(0.6))})
    for radius in (1, 2, 5, 30, 100):
        for source in sources:
            cases.append({"source": source, "op": "box_blur", "value": radius, "sha256": digest(sources[source].filter(ImageFilter.BoxBlur(radius)))})
    return cases


def hue_expected(image, turns):
    import colorsys

    array = np.array(image).astype(float) / 255
    out = np.zeros_like(array)
    for index in np.ndindex(array.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*array[index])
        out[index] = colorsys.hsv_to_rgb((h + turns) % 1.0, s, v)
    return Image.fromarray(np.floor(out * 255 + 0.5).astype(np.uint8))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    index = {"decode": []}
    suffixes = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
    for case in make_pngs() + make_jpegs() + make_webps():
        name, expected = case["name"], case["expected"]
        file = name + suffixes[name.split("_")[0]]
        (OUT / file).write_bytes(case["data"])
        entry = {"file": file, "width": expected.width, "height": expected.height}
        for key in ("grey16", "orientation"):
            if key in case:
                entry[key] = case[key]
        if "tolerance" in case:
            entry["tolerance"] = case["tolerance"]
            entry["expected"] = name + ".rgb"
            (OUT / entry["expected"]).write_bytes(np.array(expected).tobytes())
        else:
            entry["sha256"] = digest(expected)
        index["decode"].append(entry)

    image = picture(61, 47)
    sources = {"rgb": image, "grey": image.convert("L")}
    for name, source in sources.items():
        (OUT / f"source_{name}.raw").write_bytes(np.array(source).tobytes())
    index["resize"] = make_resizes(sources)
    index["color"] = make_colors(sources)
    index["hue"] = []
    for turns in (0.1, 0.5, -0.25):
        file = f"hue_{turns}.raw"
        (OUT / file).write_bytes(np.array(hue_expected(image, turns)).tobytes())
        index["hue"].append({"turns": turns, "expected": file, "tolerance": 1})
    index["warp"] = []
    for number, (width, height, matrix) in enumerate([(61, 47, (0.9, 0.2, -3.5, -0.15, 1.1, 2.25)), (40, 70, (1.7, 0, -10, 0, 0.6, 5)), (61, 47, (1, 0, 0, 0, 1, 0))]):
        warped = image.transform((width, height), Image.AFFINE, matrix, resample=Image.BILINEAR, fillcolor=(9, 99, 199))
        file = f"warp_{number}.raw"
        (OUT / file).write_bytes(np.array(warped).tobytes())
        index["warp"].append({"width": width, "height": height, "matrix": matrix, "expected": file, "tolerance": 1})
    groups = [f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]" for key, cases in index.items()]
    (OUT / "index.json").write_text("{\n" + ",\n".join(groups) + "\n}\n")


if __name__ == "__main__":
    main()
