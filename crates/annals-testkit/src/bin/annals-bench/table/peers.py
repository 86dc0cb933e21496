"""Asks DuckDB or chDB what the bench asks everybody, and prints one JSON object with what was measured.

    python peers.py duckdb|chdb PLAN

Durable inserts go into the engine's own table, a commit each. The questions are asked of what somebody would keep for
years: Parquet (zstd, sorted by workspace) for DuckDB, a MergeTree sorted the same way for chDB.
"""

import itertools
import json
import os
import pathlib
import resource
import sys
import time

COLUMNS = ("id", "workspace_id", "occurred_at", "action", "actor_id", "actor_name",
           "actor_email", "targets", "context", "metadata")
# Inserting in small pieces is what these are not made for: a sample says how fast it is.
BATCHES_MOST = 100
SINGLES_MOST = 200
WARM_UP, LONG, AT_LEAST = 5, 4.0, 5


def quoted(value):
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


class DuckDb:
    def __init__(self, plan):
        import duckdb
        self.dir, self.rows = pathlib.Path(plan["dir"]), plan["rows"]
        self.file, self.parquet = self.dir / "duck.db", self.dir / "events.parquet"
        self.db = duckdb.connect(str(self.file))
        self.db.execute("create table inserted (id varchar primary key, workspace_id varchar, occurred_at bigint, "
                        + ", ".join(f"{name} varchar" for name in COLUMNS[3:]) + ")")
        self.settings = (f"DuckDB {duckdb.__version__} in the process of the client; inserts: a table with a primary key, a commit each; "
                         "questions: one Parquet file, zstd level 3, sorted by workspace and time, row groups of 122,880")

    def insert(self, rows):
        self.db.execute("begin")
        marks = "(" + ", ".join("?" * len(COLUMNS)) + ")"
        self.db.execute("insert into inserted values " + ", ".join([marks] * len(rows)),
                        [row[name] for row in rows for name in COLUMNS])
        self.db.execute("commit")

    def load(self):
        kinds = ", ".join(f"{name}: '{'BIGINT' if name == 'occurred_at' else 'VARCHAR'}'" for name in COLUMNS)
        self.db.execute(f"copy (select * from read_json('{self.rows}', format = 'newline_delimited', columns = {{{kinds}}}) "
                        f"order by workspace_id, occurred_at desc) to '{self.parquet}' "
                        "(format parquet, compression zstd, compression_level 3)")
        self.db.execute(f"create view audit_event as select * from read_parquet('{self.parquet}')")
        self.db.execute("create macro json_text(document, name) as json_extract_string(document, '$.' || name)")
        return self.parquet.stat().st_size

    def ask(self, sql):
        return self.db.execute(sql).fetchall()

    def csv(self, path):
        self.db.execute("copy (select * from audit_event order by workspace_id, occurred_at desc) "
                        f"to '{path}' (format csv, header false)")


