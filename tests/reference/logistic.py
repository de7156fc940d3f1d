#!/usr/bin/env python3
"""Heads of scikit-learn's LogisticRegression for tests/evaluation/logistic_regression_test.cpp.

    python tests/reference/logistic.py > tests/data/evaluation/logistic.json
    python tests/reference/logistic.py A-probe.features.h5 --l2 L --seed S

The second reads a file of features that `tessera probe` left, and prints the accuracies that scikit-learn comes to on
them with the same pictures held out.

Cases: three classes, many classes with strong and weak penalty, features far from zero and of unequal size, two classes
(which scikit-learn fits as one vector), a class with one picture.
"""

import argparse
import json
import sys

import numpy
from sklearn.linear_model import LogisticRegression


def fit(features, labels, l2):
    # liblinear's and lbfgs' own tolerances leave errors of 1e-4; newton-cholesky on float64 goes to 1e-9.
    model = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    model.fit(features, labels)
    return model


def case(name, seed, pictures, width, classes, l2, offset=0.0, spread=1.0, single=False):
    random = numpy.random.default_rng(seed)
    labels = numpy.sort(random.integers(0, classes, pictures))
    labels[:classes] = numpy.arange(classes)
    if single:
        labels[labels == classes - 1] = 0
        labels[0] = classes - 1
    centres = random.normal(size=(classes, width))
    sizes = numpy.exp(spread * numpy.linspace(-1, 1, width))
    features = (offset + (centres[labels] + 1.5 * random.normal(size=(pictures, width))) * sizes).astype(numpy.float32)
    features = numpy.round(features, 3).astype(numpy.float32)
    model = fit(features.astype(numpy.float64), labels, l2)
    weight, bias = model.coef_, model.intercept_
    if classes == 2:  # as two rows whose difference is the one vector
        weight, bias = numpy.vstack([-weight / 2, weight / 2]), numpy.concatenate([-bias / 2, bias / 2])
    probabilities = model.predict_proba(features.astype(numpy.float64))
    cross_entropy = -numpy.log(probabilities[numpy.arange(pictures), labels]).sum()
    penalty = l2 / 2 * (model.coef_ ** 2).sum()
    return {"name": name, "classes": classes, "width": width, "l2": l2, "labels": labels.tolist(),
            "features": [round(float(value), 3) for value in features.ravel()],
            "weight": [float(f"{value:.10g}") for value in weight.ravel()],
            "bias": [float(f"{value:.10g}") for value in bias],
            "cross_entropy": float(cross_entropy), "objective": float(cross_entropy + penalty),
            "correct": int((model.predict(features.astype(numpy.float64)) == labels).sum())}


def fixture():
    json.dump([case("ThreeClasses", 1, 60, 4, 3, 1.0),
               case("ManyClassesStrongPenalty", 2, 120, 8, 10, 30.0),
               case("ManyClassesWeakPenalty", 3, 400, 6, 8, 0.01),
               case("FarFromZeroAndOfUnequalSize", 4, 90, 6, 4, 0.5, offset=20.0, spread=2.0),
               case("TwoClasses", 5, 70, 5, 2, 0.3),
               case("AClassWithOnePicture", 6, 50, 4, 3, 1.0, single=True)], sys.stdout)
    print()


def mt19937_64(seed):
    """std::mt19937_64 (Matsumoto and Nishimura's 64-bit Mersenne twister), which NumPy has not."""
    mask, size, middle = (1 << 64) - 1, 312, 156
    state = [seed & mask]
    for i in range(1, size):
        state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & mask)
    while True:
        for i in range(size):
            x = (state[i] & 0xFFFFFFFF80000000) | (state[(i + 1) % size] & 0x7FFFFFFF)
            state[i] = state[(i + middle) % size] ^ (x >> 1) ^ (0xB5026F5AA96619E9 if x & 1 else 0)
        for x in state:
            x ^= (x >> 29) & 0x5555555555555555
            x ^= (x << 17) & 0x71D67FFFEDA60000
            x ^= (x << 37) & 0xFFF7EEE000000000
            yield (x ^ (x >> 43)) & mask


def held_out_rows(labels, share, seed):
    """The pictures that split_by_class() of evaluation/probe/linear_probe.h holds out."""
    random, held_out = mt19937_64(seed), numpy.zeros(len(labels), bool)
    for label in range(labels.max() + 1):
        rows = numpy.flatnonzero(labels == label).tolist()
        for left in range(len(rows), 1, -1):
            chosen = next(random) % left
            rows[left - 1], rows[chosen] = rows[chosen], rows[left - 1]
        held_out[rows[: min(max(1, int(share * len(rows) + 0.5)), len(rows) - 1)]] = True
    return held_out


def same_features(path, l2, seed):
    import h5py  # only here, so that the fixture needs scikit-learn alone
    with h5py.File(path) as file:
        features, labels = file["features"][:].astype(numpy.float64), file["labels"][:]
    held_out = held_out_rows(labels, 0.1, seed)
    model = LogisticRegression(C=1 / l2, max_iter=20000, tol=1e-6)
    model.fit(features[~held_out], labels[~held_out])
    print(f"{path}: {features.shape}, l2 {l2}, split {seed}: "
          f"train {100 * model.score(features[~held_out], labels[~held_out]):.2f} %, "
          f"held out {100 * model.score(features[held_out], labels[held_out]):.2f} %, "
          f"{model.n_iter_[0]} iterations")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", nargs="?")
    parser.add_argument("--l2", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.features:
        same_features(options.features, options.l2, options.seed)
    else:
        fixture()
