"""What tests may check beside a result: changed arguments, internals, output; and problems.

On every isolation level that works on this machine, in one sandbox each.
"""

import itertools

import pytest

from evaluation.judge.inside.channel.judge_messages import NEVER_CALLED
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome
from evaluation.passk.judging import make_job
from evaluation.problems.own import load_own_problems

pytestmark = pytest.mark.integration

LIMITS = Limits(cpu_s=0.5, wall_s=4.0)


@pytest.fixture(scope="module")
def judged(level):
    """Returns a function that judges one program after another."""
    sandbox = open_sandbox(0, LIMITS, level)
    numbers = itertools.count()

    def judge(program, test, *, entry_point="f", is_in_process=False):
        sandbox.submit(
            Job(
                task_id=f"t/{next(numbers)}",  # its test is compiled once
                program=program,
                entry_point=entry_point,
                prelude="",
                test=test,
                is_in_process=is_in_process,
            )
        )
        return sandbox.receive_verdict()

    yield judge
    sandbox.close()


MUTATIONS = {
    "a list": ("xs.sort()", "[3, 1, 2]", "[1, 2, 3]"),
    "a longer list": ("xs.append(4)", "[3]", "[3, 4]"),
    "a list in a list": ("xs[0].append(1)", "[[], [2]]", "[[1], [2]]"),
    "a list in a tuple": ("xs[1].clear()", "(1, [2])", "(1, [])"),
    "a mapping": ("xs['a'] += 1; del xs['b']", "{'a': 1, 'b': 2}", "{'a': 2}"),
    "a list in a mapping": ("xs['a'].append(1)", "{'a': []}", "{'a': [1]}"),
    "a set": ("xs.add(2)", "{1}", "{1, 2}"),
    "a deque": (
        "xs.rotate(1)",
        "__import__('collections').deque([1, 2])",
        "__import__('collections').deque([2, 1])",
    ),
    "nothing": ("pass", "[1, [2]]", "[1, [2]]"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_changes_to_arguments_reach_the_test(judged, name):
    """If it fails, a function that sorts in place is scored as wrong, or as right."""
    change, before, after = MUTATIONS[name]
    program = f"def f(xs):\n    {change}\n"
    test = (
        f"def check(candidate):\n    xs = {before}\n    inner = xs\n    candidate(xs)\n"
        f"    assert inner is xs and xs == {after}, xs\n"
    )
    verdict = judged(program, test)
    assert verdict.outcome is Outcome.PASSED, verdict
    lazy = judged("def f(xs):\n    pass\n", test)
    assert (lazy.outcome is Outcome.PASSED) == (name == "nothing"), lazy


def test_a_nested_object_stays_the_same_object(judged):
    test = (
        "def check(candidate):\n    row = [1]\n    candidate([row, [2]])\n"
        "    assert row == [1, 9]\n"
    )
    assert judged("def f(m):\n    m[0].append(9)\n", test).outcome is Outcome.PASSED


def test_changes_to_keyword_arguments_reach_the_test(judged):
    test = "def check(candidate):\n    d = {}\n    candidate(d=d)\n    assert d == {'x': 1}\n"
    assert judged("def f(d):\n    d['x'] = 1\n", test).outcome is Outcome.PASSED


def test_an_argument_changed_to_hold_an_object_is_an_error(judged):
    """If it fails, a test that the argument is untouched passes although it is not."""
    test = "def check(candidate):\n    xs = []\n    candidate(xs)\n    assert xs == []\n"
    verdict = judged("def f(xs):\n    xs.append(object())\n", test)
    assert verdict.outcome is Outcome.ERROR
    assert "argument" in verdict.detail
    assert "object" in verdict.detail


FORGED = (
    'import os, struct\nm = b\'{"done": "0"}\'\nclass Stack:\n    items = []\ndef f(s):\n'
    "    os.write(3, struct.pack('<I', len(m)) + m)\n    return 0\n"
)
LEAVING = "import os\nclass Stack:\n    items = []\ndef f(s):\n    os._exit(0)\n"
INTERNALS = "assert Stack().items == []\nassert f(Stack()) == 0\n"


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("class Stack:\n    items = []\ndef f(s):\n    return len(s.items)\n", Outcome.PASSED),
        ("class Stack:\n    items = [1]\ndef f(s):\n    return 0\n", Outcome.FAILED),
        ("def f(s):\n    return 0\n", Outcome.ERROR),
        (LEAVING, Outcome.EXITED_EARLY),
        (FORGED, Outcome.PROTOCOL_VIOLATION),
        (
            "class Stack:\n    items = []\ndef f(s):\n    while True:\n        pass\n",
            Outcome.TIMEOUT_CPU,
        ),
    ],
)
def test_tests_of_internals_run_in_the_programs_process(judged, program, outcome):
    verdict = judged(program, INTERNALS, is_in_process=True)
    assert verdict.outcome is outcome, verdict


