"""``python -m training.corpus.bigquery``: extracts Python files from GitHub's public dataset.

A dry run first finds out how much the query would scan; above the cap, the command refuses to run
it. With ``--download`` it also fetches the exported files from the bucket. The names of jobs are
derived from the parameters, so that the same command resumes an earlier one. No price is estimated.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("bigquery")  # before the imports that need it

from training.corpus.bigquery import query
from training.corpus.bigquery.bucket_download import BucketDownload
from training.corpus.bigquery.query import Extraction
from training.foundation.command_parser import byte_count, command_parser
from training.foundation.errors import ConfigError, CorpusError, PrerequisiteError, run_main

ALL_LICENCES = "all"
Submit = Callable[[str], Any]  # from a job's id to the job


@dataclass(frozen=True, kw_only=True)
class BigQueryService:
    """BigQuery's client and the parts of its library that are used, so that tests need neither."""

    client: Any
    dataset: Callable[[dict[str, Any]], Any]
    query_config: Callable[[dict[str, Any]], Any]
    extract_config: Callable[[dict[str, Any]], Any]
    conflict: type[Exception]  # a job with this id exists already
    not_found: type[Exception]
    failures: tuple[type[Exception], ...]
    open_session: Callable[[], Any]  # for requests to the bucket


def connect(project: str) -> BigQueryService:
    """Returns the service for the credentials of the environment.

    Raises:
        PrerequisiteError: The extra is not installed, or there are no credentials.
    """
    try:
        from google.api_core import exceptions  # noqa: PLC0415 - an optional extra
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415
        from google.cloud import bigquery  # noqa: PLC0415
    except ImportError as error:
        raise PrerequisiteError(
            'google-cloud-bigquery is not installed; install it with: pip install ".[bigquery]"'
        ) from error
    try:
        client = bigquery.Client(project=project)
    except GoogleAuthError as error:
        raise PrerequisiteError(
            f"no credentials for BigQuery ({error}); run: gcloud auth application-default login"
        ) from error
    return BigQueryService(
        client=client,
        dataset=bigquery.Dataset.from_api_repr,
        query_config=bigquery.QueryJobConfig.from_api_repr,
        extract_config=bigquery.ExtractJobConfig.from_api_repr,
        conflict=exceptions.Conflict,
        not_found=exceptions.NotFound,
        failures=(exceptions.GoogleAPIError, GoogleAuthError, OSError),  # OSError: the network
        open_session=lambda: AuthorizedSession(client._credentials),  # noqa: SLF001 - no public name
    )


def main(argv: Sequence[str], connect: Callable[[str], BigQueryService] = connect) -> int:
    """Runs the extraction, or the rest of an earlier one."""
    arguments = _parser().parse_args(argv)
    wants_all = arguments.licences == [ALL_LICENCES]
    extraction = Extraction(
        licences=tuple(query.SPDX) if wants_all else tuple(arguments.licences),
        every_licence=wants_all,
        min_bytes=arguments.min_bytes,
        max_bytes=arguments.max_bytes,
        share=arguments.share,
    )
    uri = query.make_destination_uri(arguments.bucket)
    service = connect(arguments.project)
    try:
        _refuse_over_cap(service, extraction, arguments.max_billed_bytes)
        if not arguments.dry_run:
            _extract(service, extraction, uri, arguments)
            _download(service, arguments)
    except service.failures as error:
        message = " ".join(str(error).split())
        raise CorpusError(
            f"BigQuery failed: {message}; run the same command again to resume"
        ) from error
    return 0


def _refuse_over_cap(
    service: BigQueryService, extraction: Extraction, max_billed_bytes: int
) -> None:
    config = service.query_config(query.configure_dry_run(extraction))
    job = service.client.query(query.load_sql(), job_config=config, location=query.LOCATION)
    scanned = int(job.total_bytes_processed)
    sys.stdout.write(f"the query would scan {scanned:,} bytes\n")
    if scanned > max_billed_bytes:
        raise ConfigError(
            f"the query would scan {scanned:,} bytes, over the cap of {max_billed_bytes:,}; raise"
            " --max-billed-bytes to pay for it"
        )


def _extract(
    service: BigQueryService, extraction: Extraction, uri: str, arguments: argparse.Namespace
) -> None:
    table = query.name_table(arguments.project, extraction)
    table_id = ".".join(table.values())
    extract_name = f"parrotlet-extract-{query.derive_name(extraction, uri)}"
    if _is_done(service, extract_name):  # checked first, since the table may have expired
        sys.stdout.write(f"{uri} was written by an earlier run\n")
        return

    def submit_query(job_id: str) -> Any:
        config = query.configure_query(
            extraction, table=table, max_billed_bytes=arguments.max_billed_bytes
        )
        return service.client.query(
            query.load_sql(),
            job_config=service.query_config(config),
            job_id=job_id,
            location=query.LOCATION,
            job_retry=None,  # the library cannot retry under the same id; _finish does
        )

    def submit_extract(job_id: str) -> Any:
        config = service.extract_config(query.configure_extract())
        return service.client.extract_table(
            table_id, uri, job_id=job_id, location=query.LOCATION, job_config=config
        )

    service.client.create_dataset(
        service.dataset(query.describe_dataset(arguments.project)), exists_ok=True
    )
    query_name = f"parrotlet-query-{query.derive_name(extraction)}"
    _finish(
        service,
        submit_query,
        query_name,
        is_usable=lambda: _find_table(service, table_id) is not None,
    )
    rows = _set_expiration(service, table_id)
    _finish(service, submit_extract, extract_name, is_usable=lambda: True)
    sys.stdout.write(f"{uri}: {rows} rows written\n")


