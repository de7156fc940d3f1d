#!/usr/bin/env python3
"""Trains the two small models that come with tessera on pictures of `tessera synth shapes`.

    tessera synth shapes --count 50000 --seed 1000 -o train/
    tessera synth shapes --count 4000 --seed 2000 -o held-out/
    python weights/train/train_shapes.py resnet train/ held-out/ -o shapes-resnet/ --epochs 4
    python weights/train/train_shapes.py vit train/ held-out/ -o shapes-vit/ --epochs 24 --lr 8e-3
    tessera convert shapes-resnet/ --name shapes-resnet -o weights/embedded/shapes-resnet.h5
    tessera convert shapes-vit/ --name shapes-vit -o weights/embedded/shapes-vit.h5

What they printed is in shapes-resnet.log and shapes-vit.log (one thread each, beside other work).
Needs torch, safetensors, Pillow, numpy (weights/train/requirements.txt). The seed is fixed; torch does not promise the
same last digits on every processor and version, so that a repetition comes to about the same accuracy, not to the same
file. Modules have timm's names, which is what `tessera convert` reads.
"""

import argparse
import json
import math
import pathlib
import time

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

SIDE, MEAN, STD = 64, 0.5, 0.5


class BasicBlock(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = stride == 1 and before == width
        self.downsample = None if same else nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False),
                                                          nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """He et al. 2015, with a stem of `width` channels: 7x7 and max pooling as the big ones."""

    def __init__(self, classes, width=20, depths=(2, 2, 2, 1)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        before = width
        for stage, depth in enumerate(depths):
            channels = width * 2 ** stage
            blocks = [BasicBlock(before if i == 0 else channels, channels, 2 if stage > 0 and i == 0 else 1)
                      for i in range(depth)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
            before = channels
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, 1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, 1e-6), Mlp(dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


def sine_positions(side, dim):
    """[1, 1 + side * side, dim]: sines and cosines of a patch's row and column, zeros for the class token."""
    rates = 1 / 10000 ** (torch.arange(dim // 4) / (dim // 4))
    angles = torch.arange(side)[:, None] * rates
    along = torch.cat([angles.sin(), angles.cos()], 1)  # [side, dim / 2]
    rows = along[:, None].expand(side, side, -1)
    columns = along[None].expand(side, side, -1)
    grid = torch.cat([rows, columns], 2).reshape(side * side, dim)
    return torch.cat([torch.zeros(1, dim), grid])[None] * 0.5


class Vit(nn.Module):
    """Dosovitskiy et al. 2020, with what Beyer et al. 2022 (arXiv:2205.01580) found to learn faster from few pictures:
    the mean of the patches instead of the class token, and positions that begin as sines."""

    def __init__(self, classes, dim=64, depth=4, heads=4, patch=8):
        super().__init__()
        self.patch_embed = PatchEmbed(dim, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(sine_positions(SIDE // patch, dim))
        self.blocks = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.fc_norm = nn.LayerNorm(dim, 1e-6)
        self.head = nn.Linear(dim, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):  # as the paper's own code: timm's deviation of 0.02 is for wide models
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.fc_norm(self.blocks(x)[:, 1:].mean(1)))


MODELS = {
    "resnet": (ResNet, {"architecture": "resnet18"}),
    "vit": (Vit, {"architecture": "vit_tiny_patch16_224",
                  "model_args": {"img_size": SIDE, "patch_size": 8, "embed_dim": 64, "depth": 4, "num_heads": 4,
                                 "global_pool": "avg"}}),
}


def read_pictures(folder):
    """uint8 [N, 3, 64, 64] and the labels."""
    labels = json.loads((folder / "labels.json").read_text())
    files = sorted((path, labels[path.parent.name]) for path in folder.glob("*/*.jpg"))
    pictures = numpy.empty((len(files), 3, SIDE, SIDE), numpy.uint8)
    for i, (path, _) in enumerate(files):
        pictures[i] = numpy.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    return torch.from_numpy(pictures), torch.tensor([label for _, label in files]), sorted(labels, key=labels.get)


def normalised(pictures):
    return (pictures.float() / 255 - MEAN) / STD


def augmented(x, generator):
    """Mirrored, and moved by up to four pixels: the whole batch alike."""
    if torch.rand((), generator=generator) < 0.5:
        x = x.flip(3)
    shift = torch.randint(-4, 5, (2,), generator=generator).tolist()
    return torch.roll(x, shift, (2, 3)).contiguous(memory_format=torch.channels_last)


def optimisers(model, lr):
    """AdamW; for the matrices inside of a transformer's blocks Muon (Jordan et al. 2024), which learns them some three times
    faster here: one pass over the pictures with AdamW alone leaves a ViT of this size where it began."""
    matrices = [p for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    made = [torch.optim.AdamW(rest, 2e-3 if matrices else lr, weight_decay=0.05)]
    if matrices:
        made.append(torch.optim.Muon(matrices, lr, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"))
    return made


@torch.no_grad()
def accuracy(model, pictures, labels):
    model.eval()
    right = sum((model(normalised(pictures[i:i + 500])).argmax(1) == labels[i:i + 500]).sum().item()
                for i in range(0, len(pictures), 500))
    return right / len(pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("held_out", type=pathlib.Path)
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.manual_seed(7)
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(7)
    pictures, labels, names = read_pictures(options.train)
    held_out, held_out_labels, _ = read_pictures(options.held_out)
    make, config = MODELS[options.model]
    model = make(len(names)).to(memory_format=torch.channels_last)
    print(f"{options.model}: {sum(p.numel() for p in model.parameters())} parameters, {len(pictures)} pictures, "
          f"torch {torch.__version__}", flush=True)
    steps = options.epochs * (len(pictures) // options.batch)
    warm_up = steps // 20
    used = optimisers(model, options.lr)
    schedules = [torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(step / warm_up, 0.5 + 0.5 * math.cos(math.pi * step / steps))) for optimiser in used]
    for epoch in range(options.epochs):
        model.train()
        start, total = time.time(), 0.0
        order = torch.randperm(len(pictures), generator=generator)
        for first in range(0, len(order) - options.batch + 1, options.batch):
            chosen = order[first:first + options.batch]
            x = augmented(normalised(pictures[chosen]), generator)
            loss = functional.cross_entropy(model(x), labels[chosen], label_smoothing=0.05)
            model.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser, schedule in zip(used, schedules):
                optimiser.step()
                schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2}: loss {total / (len(pictures) // options.batch):.4f}, held-out top-1 "
              f"{100 * accuracy(model, held_out, held_out_labels):.2f} %, {time.time() - start:.0f} s", flush=True)

    options.out.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()
               if not name.endswith("num_batches_tracked")}
    save_file(weights, options.out / "model.safetensors")
    card = config | {"num_classes": len(names), "label_names": names, "license": "apache-2.0",
                     "pretrained_cfg": {"input_size": [3, SIDE, SIDE], "crop_pct": 1.0, "interpolation": "bicubic",
                                        "mean": [MEAN] * 3, "std": [STD] * 3}}
    (options.out / "config.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
