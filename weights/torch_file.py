"""Reads PyTorch state dicts (.pth, .pt, .bin) with NumPy alone, and without running what a pickle asks for.

Both containers are read: the zip file of torch >= 1.6 and the older sequence of pickles. The unpickler knows the few
names that a state dict of tensors needs; what training scripts keep beside it (their options, NumPy's numbers) is stood
for by objects that hold nothing; any other name is refused, so that a hostile file cannot run code.
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


class Opaque:
    """Stands for an object that is no weight; takes whatever a pickle does to it, and keeps nothing."""

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, _):
        pass

    def __setitem__(self, _, __):
        pass

    def append(self, _):
        pass

    def extend(self, _):
        pass

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return isinstance(other, Opaque)


OPAQUE = {
    ("argparse", "Namespace"), ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"),
    ("numpy", "dtype"), ("_codecs", "encode"), ("collections", "defaultdict"), ("builtins", "set"), ("builtins", "dict"),
    ("torch", "device"), ("torch", "Size"), ("torch", "float32"), ("torch", "float16"), ("torch", "bfloat16"),
    ("pathlib", "PosixPath"), ("pathlib", "Path"), ("datetime", "datetime"), ("collections", "Counter"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"), ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning.pytorch.utilities.parsing", "AttributeDict"),
}


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
        if (module, name) in OPAQUE or module.startswith("numpy.dtypes"):
            return Opaque
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}; only tensors are read: save the model's state_dict()")

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


# Where training scripts keep the weights, the better first: averaged ones as timm prefers them, DINO's teacher.
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict")
PLAIN = ("state_dict", "model", "model_state_dict", "teacher", "net", "weights")


def read_state_dict(path: str, averaged: bool = True, note=lambda text: None) -> dict:
    """Tensors by name. Tells `note` which part of a checkpoint was taken; without `averaged` not the EMA weights."""
    state = read_zip(path) if zipfile.is_zipfile(path) else read_legacy(path)
    while isinstance(state, dict):
        there = [key for key in AVERAGED + PLAIN if isinstance(state.get(key), dict) and state[key]]
        chosen = next((key for key in there if averaged or key not in AVERAGED), None)
        if chosen is None:
            break
        others = [key for key in there if key != chosen]
        note(f"took '{chosen}' of the checkpoint" + (f", not {', '.join(repr(key) for key in others)}" if others else "")
             + (" (--no-ema takes the other)" if chosen in AVERAGED and others else ""))
        state = state[chosen]
    if not isinstance(state, dict):
        raise ValueError("holds no dict of tensors")
    tensors = {name: materialise(entry) for name, entry in state.items()
               if isinstance(name, str) and isinstance(entry, tuple) and entry and entry[0] == "tensor"}
    if not tensors:
        raise ValueError("holds no tensors; its keys are " + ", ".join(repr(key) for key in list(state)[:8]))
    return tensors
