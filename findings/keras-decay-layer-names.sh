#!/usr/bin/env bash
# Keras' exclude_from_weight_decay takes the name of a layer without complaint and excludes nothing.
#
# Version:   Keras 3.15.1 with JAX 0.10.0.
# Behaviour: the words are looked for in variable.name, which in Keras 3 is "kernel", "gamma" or "embeddings" alone; the layer's name is in
#            variable.path. A word that matches nothing is no error. In Keras 2 the name contained the layer's.
# Seen:      AdamW that halves a weight by decay alone: with "head" and "norm" excluded the kernel of the layer "head" and gamma of the layer
#            "norm" are 0.5; with "gamma" excluded gamma stays 1.
# Guess:     part of a variable's full name excludes it, as for Keras 2 and for the lists that published recipes give (["LayerNorm",
#            "layer_norm", "bias"]).
# Matters:   recipes that exempt normalization layers by their name decay them after the move to Keras 3: scales shrink, and the run
#            differs from the published one for no visible reason.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np


def decayed(words):
    norm = keras.layers.LayerNormalization(name="norm")
    head = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False, name="head")
    model = keras.Sequential([keras.Input((2,)), norm, head])
    optimizer = keras.optimizers.AdamW(1e-9, weight_decay=0.5e9)
    optimizer.exclude_from_weight_decay(var_names=words)
    model.compile(optimizer, "mse")
    model.fit(np.zeros((2, 2)), np.zeros((2, 1)), verbose=0)
    gamma, kernel = (keras.ops.convert_to_numpy(v).mean() for v in (norm.gamma, head.kernel))
    print(words, f"gamma {gamma:.3f} ({norm.gamma.path}), kernel {kernel:.3f} ({head.kernel.path})")
    return round(float(gamma), 3), round(float(kernel), 3)


assert decayed(["head", "norm"]) == (0.5, 0.5)
assert decayed(["gamma"]) == (1.0, 0.5)
PY
echo "as described"
