"""DuckDB reads a segment as it is: the committed sample, and one that this version wrote.

ANNALS_SEGMENTS names the folders to look into, separated by colons.
"""

import os
import unittest

import duckdb


class Segment(unittest.TestCase):
    def rows(self, what, more=""):
        for folder in os.environ["ANNALS_SEGMENTS"].split(":"):
            path = os.path.join(folder, "segment.parquet")
            query = f"select {what} from read_parquet(?) {more}"
            yield duckdb.execute(query, [path]).fetchall()

    def test_rows_and_logs(self):
        for rows in self.rows("log, count(*), min(position), max(position)", "group by log order by log"):
            self.assertEqual(rows, [(7, 1030, 40, 1069), (9, 1, 0, 0)])

    def test_values(self):
        what = """coalesce(id_text, id::varchar), action, actor_id, actor_email, location, targets[1].id,
            list_transform(targets, lambda t: t.type), json_extract_string(next, 'status'),
            strftime(occurred_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%f'), failure_reason, metadata"""
        for rows in self.rows(what, "where position in (41, 42) and log = 7 order by position"):
            self.assertEqual(
                rows,
                [
                    ("0193a3b4-c5d6-7001-8000-000000000001", "issue.status_updated", "usr_1", "ana@acme.example",
                     "192.0.2.1", "issue_1", ["issue", "project"], "Closed", "2026-11-22T12:00:01.000001", None,
                     '{"größe":1.5,"list":[1,"a\\"\\\\\\n",null]}'),
                    ("given", "user.login_failed", "eve@acme.example", None, None, None, [], None,
                     "2026-11-22T12:00:02.000000", "of my own", None),
                ],
            )

    def test_what_is_erased_redacted_or_raw(self):
        for rows in self.rows("position", "where erased is not null or redacted is not null or raw is not null order by 1"):
            self.assertEqual(rows, [(43,), (44,), (45,)])

    def test_pages_are_skipped_by_what_the_footer_says(self):
        for rows in self.rows("count(*)", "where position >= 1064 and log = 7 and actor_id = 'usr_3'"):
            self.assertEqual(rows, [(1,)])


if __name__ == "__main__":
    unittest.main()
