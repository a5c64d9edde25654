#!/usr/bin/env bash
# With Keras' causal mask the newest token of a cache sees the oldest one and nothing else.
#
# Version:   Keras 3.15.1 with PyTorch 2.13.0 (whose `is_causal` does the same).
# Behaviour: `use_causal_mask=True` lines up the first query with the first key, whatever their numbers are. One query beside the keys of a cache is taken for the first
#            token, and sees one key.
# Seen:      one query and three keys: weights 1, 0, 0. Three queries: the last one sees all three.
# Guess:     the last query belongs to the last key, as it does when a sequence grows by a token.
# Matters:   generation with a cache answers without a word of complaint from the first token alone; with full sequences, as in training, everything is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
cat >cache.py <<'PY'
import keras
import numpy as np

random = np.random.default_rng(0)
attention = keras.layers.MultiHeadAttention(1, 4)
tokens = random.normal(size=(1, 3, 4)).astype("float32")
def seen(queries):
    weights = attention(queries, tokens, use_causal_mask=True, return_attention_scores=True)[1]
    return (keras.ops.convert_to_numpy(weights)[0, 0, -1] > 0).astype(int).tolist()

print("the last of three queries", seen(tokens))
print("the last token alone", seen(tokens[:, 2:]))
PY
HOME="$folder" KERAS_BACKEND=torch "$folder/venv/bin/python" cache.py | tee seen
grep -qx 'the last of three queries \[1, 1, 1\]' seen
grep -qx 'the last token alone \[1, 0, 0\]' seen
echo "as described"
