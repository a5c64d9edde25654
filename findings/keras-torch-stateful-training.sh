#!/usr/bin/env bash
# On Keras' PyTorch backend a stateful GRU or LSTM cannot be trained; a stateful SimpleRNN, and all three without state, can.
#
# Version:   Keras 3.15.1 with PyTorch 2.13.0.
# Behaviour: `fit` of a network with `GRU(…, stateful=True)` or `LSTM(…, stateful=True)` raises a RuntimeError in the first step's backward pass: the state is assigned
#            in place, and the gradient needs what it was before. Answers of such a network are fine.
# Seen:      SimpleRNN trains with and without state; GRU and LSTM train without, and raise "modified by an inplace operation" with it.
# Guess:     `stateful=True`, Keras' way to truncated back-propagation, works on each of its backends, or is refused when the layer is made.
# Matters:   who moves a network that learns a long series window by window from TensorFlow to the PyTorch backend finds that it predicts, saves and loads, and does not train;
#            and a fixture of truncated back-propagation cannot be made by this pair.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
cat >stateful.py <<'PY'
import keras
import numpy as np

draw = np.random.default_rng(0)
x = draw.normal(size=(4, 5, 3)).astype("float32")
y = draw.normal(size=(4, 1)).astype("float32")
for kind in (keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM):
    for stateful in (False, True):
        layers = [keras.layers.Input(batch_shape=(2, 5, 3)), kind(4, stateful=stateful), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        try:
            model.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0)
            told = "trains"
        except RuntimeError as error:
            told = "in place" if "modified by an inplace operation" in str(error) else str(error)
        print(kind.__name__, "with state" if stateful else "without state", told)
PY
HOME="$folder" KERAS_BACKEND=torch "$folder/venv/bin/python" stateful.py | tee seen
for kind in SimpleRNN GRU LSTM; do grep -qx "$kind without state trains" seen; done
grep -qx "SimpleRNN with state trains" seen
for kind in GRU LSTM; do grep -qx "$kind with state in place" seen; done
echo "as described"
