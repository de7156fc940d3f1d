#!/usr/bin/env python3
"""Values of SciPy, statsmodels and scikit-learn for tests/evaluation/statistics_test.cpp.

    python tests/reference/paired_statistics.py > tests/data/evaluation/statistics.json

Counts are chosen to reach every branch: none, few, equal, lopsided, as many as a run over ImageNet has.
"""

import json

import numpy
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

PAIRS = [(724, 76, 56, 144), (36800, 3400, 3350, 6450), (3, 2, 0, 1), (0, 5, 5, 0), (10, 0, 0, 0), (0, 0, 0, 7),
         (100, 1, 0, 100), (20000, 4000, 1, 9), (5, 40, 60, 5), (1, 0, 3, 0)]


def wilson(successes, trials):
    low, high = proportion_confint(successes, trials, method="wilson")
    return {"successes": successes, "trials": trials, "low": low, "high": high}


def finite(value):
    return None if numpy.isnan(value) else float(value)


def pair(both, first, second, neither):
    table = [[both, first], [second, neither]]
    corrected = mcnemar(table, exact=False, correction=True) if first + second else None
    right = [[1, 1]] * both + [[1, 0]] * first + [[0, 1]] * second + [[0, 0]] * neither
    a, b = numpy.array(right).T
    draws = numpy.random.default_rng(1).multinomial(len(right), numpy.array([both, first, second, neither]) / len(right),
                                                    size=400_000)
    low, high = numpy.quantile((draws[:, 1] - draws[:, 2]) / len(right), [0.025, 0.975])
    with numpy.errstate(invalid="ignore"):
        kappa = cohen_kappa_score(a, b)
    return {"counts": [both, first, second, neither],
            "p_exact": float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0,
            "chi2_corrected": float(corrected.statistic) if corrected else 0.0,
            "p_corrected": float(corrected.pvalue) if corrected else 1.0,
            "difference": (first - second) / len(right), "low": low, "high": high, "kappa": finite(kappa)}


def labels(seed, classes, count, same):
    random = numpy.random.default_rng(seed)
    first = random.integers(0, classes, count)
    second = numpy.where(random.random(count) < same, first, random.integers(0, classes, count))
    return {"first": first.tolist(), "second": second.tolist(), "kappa": float(cohen_kappa_score(first, second))}


def calibration(seed, count, bins):
    random = numpy.random.default_rng(seed)
    confidence = numpy.round(random.beta(4, 1.5, count), 6)
    confidence[:3] = [0, 1, 1 / bins]
    correct = random.random(count) < confidence ** 1.5
    edges = numpy.linspace(0, 1, bins + 1)
    index = numpy.clip(numpy.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    error = sum(abs(confidence[index == b].mean() - correct[index == b].mean()) * (index == b).mean()
                for b in range(bins) if (index == b).any())
    accuracy, mean = calibration_curve(correct, confidence, n_bins=bins)
    return {"confidence": confidence.tolist(), "correct": correct.astype(int).tolist(), "bins": bins,
            "error": float(error), "bin_accuracy": accuracy.tolist(), "bin_confidence": mean.tolist()}


def ratio(seed, count):
    # The interval from the residuals' standard error, and as a check of it the percentiles of a bootstrap.
    random = numpy.random.default_rng(seed)
    drift = random.gamma(20, 0.05, count)
    first, second = numpy.round(drift * 3 + random.random(count), 6), numpy.round(drift * 2 + random.random(count), 6)
    value = first.mean() / second.mean()
    covariance = numpy.cov(first, second)
    variance = (covariance[0, 0] - 2 * value * covariance[0, 1] + value ** 2 * covariance[1, 1]) / count
    error = float(numpy.sqrt(variance)) / second.mean()
    drawn = random.integers(0, count, (4000, count))
    low, high = numpy.percentile(first[drawn].mean(1) / second[drawn].mean(1), [2.5, 97.5])
    return {"first": first.tolist(), "second": second.tolist(), "ratio": value,
            "interval": [value - stats.norm.ppf(0.975) * error, value + stats.norm.ppf(0.975) * error],
            "bootstrap": [low, high]}


def holm(values):
    return {"p": values, "adjusted": multipletests(values, method="holm")[1].tolist()}


HOLM = [[0.03], [0.01, 0.04, 0.03], [0.2, 1e-12, 0.049, 0.05, 0.001, 1.0, 0.9, 0.001, 0.02, 0.3], [0.9, 0.8]]
for seed in (1, 2):
    HOLM.append(numpy.round(numpy.random.default_rng(seed).beta(0.3, 2, 45), 8).tolist())

print(json.dumps({"ratios": [ratio(1, 200), ratio(2, 3)],
                  "wilson": [wilson(*case) for case in [(804, 1000), (0, 10), (10, 10), (1, 3), (40191, 50000), (0, 1)]],
                  "pairs": [pair(*case) for case in PAIRS],
                  "labels": [labels(1, 10, 500, 0.7), labels(2, 1000, 300, 0.9), labels(3, 3, 50, 0.0)],
                  "holm": [holm(values) for values in HOLM],
                  "calibration": [calibration(1, 400, 15), calibration(2, 60, 10)]}))
