#!/usr/bin/env bash
# scikit-learn's QuantileTransformer sends a value that half the rows have to -5.2, if it is the lowest.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: what equals the smallest (largest) value of the training set gets quantile 0 (1), clipped to 1e-7, however many rows have it; a tie within
#            the range gets the middle of the quantiles that it covers.
# Seen:      half zeros, the rest above: with output_distribution "normal" zeros are -5.199, the mean of the output -2.2, its standard
#            deviation 3.0; if the same half stands in the middle of the range it is 0.004. A column of 0 and 1 becomes -5.199 and 5.199.
# Guess:     a value that half the rows have gets the middle of its half, quantile 0.25, which is -0.67; and the output has mean 0 and deviation 1.
# Matters:   counts, amounts and durations with many zeros are where one thinks of quantiles first: most of their rows enter the network at -5.2,
#            where the other columns lie between -2 and 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from sklearn.preprocessing import QuantileTransformer

random = np.random.default_rng(0)
tied = random.random(2000) < 0.5
rest = 1 + random.random(2000)


def transformed(values):
    return QuantileTransformer(output_distribution="normal").fit_transform(values[:, None])[:, 0]


lowest, middle, binary = (transformed(np.where(tied, 0, rest)), transformed(np.where(tied, 1.5, rest)), transformed(tied.astype(float)))
print(np.unique(lowest[tied]), lowest.mean(), lowest.std(), np.unique(middle[tied]), np.unique(binary))
assert abs(lowest[tied] + 5.19934).max() < 1e-4
assert abs(lowest.mean() + 2.22) < 0.05 and abs(lowest.std() - 3.03) < 0.05
assert abs(middle[tied]).max() < 0.05
assert np.allclose(np.unique(binary), [-5.19934, 5.19934], atol=1e-4)
PY
echo "as described"
