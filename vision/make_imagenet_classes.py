#!/usr/bin/env python3
"""Writes vision/imagenet_classes.inc: index, wnid and label of the 1000 ImageNet-1k classes.

The order and the labels are timm's package data (timm 1.0.31: data/_info/imagenet_synsets.txt and
imagenet_synset_to_lemma.txt). Run: python3 vision/make_imagenet_classes.py > vision/imagenet_classes.inc
"""
from importlib import resources


def main() -> None:
    info = resources.files("timm") / "data" / "_info"
    wnids = (info / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    lemmas = {}
    for line in (info / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines():
        wnid, lemma = line.split("\t")
        lemmas[wnid] = lemma
    assert len(wnids) == 1000 and wnids == sorted(wnids)
    print("// Made by vision/make_imagenet_classes.py out of timm's package data. Do not edit.")
    for wnid in wnids:
        label = lemmas[wnid].replace('"', '\\"')
        print(f'{{"{wnid}", "{label}"}},')


main()
