"""Writes fixtures/ranking.json: recall among the first k by scikit-learn 1.7.

    python test/nn/make_ranking_fixture.py

Of one class an example `top_k_accuracy_score`; of several labels `recall_score` with average="samples" of the k largest outputs as predictions, examples without a label left out. Outputs are
multiples of 1/8, several of which are equal in a row: of these the later one stands first, as in top_k_accuracy_score.
"""

import json
import pathlib

import numpy as np
from sklearn.metrics import recall_score, top_k_accuracy_score

ROWS, COLUMNS = 60, 7
random = np.random.default_rng(11)
outputs = random.integers(-12, 13, (ROWS, COLUMNS)) / 8
classes = random.integers(0, COLUMNS, ROWS)
labels = (random.random((ROWS, COLUMNS)) < 0.3).astype(int)
labels[::9] = 0
weights = random.integers(0, 5, ROWS) / 4


def first(k):
    order = np.argsort(outputs, axis=1, kind="stable")[:, ::-1]
    chosen = np.zeros((ROWS, COLUMNS), int)
    np.put_along_axis(chosen, order[:, :k], 1, axis=1)
    return chosen


def of_labels(k, weight):
    some = labels.any(axis=1)
    return recall_score(labels[some], first(k)[some], average="samples", sample_weight=None if weight is None else weight[some])


def of_classes(k, weight):
    return top_k_accuracy_score(classes, outputs, k=k, labels=np.arange(COLUMNS), sample_weight=weight)


ks = (1, 2, 3, 5, 7)
fixture = {
    "columns": COLUMNS,
    "outputs": outputs.flatten().tolist(),
    "classes": classes.tolist(),
    "labels": labels.flatten().tolist(),
    "weights": weights.tolist(),
    "ofClasses": [[k, float(of_classes(k, None)), float(of_classes(k, weights))] for k in ks],
    "ofLabels": [[k, float(of_labels(k, None)), float(of_labels(k, weights))] for k in ks],
}
path = pathlib.Path(__file__).parent / "fixtures" / "ranking.json"
path.write_text(json.dumps(fixture) + "\n")
