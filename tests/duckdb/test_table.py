"""DuckDB reads the Parquet download: row for row what the CSV download of the same question has, and typed.

ANNALS_BIN names the binary.
"""

import json
import os
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request

import duckdb

KEY = "sk_test_table_0123456789abcdef"
ROWS = 100_000
# What spreadsheets run, what ends cells and lines, and what is long in UTF-8.
TEXTS = ["=1+1", "+1", "-1", "@sum", "\t=1", "'=1", '"', '""', ",", "a,b", "a\r\nb", "\n", "＝1", "😀 Ünï", "\\", "null", "", "0", "{}"]
NUMBER = "BIGINT"
TEXT = "VARCHAR"
TIME = "TIMESTAMP WITH TIME ZONE"


def event(n):
    text = TEXTS[n % len(TEXTS)]
    event = {
        "id": f"evt_{n}",
        "action": ["issue.status_updated", "user.login_failed", "invoice.paid"][n % 3],
        "occurred_at": f"2026-01-{n % 28 + 1:02}T10:{n % 60:02}:00.{n % 1_000_000:06}Z",
        "actor": {"id": f"usr_{n % 97}", "type": "user", "name": text, "email": f"user{n % 97}@example.com"},
        "targets": [{"id": f"issue_{k}", "type": ["issue", "project"][k], "name": text} for k in range(n % 3)],
        "context": {"location": f"192.0.2.{n % 256}", "user_agent": f"Agent/{n % 7} " * 8},
        "metadata": {"n": n, "note": text, "noise": f"{n * 2_654_435_761 % 2**64:x}" * 64},
    }
    if n % 3 == 0:
        event["previous"], event["next"] = {"status": text}, {"status": n}
    if n % 3 == 1:
        event["failure"] = {"reason": "bad_password"}
    if n % 5 == 0:
        del event["actor"]["name"]
    return event


