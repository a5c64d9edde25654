#!/usr/bin/env bash
# safetensors' save_file writes files that only their owner can read, whatever the umask, and puts a file in the place of a link.
#
# Version:   safetensors 0.8.0 (Python), NumPy 2.4.6, Linux.
# Behaviour: save_file gives every file the mode 0600; a file that was there with 0644 has 0600 afterwards. A symbolic link at the path
#            is replaced by the file, what it led to stays as it was.
# Seen:      umask 0022: numpy.save 0644, save_file 0600; after chmod 644 and another save_file 0600 again; a link is none any more.
# Guess:     0666 less the umask, as open(), numpy.save and torch.save give it; a link is followed.
# Matters:   a model that a training job saves cannot be read by the server that runs as another user, from one version of the package to
#            the next and without an error at the writer; "current.safetensors" as a link to a release becomes a file of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
umask 0022
"$folder/venv/bin/python" - "$folder" <<'PY'
import os
import sys
import numpy as np
from safetensors.numpy import save_file

folder = sys.argv[1]
mode = lambda path: os.stat(path).st_mode & 0o777
array, model, link = (os.path.join(folder, name) for name in ("array.npy", "model.safetensors", "link.safetensors"))
np.save(array, np.zeros(2))
save_file({"a": np.zeros(2)}, model)
print("numpy.save", oct(mode(array)), "save_file", oct(mode(model)))
assert mode(array) == 0o644 and mode(model) == 0o600
os.chmod(model, 0o644)
save_file({"a": np.ones(2)}, model)
assert mode(model) == 0o600
os.symlink(model, link)
save_file({"a": np.ones(3)}, link)
print("a link still?", os.path.islink(link))
assert not os.path.islink(link)
PY
