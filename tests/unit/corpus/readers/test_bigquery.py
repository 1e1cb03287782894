"""BigQuery as a source: the very SQL on small tables, the command against a service in memory."""

import builtins
import hashlib
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import duckdb
import pytest
import requests
import sqlglot

from training.corpus.bigquery import query
from training.corpus.bigquery.__main__ import BigQueryService, connect, main
from training.corpus.bigquery.query import SPDX, Extraction
from training.corpus.config import RecordFields
from training.foundation.errors import ConfigError, CorpusError, PrerequisiteError, run_main

TEXT = "x = 1\n" * 400
EVERY = Extraction(licences=tuple(SPDX), every_licence=True)
COLUMNS = ["repo_name", "path", "licence", "ref", "size", "content_id", "content"]


def fingerprint(text):
    """Stands for FARM_FINGERPRINT: any even hash into the signed 64 bits."""
    if text == "the smallest":
        return -(2**63)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


class Tables:
    """The three tables of the public dataset, and the project's own SQL on them."""

    def __init__(self):
        self.connection = duckdb.connect()
        self.connection.execute("""
            ATTACH ':memory:' AS "bigquery-public-data";
            CREATE SCHEMA "bigquery-public-data".github_repos;
            USE "bigquery-public-data".github_repos;
            CREATE TABLE files(repo_name VARCHAR, ref VARCHAR, path VARCHAR, mode BIGINT,
                id VARCHAR, symlink_target VARCHAR);
            CREATE TABLE contents(id VARCHAR, size BIGINT, content VARCHAR, "binary" BOOLEAN,
                copies BIGINT);
            CREATE TABLE licenses(repo_name VARCHAR, license VARCHAR);
        """)
        self.connection.create_function("FARM_FINGERPRINT", fingerprint, ["VARCHAR"], "BIGINT")

    def add(self, table, *row):
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)

    def licence(self, repository, key):
        self.add("licenses", repository, key)

    def file(self, repository, path, content_id, mode=0o100644):
        self.add("files", repository, "refs/heads/main", path, mode, content_id, None)

    def content(self, content_id, size=2000, content=TEXT, *, binary=False):
        self.add("contents", content_id, size, content, binary, 1)

    def rows(self, extraction=None):
        translated = sqlglot.transpile(query.load_sql(), read="bigquery", write="duckdb")[0]
        result = self.connection.execute(
            translated, query.build_parameters(extraction or Extraction())
        )
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture
def tables():
    """One good file, which each test puts something beside or in the place of."""
    made = Tables()
    made.licence("a/good", "mit")
    made.file("a/good", "src/m.py", "good")
    made.content("good")
    yield made
    made.connection.close()


def taken(tables, extraction=None):
    return {(row["repo_name"], row["path"]) for row in tables.rows(extraction)}


def test_a_row_has_what_the_corpus_reads(tables):
    """If it fails, an extraction that was paid for cannot be read as sources.records."""
    (row,) = tables.rows()
    assert list(row) == COLUMNS
    assert list(row.values()) == [
        "a/good", "src/m.py", "MIT", "refs/heads/main", 2000, "good", TEXT,
    ]  # fmt: skip
    fields = RecordFields()
    for names in (fields.text, fields.path, fields.package, fields.version, fields.licence):
        assert set(names) & set(COLUMNS)


@pytest.mark.parametrize(
    ("size", "is_taken"),
    [(1023, False), (1024, True), (1_000_000, True), (1_000_001, False)],
)
def test_sizes_have_both_ends(tables, size, is_taken):
    tables.file("a/good", "other.py", "other")
    tables.content("other", size=size)
    assert (("a/good", "other.py") in taken(tables)) == is_taken


@pytest.mark.parametrize("path", ["m.pyc", "m.txt", "py", "m.py/readme", "notebook.ipynb"])
def test_only_python_is_taken(tables, path):
    tables.file("a/good", path, "other")
    tables.content("other")
    assert taken(tables) == {("a/good", "src/m.py")}


def test_neither_binaries_nor_missing_contents_nor_links_are_taken(tables):
    tables.file("a/good", "binary.py", "binary")
    tables.content("binary", binary=True)
    tables.file("a/good", "empty.py", "empty")
    tables.content("empty", content=None)
    tables.file("a/good", "absent.py", "absent")
    tables.file("a/good", "link.py", "link", mode=0o120000)
    tables.content("link")
    assert taken(tables) == {("a/good", "src/m.py")}


def test_a_licence_that_is_not_asked_for_is_never_taken(tables):
    """If it fails, the corpus holds files nobody allowed."""
    for name, key in [("b/copyleft", "gpl-3.0"), ("c/none", None), ("d/two", "mit")]:
        if key:
            tables.licence(name, key)
        tables.file(name, "m.py", name)
        tables.content(name)
    tables.licence("d/two", "gpl-3.0")
    assert taken(tables) == {("a/good", "src/m.py")}
    assert taken(tables, Extraction(licences=("gpl-3.0",))) == {("b/copyleft", "m.py")}


