#!/usr/bin/env python3
"""Makes models/timm_table.inc: timm's architectures, each with the arguments of its constructor, and timm's weights.

    python timm_table.py --results DIR --tessera TESSERA -o ../../models/timm_table.inc

DIR holds two tables that timm publishes: results-imagenet.csv and benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv.

An architecture has timm's class and the arguments that timm gives it (types by their names in small letters, a partial as
{"partial": name, its arguments}). Which of them tessera builds is not said here: models/ decides it, by reading the
arguments as it reads those of a config.json. Of those that TESSERA says it builds, parameters, multiply-adds and a digest of
the names and shapes of all tensors are counted on timm's modules, without memory (architectures.py). Of the others parameters
and multiply-adds are timm's published ones, rounded to ten thousand and to ten million. After a new family the script is
called twice: the binary knows what it builds by the first table.
"""
import argparse
import csv
import functools
import importlib
import json
import pkgutil
import subprocess
import sys

import timm
import timm.models
import torch
from architectures import EXTRA, create, input_size, multiply_adds
from seeded import fnv1a

registry = timm.models._registry


class ArchDef(list):
    """What decode_arch_def() gives, and the text that it was made of."""

    text = None


class Caught(Exception):
    """Thrown in the place of making a model."""


class Constructors:
    """The class and the arguments with which timm makes its models."""

    def __init__(self):
        self.last = ("", {})
        self.make = True
        for info in pkgutil.iter_modules(timm.models.__path__):
            module = importlib.import_module("timm.models." + info.name)
            if hasattr(module, "build_model_with_cfg") and info.name != "_builder":
                module.build_model_with_cfg = self.keep(module.build_model_with_cfg)
            if hasattr(module, "decode_arch_def") and info.name != "_efficientnet_builder":
                module.decode_arch_def = self.keep_text(module.decode_arch_def)

    def keep(self, original):
        def build(cls, variant, pretrained, *rest, **arguments):
            ours = {key: plain(value) for key, value in sorted(arguments.items()) if not key.startswith("pretrained")}
            for key in ("feature_cfg", "features_only", "kwargs_filter", "cache_dir", "num_classes"):
                ours.pop(key, None)
            self.last = (getattr(cls, "__name__", ""), {key: value for key, value in ours.items() if value is not None})
            if not self.make:
                raise Caught
            return original(cls, variant, pretrained, *rest, **arguments)

        return build

    def of(self, name: str, make: bool) -> tuple:
        """Class, arguments, and the model or None."""
        self.last, self.make, model = ("", {}), make, None
        try:
            with torch.device("meta"):
                model = create(name).eval()
        except Caught:
            pass
        except Exception as error:  # noqa: BLE001: the row then says nothing of it
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return (*(EXTRA[name] if name in EXTRA else self.last), model)

    @staticmethod
    def keep_text(original):
        @functools.wraps(original)
        def decode(arch_def, depth_multiplier=1.0, *rest, **more):
            made = ArchDef(original(arch_def, depth_multiplier, *rest, **more))
            made.text = {"arch": arch_def, "depth_multiplier": depth_multiplier, **more}
            return made

        return decode


def plain(value):
    """An argument as JSON."""
    if isinstance(value, ArchDef):
        return value.text
    if isinstance(value, functools.partial):
        return {"partial": plain(value.func), **{key: plain(entry) for key, entry in value.keywords.items()}}
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if callable(value):
        return getattr(value, "__name__", type(value).__name__).lower()
    return {key: plain(entry) for key, entry in vars(value).items() if entry is not None}


def digest_of_tensors(model) -> int:
    """Of the lines "NAME 64x3x7x7" in their order, without counters."""
    lines = sorted(f"{name} {'x'.join(str(side) for side in tensor.shape)}\n" for name, tensor in model.state_dict().items()
                   if not name.endswith("num_batches_tracked"))
    return fnv1a("".join(lines))


def quoted(value) -> str:
    return json.dumps("" if value is None else str(value))


def number(value) -> str:
    return repr(round(float(value), 6))


