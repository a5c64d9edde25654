"""Writes fixtures/k_fold.json: how many examples of each class scikit-learn's StratifiedKFold puts into each fold.

Run: python test/data/make_k_fold_fixture.py (scikit-learn, numpy).
"""

import json
from pathlib import Path

import numpy
import sklearn
from sklearn.model_selection import KFold, StratifiedKFold

cases = []
for sizes, k in [([50, 30, 23], 5), ([7, 100, 2, 11], 10), ([9, 9], 4), ([3, 5], 5)]:
    labels = numpy.concatenate([numpy.full(size, label) for label, size in enumerate(sizes)])
    x = numpy.zeros((len(labels), 1))
    folds = [numpy.bincount(labels[test], minlength=len(sizes)).tolist() for _, test in StratifiedKFold(k).split(x, labels)]
    plain = [len(test) for _, test in KFold(k).split(x)]
    cases.append({"sizes": sizes, "k": k, "stratified": folds, "plain": plain})
path = Path(__file__).parent / "fixtures" / "k_fold.json"
path.write_text(json.dumps({"sklearn": sklearn.__version__, "cases": cases}) + "\n")