def test_all_licences_are_taken_if_wanted_each_with_its_own(tables):
    """If it fails, who wants to decide later pays twice, or takes a file for freer than it is."""
    for name, keys in [("b", ["gpl-3.0"]), ("d", ["mit", "gpl-3.0"]), ("e", ["x"])]:
        for key in keys:
            tables.licence(name, key)
        tables.file(name, "m.py", name)
        tables.content(name)
    found = sorted(row["licence"] for row in tables.rows(EVERY))
    assert found == ["GPL-3.0-only", "GPL-3.0-only AND MIT", "MIT", "x"]


def test_every_licence_gets_its_own_identifier(tables):
    """If it fails, each file is labelled with some other file's licence."""
    for key in SPDX:
        tables.licence(f"r/{key}", key)
        tables.file(f"r/{key}", "m.py", key)
        tables.content(key)
    asked = Extraction(licences=tuple(reversed(SPDX)))
    found = {row["content_id"]: row["licence"] for row in tables.rows(asked)}
    assert found == {**SPDX, "good": "MIT"}


def test_a_content_is_taken_once_from_the_smallest_allowed_place(tables):
    for name, key in [("a/copyleft", "gpl-3.0"), ("z/last", "isc"), ("a/a", "apache-2.0")]:
        tables.licence(name, key)
    for name, path in [
        ("a/copyleft", "0.py"),
        ("z/last", "a.py"),
        ("a/a", "c.py"),
        ("a/a", "b.py"),
    ]:
        tables.file(name, path, "good")
    tables.file("a/a", "a.txt", "good")
    (row,) = tables.rows()
    assert (row["repo_name"], row["path"], row["licence"]) == ("a/a", "b.py", "Apache-2.0")


def test_a_share_is_even_the_same_each_time_and_part_of_every_larger_one(tables):
    for number in range(400):
        tables.file("a/good", f"{number}.py", f"id {number}")
        tables.content(f"id {number}")
    tables.file("a/good", "smallest.py", "the smallest")
    tables.content("the smallest")
    few, half, everything = (taken(tables, Extraction(share=s)) for s in (0.1, 0.5, 1.0))
    assert few < half < everything
    assert len(everything) == 402
    assert 20 <= len(few) <= 65
    assert 160 <= len(half) <= 245
    assert taken(tables, Extraction(share=0.1)) == few


class ConflictError(Exception):
    pass


class MissingError(Exception):
    pass


class FailedError(Exception):
    pass


class Cloud:
    """BigQuery in memory: jobs keep their ids for ever, tables may expire, requests are kept."""

    def __init__(self, scanned=1000):
        self.scanned = scanned
        self.jobs = {}
        self.tables = {}
        self.datasets = []
        self.refusals = []  # errors that the next jobs end with
        self.queries = []
        self.extracts = []

    def service(self, project):
        self.project = project
        return BigQueryService(
            client=self,
            dataset=dict,
            query_config=dict,
            extract_config=dict,
            conflict=ConflictError,
            not_found=MissingError,
            failures=(ConflictError, MissingError, FailedError),
            open_session=requests.Session,
        )

    def _job(self, job_id, do):
        if job_id in self.jobs:
            raise ConflictError
        error = self.refusals.pop() if self.refusals else None

        def result():
            job.state = "DONE"
            if error:
                job.error_result = {"message": error}
                raise FailedError(error)
            do()

        job = SimpleNamespace(state="RUNNING", error_result=None, result=result)
        self.jobs[job_id] = job
        return job

    def query(self, text, *, job_config, location, job_id=None, job_retry=None):
        assert (text, location) == (query.load_sql(), "US")
        if job_config.get("dryRun"):
            return SimpleNamespace(total_bytes_processed=self.scanned)
        target = job_config["query"]["destinationTable"]
        table_id = f"{target['projectId']}.{target['datasetId']}.{target['tableId']}"
        table = SimpleNamespace(expires=None, num_rows=3)
        job = self._job(job_id, lambda: self.tables.setdefault(table_id, table))
        self.queries.append(job_config["query"])
        return job

    def extract_table(self, table_id, uri, *, job_id, location, job_config):
        job = self._job(job_id, lambda: self.tables[table_id])
        self.extracts.append((table_id, uri, job_config["extract"]))
        return job

    def get_job(self, job_id, *, location):
        if job_id not in self.jobs:
            raise MissingError
        return self.jobs[job_id]

    def get_table(self, table_id):
        if table_id not in self.tables:
            raise MissingError
        return self.tables[table_id]

    def update_table(self, table, fields):
        assert fields == ["expires"]
        return table

    def create_dataset(self, dataset, *, exists_ok):
        assert exists_ok
        self.datasets.append(dataset)

    def run(self, *more, cap=2000, bucket="gs://bucket/python"):
        argv = ["--project", "p", "--bucket", bucket, "--max-billed-bytes", str(cap), *more]
        return main(argv, self.service)


