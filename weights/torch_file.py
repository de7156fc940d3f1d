"""Reads PyTorch state dicts (.pth, .pt, .bin) with NumPy alone, and without running what a pickle asks for.

Both containers are read: the zip file of torch >= 1.6 and the older sequence of pickles. The unpickler knows the few
names that a state dict of tensors needs; any other is refused, so that a hostile file cannot run code.
"""
import collections
import io
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class Storage:
    """A storage of the file; its values come later in the older container."""

    def __init__(self, kind: str, values=None):
        self.kind = kind
        self.values = values


def rebuild_tensor(storage, offset, size, stride, *_):
    return ("tensor", storage, offset, tuple(size), tuple(stride))


class StateDictUnpickler(pickle.Unpickler):
    def __init__(self, file, load_storage):
        super().__init__(file)
        self.load_storage = load_storage

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}; only tensors are read")

    def persistent_load(self, identifier):
        _, kind, key, _, count = identifier[:5]
        return self.load_storage(kind, key, count)


def materialise(entry) -> np.ndarray:
    _, storage, offset, size, stride = entry
    values = storage.values
    span = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if all(n > 0 for n in size) else 0
    if offset < 0 or any(s < 0 for s in stride) or offset + span > values.size:
        raise ValueError("a tensor reaches beyond its storage")
    view = np.lib.stride_tricks.as_strided(values[offset:], size, [s * values.itemsize for s in stride])
    array = np.ascontiguousarray(view)
    if storage.kind == "BFloat16Storage":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def read_zip(path: str):
    archive = zipfile.ZipFile(path)
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("no data.pkl: not a PyTorch file")
    root = pickles[0][: -len("data.pkl")]
    loaded = {}

    def load_storage(kind, key, count):
        if key not in loaded:
            values = np.frombuffer(archive.read(f"{root}data/{key}"), dtype=STORAGES[kind])
            loaded[key] = Storage(kind, values)
        return loaded[key]

    return StateDictUnpickler(io.BytesIO(archive.read(pickles[0])), load_storage).load()


def read_legacy(path: str):
    with open(path, "rb") as file:
        plain = lambda: StateDictUnpickler(file, None).load()  # noqa: E731
        if plain() != LEGACY_MAGIC:
            raise ValueError("not a PyTorch file")
        plain()  # protocol
        plain()  # system
        loaded = {}

        def load_storage(kind, key, count):
            return loaded.setdefault(key, Storage(kind))

        state = StateDictUnpickler(file, load_storage).load()
        for key in plain():
            (count,) = struct.unpack("<q", file.read(8))
            dtype = np.dtype(STORAGES[loaded[key].kind])
            raw = file.read(count * dtype.itemsize)
            if len(raw) != count * dtype.itemsize:
                raise ValueError("the file is cut off")
            loaded[key].values = np.frombuffer(raw, dtype=dtype)
        return state


def read_state_dict(path: str) -> dict:
    """Tensors by name. A dict that holds the state dict under 'state_dict' or 'model' is looked into."""
    state = read_zip(path) if zipfile.is_zipfile(path) else read_legacy(path)
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    return {name: materialise(entry) for name, entry in state.items()
            if isinstance(entry, tuple) and entry and entry[0] == "tensor"}