class ChDb:
    def __init__(self, plan):
        from chdb import session
        import chdb
        self.dir, self.rows = pathlib.Path(plan["dir"]) / "chdb", plan["rows"]
        self.session = session.Session(str(self.dir))
        self.session.query("create database if not exists bench")
        self.session.query("create function json_text as (document, name) -> JSONExtractString(document, name)")
        columns = "id String, workspace_id String, occurred_at Int64, " + ", ".join(f"{name} String codec(ZSTD(3))" for name in COLUMNS[3:])
        settings = "settings fsync_after_insert = 1, fsync_part_directory = 1, min_rows_for_wide_part = 0, min_bytes_for_wide_part = 0"
        for table in ("inserted", "audit_event"):
            self.session.query(f"create table bench.{table} ({columns}) engine = MergeTree order by (workspace_id, occurred_at) {settings}")
        version = self.session.query("select version()", "TabSeparated").bytes().decode().strip()
        self.settings = (f"chDB {chdb.__version__} (ClickHouse {version}) in the process of the client; MergeTree ordered by workspace and time, "
                         "fsync_after_insert=1, fsync_part_directory=1, zstd level 3; merged into one part before the questions")

    def insert(self, rows):
        values = ", ".join("(" + ", ".join(quoted(row[name]) for name in COLUMNS) + ")" for row in rows)
        self.session.query("insert into bench.inserted values " + values)

    def load(self):
        self.session.query(f"insert into bench.audit_event select {', '.join(COLUMNS)} from file('{self.rows}', 'JSONEachRow', "
                           "'id String, workspace_id String, occurred_at Int64, "
                           + ", ".join(f"{name} String" for name in COLUMNS[3:]) + "')")
        self.session.query("optimize table bench.audit_event final")
        sizes = "select sum(bytes_on_disk) from system.parts where active and database = 'bench' and table = 'audit_event'"
        return int(self.session.query(sizes, "TabSeparated").bytes())

    def ask(self, sql):
        text = self.session.query(sql.replace(" audit_event ", " bench.audit_event "), "JSONCompactEachRow").bytes().decode()
        return [json.loads(line) for line in text.splitlines()]

    def csv(self, path):
        self.session.query("select * from bench.audit_event order by workspace_id, occurred_at desc "
                           f"into outfile '{path}' format CSV")


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(rows, work):
    before, began = cpu(), time.perf_counter()
    work()
    return {"rows": rows, "seconds": time.perf_counter() - began, "cpu": cpu() - before}


def answer(peer, asked, repetitions):
    def ask():
        rows = peer.ask(asked["sql"])
        # Groups come in any order.
        return sorted(rows) if asked["shape"] == "counts" else rows

    for _ in range(WARM_UP):
        rows = ask()
    latencies, before, began = [], cpu(), time.perf_counter()
    while len(latencies) < repetitions and (len(latencies) < AT_LEAST or time.perf_counter() - began < LONG):
        sent = time.perf_counter()
        again = ask()
        latencies.append(time.perf_counter() - sent)
        assert again == rows, "the same question was answered in two ways"
    used = (cpu() - before) / len(latencies)
    answered = {"ids": [], "count": None, "counts": [], "latencies": latencies, "cpu": used}
    if asked["shape"] == "events":
        answered["ids"] = [row[0] for row in rows]
    elif asked["shape"] == "count":
        answered["count"] = int(rows[0][0])
    else:
        answered["counts"] = [(field, str(value), int(count)) for field, value, count in rows]
    return answered


def everything(peer, plan):
    path = pathlib.Path(plan["dir"]) / f"{sys.argv[1]}.csv"
    peer.csv(path)
    with open(path, "rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def main():
    plan = json.loads(pathlib.Path(sys.argv[2]).read_text())
    peer = {"duckdb": DuckDb, "chdb": ChDb}[sys.argv[1]](plan)
    with open(plan["rows"], encoding="utf-8") as file:
        wanted = min(plan["events"], BATCHES_MOST * plan["batch"])
        rows = [json.loads(line) for line in itertools.islice(file, wanted)]
    singles = rows[-SINGLES_MOST:]
    rows = rows[:-SINGLES_MOST]
    pieces = [rows[n:n + plan["batch"]] for n in range(0, len(rows), plan["batch"])]
    printed = {"settings": peer.settings}
    printed["batches"] = timed(len(rows), lambda: [peer.insert(piece) for piece in pieces])
    printed["singles"] = timed(len(singles), lambda: [peer.insert([row]) for row in singles])
    printed["bytes"] = peer.load()
    printed["answers"] = [answer(peer, asked, plan["repetitions"]) for asked in plan["statements"]]
    printed["memory"] = int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    lines = 0

    def write_all():
        nonlocal lines
        lines = everything(peer, plan)

    printed["csv"] = timed(0, write_all)
    printed["csv"]["rows"] = lines
    json.dump(printed, sys.stdout)


main()
