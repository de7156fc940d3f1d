"""Pictures in the formats beside JPEG and PNG, of the kinds that Pillow cannot write: BMP, PNM, GIF and TIFF, byte by byte."""
import struct

import numpy as np

TIFF_SHORT, TIFF_LONG, TIFF_BYTE = 3, 4, 1


def packed(values: np.ndarray, bits: int) -> bytes:
    """A row of numbers of 1, 2, 4, 8 or 12 bits, the first in the highest bits."""
    spread = (values.reshape(-1)[:, None].astype(np.uint16) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(-1).astype(np.uint8)).tobytes()


# BMP


def bmp(width: int, height: int, bits: int, rows: bytes, palette: bytes = b"", header: int = 40, compression: int = 0,
        masks: tuple = (), colours: int = 0, from_top: bool = False, offset: int | None = None) -> bytes:
    """`rows` as the file has them, padded; `palette` of 4 bytes an entry (3 under the header of 12)."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if from_top else height, 1, bits, compression,
                           len(rows), 2835, 2835, colours, 0)
        within = b"".join(struct.pack("<I", mask) for mask in masks)
        info += (within + b"\0" * header)[:header - 40] if header > 40 else within
    at = 14 + len(info) + len(palette) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(palette) + len(rows), 0, 0, at) + info + palette + rows


def bmp_rows(values: np.ndarray, bits: int) -> bytes:
    """values: [height, width] of indices, or bytes of pixels; from the bottom."""
    lines = []
    for row in values[::-1]:
        line = packed(row, bits) if bits <= 8 else np.ascontiguousarray(row).tobytes()
        lines.append(line + b"\0" * (-len(line) % 4))
    return b"".join(lines)


def bmp_runs(values: np.ndarray, nibbles: bool) -> bytes:
    """RLE8 or RLE4: runs, literals, ends of lines, one skip over a row's zeros, the end."""
    out = bytearray()
    for number, row in enumerate(values[::-1].tolist()):
        if not any(row) and 0 < number < len(values) - 1:
            out += bytes([0, 2, 0, 1]) if len(row) > 255 else bytes([0, 2, len(row), 0])
            continue
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and run < 255 and row[x + run] == row[x]:
                run += 1
            if run >= 3 or len(row) - x < 3:
                out += bytes([run, row[x] * 17 if nibbles else row[x]])
                x += run
                continue
            part = row[x:x + min(7, len(row) - x)]
            data = packed(np.array(part + [0] * (len(part) % 2)), 4) if nibbles else bytes(part)
            out += bytes([0, len(part)]) + data + b"\0" * (len(data) % 2)
            x += len(part)
        out += b"\0\0"
    return bytes(out) + b"\0\1"


# PNM


def pnm(kind: int, array: np.ndarray, most: int = 255, comment: str = "") -> bytes:
    """kind: 1 to 6; array: [height, width] or [height, width, 3] of values up to `most`, for 1 and 4 of 0 and 1."""
    height, width = array.shape[:2]
    lines = [f"P{kind}", comment, f"{width} {height}"] if comment else [f"P{kind}", f"{width} {height}"]
    head = "\n".join(lines + ([str(most)] if kind not in (1, 4) else [])).encode() + b"\n"
    if kind <= 3:
        between = "" if kind == 1 else " "
        return head + b"\n".join(between.join(map(str, row.reshape(-1).tolist())).encode() for row in array) + b"\n"
    if kind == 4:
        return head + b"".join(packed(row, 1) for row in array)
    return head + array.astype(">u2" if most > 255 else np.uint8).tobytes()


# GIF


