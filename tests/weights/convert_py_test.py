"""Tests of weights/convert.py, torch_file.py and onnx_file.py.   python3 convert_py_test.py TESSERA   (77: NumPy is missing)"""
import argparse
import importlib.util
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import types
import unittest

try:
    import numpy as np
except ImportError:
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data", "weights")
WEIGHTS = os.path.join(HERE, "..", "..", "weights")
TESSERA = sys.argv.pop(1)
sys.path.insert(0, WEIGHTS)

from convert import digest_of, read_tensors  # noqa: E402
from onnx_file import INSTEAD, RULE, SIGNATURE, external_value, tensors_of  # noqa: E402
from torch_file import read_state_dict  # noqa: E402


class TorchFiles(unittest.TestCase):
    def check(self, name):
        state = read_state_dict(os.path.join(DATA, name))
        np.testing.assert_array_equal(state["a.weight"], np.arange(12.0).reshape(3, 4))
        np.testing.assert_array_equal(state["a.bias"], [1.5, -2])
        np.testing.assert_array_equal(state["transposed"], np.arange(6.0).reshape(2, 3).T)
        np.testing.assert_array_equal(state["half"], [0.5, 65504])
        np.testing.assert_array_equal(state["brain"], [1, -3])
        np.testing.assert_array_equal(state["slice"], [3, 4, 5])
        np.testing.assert_array_equal(state["parameter"], [2.5])
        self.assertEqual(state["count"], 7)
        self.assertEqual(len(state), 8)

    def test_zip_container(self):
        self.check("state_dict.pth")

    def test_older_container(self):
        self.check("legacy.pth")

    def test_code_in_a_pickle_is_refused(self):
        with self.assertRaisesRegex(Exception, "asks for .*system"):
            read_state_dict(os.path.join(DATA, "hostile.pth"))

    def test_cut_off_files_are_refused(self):
        for name in ("state_dict.pth", "legacy.pth"):
            with open(os.path.join(DATA, name), "rb") as file:
                whole = file.read()
            for part in range(0, len(whole), 61):
                with tempfile.NamedTemporaryFile(suffix=".pth") as cut:
                    cut.write(whole[:part])
                    cut.flush()
                    with self.assertRaises(Exception, msg=f"{name} cut at {part}"):
                        read_state_dict(cut.name)


def write_legacy(file, state):
    for value in (0x1950A86A20F9469CFC6C, 1001, {}):
        pickle.dump(value, file, protocol=2)
    pickler = TensorPickler(file, protocol=2)
    pickler.dump(state)
    pickle.dump(pickler.keys, file, protocol=2)
    for values in pickler.values:
        file.write(struct.pack("<q", values.size) + values.tobytes())
    file.flush()


class Checkpoints(unittest.TestCase):
    """Dicts of training scripts around a state dict, in the older container, written without PyTorch."""

    def read(self, state, **options):
        notes = []
        with tempfile.NamedTemporaryFile(suffix=".pth.tar") as file:
            write_legacy(file, state)
            return read_state_dict(file.name, note=notes.append, **options), notes

    def test_averaged_weights_are_preferred_and_it_is_said(self):
        state = {"state_dict": {"a": Values([1.0])}, "state_dict_ema": {"a": Values([2.0])}, "epoch": 3}
        tensors, notes = self.read(state)
        np.testing.assert_array_equal(tensors["a"], [2])
        self.assertEqual(notes, ["took 'state_dict_ema' of the checkpoint, not 'state_dict' (--no-ema takes the other)"])
        np.testing.assert_array_equal(self.read(state, averaged=False)[0]["a"], [1])
        np.testing.assert_array_equal(self.read({"model_ema": {"a": Values([5.0])}})[0]["a"], [5])

    def test_dinos_teacher_is_taken(self):
        tensors, notes = self.read({"student": {"a": Values([1.0])}, "teacher": {"a": Values([2.0])}})
        np.testing.assert_array_equal(tensors["a"], [2])
        self.assertIn("'teacher'", notes[0])

    def test_options_and_numbers_of_training_are_passed_over(self):
        state = {"args": argparse.Namespace(lr=0.1, nested={"a": [1]}), "best": np.float64(0.7), "model": {"a": Values([4.0])}}
        np.testing.assert_array_equal(self.read(state)[0]["a"], [4])

    def test_a_checkpoint_without_tensors_is_refused(self):
        with self.assertRaisesRegex(ValueError, "holds no tensors; its keys are 'epoch'"):
            self.read({"epoch": 1})