def test_a_dry_run_says_the_bytes_and_starts_nothing(capsys):
    cloud = Cloud(scanned=1234)
    assert cloud.run("--dry-run") == 0
    assert capsys.readouterr().out == "the query would scan 1,234 bytes\n"
    assert not cloud.jobs
    assert not cloud.datasets


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_query_over_the_cap_is_refused_before_it_costs(more):
    """If it fails, a user pays for what they forbade."""
    cloud = Cloud(scanned=2001)
    with pytest.raises(ConfigError, match="2,001 bytes, over the cap of 2,000"):
        cloud.run(*more)
    assert not cloud.jobs
    assert Cloud(scanned=2000).run() == 0


def test_the_rows_go_through_a_table_that_expires_into_the_bucket(capsys):
    cloud = Cloud()
    assert cloud.run("--share", "0.25", "--licences", "mit", "isc", "mit") == 0
    (asked,) = cloud.queries
    assert asked["maximumBytesBilled"] == "2000"
    values = {p["name"]: p["parameterValue"] for p in asked["queryParameters"]}
    assert values["licences"] == {"arrayValues": [{"value": "isc"}, {"value": "mit"}]}
    assert values["spdx"] == {"arrayValues": [{"value": "ISC"}, {"value": "MIT"}]}
    assert values["share_millionths"] == {"value": "250000"}
    ((table_id, uri, written),) = cloud.extracts
    assert list(cloud.tables) == [table_id]
    assert isinstance(cloud.tables[table_id].expires, datetime)
    assert cloud.datasets[0]["defaultTableExpirationMs"] == str(7 * 24 * 3600 * 1000)
    assert uri == "gs://bucket/python-*.json.gz"
    assert written == {"destinationFormat": "NEWLINE_DELIMITED_JSON", "compression": "GZIP"}
    assert capsys.readouterr().out.endswith(f"{uri}: 3 rows written\n")


def test_the_same_command_again_goes_on_and_pays_once(capsys):
    """If it fails, each interruption is billed as a new query."""
    cloud = Cloud()
    query_id = f"parrotlet-query-{query.derive_name(Extraction())}-1"
    cloud._job(query_id, lambda: None)  # an earlier run was interrupted while this one ran
    table_id = ".".join(query.name_table("p", Extraction()).values())
    cloud.tables[table_id] = SimpleNamespace(expires=None, num_rows=3)
    assert cloud.run() == 0
    assert "exists already" in capsys.readouterr().out
    assert not cloud.queries
    assert len(cloud.extracts) == 1
    cloud.tables.clear()  # what is written stays written when the table has expired
    assert cloud.run() == 0
    assert "written by an earlier run" in capsys.readouterr().out
    assert not cloud.queries
    assert cloud.run(bucket="gs://bucket/elsewhere") == 0
    assert len(cloud.queries) == 1
    assert len(cloud.jobs) == 4


def test_a_job_that_failed_is_not_waited_for_again():
    """If it fails, one refused permission spoils the command for ever."""
    cloud = Cloud()
    cloud.refusals = ["no access\nto the bucket", None]
    with pytest.raises(CorpusError, match="no access to the bucket; run the same command again"):
        cloud.run()
    assert cloud.run() == 0
    assert len(cloud.queries) == 1
    assert len(cloud.extracts) == 2
    other = Cloud()
    other.refusals = ["quota"]
    with pytest.raises(CorpusError, match="quota"):
        other.run()
    assert other.run() == 0
    assert len(other.queries) == 2


def test_names_follow_from_what_is_asked_and_from_nothing_else():
    one = Extraction()
    same = replace(one, licences=(*reversed(one.licences), "mit"))
    assert query.derive_name(one) == query.derive_name(same)
    changes = ({"licences": ("mit",)}, {"share": 0.5}, {"min_bytes": 1})
    others = [replace(one, **change) for change in changes]
    names = {query.derive_name(e) for e in (one, *others)} | {query.derive_name(one, "gs://b/p")}
    assert len(names) == 5


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (["--licences", "mit", "MIT"], "licences are MIT"),
        (["--min-bytes", "2KB", "--max-bytes", "1KB"], "--min-bytes is 2000 and --max-bytes 1000"),
        (["--share", "0"], "share is 0.0"),
        (["--share", "nan"], "share is nan"),
        (["--share", "1.5"], "share is 1.5"),
        (["--bucket", "bucket/python"], "bucket is bucket/python"),
        (["--bucket", "gs://bucket"], "bucket is gs://bucket"),
        (["--bucket", "gs://bucket/python/"], "bucket is gs://bucket/python/"),
        (["--bucket", "gs://bucket/p-*"], "bucket is gs://bucket/p-"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_sentence(capsys, more, found):
    cloud = Cloud()
    argv = ["--project", "p", "--bucket", "gs://b/p", "--max-billed-bytes", "2000", *more]
    assert run_main(lambda argv: main(argv, cloud.service), argv) == 2
    assert capsys.readouterr().err.startswith(f"error: {found}")
    assert not cloud.jobs


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_google(name, *args, **kwargs):
        if name.startswith("google"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_google)
    with pytest.raises(PrerequisiteError, match=r"\.\[bigquery\]") as raised:
        connect("p")
    assert raised.value.exit_code == 3
