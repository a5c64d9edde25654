"""Writes test/report/fixtures/measures.json: figures of scikit-learn for probabilities, classes, tables and linear models.

    python3 -m venv /tmp/venv-sklearn && /tmp/venv-sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/venv-sklearn/bin/python test/report/make_measures_fixture.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import _TemperatureScaling, calibration_curve
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge

OUT = Path(__file__).parent / "fixtures" / "measures.json"
warnings.simplefilter("ignore")
draw = np.random.default_rng(20)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def two_classes(rows=300):
    logit = draw.normal(size=rows) * 1.5
    actual = (draw.uniform(size=rows) < 1 / (1 + np.exp(-logit))).astype(int)
    # Too sure by a factor of 2.2, on a grid so that many are equal.
    chance = np.round(1 / (1 + np.exp(-2.2 * logit)) * 256) / 256
    chance = np.clip(chance, 1 / 1024, 1023 / 1024)
    fpr, tpr, thresholds = metrics.roc_curve(actual, chance, drop_intermediate=False)
    precision, recall, pr_thresholds = metrics.precision_recall_curve(actual, chance)
    bins = {}
    for name, strategy in (("width", "uniform"), ("rows", "quantile")):
        observed, predicted = calibration_curve(actual, chance, n_bins=7, strategy=strategy)
        bins[name] = {"observed": observed.tolist(), "predicted": predicted.tolist()}
    both = np.column_stack([1 - chance, chance])
    scaling = _TemperatureScaling().fit(np.log(both), actual)
    best = {}
    for least in (0.6, 0.75):
        reached = precision[:-1] >= least
        best[f"precision {least}"] = float(recall[:-1][reached].max())
        reached = recall[:-1] >= least
        best[f"recall {least}"] = float(precision[:-1][reached].max())
    return {
        "chance": chance.tolist(),
        "actual": actual.tolist(),
        "roc": {
            "falsePositives": fpr.tolist(),
            "truePositives": tpr.tolist(),
            "thresholds": thresholds[1:].tolist(),
            "area": metrics.roc_auc_score(actual, chance),
        },
        "precisionRecall": {
            "precision": precision[:-1][::-1].tolist(),
            "recall": recall[:-1][::-1].tolist(),
            "thresholds": pr_thresholds[::-1].tolist(),
            "average": metrics.average_precision_score(actual, chance),
        },
        "reliability": bins,
        "temperature": 1 / float(scaling.beta_),
        "best": best,
    }


def classes(rows=200, count=4):
    logits = draw.normal(size=(rows, count)) * 1.2
    chances = softmax(logits)
    actual = np.array([draw.choice(count, p=p) for p in softmax(0.6 * logits)])
    predicted = chances.argmax(axis=1)
    scaling = _TemperatureScaling().fit(np.log(chances), actual)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(actual, predicted, zero_division=0)
    return {
        "chances": chances.tolist(),
        "actual": actual.tolist(),
        "predicted": predicted.tolist(),
        "temperature": 1 / float(scaling.beta_),
        "confusion": metrics.confusion_matrix(actual, predicted).tolist(),
        "accuracy": metrics.accuracy_score(actual, predicted),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
    }


class Known(RegressorMixin, BaseEstimator):
    """y = 3a + b·b, whatever c is."""

    def fit(self, x, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, x):
        return 3 * x[:, 0] + x[:, 1] * x[:, 1]


def columns(rows=150):
    x = np.round(draw.normal(size=(rows, 3)), 3)
    model = Known()
    y = model.predict(x) + draw.normal(size=rows) * 0.5
    found = permutation_importance(
        model, x, y, scoring="neg_mean_squared_error", n_repeats=400, random_state=1
    )
    values = [-1.5, 0.0, 0.25, 2.0]
    depends = [
        partial_dependence(model, x, [at], custom_values={at: np.array(values)}, method="brute", kind="average")[
            "average"
        ][0].tolist()
        for at in range(3)
    ]
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "mean": found.importances_mean.tolist(),
        "deviation": found.importances_std.tolist(),
        "values": values,
        "depends": depends,
    }


def linear(rows=120):
    x = np.round(draw.normal(size=(rows, 4)), 3)
    y = x @ np.array([1.0, -2.0, 0.5, 0.0]) + 3 + draw.normal(size=rows)
    ridge = Ridge(alpha=2.0, tol=1e-10, solver="cholesky").fit(x, y)
    logits = x @ draw.normal(size=(4, 3))
    labels = np.array([draw.choice(3, p=p) for p in softmax(logits)])
    logistic = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(x, labels)
    return {
        "x": x.tolist(),
        "values": y.tolist(),
        "ridge": ridge.predict(x).tolist(),
        "labels": labels.tolist(),
        "logistic": logistic.predict_proba(x).tolist(),
    }


OUT.parent.mkdir(exist_ok=True)
figures = {"two": two_classes(), "classes": classes(), "columns": columns(), "linear": linear()}
OUT.write_text(json.dumps(figures, separators=(",", ":")) + "\n")