class Shards(unittest.TestCase):
    """pytorch_model.bin.index.json and its files."""

    FIRST, SECOND = "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"

    def read(self, weight_map, shards=None):
        with tempfile.TemporaryDirectory() as folder:
            folder = os.path.join(folder, "model")
            os.mkdir(folder)
            for name, state in (shards or {self.FIRST: {"a": Values([1.0])}, self.SECOND: {"b": Values([2.0])}}).items():
                with open(os.path.join(folder, name), "wb") as file:
                    write_legacy(file, state)
            index = os.path.join(folder, "pytorch_model.bin.index.json")
            text = weight_map if isinstance(weight_map, str) else json.dumps({"metadata": {}, "weight_map": weight_map})
            with open(index, "w", encoding="utf-8") as file:
                file.write(text)
            return read_tensors(index)

    def refused(self, message, *arguments):
        with self.assertRaisesRegex(ValueError, message):
            self.read(*arguments)

    def test_every_tensor_comes_from_its_shard(self):
        tensors, files = self.read({"a": self.FIRST, "b": self.SECOND})
        np.testing.assert_array_equal(tensors["a"], [1])
        np.testing.assert_array_equal(tensors["b"], [2])
        self.assertEqual([os.path.basename(file) for file in files], [self.FIRST, self.SECOND])

    def test_shards_that_are_not_what_the_index_says_are_refused_by_name(self):
        both = {"a": self.FIRST, "b": self.SECOND}
        self.refused(f"{self.SECOND}: there is no such file", both, {self.FIRST: {"a": Values([1.0])}})
        self.refused(f"{self.SECOND}: lacks 'c', which the index says it holds", {**both, "c": self.SECOND})
        twice = {self.FIRST: {"a": Values([1.0])}, self.SECOND: {"a": Values([3.0]), "b": Values([2.0])}}
        self.refused(f"{self.SECOND}: holds 'a', and the index has it in {self.FIRST}", both, twice)
        self.refused(f"{self.SECOND}: holds 'b', and the index does not name it", {"a": self.FIRST, "d": self.SECOND})

    def test_indices_that_cannot_be_used_are_refused(self):
        for place in ("../outside.bin", "/etc/passwd", "..", ""):
            self.refused("is not a file beside it", {"a": self.FIRST, "b": place})
        for text in ("[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": ["a"]}'):
            self.refused("has no weight_map from tensors to files", text)
        self.refused("names 'a' twice", f'{{"weight_map": {{"a": "{self.FIRST}", "b": "{self.SECOND}", "a": "{self.SECOND}"}}}}')


class Values(list):
    """A tensor to be."""


