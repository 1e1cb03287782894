"""The filters of system calls, run by a machine of our own on calls of both architectures."""

import errno
import struct

import pytest

from evaluation.judge.inside.confinement.seccomp import (
    build_child_filter,
    build_strict_child_filter,
    build_zygote_filter,
)

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, EPERM, ENOSYS, KILLED = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 1 << 31

# From the kernel's tables, not from ours.
NUMBERS = {
    "x86_64": {
        "read": 0,
        "openat": 257,
        "clone": 56,
        "clone3": 435,
        "fork": 57,
        "execve": 59,
        "socket": 41,
        "socketpair": 53,
        "mount": 165,
        "unshare": 272,
        "setns": 308,
        "ptrace": 101,
        "bpf": 321,
        "kill": 62,
        "tgkill": 234,
        "prlimit64": 302,
        "fcntl": 72,
        "ioctl": 16,
        "utimensat": 280,
        "keyctl": 250,
    },
    "aarch64": {
        "read": 63,
        "openat": 56,
        "clone": 220,
        "clone3": 435,
        "execve": 221,
        "socket": 198,
        "socketpair": 199,
        "mount": 40,
        "unshare": 97,
        "setns": 268,
        "ptrace": 117,
        "bpf": 280,
        "kill": 129,
        "tgkill": 131,
        "prlimit64": 261,
        "fcntl": 25,
        "ioctl": 29,
        "utimensat": 88,
        "keyctl": 219,
    },
}
PID = 4321


def answer(program, machine, name, *arguments, architecture=None):
    """Runs classic BPF as the kernel does, on ``struct seccomp_data``."""
    number = NUMBERS[machine][name] if isinstance(name, str) else name
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *words)
    register, at = 0, 0
    for _ in range(10_000):
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (register,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return value
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: register & value}
            at += if_true if holds[code] else if_false
    raise AssertionError("it has no end")


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_a_program_needs_is_allowed_and_what_gets_out_is_not(machine):
    program = build_zygote_filter(machine)
    thread, new_user = 0x3D0F00, 0x10000000

    def ask(name, *arguments):
        return answer(program, machine, name, *arguments)

    assert {ask("read"), ask("openat"), ask("execve"), ask("kill", 1)} == {ALLOWED}
    assert {ask("clone", thread), ask("socketpair", 1), ask("ioctl", 0, 0x5401)} == {ALLOWED}
    assert ask("clone3") == ENOSYS
    assert {ask("clone", new_user), ask("ptrace"), ask("bpf"), ask("keyctl")} == {EPERM}
    assert {ask("socket", 2), ask("socket", 40), ask("ioctl", 0, 0x5412)} == {EPERM}
    assert {ask("mount"), ask("unshare"), ask("setns")} == {ALLOWED}  # the zygote's, for a while
    last = build_child_filter(machine)
    for name in ("mount", "unshare", "setns"):
        assert answer(last, machine, name) == EPERM
    assert answer(last, machine, "read") == ALLOWED


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_without_namespaces_other_processes_are_out_of_reach(machine):
    program = build_strict_child_filter(PID, machine)

    def ask(name, *arguments):
        return answer(program, machine, name, *arguments)

    thread, process = 0x3D0F00, 0x1200011
    assert ask("clone", thread) == ALLOWED
    assert ask("clone", process) == EPERM
    assert {ask("kill", PID, 15), ask("tgkill", PID, 1, 6), ask("prlimit64", 0)} == {ALLOWED}
    refused = [ask("kill", 1, 15), ask("kill", 0, 9), ask("kill", 2**32 - 1), ask("tgkill", 1)]
    refused += [ask("prlimit64", 1), ask("socket", 1), ask("execve"), ask("utimensat")]
    refused += [ask("fcntl", 0, 8), ask("fcntl", 0, 15), ask("mount"), ask("unshare")]
    assert set(refused) == {EPERM}
    assert {ask("fcntl", 0, 1), ask("read"), ask("openat")} == {ALLOWED}


def test_another_architecture_kills():
    """Else its numbers mean other calls, and everything is open."""
    native, other = ARCHITECTURES["x86_64"], 0x40000003
    program = build_zygote_filter("x86_64")
    assert answer(program, "x86_64", "read", architecture=other) == KILLED
    assert answer(program, "x86_64", 0x40000000 | 41, architecture=native) == KILLED
    assert answer(build_zygote_filter("aarch64"), "aarch64", "read", architecture=native) == KILLED


def test_an_unknown_architecture_is_an_error():
    with pytest.raises(OSError, match="riscv64"):
        build_zygote_filter("riscv64")
