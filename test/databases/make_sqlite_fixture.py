"""Makes fixtures/types.sqlite by Python's own SQLite: python make_sqlite_fixture.py"""

import sqlite3
from pathlib import Path

path = Path(__file__).parent / "fixtures" / "types.sqlite"
path.parent.mkdir(exist_ok=True)
path.unlink(missing_ok=True)
base = sqlite3.connect(path)
base.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, zip TEXT, price DECIMAL(8, 2), active BOOLEAN, at DATETIME, plain)")
base.executemany(
    "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)",
    [
        (1, "00501", None, 1, "2021-03-04 05:06:07", 1.5),
        (2, 10001, 12.25, 0, None, None),
        (9007199254740991, None, 7, None, "2021-03-05", 2),
    ],
)
base.execute("CREATE TABLE odd (x INTEGER, wide INTEGER, bytes BLOB)")
base.execute("INSERT INTO odd VALUES (1, 9007199254740993, x'ff'), ('NA', 0, NULL)")
base.commit()
base.execute("VACUUM")
base.close()