class TensorPickler(pickle._Pickler):
    """Writes Values as PyTorch writes float tensors."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.keys, self.values = [], []

    def persistent_id(self, value):
        return value[1:] if isinstance(value, tuple) and value and value[0] == "a storage" else None

    def save(self, value, save_persistent_id=True):
        if not isinstance(value, Values):
            super().save(value, save_persistent_id)
            return
        key = str(len(self.keys))
        self.keys.append(key)
        self.values.append(np.array(value, "<f4"))
        self.write(b"ctorch._utils\n_rebuild_tensor_v2\n")
        self.write(b"(")
        super().save(("storage", "FloatStorage", key, "cpu", len(value)), save_persistent_id)
        self.write(b"Q")
        for part in (0, (len(value),), (1,)):
            super().save(part)
        self.write(b"tR")


def node(op_type, inputs, name="", output="", rule=None):
    metadata = [] if rule is None else [types.SimpleNamespace(key=RULE, value=rule)]
    return types.SimpleNamespace(op_type=op_type, input=inputs, name=name, output=[output], metadata_props=metadata)


def graph(nodes, signature=None):
    metadata = [] if signature is None else [types.SimpleNamespace(key=SIGNATURE, value=signature)]
    return types.SimpleNamespace(node=nodes, metadata_props=metadata)


class OnnxNames(unittest.TestCase):
    """Graphs as PyTorch's exporters write them, without the onnx package."""

    SIGNATURE = """
# inputs
p_conv1_weight: PARAMETER target='conv1.weight'
p_bn1_weight: PARAMETER target='bn1.weight'
b_bn1_running_var: BUFFER target='bn1.running_var' persistent=True
b_bn1_num_batches_tracked: BUFFER target='bn1.num_batches_tracked' persistent=True
p_mask_token: PARAMETER target='mask_token'
x: USER_INPUT
"""

    def test_todays_exporter_lists_the_models_tensors(self):
        values = {"conv1.weight": np.ones((1, 3, 2, 2)), "bn1.weight": np.ones(1), "bn1.running_var": np.ones(1), "val_7": np.ones(4)}
        tensors = tensors_of(graph([], self.SIGNATURE), values)
        self.assertEqual(list(tensors), ["conv1.weight", "bn1.weight", "bn1.running_var"])

    def test_what_todays_exporter_folded_is_refused_by_name(self):
        for lost in ("bn1.weight", "bn1.running_var"):
            values = {name: np.ones(1) for name in ("conv1.weight", "bn1.weight", "bn1.running_var", "expand") if name != lost}
            with self.assertRaisesRegex(ValueError, f"the exporter left '{lost}' out or folded it.*state dict itself"):
                tensors_of(graph([], self.SIGNATURE), values)
        with self.assertRaisesRegex(ValueError, "'conv1.weight' and 2 more of the model's tensors"):
            tensors_of(graph([], self.SIGNATURE), {})

    def test_a_convolution_with_its_batch_norm_in_it_is_refused_by_name(self):
        # The convolution keeps its name, its values are others.
        nodes = [node("Conv", ["x", "conv1.weight", "conv1.weight_bias"], rule="FuseBatchNormIntoConv, RemoveOptionalBias")]
        for signature in (None, self.SIGNATURE):
            with self.assertRaises(ValueError) as caught:
                tensors_of(graph(nodes, signature), {"conv1.weight": np.ones((1, 3, 2, 2))})
            self.assertIn("folded a batch norm into 'conv1.weight'", str(caught.exception))
            self.assertIn(INSTEAD, str(caught.exception))
        with self.assertRaisesRegex(ValueError, "folded what follows /conv1/Conv into its weights"):
            tensors_of(graph([node("Conv", ["x", "onnx::Conv_193"], "/conv1/Conv")]), {"onnx::Conv_193": np.ones((1, 3, 2, 2))})

    def test_the_older_exporters_linear_layers_have_their_nodes_names(self):
        nodes = [node("MatMul", ["x", "onnx::MatMul_9"], "/blocks/blocks.0/attn/qkv/MatMul"),
                 node("Identity", ["blocks.0.norm1.weight"], output="norm.weight")]
        values = {"blocks.0.norm1.weight": np.ones(2), "onnx::MatMul_9": np.arange(6.0).reshape(2, 3)}
        tensors = tensors_of(graph(nodes), values)
        self.assertEqual(sorted(tensors), ["blocks.0.attn.qkv.weight", "blocks.0.norm1.weight", "norm.weight"])
        np.testing.assert_array_equal(tensors["blocks.0.attn.qkv.weight"], values["onnx::MatMul_9"].T)


