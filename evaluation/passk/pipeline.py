"""A pass@k run from start to end: prove the sandbox, generate, judge, report.

Each stage is visited once, in this order, and resumes where it was interrupted when the same
command is run again. What a stage does is in the module of its name.
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.generators.generator import describe_generation
from evaluation.judge.cgroups import describe_memory_bound
from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.levels.ranking import LEVELS, UNCONFINED, select_level
from evaluation.judge.sandbox_pool import JudgeSettings
from evaluation.judge.verdict import Limits
from evaluation.passk.config import CorpusOverlap, PasskConfig, resolve_config
from evaluation.passk.generation import merge_samples
from evaluation.passk.judging import collect_results, judge_samples
from evaluation.passk.passk_page import write_page
from evaluation.passk.records import PasskIdentity, Result, Sample
from evaluation.passk.sample_sources import (
    CANONICAL,
    SAMPLES_SHA256,
    SampleSource,
    check_sample_counts,
    open_source,
    read_samples,
    write_samples,
)
from evaluation.passk.scoring import summarise
from evaluation.passk.summary import check_validity, format_summary
from evaluation.problems.problem import Problem, ProblemSet
from evaluation.problems.problem_sources import load_problems
from evaluation.runs.processes import Processes
from evaluation.runs.record_fields import shorten
from evaluation.runs.run_folder import SUMMARY_FILE, read_identity, start_or_resume
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError
from training.foundation.folder_lock import folder_lock


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What a command line asks for, with the files that it names read and checked."""

    out: Path
    problem_set: ProblemSet
    config: PasskConfig
    overlap: CorpusOverlap | None
    is_generated: bool  # whether a model generates the samples
    is_canonical: bool  # whether the samples are the problems' own solutions
    allows_missing: bool  # whether problems may be without samples

    @property
    def problems(self) -> dict[str, Problem]:
        """The problems by their names."""
        return {problem.task_id: problem for problem in self.problem_set.problems}


def run_passk(options: argparse.Namespace, processes: Processes) -> None:
    """Runs what is left of a run; the main process judges and reports.

    Raises:
        ConfigError: An option, a file or the run's folder cannot be used.
        InvalidResultError: The sandbox failed on too many samples, or problems have none.
        PrerequisiteError: The model, a file or a package is missing.
        SandboxUnavailableError: No isolation level works on this machine.
    """
    request = _read_request(options)
    config, out = request.config, request.out
    given = None if request.is_generated else open_source(options, request.problem_set)
    if given is not None:
        check_sample_counts(given, max(config.k))
    isolation = _choose_isolation(options, config.limits, processes)
    source = given or open_source(options, request.problem_set)
    identity = _identify(source, request, isolation)
    with folder_lock(out) if processes.is_main else contextlib.nullcontext():
        if processes.is_main:
            start_or_resume(out, identity.to_json())
        processes.wait()
        samples = source.collect(request.problem_set.problems, config.generation, out, processes)
        if processes.is_main:
            judge = JudgeSettings(limits=config.limits, workers=config.workers, isolation=isolation)
            results = judge_samples(
                samples, request.problems, out, judge, checks_problems=not request.is_canonical
            )
            _report(request, identity, samples, results)


def report_progress(options: argparse.Namespace) -> None:
    """Reports what has been judged so far, while another process continues the run.

    Raises:
        ConfigError: The folder contains no run or another one, or no problem has enough samples
            yet.
    """
    request = _read_request(options)
    identity = read_identity(request.out, command="passk", parse=PasskIdentity.from_json)
    _check_same_run(identity, request)
    if request.is_generated:
        samples = merge_samples(request.problem_set.problems, request.out)
        write_samples(request.out, samples)
    else:
        samples = read_samples(request.out)
    for sample in samples:
        if sample.task_id not in request.problems:
            raise ConfigError(
                f"{request.out}: there is no problem {shorten(sample.task_id)!r}; correct"
                " --problems"
            )
    results = collect_results(
        samples,
        request.problems,
        request.out,
        identity.isolation,
        checks_problems=not request.is_canonical,
    )
    _report(request, identity, samples, results)


def _read_request(options: argparse.Namespace) -> _Request:
    problem_set = load_problems(options.problems)
    overlap = CorpusOverlap.read(options.overlap) if options.overlap else None
    if overlap is not None:
        overlap.require_problems(problem_set)
    return _Request(
        out=options.out,
        problem_set=problem_set,
        config=resolve_config(options, problem_set),
        overlap=overlap,
        is_generated=options.model is not None,
        is_canonical=options.canonical,
        allows_missing=options.allow_missing or options.partial,
    )


def _choose_isolation(
    options: argparse.Namespace, limits: Limits, processes: Processes
) -> IsolationLevel:
    """Returns the best isolation level that passes its self-test.

    Processes that only generate need none: theirs is neither tested nor used.
    """
    if options.unsafe_no_sandbox:
        if processes.is_main:
            sys.stderr.write(
                "warning: no sandbox: generated programs run with all your permissions\n"
            )
        return UNCONFINED
    return select_level(limits, wanted=options.isolation) if processes.is_main else LEVELS[0]


def _identify(source: SampleSource, request: _Request, isolation: IsolationLevel) -> PasskIdentity:
    return PasskIdentity(
        source=source.identity,
        **_identify_request(request),
        isolation=isolation.name,
        memory_bounded=describe_memory_bound(),
    )


def _identify_request(request: _Request) -> dict[str, Any]:
    """Returns what of a run's identity the command line gives by itself."""
    generation = request.config.generation
    return {
        "problems_sha256": request.problem_set.sha256,
        "generation": describe_generation(generation, request.problem_set.problems),
        "limits": to_mapping(request.config.limits),
    }


def _check_same_run(identity: PasskIdentity, request: _Request) -> None:
    """Refuses to report a run as one on other problems or samples, or with other settings.

    Of a run of an earlier version, what it did not record is not compared.
    """
    is_given = SAMPLES_SHA256 in identity.source
    is_canonical = is_given and identity.source.get("model") == CANONICAL
    if (is_given, is_canonical) != (not request.is_generated, request.is_canonical):
        raise ConfigError(
            f"{request.out} contains a run with another source of samples; choose another --out, or"
            " repeat that run's arguments to report it"
        )
    for name, wanted in _identify_request(request).items():
        found = getattr(identity, name)
        if found and found != wanted:
            raise ConfigError(
                f"{request.out} contains a run with another {name}; choose another --out, or"
                " repeat that run's arguments to report it"
            )


def _report(
    request: _Request,
    identity: PasskIdentity,
    samples: Sequence[Sample],
    results: Sequence[Result],
) -> None:
    """Writes ``report.html`` and ``summary.json``, and prints the scores."""
    n_planned = len(request.problem_set.problems) * request.config.generation.n
    summary = summarise(
        results,
        sampled={sample.task_id for sample in samples},
        n_wanted=n_planned if request.is_generated else len(samples),
        identity=identity,
        problem_set=request.problem_set,
        config=request.config,
        overlap=request.overlap,
    )
    write_page(request.out, summary, samples, results)
    write_json_atomically(request.out / SUMMARY_FILE, summary.to_json())
    sys.stdout.write(format_summary(summary))
    check_validity(summary, allows_missing=request.allows_missing)
