#!/usr/bin/env bash
# HashingEncoder of category_encoders cannot tell which column a value came from: ("a", "b") and ("b", "a") become the same row.
#
# Version:   category_encoders 2.11.2 (scikit-learn 1.9.1, pandas 3.1.1).
# Behaviour: the value alone is hashed, without the name of its column, and all columns count into the same n_components buckets.
# Seen:      columns x, y with the rows (a, b), (b, a): equal in all eight columns. FeatureHasher of scikit-learn, which hashes "x=a",
#            tells them apart.
# Guess:     column and value are hashed together, as in every description of the trick for tables.
# Matters:   home and guest, from and to, buyer and seller, yes/no flags side by side: what the columns mean is lost before the network
#            sees it, and more buckets do not bring it back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "category_encoders==2.11.2" "scikit-learn==1.9.1" "pandas==3.1.1" "numpy==2.4.6"
cat >"$folder/main.py" <<'PY'
import category_encoders
import pandas
from sklearn.feature_extraction import FeatureHasher

if __name__ == "__main__":
    table = pandas.DataFrame({"x": ["a", "b"], "y": ["b", "a"]})
    for components in (8, 1024):
        encoder = category_encoders.HashingEncoder(n_components=components, max_process=1)
        rows = encoder.fit_transform(table).to_numpy()
        print(components, "buckets: equal rows", bool((rows[0] == rows[1]).all()))
        assert (rows[0] == rows[1]).all() and rows.sum() == 4
    other = FeatureHasher(1024).transform(table.to_dict("records")).toarray()
    assert (other[0] != other[1]).any()
PY
"$folder/venv/bin/python" "$folder/main.py"
echo "as described"