class Server:
    def __init__(self, folder):
        binary, data = os.environ["ANNALS_BIN"], os.path.join(folder, "data")
        self.process = subprocess.Popen(
            [binary, "serve", "--json", "--data", data, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ANNALS_BOOTSTRAP_KEY": KEY},
        )
        self.url = json.loads(self.process.stdout.readline())["annals"]
        lines = os.path.join(folder, "events.ndjson")
        with open(lines, "w", encoding="utf-8") as out:
            for n in range(ROWS):
                out.write(json.dumps({"organization_id": "acme", "event": event(n)}) + "\n")
        subprocess.run(
            [binary, "import", "--json", lines],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "ANNALS_URL": self.url, "ANNALS_KEY": KEY},
        )

    def save(self, path, name, **question):
        question = urllib.parse.urlencode({"organization_id": "acme", "as_of": ROWS, **question})
        request = urllib.request.Request(f"{self.url}/audit_logs/{name}?{question}", headers={"Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request) as answer, open(path, "wb") as out:
            while piece := answer.read(1 << 16):
                out.write(piece)
        return path

    def memory(self, field):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith(field))
        return int(line.split()[1]) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server(folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.folder = folder.name

    def both(self, **question):
        """The CSV and the Parquet file of a question."""
        csv = self.server.save(os.path.join(self.folder, "file.csv"), "events.csv", escape="none", **question)
        return csv, self.server.save(os.path.join(self.folder, "file.parquet"), "events.parquet", **question)

    def assert_same(self, csv, parquet, rows):
        columns = duckdb.execute("describe from read_parquet(?)", [parquet]).fetchall()

        def as_csv(name, kind):
            if kind == TIME:
                return f"strftime({name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') as {name}"
            return f"coalesce({name}::varchar, '') as {name}"

        cells = ", ".join(as_csv(name, kind) for name, kind, *_ in columns)
        table = f"(select {cells} from read_parquet('{parquet}'))"
        # Nothing is guessed: every cell is a text, and an empty one no null.
        texts = f"""(from read_csv('{csv}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
            nullstr = '\x01', new_line = '\\r\\n', max_line_size = 1000000, parallel = false))"""
        header = [name for name, *_ in duckdb.execute(f"describe {texts[1:-1]}").fetchall()]
        self.assertEqual([name for name, *_ in columns], header)
        for one, other in [(table, texts), (texts, table)]:
            self.assertEqual(duckdb.execute(f"{one} except all {other} limit 3").fetchall(), [])
            self.assertEqual(duckdb.execute(f"select count(*) from {one}").fetchone(), (rows,))

    def test_row_for_row_the_csv_file_in_bounded_memory(self):
        csv = self.server.save(os.path.join(self.folder, "file.csv"), "events.csv", escape="none")
        before = self.server.memory("VmHWM:")
        parquet = self.server.save(os.path.join(self.folder, "file.parquet"), "events.parquet")
        # The texts alone are twice that.
        self.assertLess(self.server.memory("VmHWM:") - before, 64 << 20)
        self.assert_same(csv, parquet, ROWS)
        order = """select count(*) from (select position, lag(position) over (order by file_row_number) as before
            from read_parquet(?, file_row_number = true)) where position <> before - 1"""
        self.assertEqual(duckdb.execute(order, [parquet]).fetchone(), (0,))
        groups = duckdb.execute("select count(distinct row_group_id) from parquet_metadata(?)", [parquet]).fetchone()
        self.assertGreater(groups[0], 1)

    def test_a_question_in_the_other_order(self):
        question = {"q": "outcome:failure -actor.id:usr_1", "from": "2026-01-10T00:00:00Z", "order": "asc"}
        chosen = [n for n in range(ROWS) if n % 3 == 1 and n % 97 != 1 and n % 28 + 1 >= 10]
        self.assert_same(*self.both(**question), len(chosen))

    def test_types(self):
        parquet = self.both(q="position:0..9")[1]
        kinds = {name: kind for name, kind, *_ in duckdb.execute("describe from read_parquet(?)", [parquet]).fetchall()}
        for names, kind in [("occurred_at recorded_at", TIME), ("position", NUMBER), ("previous next metadata", "JSON")]:
            for name in names.split():
                self.assertEqual(kinds.pop(name), kind, name)
        self.assertEqual(set(kinds.values()), {TEXT})
        row = """select metadata->>'note', (metadata->'n')::int, next->>'status', actor_name, failure_reason, target_id,
            json_array_length(metadata->'$."$targets"') from read_parquet(?) where id = ?"""
        self.assertEqual(duckdb.execute(row, [parquet, "evt_3"]).fetchone(), ("@sum", 3, "3", "@sum", None, None, None))
        self.assertEqual(
            duckdb.execute(row, [parquet, "evt_5"]).fetchone(), ("'=1", 5, None, None, None, "issue_0", 1)
        )

    def test_the_documented_query_lists_all_targets(self):
        parquet = self.both(q="position:0..9")[1]
        with open(os.path.join(os.path.dirname(__file__), "../../docs/parquet.md"), encoding="utf-8") as text:
            queries = text.read().split("```sql\n")[1:]
        query = next(query.split("```")[0] for query in queries if "union all" in query)
        targets = duckdb.execute(query.replace("acme.parquet", parquet)).fetchall()
        expected = [(f"evt_{n}", ["issue", "project"][k], f"issue_{k}") for n in range(10) for k in range(n % 3)]
        self.assertEqual(sorted(targets), sorted(expected))

    def test_nothing_is_a_file_too(self):
        self.assert_same(*self.both(q="actor:nobody"), 0)

    def test_the_footer_says_what_the_file_is_of(self):
        parquet = self.both(q="position:0..9")[1]
        pairs = duckdb.execute("select decode(key), decode(value) from parquet_kv_metadata(?)", [parquet]).fetchall()
        about = dict(pairs)
        self.assertEqual(about["annals.organization_id"], "acme")
        self.assertEqual(about["annals.as_of"], str(ROWS))
        self.assertEqual(about["annals.query"], "position:0..9")
        self.assertTrue(about["annals.origin"])


if __name__ == "__main__":
    unittest.main()
