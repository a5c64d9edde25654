"""Measures of scikit-learn on answers made by a seed: writes fixtures/measures.json. `python make_measures_fixture.py`, scikit-learn 1.9."""
import json
import os

import numpy as np
from sklearn import metrics

random = np.random.RandomState(7)


def rounded(values, digits=3):
    return np.round(values, digits)


def classes(rows, width):
    p = rounded(random.dirichlet(np.ones(width), rows), 2) + 0.01
    p = p / p.sum(axis=1, keepdims=True)
    y = random.randint(0, width, rows)
    found = {"accuracy": metrics.accuracy_score(y, p.argmax(axis=1)), "logLoss": metrics.log_loss(y, p, labels=range(width))}
    if width == 2:
        found["auc"] = metrics.roc_auc_score(y, p[:, 1])
    return {"task": "binary" if width == 2 else "classes", "width": width, "answers": p.ravel().tolist(), "targets": y.tolist(), "measures": found}


def labels(rows, width):
    p = rounded(random.rand(rows, width), 1) * 0.98 + 0.01
    y = random.randint(0, 2, (rows, width))
    loss = np.mean([metrics.log_loss(y[:, k], p[:, k]) for k in range(width)])
    area = np.mean([metrics.roc_auc_score(y[:, k], p[:, k]) for k in range(width)])
    found = {"accuracy": np.mean((p > 0.5) == y), "logLoss": loss, "auc": area}
    return {"task": "labels", "width": width, "answers": p.ravel().tolist(), "targets": y.ravel().tolist(), "measures": found}


def values(rows, width):
    y = rounded(random.randn(rows, width) * 100 + 1e4)
    p = y + rounded(random.randn(rows, width) * 40)
    found = {
        "rmse": np.mean(metrics.root_mean_squared_error(y, p, multioutput="raw_values")),
        "mae": metrics.mean_absolute_error(y, p),
        "r2": metrics.r2_score(y, p),
    }
    return {"task": "value" if width == 1 else "values", "width": width, "answers": p.ravel().tolist(), "targets": y.ravel().tolist(), "measures": found}


cases = [classes(60, 2), classes(60, 4), labels(40, 3), values(40, 1), values(40, 2)]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "measures.json")
with open(path, "w") as file:
    json.dump(cases, file)
