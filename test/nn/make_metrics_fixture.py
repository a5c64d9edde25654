"""Writes test/nn/fixtures/metrics.json: figures of scikit-learn for outputs, targets and weights.

    python3 -m venv /tmp/venv-sklearn && /tmp/venv-sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/venv-sklearn/bin/python test/nn/make_metrics_fixture.py

Outputs are multiples of 1/8, so that float32 holds them and many are equal; weights are multiples of 1/16, some 0.
`loss` says how the targets are given. Figures are of the examples without weights, and with them.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

FIXTURES = Path(__file__).parent / "fixtures"
warnings.simplefilter("ignore")
draw = np.random.default_rng(11)


def grid(*shape, scale=1.5):
    return np.round(draw.normal(size=shape) * scale * 8) / 8


def weights(rows):
    return np.round(draw.uniform(0, 2, rows) * 16) / 16 * (draw.uniform(size=rows) > 0.1)


def averages(actual, predicted, w, kinds, labels=None):
    figures = {}
    for kind in kinds:
        for name, score in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
        ):
            figures[f"{name} {kind}"] = float(score(actual, predicted, average=kind, sample_weight=w))
    return figures


PERCENT = (20, 70)


def above(actual, logits, w, kinds):
    """The same of predictions where a probability is above a threshold in percent, `f1 macro 20`."""
    figures = {}
    for percent in PERCENT:
        predicted = (1 / (1 + np.exp(-logits.astype(np.float64))) > percent / 100).astype(int)
        for name, figure in averages(actual, predicted, w, kinds).items():
            figures[f"{name} {percent}"] = figure
    return figures


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def softmax(logits):
    """Rounded once, from 64 bits of mantissa: equal probabilities are equal."""
    powers = np.exp((logits - logits.max(1, keepdims=True)).astype(np.longdouble))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float64)


BINS = 15


def calibration_error(actual, probability, w):
    """Of scikit-learn's calibration curve; weights, multiples of 1/16, as so many examples."""
    if w is not None:
        times = np.round(w * 16).astype(int)
        actual, probability = np.repeat(actual, times), np.repeat(probability, times)
    came, mean = calibration_curve(actual, probability, n_bins=BINS)
    edges = np.linspace(0, 1, BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], probability), minlength=BINS)
    return float(np.sum(counts[counts > 0] / len(actual) * np.abs(came - mean)))


COSTS = {"wrong": 1, "missed": 3}


def thresholds(actual, probability, w):
    """The middle between the probabilities around the best threshold; the highest of equally good ones."""
    used = slice(None) if w is None else w > 0
    weights = None if w is None else w[used]
    a, p = actual[used], probability[used]
    falls, hits, cuts = metrics.roc_curve(a, p, sample_weight=weights, drop_intermediate=False)
    total = np.bincount(a, weights=weights, minlength=2).astype(float)
    tp, fp = hits * total[1], falls * total[0]
    figures = {}
    for name, worth in (
        ("f1", 2 * tp / (tp + fp + total[1])),
        ("youden", hits - falls),
        ("cost", -(COSTS["wrong"] * fp + COSTS["missed"] * (total[1] - tp))),
    ):
        best = int(np.argmax(np.round(worth, 12)))  # thresholds fall: the first is the highest
        above = 1.0 if best == 0 else cuts[best]
        below = cuts[best + 1] if best + 1 < len(cuts) else 0.0
        figures[f"threshold {name}"] = float((above + below) / 2)
    return figures


