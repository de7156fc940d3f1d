"""Tests of weights/convert.py and weights/torch_file.py.   python3 convert_py_test.py TESSERA   (77: NumPy is missing)"""
import os
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

from convert import read_tensors, rename_efficientnet_lite  # noqa: E402
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


class Names(unittest.TestCase):
    def test_efficientnet_lite(self):
        expected = {
            "_conv_stem.weight": "conv_stem.weight",
            "_bn0.running_var": "bn1.running_var",
            "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
            "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
            "_blocks.0._bn2.bias": "blocks.0.0.bn2.bias",
            "_blocks.1._expand_conv.weight": "blocks.1.0.conv_pw.weight",
            "_blocks.2._bn0.weight": "blocks.1.1.bn1.weight",
            "_blocks.15._project_conv.weight": "blocks.6.0.conv_pwl.weight",
            "_blocks.15._bn2.running_mean": "blocks.6.0.bn3.running_mean",
            "_conv_head.weight": "conv_head.weight",
            "_bn1.weight": "bn2.weight",
            "_fc.bias": "classifier.bias",
        }
        renamed = rename_efficientnet_lite({name: name for name in expected})
        self.assertEqual(renamed, {ours: theirs for theirs, ours in expected.items()})


class Script(unittest.TestCase):
    def run_script(self, *arguments):
        command = [sys.executable, os.path.join(WEIGHTS, "convert.py"), *arguments, "--tessera", TESSERA]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_gives_the_weights_that_safetensors_give(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.h5")
            direct = subprocess.run([TESSERA, "convert", os.path.join(DATA, "timm_vit"), "-o", out],
                                    capture_output=True, text=True, check=True)
            script = self.run_script(os.path.join(DATA, "timm_vit.pth"), "-o", out)
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

    def test_safetensors_values_survive(self):
        state = read_tensors(os.path.join(DATA, "timm_vit.pth"))
        self.assertEqual(state["patch_embed.proj.weight"].dtype, np.float16)
        self.assertEqual(state["pos_embed"].shape, (1, 5, 16))


if __name__ == "__main__":
    unittest.main()
