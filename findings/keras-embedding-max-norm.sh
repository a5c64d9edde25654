#!/usr/bin/env bash
# MaxNorm on a Keras Embedding bounds its columns, over the whole vocabulary, and not the vectors of its words.
#
# Version:   Keras 3.15.1 (backend torch).
# Behaviour: the constraint's axis is 0 by default, which is right for a kernel [inputs, units]; an embedding is [words, size], so that each of its
#            columns is bounded, whose norm grows with the root of the number of words.
# Seen:      four words of three ones and MaxNorm(1): every element becomes 0.5, and a word has the norm 0.87; axis=1 gives words of norm 1.
# Guess:     vectors of words have norms of at most 1, as max_norm of PyTorch's Embedding has it.
# Matters:   with ten thousand words a bound of 1 makes each vector about a hundred times smaller than meant; training goes on, with a table that is almost 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np


def bounded(constraint):
    layer = keras.layers.Embedding(4, 3, embeddings_constraint=constraint)
    layer.build((None, 1))
    return keras.ops.convert_to_numpy(layer.embeddings_constraint(keras.ops.ones((4, 3))))


columns, rows = bounded(keras.constraints.MaxNorm(1.0)), bounded(keras.constraints.MaxNorm(1.0, axis=1))
print(columns[0], rows[0])
assert np.allclose(columns, 0.5, atol=1e-5)
assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
PY
echo "as described"
