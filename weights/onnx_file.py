"""Reads the weights of .onnx files under the names of the state dict that was exported.

PyTorch has two exporters. The older one (TorchScript) keeps the names of parameters, but not those of a linear layer's
weight. Today's (`dynamo=True`) keeps all names, lists them in the graph's metadata and puts the values into a file beside
the .onnx; its optimiser then folds batch norms and constants, after which some tensors are no longer those of the model.
What cannot be named with certainty is refused.
"""
import math
import os
import re

import numpy as np

SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
RULE = "pkg.onnxscript.rewriter.rule_name"
INSTEAD = ("convert the state dict itself (torch.save(model.state_dict(), 'model.pth')), or export with "
           "torch.onnx.export(..., dynamo=True, optimize=False)")

# ONNX's numbers of element types, as the bytes of a tensor hold them.
BFLOAT16 = 16
TYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8",
         12: "<u4", 13: "<u8", BFLOAT16: "<u2"}


def beside(path: str, name: str) -> str:
    """The file `name` in the folder of `path`. Links may lead to where `path` itself leads, as the hub's cache has it."""
    found = os.path.join(os.path.dirname(path), name)
    if name in ("", ".", "..") or os.path.basename(name) != name or "\\" in name:
        raise ValueError(f"'{name}' is not a file beside it")
    if not os.path.isfile(found):
        raise ValueError(f"{found}: there is no such file, which {os.path.basename(path)} needs")
    folders = {os.path.realpath(os.path.dirname(path)), os.path.dirname(os.path.realpath(path))}
    if os.path.dirname(os.path.realpath(found)) not in folders:
        raise ValueError(f"{found} is a link to another folder")
    return found


def from_bytes(raw: bytes, kind: int, shape: list) -> np.ndarray:
    values = np.frombuffer(raw, dtype=TYPES[kind]).reshape(shape)
    return (values.astype(np.uint32) << 16).view(np.float32) if kind == BFLOAT16 else values


def external_value(path: str, tensor) -> np.ndarray:
    """A tensor whose values lie in a file beside the .onnx at `path`."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    shape = list(tensor.dims)
    if tensor.data_type not in TYPES or any(n < 0 for n in shape):
        raise ValueError(f"'{tensor.name}' has the shape {shape} and ONNX's type {tensor.data_type}, which is not read")
    data = beside(path, place.get("location", ""))
    size = math.prod(shape) * np.dtype(TYPES[tensor.data_type]).itemsize
    offset, length = int(place.get("offset", 0)), int(place.get("length", size))
    if length != size or offset < 0 or offset + length > os.path.getsize(data):
        raise ValueError(f"'{tensor.name}' {shape} takes {size} bytes, and is said to be {length} bytes at {offset} of "
                         f"{os.path.basename(data)}, which has {os.path.getsize(data)}")
    with open(data, "rb") as file:
        file.seek(offset)
        return from_bytes(file.read(length), tensor.data_type, shape)


def metadata_of(entry) -> dict:
    return {item.key: item.value for item in getattr(entry, "metadata_props", ())}


def refuse_folded_norms(graph) -> None:
    """A batch norm that was folded leaves a convolution with its old name and other values."""
    for node in graph.node:
        if "BatchNorm" in metadata_of(node).get(RULE, ""):
            raise ValueError(f"the exporter folded a batch norm into '{node.input[1]}', so that the model's own weights "
                             f"are not in the file: {INSTEAD}")


def signed_tensors(signature: str, values: dict) -> dict:
    """The parameters and buffers of the module, as today's exporter lists them."""
    kinds = {name: kind for kind, name in re.findall(r"^\S+: (PARAMETER|BUFFER) target='([^']+)'", signature, re.M)}
    missing = [name for name, kind in kinds.items() if name not in values and not name.endswith("mask_token")
               and (kind == "PARAMETER" or name.endswith(("running_mean", "running_var")))]
    if missing:
        more = f" and {len(missing) - 1} more of the model's tensors" if len(missing) > 1 else ""
        raise ValueError(f"the exporter left '{missing[0]}'{more} out or folded it into others: {INSTEAD}")
    return {name: values[name] for name in kinds if name in values}


def module_of(node_name: str) -> str:
    """/blocks/blocks.0/attn/qkv/MatMul -> blocks.0.attn.qkv: a Sequential's name stands alone and in its children's."""
    parts = node_name.strip("/").removesuffix("/MatMul").split("/")
    return ".".join(part for part, after in zip(parts, [*parts[1:], ""]) if not after.startswith(part + "."))


def named_tensors(graph, values: dict) -> dict:
    """Without that list. The older exporter generates names with '::': a MatMul's weight is transposed, its node names it."""
    tensors = {name: value for name, value in values.items() if "::" not in name}
    positions, folded = [], []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # equal tensors are stored once
            tensors[node.output[0]] = values[node.input[0]]
        weight = next((i for i in node.input if i in values and "::" in i), None)
        if weight is None:
            continue
        if node.op_type == "MatMul" and values[weight].ndim == 2:
            tensors[module_of(node.name) + ".weight"] = values[weight].T
        elif values[weight].ndim == 3 and "embeddings" in node.name:
            positions.append(values[weight])
        elif node.op_type == "Conv":
            folded.append(node.name)
    if len(positions) == 2:  # the class token's position and the patches', cut apart by the export
        positions.sort(key=lambda value: value.shape[1])
        tensors["embeddings.position_embeddings"] = np.concatenate(positions, axis=1)
    backbone = {name.removeprefix("backbone."): value for name, value in tensors.items()
                if name.startswith("backbone.") or name == "embeddings.position_embeddings"}
    if folded and not backbone:
        raise ValueError(f"the exporter folded what follows {folded[0]} into its weights, so that the model's own weights "
                         f"are not in the file: {INSTEAD}")
    return backbone or tensors


def tensors_of(graph, values: dict) -> dict:
    refuse_folded_norms(graph)
    signature = metadata_of(graph).get(SIGNATURE)
    return named_tensors(graph, values) if signature is None else signed_tensors(signature, values)


def read_onnx(path: str) -> tuple:
    """The tensors by state-dict name, and the files that hold them."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path, load_external_data=False).graph
    values, files = {}, {path}
    for tensor in graph.initializer:
        if tensor.name in values:
            raise ValueError(f"has two tensors with the name '{tensor.name}'")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            values[tensor.name] = external_value(path, tensor)
            files.update(beside(path, e.value) for e in tensor.external_data if e.key == "location")
        elif tensor.raw_data and tensor.data_type in TYPES:
            values[tensor.name] = from_bytes(tensor.raw_data, tensor.data_type, list(tensor.dims))
        else:
            values[tensor.name] = numpy_helper.to_array(tensor)
    return tensors_of(graph, values), sorted(files)
