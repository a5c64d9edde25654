#!/usr/bin/env bash
# The column that scikit-learn hashes a word to is |h| mod n of the signed MurmurHash h, not h mod n of the unsigned one.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: FeatureHasher and HashingVectorizer take MurmurHash3 (32 bits, seed 0, UTF-8) as a signed number; its sign becomes the sign of
#            the value, its magnitude modulo n_features the column. For the half of all words whose top bit is set that is another column
#            than the plain remainder, also where n is a power of two.
# Seen:      2^18 columns: "cat", "house" (top bit 0) are in column h mod n. "the" has h = 3162218338 as unsigned, −1132748958 as signed: it
#            is in column 24734 with value −1, where h mod n is 237410. alternate_sign=False takes the sign away and leaves the column.
# Guess:     a hash of 32 bits modulo the number of columns, as the hashing trick is written down everywhere; with a power of two the low
#            bits.
# Matters:   a bag of hashed words or crossed categories that was trained in Python and is served from another language, with a hash
#            function that passes every published test vector, reads a wrong weight for every second word; half of them being right,
#            it looks like a somewhat worse model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import murmurhash3_32

n = 2**18
for word, negative in (("cat", False), ("house", False), ("the", True), ("dog", True)):
    signed, unsigned = murmurhash3_32(word, seed=0), murmurhash3_32(word, seed=0, positive=True)
    assert unsigned == signed % 2**32 and (signed < 0) == negative
    row = FeatureHasher(n, input_type="string").transform([[word]])
    column, value = int(row.indices[0]), float(row.data[0])
    print(f"{word}: {unsigned} % n = {unsigned % n}, column {column}, value {value}")
    assert column == abs(signed) % n and value == (-1.0 if negative else 1.0)
    assert (column != unsigned % n) == negative
    for options in ({}, {"alternate_sign": False}):
        assert HashingVectorizer(n_features=n, **options).transform([word]).indices.tolist() == [column]
PY
echo "as described"
