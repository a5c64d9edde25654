#!/usr/bin/env bash
# hyparquet moves times before 1970 that are finer than a millisecond forward: the last one of a day falls into the next day.
#
# Version:   hyparquet 1.33.0 (Node.js 20), the file written by pyarrow 26.0.1.
# Behaviour: TIMESTAMP in microseconds and nanoseconds is divided as a bigint, which drops the fraction toward zero: down after 1970, up before. No
#            option but parsers of one's own.
# Seen:      1969-12-31 23:59:59.999999 is 1970-01-01T00:00:00.000Z, and 1969-12-30 23:59:59.999999 is midnight of 1969-12-31, of microseconds and of
#            nanoseconds; the same times after 1970 are 23:59:59.999 of their own day. pandas' floor("ms") gives 23:59:59.999 of both.
# Guess:     what a Date cannot hold is left out, as the digits behind the third of an ISO text are, before 1970 as after.
# Matters:   "until the end of the day" is written as 23:59:59.999999 by pandas, Django and SQL Server; days of birth, contracts and time series from
#            before 1970 are counted a day, and at the end of a year a year, too late, and only those.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "hyparquet@1.33.0"
python3 -m venv venv
venv/bin/pip install --quiet "pyarrow==26.0.1"
venv/bin/python - <<'PY'
import datetime

import pyarrow
import pyarrow.parquet

ends = [datetime.datetime(*day, 23, 59, 59, 999999) for day in [(1969, 12, 30), (1969, 12, 31), (1970, 12, 31)]]
micro = pyarrow.array(ends, pyarrow.timestamp("us"))
pyarrow.parquet.write_table(pyarrow.table({"micro": micro, "nano": micro.cast(pyarrow.timestamp("ns"))}), "a.parquet")
assert pyarrow.parquet.read_table("a.parquet")["micro"].to_pylist() == ends
PY
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

const rows = await parquetReadObjects({ file: await asyncBufferFromFile("a.parquet") });
console.log(rows);
for (const unit of ["micro", "nano"])
  assert.deepEqual(
    rows.map((row) => row[unit].toISOString()),
    ["1969-12-31T00:00:00.000Z", "1970-01-01T00:00:00.000Z", "1970-12-31T23:59:59.999Z"],
  );
JS
node main.mjs
echo "as described"