def _download(service: BigQueryService, arguments: argparse.Namespace) -> None:
    folder = arguments.download
    if folder is None:
        return
    with closing(service.open_session()) as session:
        files = BucketDownload(session, arguments.bucket).fetch_all(folder)
    n_bytes = sum(file.stat().st_size for file in files)
    pattern = folder / f"{PurePosixPath(arguments.bucket).name}-[0-9]*.json.gz"
    sys.stdout.write(
        f"{folder}: {len(files)} files, {n_bytes:,} bytes; read them with"
        f" sources.records='[\"{pattern}\"]' or stream.files='{pattern}'\n"
    )


def _finish(
    service: BigQueryService, submit: Submit, name: str, *, is_usable: Callable[[], bool]
) -> None:
    """Starts the job, or joins an existing one, and waits for its end.

    A job's id can be used only once, so one that failed or whose result is gone needs the next id.
    """
    for job_id in _iter_job_ids(name):
        try:
            job = submit(job_id)
            sys.stdout.write(f"job {job_id} started\n")
        except service.conflict:
            job = service.client.get_job(job_id, location=query.LOCATION)
            if job.state == "DONE" and (job.error_result or not is_usable()):
                continue
            sys.stdout.write(f"job {job_id} exists already, waiting for it\n")
        job.result()
        return


def _is_done(service: BigQueryService, name: str) -> bool:
    for job_id in _iter_job_ids(name):
        try:
            job = service.client.get_job(job_id, location=query.LOCATION)
        except service.not_found:
            return False
        if job.state != "DONE" or not job.error_result:
            return bool(job.state == "DONE")
    raise AssertionError("job ids do not end")


def _iter_job_ids(name: str) -> Iterator[str]:
    return (f"{name}-{attempt}" for attempt in count(1))


def _find_table(service: BigQueryService, table_id: str) -> Any:
    try:
        return service.client.get_table(table_id)
    except service.not_found:
        return None


def _set_expiration(service: BigQueryService, table_id: str) -> int:
    """Sets the table's expiration, which older datasets may lack, and returns its rows."""
    table = service.client.get_table(table_id)
    if table.expires is None:
        table.expires = datetime.now(UTC) + timedelta(days=query.TABLE_LIFETIME_DAYS)
        table = service.client.update_table(table, ["expires"])
    return int(table.num_rows)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.corpus.bigquery",
        "Extract the Python files of GitHub's public dataset with BigQuery, and export them as\n"
        "gzipped JSON lines to a bucket, and download them. Prints first how much the query would\n"
        "scan, and stops at the cap. Run it again to resume.",
        example="{prog} --project my-project --bucket gs://my-bucket/python"
        " --max-billed-bytes 3TB --dry-run\n"
        "{prog} --project my-project --bucket gs://my-bucket/python --max-billed-bytes 3TB"
        " --download exports",
    )
    parser.add_argument(
        "--project", required=True, metavar="NAME", help="the Google Cloud project that pays"
    )
    parser.add_argument(
        "--bucket", required=True, metavar="gs://BUCKET/PREFIX", help="where the files are written"
    )
    parser.add_argument(
        "--max-billed-bytes",
        required=True,
        type=byte_count(1),
        metavar="SIZE",
        help="refuse to scan more than this, such as 3TB",
    )
    parser.add_argument(
        "--download",
        type=Path,
        metavar="FOLDER",
        help="then download the exported files; run the command again to resume",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only print how much the query would scan"
    )
    _add_selection(parser)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say which files are extracted."""
    defaults = Extraction()
    parser.add_argument(
        "--min-bytes",
        type=byte_count(0),
        default=defaults.min_bytes,
        metavar="SIZE",
        help="take no smaller files (default: %(default)s)",
    )
    parser.add_argument(
        "--max-bytes",
        type=byte_count(1),
        default=defaults.max_bytes,
        metavar="SIZE",
        help="take no larger files (default: %(default)s)",
    )
    parser.add_argument(
        "--share",
        type=float,
        default=defaults.share,
        metavar="SHARE",
        help="take this share of the files, 0 to 1; scans as much as all of them",
    )
    parser.add_argument(
        "--licences",
        nargs="+",
        default=defaults.licences,
        metavar="KEY",
        help=f"licences as GitHub names them (default: {' '.join(defaults.licences)}), or"
        f" '{ALL_LICENCES}' to take repositories under any, each file with its own",
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
