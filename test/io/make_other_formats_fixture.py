"""Files of other formats that people hand to a reader of safetensors, by the libraries that write them, base64."""

import base64
import io
import json
import os
import pickle
import tempfile
import zipfile

os.environ["KERAS_BACKEND"] = "torch"
import keras  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402

folder = tempfile.mkdtemp()
files = {}


def add(name, write):
    path = os.path.join(folder, name)
    write(path)
    files[name] = base64.b64encode(open(path, "rb").read()).decode()


weights = {"weight": torch.zeros(1, 2)}
add("model.pt", lambda path: torch.save(weights, path))
add("old.pt", lambda path: torch.save(weights, path, _use_new_zipfile_serialization=False))
add("array.npy", lambda path: numpy.save(path, numpy.zeros(2)))
add("arrays.npz", lambda path: numpy.savez(path, a=numpy.zeros(2)))
add("forest.pkl", lambda path: pickle.dump({"trees": [1, 2]}, open(path, "wb")))
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
add("archive.zip", lambda path: zipfile.ZipFile(path, "w").writestr("readme.txt", "hello"))
try:
    add("model.keras", model.save)
    add("model.h5", model.save)
except Exception as error:
    print(error)
try:
    buffer = io.BytesIO()
    torch.onnx.export(torch.nn.Linear(2, 1), (torch.zeros(1, 2),), buffer, dynamo=False)
    files["model.onnx"] = base64.b64encode(buffer.getvalue()).decode()
except Exception as error:
    print(error)
for name, text in files.items():
    raw = base64.b64decode(text)
    print(name, len(raw), raw[:24])
    if len(raw) > 4000:  # only both ends are looked at
        files[name] = base64.b64encode(raw[:600] + raw[-600:]).decode()
with open(os.path.join(os.path.dirname(__file__), "fixtures/other_formats.json"), "w") as file:
    json.dump(files, file, indent=1)
    file.write("\n")
