"""Which of several processes' ends the launcher reports."""

import json
from dataclasses import asdict

import pytest
import torch.distributed.elastic.multiprocessing.errors as torch_errors

from training import launch
from training.foundation.errors import EXIT_INTERRUPTED, ExitReport

INTERRUPTED = ExitReport(EXIT_INTERRUPTED, "interrupted: finished work is saved")
MISSED = ExitReport(4, "error: the loss is not below 0.5")
CONSEQUENCE = ExitReport(3, "error: another process failed", is_consequence=True)


def reported(folder, reports, exit_codes, capsys):
    """Returns the exit code and the last line for processes that ended so."""
    for rank, report in enumerate(reports):
        if report is not None:
            (folder / f"{rank}.json").write_text(json.dumps(asdict(report)))
    failures = {
        rank: torch_errors.ProcessFailure(rank, 1, code, "none")
        for rank, code in enumerate(exit_codes)
        if code
    }
    failure = torch_errors.ChildFailedError("training", failures)
    code = launch._print_first_report(folder, launch._describe_failure(failure))
    return code, capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("reports", "exit_codes"),
    [
        ([INTERRUPTED, MISSED], [130, 4]),  # torchrun has interrupted the slower process
        ([MISSED, INTERRUPTED], [4, 130]),
        ([INTERRUPTED, MISSED], [130, 0]),
        ([CONSEQUENCE, INTERRUPTED, MISSED], [3, 130, 4]),
        ([None, MISSED], [-15, 4]),
    ],
    ids=["slower", "faster", "seen-late", "consequence", "before-its-handlers"],
)
def test_an_error_is_reported_before_the_interruptions_that_it_causes(
    tmp_path, capsys, reports, exit_codes
):
    """If it fails, a script takes a missed target for a run that somebody stopped."""
    assert reported(tmp_path, reports, exit_codes, capsys) == (4, MISSED.message)


@pytest.mark.parametrize(
    ("exit_codes", "words"),
    [([130, 1], "process 1 ended with exit code 1"), ([130, -9], "process 1 was killed by signal")],
    ids=["traceback", "killed"],
)
def test_an_end_without_a_report_is_described(tmp_path, capsys, exit_codes, words):
    code, line = reported(tmp_path, [INTERRUPTED, None], exit_codes, capsys)
    assert code == 1
    assert words in line


def test_an_interruption_of_all_is_one(tmp_path, capsys):
    found = reported(tmp_path, [INTERRUPTED, INTERRUPTED], [130, 130], capsys)
    assert found == (EXIT_INTERRUPTED, INTERRUPTED.message)
