#!/usr/bin/env python3
"""Makes tests/data/vision: pictures in many formats, and what Pillow, timm, transformers and torchvision make of them.

    python vision.py -o ../data/vision                          # with Pillow 12.3
    PYTHONPATH=pillow13 python vision.py -o ../data/vision      # then what Pillow 13.0 makes of the same pictures

Pictures for resizing come from an integer formula that the C++ test knows as well, so that only hashes are kept.
"""
import argparse
import hashlib
import io
import json
import os
import struct
import zlib

import numpy as np
import torch
import PIL
from PIL import Image

RELEASE = int(PIL.__version__.split(".")[0])


def formula(width: int, height: int) -> np.ndarray:
    """Gradients, edges and a little noise; the same integers as formula_picture() of tests/vision."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    noise = (x * 7919 + y * 104729 + x * y * 31) % 23
    red = (x * 255 // max(1, width - 1) + noise) % 256
    green = (y * 255 // max(1, height - 1) + (x // 7 + y // 5) % 2 * 60) % 256
    blue = ((x + y) * 3 + noise * 5) % 256
    return np.stack([red, green, blue], -1).astype(np.uint8)


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def smooth(width, height):
    """A picture that a JPEG keeps small."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y) % 256], -1).astype(np.uint8)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(array: np.ndarray, colour_type: int, depth: int, interlaced: bool = False, chunks: tuple = ()) -> bytes:
    """A PNG of the kinds that Pillow cannot write. array: [height, width, channels] of values below 2^depth."""
    height, width, channels = array.shape

    def packed(rows: np.ndarray) -> bytes:
        lines = []
        for row in rows:
            values = row.reshape(-1)
            if depth == 16:
                line = values.astype(">u2").tobytes()
            elif depth == 8:
                line = values.astype(np.uint8).tobytes()
            else:
                bits = (values[:, None].astype(np.uint8) >> np.arange(depth - 1, -1, -1)) & 1
                line = np.packbits(bits.reshape(-1)).tobytes()
            lines.append(b"\0" + line)
        return b"".join(lines)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if interlaced:
        parts = [array[top::down, left::right] for left, top, right, down in ADAM7]
        raw = b"".join(packed(part) for part in parts if part.size)
    else:
        raw = packed(array)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*each) for each in chunks)
            + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def adobe_transform(jpeg: bytes, transform: int) -> bytes:
    """The same data under another colour transform: 2 makes CMYK to YCCK."""
    at = jpeg.index(b"\xff\xee\x00\x0eAdobe")
    return jpeg[:at + 15] + bytes([transform]) + jpeg[at + 16:]


