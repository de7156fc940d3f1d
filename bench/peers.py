#!/usr/bin/env python3
"""Times tessera beside onnxruntime, OpenVINO, MNN, ncnn and PyTorch, and writes the table of docs/performance.md.

    bench/peers.py [--cells resnet50:1:1,...] [--rounds 7] [--seconds 1] [--out docs/performance.md]

Each engine of a cell (model, threads, batch) is a process of its own, warmed up and then idle. In each round all of
them run in turn for --seconds, in an order that changes from round to round; a round gives an engine the fastest of its
runs, and the table the median over the rounds. Ratios are medians of the rounds' ratios, so that a machine that gets
slower meanwhile slows both sides of each. Weights are random, as time does not depend on them.

Like is compared with like: OpenVINO's throughput hint keeps several pictures in flight, and its figure is their time by
their number, not what one of them waits. At batch 1 on several threads "tessera-throughput" does the same, a picture a
thread. A cell's ratio is the smaller of the two: the fastest engine with one batch in flight by tessera, and OpenVINO
with several by tessera-throughput (where batches are larger, tessera itself, whose threads take pictures of their own).

--dtype int8 compares 8-bit arithmetic instead: onnxruntime and OpenVINO run what onnxruntime's static quantisation
(per channel) makes of the model; tessera is calibrated on the pictures of --calibrate. --load times each engine from its
file to the first result (files in the page cache, the peers' imports not counted) and takes the process's peak memory
(Python's own included). --isa avx2 makes of this machine one with AVX2 and no newer vectors, for all engines
alike: what they ask cpuid is answered so (bench/avx2_machine.cpp; it needs a processor on which cpuid can trap).

The first call makes a virtual environment with the pinned versions of bench/peers-requirements.txt beside the build.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "build" / "peers"
MODELS = {
    "resnet50": ("resnet50", {}),
    "vit_base_patch16_224": ("vit_base_patch16_224", {}),
    "efficientnet_lite0": ("efficientnet_lite0", {}),
    "vit_small_patch14_dinov2": ("vit_small_patch14_dinov2", {"img_size": 224}),
}
SEVERAL = "-throughput"  # the end of the names of engines that keep several batches in flight
# To be preloaded for --isa avx2. An engine's own settings are not enough: with ONEDNN_MAX_CPU_ISA=AVX2 OpenVINO still
# multiplies matrices by AVX-512.
AVX2_MACHINE = ROOT / "build/release/bench/libavx2_machine.so"
CELLS = [(threads, batch) for threads, batch in ((1, 1), (2, 1), (2, 8), (2, 32))]
ENGINES = ["tessera", "tessera-throughput", "onnxruntime", "openvino-latency", "openvino-throughput", "mnn", "ncnn", "torch", "torch-compiled"]


# ---------------------------------------------------------------- workers: one engine, one cell

BEGIN = time.perf_counter()


def imported():
    """Time counts from here: a worker calls it when its imports are done."""
    global BEGIN
    BEGIN = time.perf_counter()


def loop(run):
    """Runs once, says how long that took from the start and how much memory, and then runs for as many seconds as each
    line of standard input says."""
    run()
    first = (time.perf_counter() - BEGIN) * 1e3
    print("ready", first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        times = []
        while not times or time.perf_counter() < end:
            begin = time.perf_counter()
            run()
            times.append((time.perf_counter() - begin) * 1e3)
        print(*times, flush=True)


def torch_model(name):
    import timm
    import torch

    torch.manual_seed(0)
    arch, options = MODELS[name]
    return timm.create_model(arch, pretrained=False, **options).eval()


def work_onnxruntime(name, threads, batch):
    import numpy
    import onnxruntime

    imported()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(WORK / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
    x = numpy.full((batch, 3, 224, 224), 0.5, numpy.float32)
    loop(lambda: session.run(None, {"x": x}))


def work_openvino(name, threads, batch, hint):
    import numpy
    import openvino

    imported()
    core = openvino.Core()
    model = core.read_model(WORK / f"{name}.onnx")
    model.reshape([batch, 3, 224, 224])
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(model, "CPU", settings)
    x = numpy.full((batch, 3, 224, 224), 0.5, numpy.float32)
    if hint == "LATENCY":
        request = compiled.create_infer_request()
        return loop(lambda: request.infer([x], share_inputs=True))
    # Several requests at once are what this hint is for: the time of one is that of all over their number.
    requests = [compiled.create_infer_request() for _ in range(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))]
    print(f"requests {len(requests)}", flush=True)

    def run():
        for request in requests:
            request.start_async([x], share_inputs=True)
        for request in requests:
            request.wait()

    loop(run)


def work_mnn(name, threads, batch):
    import MNN
    import numpy

    imported()
    runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": threads},))
    module = MNN.nn.load_module_from_file(str(WORK / f"{name}.mnn"), ["x"], ["y"], runtime_manager=runtime)
    x = MNN.expr.const(numpy.full((batch, 3, 224, 224), 0.5, numpy.float32), [batch, 3, 224, 224], MNN.expr.NCHW)

    def run():
        y = module.forward([x])
        return y[0].read()  # waits for the result

    loop(run)


def work_ncnn(name, threads, batch):
    import ncnn
    import numpy

    imported()
    if batch != 1:
        raise SystemExit("ncnn takes one picture at a time")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.load_param(str(WORK / f"{name}.ncnn.param"))
    net.load_model(str(WORK / f"{name}.ncnn.bin"))
    x = numpy.full((3, 224, 224), 0.5, numpy.float32)

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x))
        status, y = extractor.extract("out0")
        if status != 0:
            raise SystemExit("ncnn could not run it")
        return y

    loop(run)


def work_torch(name, threads, batch, form):
    import torch

    imported()
    torch.set_num_threads(threads)
    model = torch.jit.load(WORK / f"{name}.pt") if form == "file" else torch_model(name)
    model = model.to(memory_format=torch.channels_last)
    if form == "compiled":
        model = torch.compile(model, options={"freezing": True})
    x = torch.full((batch, 3, 224, 224), 0.5).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        loop(lambda: model(x))


WORKERS = {
    "onnxruntime": work_onnxruntime,
    "openvino-latency": lambda n, t, b: work_openvino(n, t, b, "LATENCY"),
    "openvino-throughput": lambda n, t, b: work_openvino(n, t, b, "THROUGHPUT"),
    "mnn": work_mnn,
    "ncnn": work_ncnn,
    "torch": lambda n, t, b: work_torch(n, t, b, "eager"),
    "torch-compiled": lambda n, t, b: work_torch(n, t, b, "compiled"),
    "torch-file": lambda n, t, b: work_torch(n, t, b, "file"),
}


# ---------------------------------------------------------------- the peers' files

def environment():
    """The virtual environment's Python, made when it is not there."""
    python = WORK / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peers-requirements.txt"], check=True)
    return python


