#!/usr/bin/env bash
# The 50% of Polars' describe() is not the median.
#
# Version:   polars 2.1.0, NumPy 2.4.6.
# Behaviour: quantile() and describe() take the nearest value of the column (of two at the same distance the upper one); median() is the mean of the
#            middle two. pandas, NumPy and DuckDB's quantile_cont interpolate.
# Seen:      1, 2, 3, 4: quantile(0.5) and "50%" are 3, median() 2.5; quantile(0.25) is 2 where NumPy has 1.75; interpolation="linear" agrees.
# Guess:     the median is the quantile at one half, in one library and from one to the next.
# Matters:   centres, robust scales and bin edges that were computed in one library do not stand in the other for small groups and for columns
#            with few distinct values: a yes/no column with as many of each has the centre 1 in one and 0.5 in the other, and the
#            network is served other inputs than it was trained with.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import polars

values = [1.0, 2.0, 3.0, 4.0]
column = polars.Series("x", values)
described = dict(column.describe().iter_rows())
print(column.quantile(0.5), described["50%"], column.median(), column.quantile(0.25), np.quantile(values, 0.25))
assert column.quantile(0.5) == 3.0
assert described["50%"] == 3.0
assert column.median() == 2.5
assert column.quantile(0.25) == 2.0
assert np.quantile(values, 0.25) == column.quantile(0.25, interpolation="linear") == 1.75
answers = polars.Series([0.0, 1.0] * 5)
assert (answers.quantile(0.5), answers.median()) == (1.0, 0.5)
PY
echo "as described"
