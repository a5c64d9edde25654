#!/usr/bin/env bash
# sample(fraction=1) of Polars gives the rows in the order in which they stand, for every seed.
#
# Version:   polars 2.1.0, pandas 3.1.1.
# Behaviour: shuffle is False unless given; the order of a sample is then "neither stable nor fully random" by the documentation, and for a sample of all
#            rows it is theirs. A sample of half the rows is mixed. pandas' sample(frac=1) mixes.
# Seen:      10, 1,000 and 100,000 rows, four seeds each: equal to the frame; with shuffle=True, and for half of 1,000 rows, out of order.
# Guess:     a sample without replacement of all rows is a permutation of them, as in pandas, where this is the usual line to mix a table.
# Matters:   the line goes over from pandas unchanged, is given a seed, and mixes nothing: a table sorted by class or date is cut into a training
#            and a validation set of different classes or years, and its batches hold one class each.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" "pandas==3.1.1"
"$folder/venv/bin/python" - <<'PY'
import pandas
import polars

for rows in (10, 1_000, 100_000):
    frame = polars.DataFrame({"row": range(rows)})
    same = [frame.sample(fraction=1.0, seed=seed).equals(frame) for seed in range(4)]
    print(rows, same)
    assert all(same)
    assert not frame.sample(fraction=1.0, shuffle=True, seed=1).equals(frame)
    assert not pandas.DataFrame({"row": range(rows)}).sample(frac=1.0, random_state=1)["row"].is_monotonic_increasing
assert not polars.DataFrame({"row": range(1_000)}).sample(fraction=0.5, seed=1)["row"].is_sorted()
PY
echo "as described"