def test_the_end_of_what_is_printed_is_kept(judged):
    """If it fails, nobody sees why a program failed."""
    program = (
        "import sys\ndef f():\n    print('x' * 10**6)\n    print('the end', file=sys.stderr)\n"
    )
    verdict = judged(program, "def check(candidate):\n    assert candidate() == 1\n")
    assert verdict.outcome is Outcome.FAILED
    assert verdict.output.endswith("the end\n")
    assert len(verdict.output) <= 2000


SWALLOWING = {
    "a bare except": "try:\n    candidate(-1)\nexcept:\n    return\nassert False\n",
    "except BaseException": "try:\n    candidate(-1)\nexcept BaseException:\n    pass\n",
    "finally": "try:\n    candidate(-1)\nfinally:\n    return\n",
    "suppress": "import contextlib\nwith contextlib.suppress(BaseException):\n    candidate(-1)\n",
    "an assertion behind it": "try:\n    candidate(-1)\nexcept:\n    assert False\n",
    "an error behind it": "try:\n    candidate(-1)\nfinally:\n    1 / 0\n",
    "another call": "try:\n    candidate(-1)\nexcept:\n    pass\nassert candidate(1) == 1\n",
}
SENDING = (
    "import os\nm = {}\ndef f(x):\n    os.write(3, bytes([len(m), 0, 0, 0]) + m)\n    return x\n"
)
ENDING = {
    "import os\ndef f(x):\n    os._exit(0)\n": Outcome.EXITED_EARLY,
    "import os\ndef f(x):\n    os.abort()\n": Outcome.CRASHED,
    # however it ends once nobody listens any more
    SENDING.format("b'x'"): Outcome.PROTOCOL_VIOLATION,
    SENDING.format("""b'{"r": {"x": 1}}'"""): Outcome.PROTOCOL_VIOLATION,
}


@pytest.mark.parametrize("name", SWALLOWING)
def test_a_program_that_ends_in_a_call_never_passes(judged, name):
    """If it fails, a program passes by ending where the test expects an exception."""
    lines = "".join(f"    {line}\n" for line in SWALLOWING[name].splitlines())
    test = f"def check(candidate):\n{lines}"
    for program, outcome in ENDING.items():
        verdict = judged(program, test)
        assert verdict.outcome is outcome, (program, verdict)
    honest = judged("def f(x):\n    if x < 0:\n        raise ValueError\n    return x\n", test)
    assert (honest.outcome is Outcome.PASSED) == (" behind " not in name), honest


UNSENT = (
    "{head}def check(candidate):\n    try:\n        candidate({value})\n"
    "    except Exception:\n        pass\n"
)
RAISING = "def raising():\n    yield 1\n    raise ValueError\n"


