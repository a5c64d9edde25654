#!/usr/bin/env bash
# An Arrow file that Polars has written does not contain an Arrow stream.
#
# Version:   polars 2.1.0, pyarrow 26.0.1.
# Behaviour: the format's page says that what follows the mark ARROW1 and its padding "is identical to the stream format"; that is how pyarrow
#            writes. Polars writes the schema message there without the ff ff ff ff and the length before it. Readers that begin at the
#            footer never look at that place; those that begin at the front cannot read the file.
# Seen:      behind the mark pyarrow has ff ff ff ff 78 00 00 00, Polars a flatbuffer at once; pyarrow's open_file reads both,
#            open_stream from byte 8 on reads its own three rows and answers Polars' with "Invalid flatbuffers message".
#            write_ipc_stream has the prefix.
# Guess:     a file is a stream between two marks, so that it can be read as it arrives (standard input, a download) without its end.
# Matters:   a reader of tables too large for memory, which takes batches from the front, trains from every Arrow file that it was tried on and fails
#            on Polars'; it must seek to the footer, or read the schema there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" "pyarrow==26.0.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import polars
import pyarrow
from pyarrow import ipc

table = pyarrow.table({"a": [1, 2, 3]})
with ipc.new_file("pyarrow.arrow", table.schema) as writer:
    writer.write_table(table)
frame = polars.DataFrame({"a": [1, 2, 3]})
frame.write_ipc("polars.arrow")
frame.write_ipc_stream("polars.arrows")

prefix = b"\xff\xff\xff\xff"
contents = {}
for name in ("pyarrow.arrow", "polars.arrow"):
    with open(name, "rb") as file:
        contents[name] = file.read()
    print(name, contents[name][:24].hex(" "))
    assert contents[name].startswith(b"ARROW1\0\0")
    assert ipc.open_file(name).read_all().num_rows == 3
assert contents["pyarrow.arrow"][8:12] == prefix
assert ipc.open_stream(contents["pyarrow.arrow"][8:]).read_all().num_rows == 3
assert contents["polars.arrow"][8:12] != prefix
try:
    ipc.open_stream(contents["polars.arrow"][8:])
    raise SystemExit("the file has become readable as a stream")
except OSError as error:
    print(error)
with open("polars.arrows", "rb") as file:
    assert file.read(4) == prefix
PY
echo "as described"