class Published:
    """timm's tables: accuracies by weights, parameters and multiply-adds by architecture and size of picture."""

    def __init__(self, folder: str):
        self.results, self.parameters, self.gmacs = {}, {}, {}
        for row in read_rows(folder + "/results-imagenet.csv"):
            self.results.setdefault(row["model"], []).append(row)
            millions = float(row["param_count"].replace(",", ""))
            self.parameters.setdefault(row["model"].split(".")[0], round(millions * 100) * 10_000)
        for row in read_rows(folder + "/benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"):
            self.gmacs[row["model"], int(row["infer_img_size"])] = float(row["infer_gmacs"])


def architecture_row(name: str, constructors: Constructors, published: Published, built: set) -> str:
    cls, arguments, model = constructors.of(name, name in built)
    parameters, counted, digest, classes, gmacs = published.parameters.get(name, 0), 0, 0, 0, 0
    if name not in EXTRA:
        cfg = timm.get_pretrained_cfg(name)
        classes, gmacs = cfg.num_classes or 0, published.gmacs.get((name, cfg.input_size[1]), 0)
    if model is not None:
        parameters, classes = sum(parameter.numel() for parameter in model.parameters()), model.num_classes
        digest, counted = digest_of_tensors(model), multiply_adds(model, input_size(model))
    text = json.dumps(arguments, separators=(",", ":"))
    return f'    {{"{name}", "{cls}", {classes}, {parameters}, {counted}, {gmacs}, {digest:#x}U, R"({text})"}},'


class Colours:
    """Means and deviations of a picture's channels, each pair once."""

    def __init__(self):
        self.pairs = []

    def index(self, cfg) -> int:
        pair = (tuple(cfg.mean), tuple(cfg.std))
        if pair not in self.pairs:
            self.pairs.append(pair)
        return self.pairs.index(pair)

    def rows(self) -> list:
        triples = [["{" + ", ".join(f"{number(value)}F" for value in triple) + "}" for triple in pair] for pair in self.pairs]
        return [f"    {{{mean}, {std}}}," for mean, std in triples]


def weights_row(name: str, cfg, results: list, colours: Colours) -> str:
    hub = cfg.hf_hub_id or ""
    hub += name if hub.endswith("/") else ""
    test = cfg.test_input_size or (0, 0, 0)
    published = ", ".join(f"{{{row['img_size']}, {row['top1']}, {row['top5']}}}" for row in results)
    return (f'    {{"{name}", {quoted(hub)}, {quoted(cfg.license)}, {cfg.num_classes or 0}, '
            f'{{{cfg.input_size[1]}, {cfg.input_size[2]}}}, {number(cfg.crop_pct)}, "{cfg.crop_mode or "center"}", '
            f'"{cfg.interpolation}", {colours.index(cfg)}, {{{test[1]}, {test[2]}}}, {number(cfg.test_crop_pct or 0)}, '
            f'{{{{{published}}}}}}},')


def read_rows(path: str) -> list:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def weights_of(name: str) -> list:
    """timm's configurations of an architecture by their names, the default first."""
    return [(full, registry._model_pretrained_cfgs[full]) for full in registry._model_with_tags[name]]


def section(name: str, rows: list) -> str:
    return f"#ifdef {name}\n" + "\n".join(rows) + "\n#endif\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help="the folder with timm's tables")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--tessera", help="the binary: what it builds is counted")
    options = parser.parse_args()
    published, constructors, colours = Published(options.results), Constructors(), Colours()
    built = set(EXTRA)
    if options.tessera:
        listed = subprocess.run([options.tessera, "models", "--json"], check=True, capture_output=True).stdout
        built |= {row["name"] for row in json.loads(listed)["architectures"]}
    names = sorted({*timm.list_models(), *EXTRA})
    architectures = [architecture_row(name, constructors, published, built) for name in names]
    weights = [weights_row(full, cfg, published.results.get(full, []), colours)
               for name in names if name not in EXTRA for full, cfg in weights_of(name)]
    known = {full for name in names if name not in EXTRA for full, _ in weights_of(name)}
    for name in sorted(set(published.results) - known):
        print(f"{name}: published, but not of this timm", file=sys.stderr)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(f"// Made by tests/reference/timm_table.py with timm {timm.__version__} and its tables of results "
                   "(Apache-2.0).\n// clang-format off\n")
        file.write(section("TESSERA_TIMM_ARCHITECTURES", architectures) + section("TESSERA_TIMM_COLOURS", colours.rows())
                   + section("TESSERA_TIMM_WEIGHTS", weights) + "// clang-format on\n")


if __name__ == "__main__":
    main()
