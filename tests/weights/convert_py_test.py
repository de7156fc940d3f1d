"""Tests of weights/convert.py and weights/torch_file.py.   python3 convert_py_test.py TESSERA   (77: NumPy is missing)"""
import argparse
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
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

from convert import read_tensors  # noqa: E402
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


class Checkpoints(unittest.TestCase):
    """Dicts of training scripts around a state dict, in the older container, written without PyTorch."""

    def write(self, file, state):
        for value in (0x1950A86A20F9469CFC6C, 1001, {}):
            pickle.dump(value, file, protocol=2)
        pickler = TensorPickler(file, protocol=2)
        pickler.dump(state)
        pickle.dump(pickler.keys, file, protocol=2)
        for values in pickler.values:
            file.write(struct.pack("<q", values.size) + values.tobytes())
        file.flush()

    def read(self, state, **options):
        notes = []
        with tempfile.NamedTemporaryFile(suffix=".pth.tar") as file:
            self.write(file, state)
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
        state = read_tensors(os.path.join(DATA, "timm_vit.pth"))
        self.assertEqual(state["patch_embed.proj.weight"].dtype, np.float16)
        self.assertEqual(state["pos_embed"].shape, (1, 5, 16))


if __name__ == "__main__":
    unittest.main()
