"""Training steps of pytabkit's RealMLP, for the suite `tabular`: a line of JSON a case, {"network", "target", "microseconds"}.

Arguments: rows, columns, batch, threads, and a regular expression of cases, `RealMLP-TD, classes`. CPU time of all threads of a step is that of long runs less that of short ones, by their steps; as little is
validated as there may be.
"""

import json
import re
import sys
import time
import warnings

import numpy as np
import torch
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor, RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

warnings.filterwarnings("ignore")
rows, columns, batch, threads = (int(word) for word in sys.argv[1:5])
SHORT, LONG = 1, 4  # epochs

draw = np.random.default_rng(1)
x = draw.uniform(-1, 1, (rows, columns)).astype(np.float32)
told = x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] + 0.5 * x[:, 4]
targets = {"classes": (told > 0).astype(np.int64), "values": told}
cases = [
    ("RealMLP-TD-S", "classes", RealMLP_TD_S_Classifier),
    ("RealMLP-TD-S", "values", RealMLP_TD_S_Regressor),
    ("RealMLP-TD", "classes", RealMLP_TD_Classifier),
    ("RealMLP-TD", "values", RealMLP_TD_Regressor),
]


def seconds(kind, y, epochs):
    model = kind(
        n_epochs=epochs, batch_size=batch, n_threads=threads, device="cpu", random_state=0, val_fraction=2 * batch / rows
    )
    before = time.process_time()
    model.fit(x, y)
    return time.process_time() - before


torch.set_num_threads(threads)
steps = (rows - 2 * batch) // batch * (LONG - SHORT)
for network, target, kind in cases:
    if not re.search(sys.argv[5], f"{network}, {target}"):
        continue
    y = targets[target]
    seconds(kind, y, SHORT)
    spent = seconds(kind, y, LONG) - seconds(kind, y, SHORT)
    print(json.dumps({"network": network, "target": target, "microseconds": spent / steps * 1e6}), flush=True)