def proper(actual, probability, w):
    """Figures of probabilities of class 1."""
    return {
        "averagePrecision": float(metrics.average_precision_score(actual, probability, sample_weight=w)),
        "logLoss": float(metrics.log_loss(actual, probability, sample_weight=w, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(actual, probability, sample_weight=w)),
        "calibrationError": calibration_error(actual, probability, w),
    }


def binary(logits, targets, w):
    predicted = (logits[:, 0] > 0).astype(int)
    actual = targets.astype(int)
    return {
        **proper(actual, sigmoid(logits[:, 0]), w),
        **thresholds(actual, sigmoid(logits[:, 0]), w),
        "accuracy": float(metrics.accuracy_score(actual, predicted, sample_weight=w)),
        "auc": float(metrics.roc_auc_score(actual, logits[:, 0], sample_weight=w)),
        "confusionMatrix": metrics.confusion_matrix(actual, predicted, labels=[0, 1], sample_weight=w).tolist(),
        **averages(actual, predicted, w, ["binary", "macro", "weighted", "micro"]),
        **above(actual, logits[:, 0], w, ["binary", "weighted"]),
    }


def classes(logits, targets, w):
    count = logits.shape[1]
    predicted = logits.argmax(1)
    figures = {
        "accuracy": float(metrics.accuracy_score(targets, predicted, sample_weight=w)),
        "confusionMatrix": metrics.confusion_matrix(
            targets, predicted, labels=range(count), sample_weight=w
        ).tolist(),
        **averages(targets, predicted, w, ["macro", "weighted", "micro"] + (["binary"] if count == 2 else [])),
    }
    probabilities = softmax(logits)
    if count == 2:
        one = sigmoid(logits[:, 1] - logits[:, 0])
        figures.update(proper(targets, one, w))
        figures.update(thresholds(targets, one, w))
        figures.update(above(targets, logits[:, 1] - logits[:, 0], w, ["binary", "macro"]))
        figures["auc"] = float(metrics.roc_auc_score(targets, logits[:, 1] - logits[:, 0], sample_weight=w))
        return figures
    for k in (2, 3):
        figures[f"top{k}"] = float(
            metrics.top_k_accuracy_score(targets, logits, k=k, labels=range(count), sample_weight=w)
        )
    figures["logLoss"] = float(metrics.log_loss(targets, probabilities, sample_weight=w, labels=range(count)))
    figures["brier"] = float(metrics.brier_score_loss(targets, probabilities, sample_weight=w, labels=range(count)))
    figures["calibrationError"] = calibration_error(predicted == targets, probabilities.max(1), w)
    if len(set(targets)) == count:
        # Each class against the rest: what multi_class="ovr" averages, which wants rows that sum to 1 to the last bit.
        areas = [
            metrics.roc_auc_score(targets == label, probabilities[:, label], sample_weight=w) for label in range(count)
        ]
        figures["auc"] = float(np.mean(areas))
        precisions = [
            metrics.average_precision_score(targets == label, probabilities[:, label], sample_weight=w)
            for label in range(count)
        ]
        figures["averagePrecision"] = float(np.mean(precisions))
    return figures


def multilabel(logits, targets, w):
    predicted = (logits > 0).astype(int)
    parts = [proper(targets[:, label], sigmoid(logits[:, label]), w) for label in range(targets.shape[1])]
    return {
        **{name: float(np.mean([part[name] for part in parts])) for name in parts[0]},
        "accuracy": float(metrics.accuracy_score(targets, predicted, sample_weight=w)),
        "auc": float(metrics.roc_auc_score(targets, logits, average="macro", sample_weight=w)),
        **averages(targets, predicted, w, ["macro", "weighted", "micro"]),
        **above(targets, logits, w, ["macro", "micro"]),
    }


def regression(outputs, targets, w):
    return {
        "mae": float(metrics.mean_absolute_error(targets, outputs, sample_weight=w)),
        "rmse": float(metrics.root_mean_squared_error(targets, outputs, sample_weight=w)),
        "r2": float(metrics.r2_score(targets, outputs, sample_weight=w)),
    }


def labels(rows, count):
    return draw.integers(0, count, rows)


def near(targets, count, scale=1.0):
    """Logits that know something of the targets."""
    return grid(len(targets), count) + np.eye(count)[targets] * scale


ROWS = 530  # three batches of 256, the last one short
yes = draw.integers(0, 2, ROWS)
two = labels(ROWS, 2)
five = labels(ROWS, 5)
five[:5] = range(5)
absent = labels(ROWS, 4) + 1  # of seven classes: 0, 5 and 6 never stand in the targets
unseen = near(absent, 7)
unseen[:, 6] = -64  # and 6 is never predicted
many = draw.integers(0, 2, (ROWS, 3))
line = grid(ROWS, 1)
plane = grid(ROWS, 3, scale=[1.0, 10.0, 0.5])
apart = np.round((np.random.default_rng(12).normal(size=(ROWS, 5)) + np.eye(5)[five] * 3) * 6)

CASES = {
    "one output": ("binaryCrossEntropy", binary, grid(ROWS, 1) + yes[:, None] * 0.75, yes),
    "one output, nothing predicted": ("binaryCrossEntropy", binary, -np.abs(grid(ROWS, 1)) - 1, yes),
    "two classes": ("crossEntropy", classes, near(two, 2), two),
    "five classes": ("crossEntropy", classes, near(five, 5), five),
    "classes that do not occur": ("crossEntropy", classes, unseen, absent),
    "several labels": ("binaryCrossEntropy", multilabel, grid(ROWS, 3) + many, many),
    "a line": ("mse", regression, line + grid(ROWS, 1, scale=0.25), line),
    "three columns": ("mse", regression, plane + grid(ROWS, 3, scale=0.5), plane),
    "far from 0": ("mse", regression, 65536 + line / 8 + grid(ROWS, 1, scale=0.5) / 8, 65536 + line / 8),
    "a constant": ("mse", regression, grid(ROWS, 1), np.full((ROWS, 1), 2.0)),
    "a constant, hit": ("mse", regression, np.full((ROWS, 1), 2.0), np.full((ROWS, 1), 2.0)),
    # Probabilities that float32 does not tell apart, and many that are equal.
    "classes that are far apart": ("crossEntropy", classes, apart, five),
}

fixture = {}
for name, (loss, figures, outputs, targets) in CASES.items():
    w = weights(ROWS)
    fixture[name] = {
        "loss": loss,
        "columns": outputs.shape[1],
        "outputs": outputs.ravel().tolist(),
        "targets": targets.ravel().tolist(),
        "weights": w.tolist(),
        "plain": figures(outputs, targets, None),
        "weighted": figures(outputs, targets, w),
    }

(FIXTURES / "metrics.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