def export(name):
    """The model as the peers read it: ONNX, MNN, ncnn. Runs inside the environment."""
    import torch
    import timm

    timm.layers.set_fused_attn(False)
    model = torch_model(name)
    x = torch.full((1, 3, 224, 224), 0.5)
    onnx = WORK / f"{name}.onnx"
    torch.onnx.export(model, (x,), str(onnx), input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, dynamo=False, opset_version=17)
    tools = pathlib.Path(sys.executable).parent
    subprocess.run([tools / "mnnconvert", "-f", "ONNX", "--modelFile", onnx, "--MNNModel", WORK / f"{name}.mnn"],
                   check=True, stdout=subprocess.DEVNULL)
    torch.jit.trace(model, x).save(str(WORK / f"{name}.pt"))
    subprocess.run([tools / "pnnx", WORK / f"{name}.pt", "inputshape=[1,3,224,224]"], check=True, cwd=WORK,
                   stdout=subprocess.DEVNULL)


def quantise(name):
    """The model in int8 as onnxruntime makes it. Runs inside the environment."""
    import numpy
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Noise(q.CalibrationDataReader):
        left = 4

        def get_next(self):
            if self.left == 0:
                return None
            self.left -= 1
            return {"x": numpy.random.default_rng(self.left).normal(size=(1, 3, 224, 224)).astype(numpy.float32)}

    prepared = WORK / f"{name}-prepared.onnx"
    quant_pre_process(str(WORK / f"{name}.onnx"), str(prepared), skip_symbolic_shape=True)
    q.quantize_static(str(prepared), str(WORK / f"{name}-int8.onnx"), Noise(), per_channel=True,
                      quant_format=q.QuantFormat.QDQ, activation_type=q.QuantType.QUInt8,
                      weight_type=q.QuantType.QInt8)


