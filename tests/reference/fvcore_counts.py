"""fvcore's count of three architectures of timm, operator by operator: the figures of tests/models/registry_test.cpp.

    pip install timm fvcore && python fvcore_counts.py
"""

import logging

import timm
import timm.layers
import torch
from fvcore.nn import FlopCountAnalysis

logging.disable(logging.CRITICAL)
timm.layers.set_fused_attn(False)  # the fused operator hides its two products from fvcore
for name in ["resnet50", "vit_base_patch16_224", "efficientnet_lite0"]:
    model = timm.create_model(name).eval()
    counts = FlopCountAnalysis(model, torch.zeros(1, *model.default_cfg["input_size"]))
    print(name, counts.total(), dict(counts.by_operator()), sum(p.numel() for p in model.parameters()))