@pytest.mark.parametrize(
    ("head", "value", "name"),
    [
        ("", "object()", "object"),
        ("", "object(), check", "object"),  # the first is named
        ("", "'x' * (33 << 20)", "value"),
        (RAISING, "raising()", "value"),
    ],
)
def test_what_a_test_could_not_pass_is_said(judged, head, value, name):
    """If it fails, nobody knows that such a test says nothing of a program."""
    test = UNSENT.format(head=head, value=value) + "    assert candidate(1) == 1\n"
    verdict = judged("def f(x):\n    return x\n", test)
    assert verdict.outcome is Outcome.PASSED, verdict
    assert verdict.detail == f"a {name} cannot leave its process"
    assert verdict.calls == 1
    alone = judged("def f(x):\n    return x\n", UNSENT.format(head=head, value=value))
    assert alone.outcome is Outcome.FAILED, alone
    assert alone.detail == f"{NEVER_CALLED} (a {name} cannot leave its process)"


def test_a_test_that_asserts_by_itself_counts(judged):
    """MBPP's tests are bare assertions outside of any function."""
    assert judged("def f(x):\n    return x\n", "assert f(1) == 1\n").outcome is Outcome.PASSED
    assert judged("def f(x):\n    return x\n", "assert f(1) == 2\n").outcome is Outcome.FAILED
    silent = judged("def f(x):\n    return x\n", "assert True\n")
    assert silent.outcome is Outcome.FAILED
    assert silent.detail == NEVER_CALLED


NAMED = "class MemoryErrorLog:\n    pass\ndef f(x):\n    return MemoryErrorLog()\n"
OWN = "class TooLargeError(MemoryError):\n    pass\ndef f(x):\n    raise TooLargeError\n"


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (NAMED, Outcome.PASSED),
        ("def f(x):\n    assert x == 2, 'no MemoryError'\n", Outcome.FAILED),
        ("def f(x):\n    raise ValueError('no MemoryError')\n", Outcome.ERROR),
        ("def f(x):\n    raise MemoryError\n", Outcome.OOM),
        (OWN, Outcome.OOM),
    ],
)
@pytest.mark.parametrize("is_in_process", [False, True])
def test_only_an_error_for_lack_of_memory_counts_as_one(judged, program, outcome, is_in_process):
    """If it fails, a name that a program or its test chose decides its outcome."""
    verdict = judged(program, "assert f(1)\n", is_in_process=is_in_process)
    assert verdict.outcome is outcome, verdict


def test_our_own_problems_have_right_solutions(level):
    problems = load_own_problems()
    assert len({p.task_id for p in problems}) == len(problems) >= 40
    jobs = [make_job(p, p.program(p.canonical_solution)) for p in problems]
    lazy = [make_job(p, p.program("    pass\n")) for p in problems]
    found = {}
    settings = JudgeSettings(limits=LIMITS, workers=2, isolation=level)
    judge_all([*jobs, *lazy], settings, report=found.__setitem__)
    outcomes = [found[i].outcome for i in range(len(jobs) + len(lazy))]
    assert set(outcomes[: len(jobs)]) == {Outcome.PASSED}
    assert Outcome.PASSED not in outcomes[len(jobs) :]


def test_another_sandbox_gives_the_same_verdicts(judged, level):
    programs = ["def f(x):\n    return x\n", "def f(x):\n    return hash('a')\n"]
    tests = ["def check(c):\n    assert c(1) == 1\n", "def check(c):\n    assert c(1) % 2\n"]
    pairs = list(itertools.product(programs, tests))
    jobs = [
        Job(task_id=str(i), program=program, entry_point="f", prelude="", test=test)
        for i, (program, test) in enumerate(pairs)
    ]
    again = {}
    settings = JudgeSettings(limits=LIMITS, workers=1, isolation=level)
    judge_all(jobs, settings, report=again.__setitem__)
    assert [judged(*pair).outcome for pair in pairs] == [
        again[i].outcome for i in range(len(pairs))
    ]
