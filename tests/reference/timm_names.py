#!/usr/bin/env python3
"""Makes weights/timm_names.inc: every ResNet and Vision Transformer of timm that is the network tessera builds.

    python timm_names.py -o ../../weights/timm_names.inc

Each of timm's models is made without memory for its weights and its modules are looked at: one that has anything that
tessera's graph lacks (an anti-aliased stride, another activation, a norm more) is left out.
"""
import argparse

import timm
import torch
from timm.layers import Mlp, PatchEmbed
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

MEANS = {((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)): "kHalf",
         ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)): "kImageNet",
         ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)): "kClip",
         ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)): "kZero"}


def is_layer_norm(module):
    return "LayerNorm" in type(module).__name__


def is_identity(module):
    return module is None or isinstance(module, nn.Identity)


def vit_fits(model):
    block = model.blocks[0]
    average = is_layer_norm(model.fc_norm)
    return (type(model) is VisionTransformer and model.cls_token is not None and model.pos_embed is not None
            and is_identity(model.norm_pre) and model.attn_pool is None and model.global_pool in ("token", "avg")
            and (model.global_pool == "avg") == average and is_layer_norm(model.fc_norm if average else model.norm)
            and type(model.patch_embed) is PatchEmbed and is_identity(model.patch_embed.norm)
            and model.patch_embed.proj.bias is not None and type(block) is Block and is_layer_norm(block.norm1)
            and type(block.mlp) is Mlp and type(block.mlp.act) is nn.GELU and is_identity(block.mlp.norm)
            and is_identity(block.attn.q_norm) and is_identity(getattr(block.attn, "norm", None))
            and not getattr(model, "pool_include_prefix", False) and block.norm1.eps == 1e-6)


def block_fits(block):
    bottleneck = type(block) is Bottleneck
    downsample = block.downsample
    return (type(block) in (BasicBlock, Bottleneck) and is_identity(getattr(block, "se", None))
            and is_identity(getattr(block, "aa", None)) and block.conv2.groups == 1 and type(block.act1) is nn.ReLU
            and type(block.bn1).__name__ in ("BatchNorm2d", "BatchNormAct2d")
            and (downsample is None or isinstance(downsample[0], nn.Conv2d) and downsample[0].kernel_size == (1, 1))
            and (not bottleneck or block.conv3.out_channels == 4 * block.conv1.out_channels))


def resnet_fits(model):
    return (type(model) is ResNet and isinstance(model.conv1, nn.Conv2d) and model.conv1.kernel_size == (7, 7)
            and isinstance(model.maxpool, nn.MaxPool2d) and type(model.act1) is nn.ReLU and model.conv1.out_channels == 64
            and all(block_fits(block) for stage in (model.layer1, model.layer2, model.layer3, model.layer4) for block in stage)
            and model.bn1.eps == 1e-5)


def preprocessing(name):
    cfg = timm.get_pretrained_cfg(name)
    means = MEANS[(tuple(cfg.mean), tuple(cfg.std))]
    return f'{{{cfg.input_size[2]}, {cfg.crop_pct}, "{cfg.interpolation}", {means}, "{cfg.crop_mode}"}}'


def flag(value):
    return "true" if value else "false"


def vit_row(name, model):
    block = model.blocks[0]
    return (f'    {{"{name}", {model.embed_dim}, {len(model.blocks)}, {block.attn.num_heads}, {block.mlp.fc1.out_features}, '
            f'{model.patch_embed.patch_size[0]}, {model.num_reg_tokens}, {flag(not is_identity(block.ls1))}, '
            f'{flag(not model.no_embed_class)}, {flag(model.global_pool == "avg")}, {preprocessing(name)}}},')


def resnet_row(name, model):
    depths = ", ".join(str(len(stage)) for stage in (model.layer1, model.layer2, model.layer3, model.layer4))
    return f'    {{"{name}", {flag(type(model.layer1[0]) is Bottleneck)}, {{{depths}}}, {preprocessing(name)}}},'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    output = parser.parse_args().output
    vits, resnets = [], []
    for name in sorted(timm.list_models(module="vision_transformer") + timm.list_models(module="deit")
                       + timm.list_models(module="resnet")):
        with torch.device("meta"):
            try:
                model = timm.create_model(name)
            except (NotImplementedError, RuntimeError):
                continue
        if isinstance(model, VisionTransformer) and vit_fits(model):
            vits.append(vit_row(name, model))
        if isinstance(model, ResNet) and resnet_fits(model):
            resnets.append(resnet_row(name, model))
    with open(output, "w", encoding="utf-8") as file:
        file.write(f"// Made by tests/reference/timm_names.py with timm {timm.__version__}.\n// clang-format off\n")
        file.write("#ifdef TESSERA_TIMM_VITS\n" + "\n".join(vits) + "\n#endif\n")
        file.write("#ifdef TESSERA_TIMM_RESNETS\n" + "\n".join(resnets) + "\n#endif\n")
        file.write("// clang-format on\n")


if __name__ == "__main__":
    main()
