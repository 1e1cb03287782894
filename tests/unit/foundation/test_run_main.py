"""Whatever an operating system or a user does to a command, it ends with one sentence."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from training.foundation.errors import describe_os_error, run_main

ROOT = Path(__file__).parents[3]


def run(body, *, stdout=subprocess.PIPE, prelude="", **environment):
    """Runs ``body`` as the ``main`` of a command in a process of its own."""
    script = (
        f"{prelude}\nimport os, sys\nfrom training.foundation.errors import run_main\n"
        f"def main(argv):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n    return 0\n"
        "sys.exit(run_main(main, []))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_any_text_can_be_printed():
    """If it fails, a folder's name ends a command after all its work is done."""
    body = r'print("a\udcff\ud800 \u65e5"); print("b\ud800", file=sys.stderr)'
    for encoding in ("utf-8", "ascii", "latin-1"):
        done = run(body, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"a\\udcff\\ud800 ")
    done = run(body, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("body", ["print('x')", "sys.stdout.write('x' * 100000)"])
def test_a_full_disk_behind_stdout_is_one_sentence(body):
    with Path("/dev/full").open("wb") as full:
        done = run(body, stdout=full)
    assert done.returncode == 3
    assert done.stderr.decode().splitlines() == [
        "error: No space left on device; free some disk space and run the same command again"
    ]


def test_a_reader_that_leaves_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("print('x' * 100000)", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("open('/nowhere/at/all')", "error: /nowhere/at/all: No such file or directory; check"),
        ("open('/etc')", "error: /etc: Is a directory; name a file instead"),
        ("open('/etc/passwd/x')", "error: /etc/passwd/x: Not a directory; check the path"),
        ("open(b'/no\\xff')", "error: /no\\udcff: No such file or directory; check the path"),
        ("open('/' + 'x' * 999)", ": File name too long; choose a shorter name"),
        ("os.read(99, 1)", "error: Bad file descriptor; correct that"),
        ("[os.open('/', 0) for _ in range(9999)]", "raise the limit of open files (ulimit -n)"),
        ("raise OSError('a library\\n says so')", "error: a library says so; correct that"),
        ("raise MemoryError", "error: the memory does not suffice"),
        ('raise RuntimeError("CUDA out of memory. Tried to allocate")', "memory does not suffice"),
        (
            'raise RuntimeError("CPUAllocator: can\'t allocate memory: you")',
            "memory does not suffice",
        ),
        ("bytearray(1 << 60)", "error: the memory does not suffice"),
        ("f = lambda: f()\nf()", "error: the input is nested too deeply"),
    ],
)
def test_each_refusal_is_one_sentence(body, sentence):
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    done = run(body, prelude=prelude)
    assert done.returncode == 3
    (line,) = done.stderr.decode().splitlines()
    assert sentence in line


def test_sigterm_interrupts_and_cleans_up(tmp_path):
    """If it fails, a command that a supervisor stops leaves half-written folders behind."""
    body = f"""
        import pathlib, signal
        from training.foundation.atomic_files import write_directory_atomically
        with write_directory_atomically(pathlib.Path({str(tmp_path / "out")!r})) as aside:
            (aside / "file").write_text("x")
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
    """
    done = run(body)
    assert done.returncode == 130
    assert done.stderr.decode().startswith("interrupted: ")
    assert list(tmp_path.iterdir()) == []


def test_a_commands_own_signal_handlers_stay():
    handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        within = []
        run_main(lambda _: within.append(signal.getsignal(signal.SIGTERM)) or 0, [])
        assert within == [signal.getsignal(signal.SIGTERM)]
    finally:
        signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("number", sorted({errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.EEXIST}))
def test_what_the_system_refuses_comes_with_advice(number):
    sentence = describe_os_error(OSError(number, os.strerror(number), 5))
    assert sentence.startswith(os.strerror(number) + "; ")
