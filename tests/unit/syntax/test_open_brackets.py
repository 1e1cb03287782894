"""What is open in f-strings: their replacement fields are code with strings of their own."""

import re
import time
import tracemalloc

import pytest

from server.syntax.open_brackets import NOTHING_OPEN, open_after, scan_line


@pytest.mark.parametrize(
    ("text", "closers", "quote", "n_unmatched"),
    [
        ('print(f"error: {m', '}")', "", 0),
        ('f"{a["b"]} {', '}"', "", 0),  # PEP 701: the same quotes inside
        ('f\'{d["a"]', "}'", "", 0),
        ('f"{x!r:>{w', '}}"', "", 0),
        ('f"{x:>{w}', '}"', '"', 0),
        ('f"{x:>{w}}', '"', '"', 0),
        ('f"{a:{b:{c', '}}}"', "", 0),
        ('f"{x:"', "", "", 0),  # the string ends in a format spec
        ("f\"{x} it's", '"', '"', 0),
        ('f"{{ {x}', '"', '"', 0),
        ('f"{{x', '"', '"', 0),
        ('f"}"', "", "", 1),
        ('f"{a}} {', '}"', "", 1),
        ('f"\\N{DASH} {a', '}"', "", 0),
        ('rf"\\{a', '}"', "", 0),
        ('f"{(lambda x: 1)(', ')}"', "", 0),
        ('f"{x != y', '}"', "", 0),
        ('f"{x:%H:%M', '}"', '"', 0),
        ('F"{a', '}"', "", 0),
        ('fr"{a', '}"', "", 0),
        ('t"{a', '}"', "", 0),  # PEP 750
        ('b"{a', '"', '"', 0),
        ('buf"{a', '"', '"', 0),
        ('x = "{', '"', '"', 0),
        ('f"""{\n a', '}"""', "", 0),
        ('f"""\n{a:\n>', '}"""', '"""', 0),
        ('f"{\n a', '}"', "", 0),  # PEP 701: lines inside
        ('f"{a\nb', "", "", 0),  # a string that was never closed
        ('f"{a  # no', '}"', "", 0),
        ("f(f'{g([", "])}')", "", 0),
    ],
)
def test_fields_of_f_strings_are_code(text, closers, quote, n_unmatched):
    """If it fails, suggestions in f-strings close the wrong thing."""
    found = open_after(text)
    assert (found.closers, found.quote, found.n_unmatched) == (closers, quote, n_unmatched)


def test_brackets_are_counted_without_fields():
    """If it fails, a line in an f-string's field seems to go on below."""
    assert open_after('f(f"{g([').brackets == "(" + "(["
    assert open_after('f(f"{').brackets == "("
    assert open_after('f(f"{x:{').brackets == "("


@pytest.mark.parametrize(
    "line",
    [
        'ICON = """' + "iVBOR" * 2_000 + '"""',
        "TABLE = [" + "12345, " * 2_000 + "]",
        "TEXT = '" + '\\"' * 4_000 + "' + (",
        "NAMES = f'''{" + "name + " * 2_000 + "name}'''",
        "total = " + "amount + " * 1_000 + "\\",
    ],
)
def test_a_long_line_opens_what_a_short_one_of_its_kind_does(line):
    """If it fails, one line of data has all code below it taken for a part of a string."""
    short = re.sub(r"(?P<unit>.{2,9}?)(?P=unit){100,}", r"\g<unit>", line)
    assert len(short) < 50
    assert open_after(f"{line}\n") == open_after(f"{short}\n")


def test_a_long_line_of_escapes_is_scanned_in_linear_time():
    """If it fails, a file with JSON in one string makes every keystroke wait for seconds."""
    line = "TEXT = '" + "\\'" * 100_000 + "'"
    started = time.process_time()
    assert open_after(f"{line}\n") == NOTHING_OPEN
    assert time.process_time() - started < 1


def test_a_key_at_the_end_of_a_long_line_takes_no_memory():
    """If it fails, typing behind a line of data fills the worker's memory."""
    line = "DATA = [" + "12345, " * 20_000
    before = open_after(line)
    tracemalloc.start()
    try:
        for number in range(40):
            assert open_after(line + "1" * number) == before
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 4 * len(line)


def test_hostile_depth_stays_bounded():
    """If it fails, a file of brackets makes each keystroke slower than the last."""
    state = NOTHING_OPEN
    for _ in range(50):
        state = scan_line("([{f'{" * 600, state)
    assert len(state.stack) <= 250
