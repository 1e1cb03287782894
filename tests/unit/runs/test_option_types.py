"""Numbers on the command lines of evaluation: what is out of range is refused before any work."""

import importlib

import pytest

NO_NUMBERS = ("nan", "inf", "-inf", "1e400", "x", "", "9" * 5000, "-" + "9" * 400)
WHOLE = (*NO_NUMBERS, "-1", "1.5", "9" * 400)
OPTIONS: dict[
    str, tuple[list[str], dict[str, tuple[str, ...]]]
] = {  # by command: its other arguments, and what each number must not be
    "passk.__main__": (
        ["--canonical"],
        {
            "--n": (*WHOLE, "0"),
            "--k": (*WHOLE, "0"),
            "--temperature": (*NO_NUMBERS, "-1", "-1e-9"),
            "--top-p": (*NO_NUMBERS, "-1", "0", "1.01"),
            "--max-new-tokens": (*WHOLE, "0"),
            "--seed": WHOLE,
            "--cpu-s": (*NO_NUMBERS, "-1", "0"),
            "--memory-mib": (*WHOLE, "0"),
            "--workers": (*WHOLE, "0", "1000000000"),
        },
    ),
    "versus": (["a", "b"], {"--k": (*WHOLE, "0")}),
    "lines": ([], {"--n": (*WHOLE, "0"), "--seed": WHOLE}),
    "fit": ([], {"--n": (*WHOLE, "0"), "--seed": WHOLE}),
    "infill": ([], {"--n": (*WHOLE, "0"), "--seed": WHOLE}),
    "compare": (
        ["a", "b"],
        {"--temperature": (*NO_NUMBERS, "-1"), "--max-new-tokens": (*WHOLE, "0")},
    ),
    "replay.__main__": (
        [],
        {
            "--n": (*WHOLE, "0"),
            "--lines": (*WHOLE, "0"),
            "--seed": WHOLE,
            "--pace": (*NO_NUMBERS, "-1"),
        },
    ),
    "repetition": (["--index", "i"], {"--n": (*WHOLE, "0"), "--seed": WHOLE}),
}
CASES = [(name, option) for name, (_, options) in OPTIONS.items() for option in options]


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_number_out_of_range_is_one_sentence(name, option, capsys):
    """If it fails, a mistyped number ends in a traceback, or in a run that means nothing."""
    main = importlib.import_module(f"evaluation.{name}").main
    others, options = OPTIONS[name]
    for wrong in options[option]:
        with pytest.raises(SystemExit) as ended:
            main([*others, f"{option}={wrong}"])
        assert ended.value.code == 2, wrong
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"argument {option}: " in line
        assert "expected a" in line
        assert len(line) < 250


def test_negative_numbers_are_not_taken_for_options(capsys):
    """If it fails, ``--temperature -1`` is answered with a sentence about something else."""
    main = importlib.import_module("evaluation.compare").main
    with pytest.raises(SystemExit):
        main(["a", "b", "--temperature", "-1"])
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith("argument --temperature: expected a number from 0 to 100")