# ---------------------------------------------------------------- rounds

class Engine:
    def __init__(self, name, command, threads, isa, share=1):
        limits = {v: str(threads) for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        if isa == "avx2":
            limits["LD_PRELOAD"] = str(AVX2_MACHINE)
        self.name = name
        self.log = WORK / f"{name}.log"
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=self.log.open("w"), env={**os.environ, **limits})
        self.share = share  # batches in flight
        self.rounds = []
        while not (line := self.process.stdout.readline()).startswith("ready"):
            if not line:
                raise RuntimeError(self.log.read_text().strip().splitlines()[-1:] or "ended")
            if line.startswith("requests "):
                self.share = int(line.split()[1])
        self.first_ms, self.peak_kib = (float(value) for value in line.split()[1:])

    def round(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        times = [float(t) for t in self.process.stdout.readline().split()]
        self.rounds.append(min(times) / self.share)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def command_of(engine, python, name, threads, batch, arguments):
    file = name if arguments.dtype == "f32" else f"{name}-{arguments.dtype}"
    if not engine.startswith("tessera"):
        return [python, __file__, "--worker", engine, file, str(threads), str(batch)]
    model = WORK / f"{file}.h5" if arguments.load or arguments.dtype == "int8" else f"seeded:{name}@7"
    return [arguments.bench, str(model), str(threads), str(batch), arguments.dtype]


def run_load(python, name, threads, arguments):
    """Milliseconds to the first result and peak memory (MB) of each engine, by round."""
    found = {}
    for _ in range(arguments.rounds):
        for name_of_engine in arguments.engines:
            if name_of_engine == "tessera-throughput":
                continue
            try:
                engine = Engine(name_of_engine, command_of(name_of_engine, python, name, threads, 1, arguments), threads,
                                arguments.isa)
            except RuntimeError as error:
                print(f"  {name_of_engine}: not run: {error}", file=sys.stderr)
                continue
            engine.close()
            found.setdefault(name_of_engine, []).append((engine.first_ms, engine.peak_kib / 1e3 * 1.024))
    return found


def run_cell(python, name, threads, batch, arguments):
    engines = []
    for engine in arguments.engines:
        share = 1
        if engine == "tessera-throughput":
            if threads == 1 or batch > 1:
                continue  # tessera's own figure
            share = threads
        command = command_of(engine, python, name, threads, batch * share, arguments)
        try:
            engines.append(Engine(engine, command, threads, arguments.isa, share))
        except RuntimeError as error:
            print(f"  {engine}: not run: {error}", file=sys.stderr)
    for index in range(arguments.rounds):
        for engine in engines[index % len(engines):] + engines[:index % len(engines)]:
            engine.round(arguments.seconds)
    for engine in engines:
        engine.close()
    return {engine.name: engine.rounds for engine in engines}


def summarise(rounds):
    """Medians by engine, and the peer that is the fastest beside tessera with as many batches in flight."""
    medians = {name: statistics.median(times) for name, times in rounds.items()}
    ratios = {}
    for name, times in rounds.items():
        if not name.startswith("tessera"):
            several = name.endswith(SEVERAL) and "tessera-throughput" in rounds
            own = rounds["tessera-throughput" if several else "tessera"]
            ratios[name] = statistics.median(peer / mine for peer, mine in zip(times, own))
    best = min(ratios, key=ratios.get)
    return medians, best, ratios[best]


def table(results):
    names = [e for e in ENGINES if any(e in rounds for _, rounds in results)]
    lines = ["| model | threads | batch | " + " | ".join(names) + " | fastest peer / tessera |",
             "|---|---|---|" + "---|" * (len(names) + 1)]
    for (name, threads, batch), rounds in results:
        medians, best, ratio = summarise(rounds)
        times = [f"{medians[e]:.1f}" if e in medians else "" for e in names]
        lines.append(f"| {name} | {threads} | {batch} | " + " | ".join(times) + f" | **{ratio:.2f}** ({best}) |")
    return "\n".join(lines)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def write_table(path, results, command):
    """Replaces what stands between the two marks of the file."""
    versions = (HERE / "peers-requirements.txt").read_text().split()
    text = (f"`{command}` on {processor()}, {os.cpu_count()} cores; milliseconds a batch, medians of the rounds' "
            f"fastest runs; {', '.join(versions)}.\n\n{table(results)}\n")
    begin, end = "<!-- peers begin -->\n", "<!-- peers end -->"
    page = path.read_text()
    head, rest = page.split(begin)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(head + begin + text + end + rest.split(end)[1])
    temporary.replace(path)


def parse_cells(text):
    if not text:
        return [(name, threads, batch) for name in MODELS for threads, batch in CELLS]
    return [(name, int(threads), int(batch)) for name, threads, batch in (cell.split(":") for cell in text.split(","))]


def make_files(python, name, arguments):
    """What tessera and, in int8, the peers read beside the exports."""
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own = WORK / (f"{name}.h5" if arguments.dtype == "f32" else f"{name}-{arguments.dtype}.h5")
    if arguments.dtype == "int8":
        if not own.exists():
            subprocess.run([arguments.tessera, "quantize", f"seeded:{name}@7", "--calibrate", arguments.calibrate,
                            "--limit", "16", "-o", own], **quiet)
        if not (WORK / f"{name}-int8.onnx").exists():
            subprocess.run([python, __file__, "--quantise", name], **quiet)
    elif arguments.load and not own.exists():
        subprocess.run([arguments.tessera, "seed-weights", f"{name}@7", "-o", own], **quiet)


def check_avx2_machine(parser):
    if not AVX2_MACHINE.exists():
        parser.error(f"--isa avx2 needs {AVX2_MACHINE} (cmake --build --preset release)")
    tried = subprocess.run(["true"], env={**os.environ, "LD_PRELOAD": str(AVX2_MACHINE)}, capture_output=True, text=True)
    if tried.returncode != 0:
        parser.error(f"--isa avx2 is not to be had here: {tried.stderr.strip()}")


def main():
    if sys.argv[1:2] == ["--worker"]:
        engine, name, threads, batch = sys.argv[2:6]
        return WORKERS[engine](name, int(threads), int(batch))
    if sys.argv[1:2] == ["--export"]:
        return export(sys.argv[2])
    if sys.argv[1:2] == ["--quantise"]:
        return quantise(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(ROOT / "build/release/bench/model_bench"), help="the built model_bench")
    parser.add_argument("--cells", help="model:threads:batch, comma-separated (default: all)")
    parser.add_argument("--engines", type=lambda text: text.split(","), default=ENGINES)
    parser.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--isa", choices=("auto", "avx2"), default="auto")
    parser.add_argument("--calibrate", help="pictures for --dtype int8")
    parser.add_argument("--load", action="store_true", help="file to first result and peak memory instead")
    parser.add_argument("--tessera", default=str(ROOT / "build/release/tools/tessera"), help="the built tessera")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--out", type=pathlib.Path, help="a page whose table is replaced")
    parser.add_argument("--json", type=pathlib.Path, help="all rounds, as JSON")
    arguments = parser.parse_args()
    if "tessera" not in arguments.engines:
        parser.error("--engines must name tessera")
    if arguments.isa == "avx2":
        check_avx2_machine(parser)
    WORK.mkdir(parents=True, exist_ok=True)
    python = environment()
    results = []
    for name, threads, batch in parse_cells(arguments.cells):
        if not (WORK / f"{name}.ncnn.bin").exists():
            subprocess.run([python, __file__, "--export", name], check=True, cwd=WORK, stderr=subprocess.DEVNULL)
        make_files(python, name, arguments)
        if arguments.load:
            for engine, firsts in run_load(python, name, threads, arguments).items():
                ms, mb = (statistics.median(values) for values in zip(*firsts))
                print(f"| {name} | {threads} | {engine} | {ms:.0f} | {mb:.0f} |", flush=True)
            continue
        rounds = run_cell(python, name, threads, batch, arguments)
        results.append(((name, threads, batch), rounds))
        medians, best, ratio = summarise(rounds)
        print(f"{name} {threads} threads batch {batch}: {ratio:.2f} x {best}; "
              + ", ".join(f"{e} {t:.1f}" for e, t in sorted(medians.items(), key=lambda item: item[1])), flush=True)
    if arguments.load:
        return
    print("\n" + table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps([{"cell": cell, "rounds": rounds} for cell, rounds in results]))
    if arguments.out:
        write_table(arguments.out, results, "bench/" + " ".join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]))


if __name__ == "__main__":
    main()
