#!/usr/bin/env python3
"""Makes tests/data/formats: BMP, PNM, GIF, TIFF and WebP files, and in expected.json what Pillow makes of them.

    python formats.py -o ../data/formats                        # with Pillow 13.0
"""
import argparse
import hashlib
import io
import json
import os
import warnings
import zlib

import numpy as np
from PIL import Image

from picture_formats import bmp, bmp_rows, bmp_runs, gif, pnm, tiff_of

SIZE = (19, 11)  # odd, and more than a byte of bits wide


def numbers(top: int, channels: int = 1, seed: int = 1, size: tuple = SIZE) -> np.ndarray:
    """[height, width, channels] of numbers below top, with runs among them."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, top, (size[1], size[0], channels))
    made[:, 3:9] = made[:, 3:4]
    return made


def colours(count: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3))


def table(count: int, padding: bytes = b"") -> bytes:
    return b"".join(bytes(colour) + padding for colour in colours(count).tolist())


def smooth(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 5 % 256], -1).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bmp_files() -> dict:
    width, height = SIZE
    made = {}
    for bits in (1, 4, 8):
        rows = bmp_rows(numbers(1 << bits)[:, :, 0], bits)
        made[f"bmp_{bits}bit.bmp"] = bmp(width, height, bits, rows, table(1 << bits, b"\0"))
    few = bmp_rows(numbers(16)[:, :, 0], 4)
    made["bmp_os2.bmp"] = bmp(width, height, 4, few, table(16), header=12)
    made["bmp_few_colours.bmp"] = bmp(width, height, 4, few, table(9, b"\0"), colours=9)
    made["bmp_grey.bmp"] = saved(Image.fromarray(numbers(256)[:, :, 0].astype(np.uint8)), "BMP")
    made["bmp_bilevel.bmp"] = saved(Image.fromarray(numbers(2)[:, :, 0] > 0), "BMP")
    made["bmp_greys_in_order.bmp"] = bmp(width, height, 8, bmp_rows(numbers(256)[:, :, 0], 8),
                                         b"".join(bytes([i, i, i, 0]) for i in range(20)), colours=20)
    made["bmp_palette_forgotten.bmp"] = bmp(width, height, 4, few, table(16, b"\0"), offset=54)
    made["bmp_no_offset.bmp"] = bmp(width, height, 4, few, table(16, b"\0"), offset=0)
    for bits, dtype in ((16, "<u2"), (24, np.uint8), (32, np.uint8)):
        pixels = numbers(1 << min(bits, 16), 1) if bits == 16 else numbers(256, bits // 8)
        rows = bmp_rows(pixels.astype(dtype).view(np.uint8).reshape(height, -1), bits)
        made[f"bmp_{bits}bit.bmp"] = bmp(width, height, bits, rows)
        made[f"bmp_{bits}bit_from_top.bmp"] = bmp(width, height, bits, rows, header=124, from_top=True)
        masks = {16: (0xF800, 0x7E0, 0x1F), 24: (0xFF0000, 0xFF00, 0xFF), 32: (0xFF, 0xFF00, 0xFF0000, 0xFF000000)}[bits]
        made[f"bmp_{bits}bit_fields.bmp"] = bmp(width, height, bits, rows, compression=3, masks=masks,
                                                header=108 if bits == 32 else 40)
    sparse = numbers(256)[:, :, 0] * (numbers(3, seed=5)[:, :, 0] > 0)
    sparse[4] = 0
    made["bmp_rle8.bmp"] = bmp(width, height, 8, bmp_runs(sparse, False), table(256, b"\0"), compression=1)
    made["bmp_rle4.bmp"] = bmp(width, height, 4, bmp_runs(sparse % 16, True), table(16, b"\0"), compression=2)
    return made


def pnm_files() -> dict:
    made = {}
    for kind in range(1, 7):
        for most in (1,) if kind in (1, 4) else (7, 255, 1000, 65535):
            array = numbers(most + 1, 3 if kind in (3, 6) else 1, size=(9, 5))
            made[f"pnm_p{kind}_{most}.pnm"] = pnm(kind, array if kind in (3, 6) else array[:, :, 0], most, "# a comment")
    made["pnm_comments.ppm"] = pnm(3, numbers(256, 3, size=(5, 3)), 255).replace(b" ", b" # 1 2 3\n ", 9)
    made["pnm_above_the_maximum.pgm"] = pnm(5, numbers(256, size=(9, 5))[:, :, 0], 100)
    return made


def gif_files() -> dict:
    few, many = numbers(16)[:, :, 0], numbers(256, size=(80, 70), seed=7)[:, :, 0]
    ramp = bytes(i for i in range(16) for _ in range(3))
    looped = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0" + b"!\xfe\x05hello\0"
    frames = [Image.fromarray(numbers(256, 3, seed=i).astype(np.uint8)) for i in range(3)]
    return {
        "gif_plain.gif": gif(few, table(16)),
        "gif_interlaced.gif": gif(few, table(16), interlaced=True),
        "gif_full_table.gif": gif(many, table(256), block=200),
        "gif_cleared_often.gif": gif(few, table(16), clear_often=True, block=3),
        "gif_local_colours.gif": gif(few, table(4), local=table(16)),
        "gif_no_colours.gif": gif(few, None),
        "gif_few_colours.gif": gif(few, table(4), bits=4),
        "gif_greys_in_order.gif": gif(numbers(256)[:, :, 0], ramp, bits=8),
        "gif_local_greys_in_order.gif": gif(few, table(16), local=ramp),
        "gif_on_a_screen.gif": gif(few, table(16), screen=(25, 17), at=(3, 2), background=5),
        "gif_on_a_screen_transparent.gif": gif(few, table(16), screen=(25, 17), at=(3, 2), background=5, transparent=9),
        "gif_beyond_the_screen.gif": gif(few, table(16), screen=(5, 4), at=(2, 1)),
        "gif_transparent.gif": gif(few, table(16), transparent=3),
        "gif_blocks_before.gif": gif(few, table(16), before=looped),
        "gif_animation.gif": saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50),
    }


def tiff_files() -> dict:
    made = {}
    deflated = {"compression": 8, "pack": zlib.compress}
    alpha, rgb, wide = numbers(256, 4), numbers(256, 3), numbers(65536, 3)
    map_ = {bits: {320: np.random.default_rng(3).integers(0, 65536, 3 << bits).tolist()} for bits in (1, 2, 4, 8)}
    for bits in (1, 2, 4, 8):
        made[f"tiff_grey{bits}.tif"] = tiff_of(numbers(1 << bits), 1, bits, rows=4)
        made[f"tiff_white_is_zero{bits}.tif"] = tiff_of(numbers(1 << bits), 0, bits, order=">", **deflated)
        made[f"tiff_palette{bits}.tif"] = tiff_of(numbers(1 << bits), 3, bits, more=map_[bits])
        made[f"tiff_fill_order{bits}.tif"] = tiff_of(numbers(1 << bits), 1, bits, fill=2)
    made["tiff_grey12.tif"] = tiff_of(numbers(4096) % 400, 1, 12)
    for order, name in (("<", "little"), (">", "big")):
        made[f"tiff_grey16_{name}.tif"] = tiff_of(numbers(65536) % 400, 1, 16, order=order)
        made[f"tiff_grey16_{name}_deflate.tif"] = tiff_of(numbers(65536) % 400, 1, 16, order=order, **deflated)
        made[f"tiff_rgb16_{name}.tif"] = tiff_of(wide, 2, 16, order=order, rows=4)
        made[f"tiff_rgb16_{name}_deflate.tif"] = tiff_of(wide, 2, 16, order=order, **deflated)
        made[f"tiff_signed16_{name}.tif"] = tiff_of((numbers(1000) - 400).astype(np.int16), 1, 16, order=order, more={339: 2})
        made[f"tiff_float_{name}.tif"] = tiff_of((numbers(1000) / 3 - 20).astype(np.float32), 1, 32, order=order, more={339: 3})
    made["tiff_white_is_zero16.tif"] = tiff_of(numbers(65536) % 400, 0, 16)
    made["tiff_signed8.tif"] = tiff_of(numbers(256), 1, 8, more={339: 2})
    made["tiff_int32.tif"] = tiff_of((numbers(1000) - 400).astype(np.int32), 1, 32, more={339: 2})
    made["tiff_grey_alpha.tif"] = tiff_of(numbers(256, 2), 1, 8, extra=(2,))
    made["tiff_palette_alpha.tif"] = tiff_of(numbers(256, 2), 3, 8, extra=(2,), more=map_[8])
    made["tiff_rgb_fill_order.tif"] = tiff_of(rgb, 2, 8, fill=2)
    made["tiff_rgb_tiles.tif"] = tiff_of(rgb, 2, 8, tile=16)
    made["tiff_rgb_tiles_planes.tif"] = tiff_of(rgb, 2, 8, tile=16, separate=True)
    made["tiff_rgb_planes.tif"] = tiff_of(rgb, 2, 8, rows=4, separate=True)
    made["tiff_rgb16_planes_deflate.tif"] = tiff_of(wide, 2, 16, rows=4, separate=True, **deflated)
    made["tiff_rgb_large_file.tif"] = tiff_of(rgb, 2, 8, rows=4, large=True)
    runs = rgb.copy()
    runs[1:] = 200  # a run goes beyond each strip's end
    made["tiff_deflate_longer_strips.tif"] = tiff_of(runs, 2, 8, rows=4, compression=8,
                                                     pack=lambda data: zlib.compress(data + data[-1:] * 300))
    made["tiff_rgba.tif"] = tiff_of(alpha, 2, 8, extra=(2,))
    made["tiff_rgba_nameless.tif"] = tiff_of(alpha, 2, 8)
    made["tiff_rgba_premultiplied.tif"] = tiff_of(alpha, 2, 8, extra=(1,))
    made["tiff_rgba16_premultiplied.tif"] = tiff_of(numbers(65536, 4), 2, 16, extra=(1,))
    made["tiff_rgba_premultiplied_planes.tif"] = tiff_of(alpha, 2, 8, extra=(1,), separate=True, **deflated)
    made["tiff_rgb_two_extras.tif"] = tiff_of(numbers(256, 5), 2, 8, extra=(1, 0))
    made["tiff_cmyk.tif"] = tiff_of(alpha, 5, 8)
    made["tiff_cmyk16.tif"] = tiff_of(numbers(65536, 4), 5, 16)
    made["tiff_cmyk_planes.tif"] = tiff_of(alpha, 5, 8, separate=True)
    made["tiff_ycbcr.tif"] = tiff_of(rgb, 6, 8, more={530: [1, 1]})
    made["tiff_ycbcr_deflate.tif"] = tiff_of(rgb, 6, 8, more={530: [1, 1]}, **deflated)
    for orientation in range(1, 9):
        made[f"tiff_orientation{orientation}.tif"] = tiff_of(numbers(256, 3, size=(5, 3)), 2, 8, more={274: orientation})
    made["tiff_orientation_of_xmp.tif"] = tiff_of(numbers(256, 3, size=(5, 3)), 2, 8, more={700: b'<x tiff:Orientation="6"/>'})
    picture, bilevel = Image.fromarray(smooth(37, 29)), Image.fromarray(numbers(2, size=(37, 29))[:, :, 0] > 0)
    for name in ("tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate"):
        made[f"tiff_{name.removeprefix('tiff_')}.tif"] = saved(picture, "TIFF", compression=name)
    made["tiff_lzw_predictor.tif"] = saved(picture, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    made["tiff_jpeg_grey.tif"] = saved(picture.convert("L"), "TIFF", compression="jpeg")
    made["tiff_jpeg_cmyk.tif"] = saved(picture.convert("CMYK"), "TIFF", compression="jpeg")
    made["tiff_jpeg_ycbcr.tif"] = saved(picture.convert("YCbCr"), "TIFF", compression="jpeg")
    for name in ("group3", "group4", "tiff_ccitt"):
        made[f"tiff_{name.removeprefix('tiff_')}.tif"] = saved(bilevel, "TIFF", compression=name)
    made["tiff_pages.tif"] = saved(Image.fromarray(rgb.astype(np.uint8)), "TIFF", save_all=True, append_images=[picture])
    return made


def webp_files() -> dict:
    picture, noise = Image.fromarray(smooth(67, 45)), Image.fromarray(numbers(256, 3, size=(37, 29)).astype(np.uint8))
    alpha = noise.copy()
    alpha.putalpha(Image.fromarray((numbers(256, size=(37, 29), seed=9)[:, :, 0]).astype(np.uint8)))
    frames = [Image.fromarray(numbers(256, 3, seed=i).astype(np.uint8)) for i in range(3)]
    return {
        "webp_lossy.webp": saved(picture, "WEBP", quality=80),
        "webp_lossy_noise.webp": saved(noise, "WEBP", quality=40),
        "webp_lossy_alpha.webp": saved(alpha, "WEBP", quality=60),
        "webp_lossless.webp": saved(noise, "WEBP", lossless=True),
        "webp_lossless_alpha.webp": saved(alpha, "WEBP", lossless=True),
        "webp_lossless_alpha_exact.webp": saved(alpha, "WEBP", lossless=True, exact=True),
        "webp_one_pixel.webp": saved(noise.crop((0, 0, 1, 1)), "WEBP"),
        "webp_animation.webp": saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50),
        "webp_animation_alpha.webp": saved(alpha, "WEBP", save_all=True, append_images=[alpha.rotate(180)], lossless=True),
    }


def refused() -> list:
    """What Pillow reads and tessera does not, with a part of what tessera says."""
    rgb, alpha = numbers(256, 3, size=(5, 3)), numbers(256, 4, size=(5, 3))
    lab = tiff_of(rgb, 8, 8)
    return [
        ("refused_lab.tif", lab, "photometric interpretation 8"),
        ("refused_lzma.tif", saved(Image.fromarray(smooth(9, 5)), "TIFF", compression="lzma"), "compression 34925"),
        ("refused_zstd.tif", saved(Image.fromarray(smooth(37, 29)), "TIFF", compression="zstd"), "compression 50000 (Zstandard)"),
        ("refused_ycbcr_coarse.tif", tiff_of(rgb, 6, 8, compression=8, pack=zlib.compress, more={530: [2, 2]}), "coarser"),
        ("refused_planes16.tif", tiff_of(rgb * 257, 2, 16, separate=True), "separate planes"),
        ("refused_planes_nameless.tif", tiff_of(alpha, 2, 8, separate=True, compression=8, pack=zlib.compress), "planes"),
        ("refused_float_big_deflate.tif", tiff_of((rgb[:, :, :1] / 3).astype(np.float32), 1, 32, order=">", compression=8,
                                                  pack=zlib.compress, more={339: 3}), "big-endian"),
        ("refused_grey_palette.bmp", bmp(5, 3, 8, bmp_rows(rgb[:, :, 0], 8), b"\0\0\0\0\xff\xff\xff\0", colours=2),
         "a palette of 2 greys"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", dest="folder", required=True)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")

    def write(name, data):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        return np.array(Image.open(io.BytesIO(data)).convert("RGB"))

    decoded = []
    for name, data in (bmp_files() | pnm_files() | gif_files() | tiff_files() | webp_files()).items():
        array = write(name, data)
        decoded.append({"file": name, "width": array.shape[1], "height": array.shape[0],
                        "sha256": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()})
    left = []
    for name, data, reason in refused():
        write(name, data)
        left.append({"file": name, "reason": reason})
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump({"decoded": decoded, "refused": left}, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