def lzw(indices: list, bits: int, clear_often: bool = False) -> bytes:
    """With a table that stays full, as encoders leave it, or is cleared early and often."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, count, bytes_ = 0, 0, bytearray()

    def put(code, width):
        nonlocal out, count
        out |= code << count
        count += width
        while count >= 8:
            bytes_.append(out & 255)
            out >>= 8
            count -= 8

    table = {(i,): i for i in range(clear)}
    width, following, text = bits + 1, end + 1, ()
    put(clear, width)
    for index in indices:
        if text + (index,) in table:
            text += (index,)
            continue
        put(table[text], width)
        if clear_often and following > clear + 40:
            put(clear, width)
            table = {(i,): i for i in range(clear)}
            width, following = bits + 1, end + 1
        elif following < 4096:
            table[text + (index,)] = following
            if following == 1 << width and width < 12:
                width += 1
            following += 1
        text = (index,)
    put(table[text], width)
    if following == 1 << width and width < 12:
        width += 1
    put(end, width)
    if count:
        bytes_.append(out & 255)
    return bytes(bytes_)


def blocks(data: bytes, size: int = 255) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in (data[i:i + size] for i in range(0, len(data), size))) + b"\0"


def gif(indices: np.ndarray, table: bytes | None, screen: tuple | None = None, at: tuple = (0, 0), local: bytes | None = None,
        transparent: int | None = None, interlaced: bool = False, background: int = 0, before: bytes = b"",
        after: bytes = b"", bits: int | None = None, clear_often: bool = False, block: int = 255) -> bytes:
    """indices: [height, width]; tables of R G B, of 2, 4 … 256 colours; `before` and `after`: more blocks."""
    height, width = indices.shape

    def flags(colours):
        return 0x80 | (len(colours) // 3).bit_length() - 2 if colours else 0

    control = b"!\xf9\x04" + bytes([1, 0, 0, transparent]) + b"\0" if transparent is not None else b""
    rows = list(indices)
    if interlaced:
        rows = rows[0::8] + rows[4::8] + rows[2::4] + rows[1::2]
    bits = bits or max(2, int(indices.max()).bit_length())
    data = lzw(np.concatenate(rows).tolist(), bits, clear_often)
    return (b"GIF89a" + struct.pack("<HH", *(screen or (width, height))) + bytes([flags(table), background, 0])
            + (table or b"") + before + control + b"," + struct.pack("<HHHH", *at, width, height)
            + bytes([flags(local) | (0x40 if interlaced else 0)]) + (local or b"") + bytes([bits]) + blocks(data, block)
            + after + b";")


# TIFF


def tiff(blocks_: list, tags: dict, order: str = "<", large: bool = False, tiled: bool = False) -> bytes:
    """One directory behind its strips or tiles. tags: {number: values of SHORT or LONG, or bytes}."""
    field, count = ("Q", "Q") if large else ("I", "H")
    data = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if large
                                                else struct.pack(order + "HI", 42, 0))
    places = []
    for block in blocks_:
        places.append(len(data))
        data += block + b"\0" * (len(block) % 2)
    tags = dict(tags)
    tags[324 if tiled else 273] = places
    tags[325 if tiled else 279] = [len(block) for block in blocks_]
    entries = []
    room = 8 if large else 4
    for number in sorted(tags):
        values = tags[number]
        if isinstance(values, bytes):
            kind, length, stored = TIFF_BYTE, len(values), values
        else:
            values = list(values) if isinstance(values, (list, tuple)) else [values]
            kind = TIFF_SHORT if number not in (273, 279, 324, 325) and max(values) < 65536 else TIFF_LONG
            length = len(values)
            stored = b"".join(struct.pack(order + ("H" if kind == TIFF_SHORT else "I"), value) for value in values)
        if len(stored) > room:
            place = struct.pack(order + field, len(data))
            data += stored + b"\0" * (len(stored) % 2)
            stored = place
        entries.append(struct.pack(order + "HH" + field, number, kind, length) + stored.ljust(room, b"\0"))
    start = len(data)
    data += struct.pack(order + count, len(entries)) + b"".join(entries) + struct.pack(order + field, 0)
    return data[:8] + struct.pack("<Q", start) + data[16:] if large else data[:4] + struct.pack(order + "I", start) + data[8:]


def tiff_lines(array: np.ndarray, bits: int, order: str = "<") -> list:
    """array: [height, width, samples]; each row of numbers as the file has it."""
    if array.dtype.kind == "f" or bits > 16:
        return [row.astype(array.dtype.newbyteorder(order)).tobytes() for row in array]
    if bits == 16:
        return [row.astype(order + ("i2" if array.dtype.kind == "i" else "u2")).tobytes() for row in array]
    return [packed(row, bits) for row in array]


def tiff_of(array: np.ndarray, photometric: int, bits: int, extra: tuple = (), order: str = "<", rows: int | None = None,
            tile: int = 0, separate: bool = False, fill: int = 1, pack=None, compression: int = 1, more: dict | None = None,
            large: bool = False) -> bytes:
    """array: [height, width, samples]. `pack` compresses a strip or a tile; `rows`: of a strip; `tile`: its side."""
    height, width, samples = array.shape
    tags = {256: width, 257: height, 258: [bits] * samples, 259: compression, 262: photometric, 277: samples,
            284: 2 if separate else 1}
    tags |= {338: list(extra)} if extra else {}
    tags |= {266: 2} if fill == 2 else {}
    tags |= {322: tile, 323: tile} if tile else {278: rows or height}
    out = []
    for plane in ([array[:, :, i:i + 1] for i in range(samples)] if separate else [array]):
        if tile:
            down, right = -(-height // tile), -(-width // tile)
            whole = np.zeros((down * tile, right * tile, plane.shape[2]), plane.dtype)
            whole[:height, :width] = plane
            parts = [whole[y * tile:(y + 1) * tile, x * tile:(x + 1) * tile] for y in range(down) for x in range(right)]
        else:
            parts = [plane[y:y + (rows or height)] for y in range(0, height, rows or height)]
        for part in parts:
            data = b"".join(tiff_lines(part, bits, order))
            data = pack(data) if pack else data
            if fill == 2:
                data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
            out.append(data)
    return tiff(out, tags | (more or {}), order, large, bool(tile))
