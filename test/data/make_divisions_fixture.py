"""Writes fixtures/divisions.json: what scikit-learn's GroupKFold and TimeSeriesSplit do with rows in groups and in time.

Run: python test/data/make_divisions_fixture.py (scikit-learn, numpy).
"""

import json
from pathlib import Path

import numpy
import sklearn
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

rng = numpy.random.default_rng(20260302)
groups = []
for count, total, k in [(7, 40, 3), (30, 200, 5), (5, 5, 5), (12, 400, 2)]:
    of = numpy.sort(rng.integers(0, count, total - count).tolist() + list(range(count)))
    rng.shuffle(of)
    x = numpy.zeros((len(of), 1))
    sizes = [len(test) for _, test in GroupKFold(k).split(x, groups=of)]
    groups.append({"k": k, "of": of.tolist(), "sizes": sizes})
time = []
for rows, k in [(12, 3), (13, 3), (100, 9), (6, 5), (50, 2)]:
    folds = [
        {"train": len(train), "first": int(train[0]), "validation": test.tolist()}
        for train, test in TimeSeriesSplit(k).split(numpy.zeros((rows, 1)))
    ]
    time.append({"rows": rows, "k": k, "folds": folds})
path = Path(__file__).parent / "fixtures" / "divisions.json"
path.write_text(json.dumps({"sklearn": sklearn.__version__, "groups": groups, "time": time}) + "\n")
