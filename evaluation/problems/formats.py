"""Parses the records of benchmark files: HumanEval's format, with or without suffix, and MBPP's.

Nothing of a problem is executed here; its test is only parsed.
"""

import ast
import builtins
import dataclasses
import json
import symtable
from collections.abc import Mapping
from typing import Any

from evaluation.problems.problem import Problem, is_python
from training.foundation.benchmarks.problem_names import is_mbpp, name_problem
from training.foundation.errors import ConfigError

MAX_JOB_BYTES = 24 << 20
_BUILTINS = frozenset(dir(builtins)) | {"__name__"}
# A test that uses one of these replaces something in its process, and looks at what a program does.
_REPLACING = frozenset({"mock", "redirect_stderr", "redirect_stdout", "stderr", "stdin", "stdout"})


def parse_problem(record: Any, where: str) -> Problem:
    """Returns the problem in a record of any known format.

    Args:
        record: A line of a benchmark's file.
        where: File and line, for messages.

    Raises:
        ConfigError: The record has no known format.
    """
    if not isinstance(record, dict):
        raise ConfigError(f"{where}: expected a JSON object")
    if "plus_input" in record:
        raise ConfigError(
            f"{where}: this is EvalPlus' own format, which has no tests; use its file in the"
            " original format (OriginFmt), or the sets humaneval+ and mbpp+"
        )
    parse = _parse_mbpp if is_mbpp(record) else _parse_humaneval
    problem = parse(record, where)
    _check_size(problem, where)
    return problem


def _check_size(problem: Problem, where: str) -> None:
    """Refuses a problem that is too large to be sent to a sandbox with a program."""
    program = (problem.prompt, problem.suffix, problem.canonical_solution or "")
    n_chars = sum(map(len, program)) + len(problem.test)
    if n_chars <= MAX_JOB_BYTES // 24:  # the most bytes that JSON needs for a character, twice
        return
    n_bytes = 2 * len(json.dumps(program)) + len(json.dumps(problem.test))
    if n_bytes > MAX_JOB_BYTES:
        raise ConfigError(
            f"{where}: the problem takes {n_bytes} bytes, and a sandbox at most {MAX_JOB_BYTES};"
            " shorten its test"
        )


def _parse_humaneval(record: Mapping[str, Any], where: str) -> Problem:
    solution = record.get("canonical_solution")
    suffix = record.get("suffix", "")
    if not isinstance(suffix, str) or not isinstance(solution, str | None):
        raise ConfigError(f"{where}: 'suffix' and 'canonical_solution' must be strings")
    problem = Problem(
        task_id=_read_text(record, "task_id", where),
        prompt=_read_text(record, "prompt", where),
        suffix=suffix,
        entry_point=_read_text(record, "entry_point", where),
        canonical_solution=solution,
        test=_read_text(record, "test", where),
    )
    return _choose_process(problem, record, where)


def _parse_mbpp(record: Mapping[str, Any], where: str) -> Problem:
    """MBPP (Austin et al. 2021, arXiv:2108.07732) describes a task in words and shows one test."""
    tests = _read_lines(record, "test_list", where)
    if not tests:
        raise ConfigError(f"{where}: 'test_list' is empty")
    code = _read_text(record, "code", where).replace("\r\n", "\n")
    words = record.get("text") or record.get("prompt")
    if not isinstance(words, str):
        raise ConfigError(f"{where}: expected a string 'text' or 'prompt', as in MBPP's format")
    test = record.get("test")
    if not isinstance(test, str):
        setup = [
            str(record.get("test_setup_code") or ""),
            *_read_lines(record, "test_imports", where),
        ]
        challenges = _read_lines(record, "challenge_test_list", where)
        test = "\n".join([*setup, *tests, *challenges]) + "\n"
    problem = Problem(
        task_id=name_problem(record),
        prompt=_build_mbpp_prompt(f"{words.strip()}\n{tests[0].strip()}"),
        entry_point=_find_tested_function(code, tests, where),
        canonical_solution=code,
        test=test,
    )
    return _choose_process(problem, record, where)


def _build_mbpp_prompt(text: str) -> str:
    """Returns a docstring of a text, which is escaped only if it is none otherwise.

    So the prompts that models were always given stay as they are, byte for byte.
    """
    prompt = f'"""\n{text}\n"""\n'
    if is_python(prompt):
        return prompt
    escaped = text.replace("\\", r"\\").replace('"""', r"\"\"\"")
    return f'"""\n{escaped}\n"""\n'


def _find_tested_function(code: str, tests: list[str], where: str) -> str:
    """Returns the function of ``code`` that the first test calls."""
    tree = _parse_python(code, "'code'", where)
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(_parse_python(tests[0], "the test", where)):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Name) and function.id in defined:
            return function.id
    raise ConfigError(f"{where}: the first test calls no function that 'code' defines")


def _choose_process(problem: Problem, record: Mapping[str, Any], where: str) -> Problem:
    explicit = record.get("in_process")
    provided = find_defined_names(problem.prelude()) | {problem.function_name}
    needs_more = bool(find_needed_names(problem.test, where) - provided)
    needs_more = needs_more or _replaces_something(problem.test)
    is_in_process = needs_more if explicit is None else bool(explicit)
    return dataclasses.replace(
        problem, is_in_process=is_in_process, overrides_process=is_in_process is not needs_more
    )


def find_needed_names(test: str, where: str) -> set[str]:
    """Returns the names that a test uses but does not define: the program must define them.

    Raises:
        ConfigError: The test is not valid Python.
    """
    try:
        table = symtable.symtable(test, where, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "nested too deeply"
        raise ConfigError(f"{where}: the test is not valid Python ({reason})") from error
    return _find_used_globals(table) - _find_bound_names(table) - _BUILTINS


def _replaces_something(test: str) -> bool:
    """Returns whether a test that parses changes its process, so that the program must be in it."""
    if not any(word in test for word in _REPLACING):
        return False
    nodes = list(ast.walk(ast.parse(test)))
    names = (getattr(node, field, "") for node in nodes for field in ("id", "attr", "name"))
    return any(str(name).rpartition(".")[2] in _REPLACING for name in names)


def find_defined_names(program: str) -> set[str]:
    """Returns the names that a program may define; none if it does not parse."""
    try:
        return _find_bound_names(symtable.symtable(program, "<program>", "exec"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def _find_used_globals(table: symtable.SymbolTable) -> set[str]:
    is_module = table.get_type() == "module"
    used = {
        s.get_name()
        for s in table.get_symbols()
        if s.is_referenced() and (is_module or s.is_global())
    }
    return used.union(*map(_find_used_globals, table.get_children()))


def _find_bound_names(module: symtable.SymbolTable) -> set[str]:
    return {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}


def _parse_python(text: str, name: str, where: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "nested too deeply"
        raise ConfigError(f"{where}: {name} is not valid Python ({reason})") from error


def _read_text(record: Mapping[str, Any], name: str, where: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: expected a string '{name}', as in HumanEval's format")
    return value


def _read_lines(record: Mapping[str, Any], name: str, where: str) -> list[str]:
    value = record.get(name) or []
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise ConfigError(f"{where}: '{name}' must be a list of strings")
    return value
