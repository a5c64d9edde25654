#!/usr/bin/env bash
# pytabkit's quantile transform drowns a column of small numbers in noise: TabM, TabR, FT-Transformer and ResNet are handed a constant.
#
# Version:   pytabkit 1.8.0, scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: TabrQuantileTransformer ("quantile_tabr", the default of those models) adds normal noise to the column before it takes quantiles, with the
#            standard deviation 1e-3 / max(column's, 1e-3): divided by the column's, where a share of it would be a product. The
#            narrower the column the larger the noise; at a deviation of 1e-3 it is 1, a thousand times the column.
# Seen:      3,000 uniform values times 1000, 1, 0.1, 0.01, 0.001: standard deviation after the transform 1.01, 0.99, 0.63, 0.007, 0.0003.
# Guess:     a transform by quantiles gives the same for any unit, up to noise of a thousandth.
# Matters:   rates per person, concentrations, probabilities or lengths in kilometres are such columns: the network is given a constant,
#            without a warning, while trees on the same table see the column as it is. Multiplied by a thousand before, it is there again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Without pytabkit's dependencies, some of which are large: the class needs scikit-learn alone, and is taken out of its module as it stands.
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/pip" install --quiet --no-deps "pytabkit==1.8.0"
"$folder/venv/bin/python" - <<'PY'
import ast
import pathlib
import sysconfig

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, check_is_fitted
from sklearn.preprocessing import QuantileTransformer

source = pathlib.Path(sysconfig.get_path("purelib"), "pytabkit/models/utils.py")
[definition] = [node for node in ast.parse(source.read_text()).body if getattr(node, "name", None) == "TabrQuantileTransformer"]
exec(compile(ast.Module([definition], []), str(source), "exec"))

column = np.random.default_rng(0).random((3000, 1))
spreads = {}
for unit in (1000, 1, 0.1, 0.01, 0.001):
    spreads[unit] = TabrQuantileTransformer(random_state=0).fit_transform(column * unit).std()
    print(f"times {unit}: standard deviation {spreads[unit]:.4f}")
assert spreads[1000] > 0.95 and spreads[1] > 0.95
assert 0.5 < spreads[0.1] < 0.75
assert spreads[0.01] < 0.02
assert spreads[0.001] < 0.001
PY
echo "as described"