class OnnxData(unittest.TestCase):
    """Values that lie in a file beside the .onnx."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "deep", "model.onnx")
        os.mkdir(os.path.dirname(self.path))
        for name in (self.path + ".data", os.path.join(self.folder.name, "outside.data")):
            with open(name, "wb") as file:
                file.write(np.arange(6, dtype="<f4").tobytes())

    def read(self, location="model.onnx.data", dims=(2, 2), kind=1, **place):
        entries = [types.SimpleNamespace(key=key, value=str(value)) for key, value in {"location": location, **place}.items()]
        return external_value(self.path, types.SimpleNamespace(name="fc.weight", dims=dims, data_type=kind, external_data=entries))

    def test_values_are_read_where_they_lie(self):
        np.testing.assert_array_equal(self.read(offset=8, length=16), [[2, 3], [4, 5]])
        np.testing.assert_array_equal(self.read(), [[0, 1], [2, 3]])
        np.testing.assert_array_equal(self.read(dims=(2,), kind=16, offset=4), [0, 1])  # bfloat16: the halves of 1.0f

    def test_places_outside_of_the_file_are_refused(self):
        for place in ({"offset": 12}, {"offset": -4}, {"length": 8}, {"length": -16}, {"offset": 1 << 70}, {"dims": (1 << 40, 1)},
                      {"dims": (-2, -2)}, {"kind": 99}):
            with self.assertRaisesRegex(ValueError, "'fc.weight'"):
                self.read(**place)

    def test_files_outside_of_the_folder_are_refused(self):
        outside = os.path.join(self.folder.name, "outside.data")
        for location in ("../outside.data", outside, "", "..", "./model.onnx.data"):
            with self.assertRaisesRegex(ValueError, "is not a file beside it"):
                self.read(location)
        os.symlink(outside, os.path.join(os.path.dirname(self.path), "link.data"))
        with self.assertRaisesRegex(ValueError, "link.data is a link to another folder"):
            self.read("link.data")
        with self.assertRaisesRegex(ValueError, "lost.data: there is no such file, which model.onnx needs"):
            self.read("lost.data")

    def test_links_of_the_hubs_cache_are_followed(self):
        blob = os.path.join(self.folder.name, "blob")
        os.rename(self.path + ".data", os.path.join(self.folder.name, "data-blob"))
        for target, link in ((blob, self.path), (os.path.join(self.folder.name, "data-blob"), self.path + ".data")):
            open(target, "ab").close()
            os.symlink(target, link)
        np.testing.assert_array_equal(self.read(), [[0, 1], [2, 3]])

    @unittest.skipUnless(importlib.util.find_spec("onnx"), "needs the onnx package")
    def test_a_whole_file(self):
        import onnx
        from onnx import helper, numpy_helper

        inline = numpy_helper.from_array(np.float32([7, 8]), "fc.bias")
        apart = onnx.TensorProto(name="fc.weight", dims=[2, 2], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
        for key, value in {"location": "model.onnx.data", "offset": "8", "length": "16"}.items():
            apart.external_data.add(key=key, value=value)
        onnx.save(helper.make_model(helper.make_graph([], "g", [], [], [inline, apart])), self.path)
        tensors, files = read_tensors(self.path)
        np.testing.assert_array_equal(tensors["fc.weight"], [[2, 3], [4, 5]])
        np.testing.assert_array_equal(tensors["fc.bias"], [7, 8])
        self.assertEqual(files, [self.path, self.path + ".data"])
        # Other values are another file.
        before = digest_of(files)
        with open(self.path + ".data", "r+b") as file:
            file.write(b"x")
        self.assertNotEqual(digest_of(files), before)


class Script(unittest.TestCase):
    def run_script(self, *arguments):
        command = [sys.executable, os.path.join(WEIGHTS, "convert.py"), *arguments, "--tessera", TESSERA]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_gives_the_weights_that_safetensors_give(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.h5")
            direct = subprocess.run([TESSERA, "convert", os.path.join(DATA, "timm_vit"), "-o", out],
                                    capture_output=True, text=True, check=True)
            pth = os.path.join(DATA, "timm_vit.pth")
            # The weights alone do not say how many heads they have.
            alone = self.run_script(pth, "-o", out)
            self.assertEqual(alone.returncode, 4)
            self.assertIn(f"{pth}: nothing says how many attention heads", alone.stderr)
            script = self.run_script(pth, "--config", os.path.join(DATA, "timm_vit", "config.json"), "-o", out)
        self.assertEqual(script.returncode, 0, script.stderr)
        hashes = [[line for line in text.splitlines() if line.startswith("  weights ")]
                  for text in (direct.stdout, script.stdout)]
        self.assertEqual(len(hashes[0]), 1, direct.stdout)
        self.assertEqual(hashes[0], hashes[1])

    def test_bad_files_are_model_file_errors(self):
        for name in ("hostile.pth", "missing.pth", "hf_resnet_names.json"):
            result = self.run_script(os.path.join(DATA, name), "-o", "/dev/null/never.h5")
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn(name, result.stderr)

    def test_the_json_beside_a_file_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(os.path.join(DATA, "timm_vit.pth"), os.path.join(folder, "pytorch_model.bin"))
            shutil.copy(os.path.join(DATA, "timm_vit", "config.json"), folder)
            out = os.path.join(folder, "out.h5")
            for source in (folder, os.path.join(folder, "pytorch_model.bin")):
                result = self.run_script(source, "-o", out)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("crop 32, mean 0.5", result.stdout)
                self.assertIn(f"{os.path.basename(folder)} (vit_tiny_patch16_224", result.stdout)
            # What is wrong with it is said of the user's file.
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
                file.write('{"architecture": "resnet50d"}')
            result = self.run_script(folder, "-o", out)
            self.assertEqual(result.returncode, 4)
            self.assertIn(os.path.join(folder, "pytorch_model.bin") + ": config.json's architecture 'resnet50d'", result.stderr)

    def test_safetensors_values_survive(self):
        state, _ = read_tensors(os.path.join(DATA, "timm_vit.pth"))
        self.assertEqual(state["patch_embed.proj.weight"].dtype, np.float16)
        self.assertEqual(state["pos_embed"].shape, (1, 5, 16))


if __name__ == "__main__":
    unittest.main()