def without_adobe(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee\x00\x0eAdobe")
    return jpeg[:at] + jpeg[at + 16:]


def more_files(made: dict, save) -> None:
    picture = Image.fromarray(smooth(67, 45))
    cmyk = made["jpeg_cmyk.jpg"]
    made["jpeg_ycck.jpg"] = adobe_transform(cmyk, 2)
    made["jpeg_cmyk_without_adobe.jpg"] = without_adobe(cmyk)
    save("jpeg_rgb_adobe.jpg", picture, quality=90, keep_rgb=True)
    save("jpeg_optimised_progressive_grey.jpg", Image.fromarray(formula(21, 17)).convert("L"), quality=60, optimize=True,
         progressive=True)
    save("jpeg_progressive_cmyk.jpg", picture.convert("CMYK"), quality=80, progressive=True)
    jpeg = made["jpeg_420.jpg"]
    made["jpeg_bytes_before_end.jpg"] = jpeg[:-2] + b"\x01\x02\x03" + jpeg[-2:]
    made["jpeg_bytes_after_end.jpg"] = jpeg + b"trailing bytes \xff\xd8\xff"
    rgb, grey = formula(29, 21), formula(29, 21)[:, :, :1].astype(np.int64)
    rgba = np.dstack([rgb, grey.astype(np.uint8)])
    palette = (b"PLTE", formula(16, 1).tobytes())
    transparent = (b"tRNS", bytes(range(0, 160, 10)))
    for depth in (1, 2, 4, 8):
        top = 1 << depth
        made[f"png_grey_{depth}bit_interlaced.png"] = png(grey % top, 0, depth, True)
        made[f"png_palette_{depth}bit_interlaced.png"] = png(grey % min(top, 16), 3, depth, True,
                                                             (palette, transparent))
        made[f"png_grey_{depth}bit_transparent.png"] = png(grey % top, 0, depth, False,
                                                           ((b"tRNS", struct.pack(">H", 1)),))
    made["png_rgb_interlaced.png"] = png(rgb, 2, 8, True)
    made["png_rgba_interlaced.png"] = png(rgba, 6, 8, True)
    made["png_rgb16_interlaced.png"] = png(rgb.astype(np.uint16) * 201, 2, 16, True)
    made["png_rgb16_transparent.png"] = png(rgb.astype(np.uint16) * 257, 2, 16, False,
                                            ((b"tRNS", struct.pack(">HHH", 257, 514, 771)),))
    made["png_gamma.png"] = png(rgb, 2, 8, False, ((b"gAMA", struct.pack(">I", 100000)), (b"sRGB", b"\0"),
                                                   (b"tEXt", b"Title\0anything")))
    made["png_one_pixel_interlaced.png"] = png(rgb[:1, :1], 2, 8, True)


def files() -> dict:
    made = {}

    def save(name, image, **options):
        buffer = io.BytesIO()
        image.save(buffer, name.rsplit(".", 1)[1].upper().replace("JPG", "JPEG"), **options)
        made[name] = buffer.getvalue()

    picture = Image.fromarray(smooth(67, 45))
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        save(f"jpeg_{name}.jpg", picture, quality=90, subsampling=sampling)
        save(f"jpeg_{name}_noise.jpg", Image.fromarray(formula(37, 29)), quality=75, subsampling=sampling)
    save("jpeg_progressive.jpg", picture, quality=85, progressive=True)
    save("jpeg_restart.jpg", picture, quality=85, restart_marker_blocks=3)
    save("jpeg_grey.jpg", picture.convert("L"), quality=90)
    save("jpeg_cmyk.jpg", picture.convert("CMYK"), quality=90)
    save("jpeg_one_pixel.jpg", Image.fromarray(smooth(1, 1)))
    save("jpeg_tall.jpg", Image.fromarray(smooth(1, 5000)))
    save("jpeg_wide.jpg", Image.fromarray(smooth(5000, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: not applied
    save("jpeg_rotated.jpg", picture, exif=exif)
    save("png_rgb.png", Image.fromarray(formula(31, 23)))
    save("png_grey.png", Image.fromarray(formula(31, 23)).convert("L"))
    save("png_bilevel.png", Image.fromarray(formula(31, 23)).convert("1"))
    save("png_palette.png", Image.fromarray(formula(31, 23)).quantize(17))
    palette = Image.fromarray(formula(31, 23)).quantize(16)
    save("png_palette_transparent.png", palette, transparency=3)
    save("png_palette_4bit.png", Image.fromarray(smooth(31, 23)).quantize(9), bits=4)
    rgba = Image.fromarray(np.dstack([formula(31, 23), formula(31, 23)[:, :, 0]]), "RGBA")
    save("png_rgba.png", rgba)
    save("png_grey_alpha.png", rgba.convert("LA"))
    save("png_rgb_transparent.png", Image.fromarray(formula(31, 23)), transparency=(3, 4, 5))
    wide = formula(19, 13).astype(np.uint16) * 257 ^ 0x5A
    made["png_rgb16.png"] = png(wide, 2, 16)
    made["png_rgba16.png"] = png(np.dstack([wide, wide[:, :, :1]]), 6, 16)
    made["png_grey_alpha16.png"] = png(wide[:, :, :2], 4, 16)
    made["png_grey16.png"] = png((formula(19, 13)[:, :, :1].astype(np.uint16)) * 3, 0, 16)
    made["png_named.JPEG"] = made["png_rgb.png"]
    more_files(made, save)
    return made


def fault_files() -> dict:
    """Valid headers and checksums around what must be refused."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def wrapped(width: int, height: int, data: bytes) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9))
                + chunk(b"IEND", b""))

    return {"fault_huge.png": wrapped(65000, 65000, b"\0" * 1000), "fault_bomb.png": wrapped(31, 23, b"\0" * (40 << 20))}


def decoded(made: dict, folder: str) -> list:
    expected = []
    for name, data in made.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        array = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
        expected.append({"file": name, "width": array.shape[1], "height": array.shape[0], "sha256": digest(array)})
    return expected


SIZES = [(1, 1), (1, 50), (50, 1), (7, 5), (37, 29), (64, 64), (500, 375), (375, 500), (233, 311), (640, 17), (5000, 2), (2, 5000), (1201, 9)]
TARGETS = [(1, 1), (224, 224), (33, 224), (7, 5), (300, 299), (313, 235)]


def resized() -> list:
    filters = {"box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR,
               "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
    expected = []
    for size in SIZES:
        picture = formula(*size)
        for target in TARGETS:
            for name, code in filters.items():
                out = np.array(Image.fromarray(picture).resize(target, code))
                entry = {"from": size, "to": target, "filter": name, f"pillow{RELEASE}": digest(out)}
                if name in ("bilinear", "bicubic"):
                    tensor = torch.from_numpy(picture).permute(2, 0, 1).contiguous()[None]
                    try:
                        turned = torch.nn.functional.interpolate(tensor, size=target[::-1], mode=name, antialias=True)
                        entry["torchvision"] = digest(turned[0].permute(1, 2, 0).numpy())
                    except RuntimeError:  # PyTorch 2.15 fails on pictures of one pixel a side: an assertion of its own
                        assert 1 in size + target
                expected.append(entry)
    return expected


def transforms() -> list:
    import timm.data
    from transformers import BitImageProcessor, ViTImageProcessor
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def timm_way(size, crop, interpolation, mean, std, crop_mode="center"):
        sides = size if isinstance(size, list) else (size, size)
        return timm.data.create_transform((3, *sides), is_training=False, interpolation=interpolation, mean=mean, std=std,
                                          crop_pct=crop, crop_mode=crop_mode)

    def timm_json(size, resize, interpolation, mean, std):
        return {"flavour": "timm", "resize_mode": "shortest_edge", "resize": resize, "crop": size,
                "filter": interpolation, "mean": mean, "std": std}

    def processor(kind, **options):
        made = kind(**options)
        return lambda image: torch.as_tensor(np.asarray(made(image, return_tensors="pt")["pixel_values"]))[0]

    dinov2 = {"do_resize": True, "size": {"shortest_edge": 256}, "resample": 3, "do_center_crop": True,
              "crop_size": {"height": 224, "width": 224}, "image_mean": imagenet["mean"], "image_std": imagenet["std"]}
    padded = dinov2 | {"size": {"shortest_edge": 201}}
    cropped = dinov2 | {"do_resize": False}
    squash = {"resize_mode": "squash", "resize": 224, "crop": 0, "filter": "bilinear", **half}
    shortest = {"resize_mode": "shortest_edge", "resize": 256, "crop": 224, "filter": "bicubic", **imagenet}
    ways = [
        ("timm resnet50.a1_in1k", timm_way(224, 0.95, "bicubic", **imagenet), timm_json(224, 235, "bicubic", **imagenet)),
        ("timm resnet50.a1_in1k at 288", timm_way(288, 1.0, "bicubic", **imagenet), timm_json(288, 288, "bicubic", **imagenet)),
        ("timm vit", timm_way(224, 0.9, "bicubic", **half), timm_json(224, 248, "bicubic", **half)),
        ("timm bilinear", timm_way(224, 0.875, "bilinear", **imagenet), timm_json(224, 256, "bilinear", **imagenet)),
        ("timm efficientnet-lite0 of TensorFlow",
         timm_way(224, 0.875, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3),
         timm_json(224, 256, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3)),
        ("hf vit", processor(ViTImageProcessorPil), {"flavour": "hf", **squash}),
        ("hf-fast vit", processor(ViTImageProcessor), {"flavour": "hf-fast", **squash}),
        ("hf dinov2", processor(BitImageProcessorPil, **dinov2), {"flavour": "hf", **shortest}),
        ("hf-fast dinov2", processor(BitImageProcessor, **dinov2), {"flavour": "hf-fast", **shortest}),
        ("timm padded", timm_way(224, 1.11, "bicubic", **imagenet), timm_json(224, 201, "bicubic", **imagenet)),
        ("hf padded", processor(BitImageProcessorPil, **padded), {"flavour": "hf", **shortest, "resize": 201}),
        ("hf-fast padded", processor(BitImageProcessor, **padded), {"flavour": "hf-fast", **shortest, "resize": 201}),
        ("hf crop alone", processor(BitImageProcessorPil, **cropped), {"flavour": "hf", **shortest, "resize_mode": "none"}),
        ("hf-fast crop alone", processor(BitImageProcessor, **cropped),
         {"flavour": "hf-fast", **shortest, "resize_mode": "none"}),
        # Height and width that differ.
        ("timm wide", timm_way([192, 288], 0.9, "bicubic", **imagenet), timm_json([192, 288], [213, 320], "bicubic", **imagenet)),
        ("timm tall", timm_way([288, 161], 0.95, "bilinear", **half), timm_json([288, 161], [303, 169], "bilinear", **half)),
        ("timm wide, padded", timm_way([100, 150], 1.25, "bicubic", **half), timm_json([100, 150], [80, 120], "bicubic", **half)),
        ("timm wide squash", timm_way([160, 256], 1.0, "bicubic", **half, crop_mode="squash"),
         {**timm_json([160, 256], [160, 256], "bicubic", **half), "resize_mode": "squash"}),
        ("hf wide squash", processor(ViTImageProcessorPil, size={"height": 160, "width": 224}),
         {"flavour": "hf", **squash, "resize": [160, 224]}),
        ("hf-fast wide squash", processor(ViTImageProcessor, size={"height": 160, "width": 224}),
         {"flavour": "hf-fast", **squash, "resize": [160, 224]}),
        ("hf tall crop", processor(BitImageProcessorPil, **(dinov2 | {"crop_size": {"height": 240, "width": 192}})),
         {"flavour": "hf", **shortest, "crop": [240, 192]}),
        ("hf-fast tall crop", processor(BitImageProcessor, **(dinov2 | {"crop_size": {"height": 240, "width": 192}})),
         {"flavour": "hf-fast", **shortest, "crop": [240, 192]}),
    ]
    expected = []
    rng = np.random.default_rng(7)
    for name, way, preprocess in ways:
        for size in ((500, 375), (375, 500), (224, 224), (100, 80), (1, 1), (301, 640), (33, 32), (503, 375), (375, 503), (5, 600)):
            values = way(Image.fromarray(formula(*size))).permute(1, 2, 0).contiguous().numpy()
            assert values.dtype == np.float32
            # Exact bytes can be had back from the floats: every channel has 256 values.
            mean, std = np.array(preprocess["mean"]), np.array(preprocess["std"])
            bytes_ = np.rint((values * std + mean) * 255).astype(np.uint8)
            indices = np.sort(rng.choice(values.size, min(40, values.size), replace=False))
            expected.append({"name": name, "releases": [RELEASE], "preprocess": preprocess, "from": size, "shape": list(values.shape),
                             "sha256": digest(bytes_), "indices": indices.tolist(),
                             "values": [float(v) for v in values.reshape(-1)[indices]]})
    return expected


def merge(expected: dict, folder: str) -> None:
    """Adds to what Pillow 12 makes of the pictures what a newer release does: the same decoded, resized in its way."""
    for entry in expected["decoded"]:
        array = np.array(Image.open(os.path.join(folder, entry["file"])).convert("RGB"))
        assert digest(array) == entry["sha256"], entry["file"]
    for entry, new in zip(expected["resized"], resized(), strict=True):
        entry.update(new)
    known = expected["transforms"]
    for new in json.loads(json.dumps(transforms())):
        for entry in known:
            if all(entry[key] == new[key] for key in ("name", "from", "sha256", "indices", "values")):
                entry["releases"] += new["releases"]
                break
        else:
            known.append(new)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    folder = parser.parse_args().output
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "expected.json")
    if RELEASE == 12:
        for name, data in fault_files().items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        expected = {"decoded": decoded(files(), folder), "resized": resized(), "transforms": transforms()}
    else:
        with open(path, encoding="utf-8") as file:
            expected = json.load(file)
        merge(expected, folder)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=None)
    print({name: len(entries) for name, entries in expected.items()})


main()
