#!/usr/bin/env bash
# A Keras Sequential that begins with Embedding, without Input, looks up wrong rows under mixed_bfloat16 and mixed_float16.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: a Sequential that is built at its first call makes an input of the policy's compute dtype; integer ids are cast to it before the
#            lookup. bfloat16 holds integers up to 256, float16 up to 2,048; larger ones are rounded to an id nearby.
# Seen:      ids 257, 2049, 4095, 3001 give the rows 256, 2048, 4096, 3008 under mixed_bfloat16, and 257, 2048, 4096, 3000 under mixed_float16. With
#            Input((1,)) in front, in a functional model and under float32 all are right.
# Guess:     integers stay integers; the policy is about weights and activations. Embedding itself says so: it is exempt from autocasting.
# Matters:   Sequential([Embedding, …]) is how tutorials write a text classifier, and the policy is the advised one-line speed-up: of a
#            vocabulary of 20,000 words about 1,050 rows remain in use, accuracy drops a little, and the saved weights are wrong
#            everywhere else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

ids = np.array([[257], [2049], [4095], [3001]], np.int32)
bits = (np.arange(5000)[:, None] >> np.arange(13)) & 1


def rows(policy, declared):
    keras.config.set_dtype_policy(policy)
    table = keras.layers.Embedding(5000, 13)
    model = keras.Sequential([keras.Input((1,)), table] if declared else [table])
    model(ids)
    table.set_weights([bits])
    found = model.predict(ids, verbose=0).astype(np.float64).reshape(4, 13)
    return (found @ 2.0 ** np.arange(13)).astype(int).tolist()


for policy, expected in (
    ("mixed_bfloat16", [256, 2048, 4096, 3008]),
    ("mixed_float16", [257, 2048, 4096, 3000]),
    ("float32", ids.ravel().tolist()),
):
    found = rows(policy, False)
    print(policy, ids.ravel().tolist(), "→", found)
    assert found == expected
    assert rows(policy, True) == ids.ravel().tolist()
PY
echo "as described"
