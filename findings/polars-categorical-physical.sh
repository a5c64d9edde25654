#!/usr/bin/env bash
# The codes of a Polars Categorical are those of the process: a column's begin where those of other columns have ended.
#
# Version:   polars 2.1.0.
# Behaviour: all Categorical columns share one list of strings, in the order in which the process met them; to_physical() gives places in
#            that list, so the codes of a column depend on what was read before it, and need not be below the number of its categories.
# Seen:      ["x", "y"] has 0, 1; then ["u", "v", "x"] has 2, 3, 0.
# Guess:     codes are 0 to n - 1 in the order of first appearance in the column, as those of pandas' factorize and of R's factors nearly
#            are, and as Polars' own were while each column had a list.
# Matters:   the codes are taken for rows of an embedding: a table with as many rows as the column has categories is too short, and a job
#            that reads its files in another order gives each category another row than the model was trained with.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0"
"$folder/venv/bin/python" - <<'PY'
import polars

first = polars.Series(["x", "y"]).cast(polars.Categorical)
second = polars.Series(["u", "v", "x"]).cast(polars.Categorical)
print(first.to_physical().to_list(), second.to_physical().to_list())
assert first.to_physical().to_list() == [0, 1]
assert second.to_physical().to_list() == [2, 3, 0]
# An Enum says its categories, and its codes are places among these.
kinds = polars.Enum(["u", "v", "x"])
assert polars.Series(["u", "v", "x"]).cast(kinds).to_physical().to_list() == [0, 1, 2]
PY
echo "as described"
