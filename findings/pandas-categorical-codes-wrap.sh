#!/usr/bin/env bash
# Codes of a pandas category have eight bits where they fit, and so has a sum of them with an offset: it goes on at -128.
#
# Version:   pandas 3.1.1, NumPy 2.4.6.
# Behaviour: .cat.codes has the narrowest integer that holds the codes, int8 below 127 categories; a Python integer beside it does not
#            widen it, and what is too large wraps without a word. An offset above 127 is an error, one of 100 is not.
# Seen:      60 categories: codes + 100 are int8, the last three -99, -98, -97.
# Guess:     arithmetic on a column widens to what holds the result, or fails; columns of integers are int64 elsewhere in pandas.
# Matters:   columns of categories share one embedding table by an offset a column; rows of the second column become negative
#            numbers, which NumPy takes for rows from the end, and a lookup that allows them learns the wrong rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pandas==3.1.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import pandas

column = pandas.Series([f"city {index:02d}" for index in range(60)], dtype="category")
codes = column.cat.codes
shifted = codes + 100
print(codes.dtype, shifted.dtype, shifted.tolist()[-3:])
assert codes.dtype == "int8" and codes.tolist() == list(range(60))
assert shifted.dtype == "int8" and shifted.tolist()[-3:] == [-99, -98, -97]
assert (codes.astype("int64") + 100).tolist()[-3:] == [157, 158, 159]
PY
echo "as described"
