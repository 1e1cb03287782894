"""The filters of system calls, run by an interpreter of our own on calls of both architectures."""

import errno
import struct

import pytest

from evaluation.judge.inside.confinement.seccomp import (
    build_child_filter,
    build_strict_child_filter,
    build_zygote_filter,
)
from evaluation.judge.inside.confinement.syscall_table import (
    ALLOWED,
    NAMESPACES_ONLY,
    ZYGOTE_ONLY,
)

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 1 << 31

# From the kernel's tables, not from ours.
NUMBERS = {
    "x86_64": {
        "read": 0,
        "mmap": 9,
        "rt_sigaction": 13,
        "fadvise64": 221,
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
        "sendmsg": 46,
        "setsockopt": 54,
        "flock": 73,
        "io_setup": 206,
        "inotify_init1": 294,
        "fanotify_init": 300,
        "sched_setaffinity": 203,
        "timer_create": 222,
        "rt_sigqueueinfo": 129,
        "memfd_create": 319,
        "io_uring_setup": 425,
        "file_setattr": 469,
        "sync": 162,
        "prctl": 157,
        "accept": 43,
        "accept4": 288,
        "bind": 49,
        "connect": 42,
        "listen": 50,
        "recvfrom": 45,
        "sendto": 44,
        "sendmmsg": 307,
        "init_module": 175,
    },
    "aarch64": {
        "read": 63,
        "mmap": 222,
        "rt_sigaction": 134,
        "fadvise64": 223,
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
        "sendmsg": 211,
        "setsockopt": 208,
        "flock": 32,
        "io_setup": 0,
        "inotify_init1": 26,
        "fanotify_init": 262,
        "sched_setaffinity": 122,
        "timer_create": 107,
        "rt_sigqueueinfo": 138,
        "memfd_create": 279,
        "io_uring_setup": 425,
        "file_setattr": 469,
        "sync": 81,
        "prctl": 167,
        "accept": 202,
        "accept4": 242,
        "bind": 200,
        "connect": 203,
        "listen": 201,
        "recvfrom": 207,
        "sendto": 206,
        "sendmmsg": 269,
        "init_module": 105,
    },
}
PID = 4321
THREAD, PROCESS, NEW_USER = 0x3D0F00, 0x1200011, 0x10000000


def run_filter(program, machine, name, *arguments, architecture=None):
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
            tests = {
                0x15: register == value,
                0x25: register > value,
                0x35: register >= value,
                0x45: register & value,
            }
            at += if_true if tests[code] else if_false
    raise AssertionError("the filter does not end")


@pytest.fixture(params=ARCHITECTURES)
def machine(request):
    return request.param


@pytest.fixture
def ask(machine):
    """Returns the zygote's filter's answer to a call."""
    program = build_zygote_filter(machine)
    return lambda name, *arguments: run_filter(program, machine, name, *arguments)


def test_what_a_program_needs_is_allowed(ask):
    assert {ask("read"), ask("openat"), ask("execve"), ask("kill", 1)} == {ALLOW}
    assert {ask("clone", THREAD), ask("clone", PROCESS), ask("socketpair", 1)} == {ALLOW}
    assert {ask("ioctl", 0, 0x5401), ask("fcntl", 0, 3), ask("fcntl", 0, 1030)} == {ALLOW}
    assert ask("clone3") == ENOSYS  # libc then uses clone


def test_every_call_of_the_table_is_allowed_by_its_number(ask, machine):
    """If it fails, a range of numbers is built wrongly, and honest programs fail."""
    column = list(ARCHITECTURES).index(machine)
    filtered = {"socket", "socketpair", "clone", "fcntl", "ioctl"}
    numbers = {name: numbers[column] for name, numbers in ALLOWED.items() if name not in filtered}
    refused = [name for name, n in numbers.items() if n is not None and ask(n) != ALLOW]
    assert not refused


def test_what_leads_out_of_the_sandbox_is_refused(ask):
    """If it fails, a program reaches the kernel's inside, another namespace or the network."""
    assert {ask("clone", NEW_USER), ask("ptrace"), ask("bpf"), ask("keyctl")} == {EPERM}
    assert {ask("socket", 2), ask("socket", 40), ask("ioctl", 0, 0x5412)} == {EPERM}
    assert {ask("memfd_create"), ask("io_uring_setup"), ask("init_module")} == {EPERM}


def test_what_is_shared_by_the_whole_machine_is_refused(ask):
    """If it fails, a program blocks, signals or starves processes outside of the sandbox."""
    calls = {"flock", "io_setup", "inotify_init1", "fanotify_init", "sched_setaffinity"}
    calls |= {
        "fadvise64",
        "timer_create",
        "rt_sigqueueinfo",
        "file_setattr",
        "sync",
        "sendmsg",
        "setsockopt",
    }
    assert {ask(name) for name in calls} == {EPERM}
    owner, signal, owner_ex, lease, notice, pipe_size = 8, 10, 15, 1024, 1026, 1031
    commands = (owner, signal, owner_ex, lease, notice, pipe_size)
    assert {ask("fcntl", 0, command) for command in commands} == {EPERM}
    set_flags, set_extended, set_owner, set_group = 0x40086602, 0x401C5820, 0x8901, 0x8902
    requests = (set_flags, set_extended, set_owner, set_group)
    assert {ask("ioctl", 0, request) for request in requests} == {EPERM}


def test_no_process_can_lose_the_time_of_its_children(ask):
    """If it fails, children whose end is ignored compute for free."""
    sigchld, sigusr1 = 17, 10
    assert {ask("rt_sigaction", sigchld, 1 << 20), ask("rt_sigaction", sigchld, 1 << 40)} == {EPERM}
    assert {ask("rt_sigaction", sigchld, 0, 1 << 20), ask("rt_sigaction", sigusr1, 1)} == {ALLOW}


def test_memory_that_no_process_shows_is_refused_where_nothing_bounds_it(machine):
    """If it fails, a program holds any amount of memory where there is no control group."""
    shared, private, anonymous = 1, 2, 0x20
    for is_allowed in (True, False):
        program = build_zygote_filter(machine, allows_shared_memory=is_allowed)
        flags = (shared | anonymous, shared | 2 | anonymous)
        answers = {run_filter(program, machine, "mmap", 0, 1, 3, f) for f in flags}
        assert answers == {ALLOW if is_allowed else EPERM}
        flags = (private | anonymous, shared, private)
        assert {run_filter(program, machine, "mmap", 0, 1, 3, f) for f in flags} == {ALLOW}


def test_calls_of_the_future_are_unknown(ask):
    """If it fails, libc takes a new call for forbidden, and does not fall back to the old one."""
    assert ask(600) == ENOSYS
    assert ask(470) == EPERM


def test_only_the_zygote_may_enter_namespaces(ask, machine):
    child = build_child_filter(machine)
    for name in ("mount", "unshare", "setns"):
        assert ask(name) == ALLOW
        assert run_filter(child, machine, name) == EPERM
    assert run_filter(child, machine, "read") == ALLOW


def test_without_namespaces_other_processes_are_out_of_reach(machine):
    program = build_strict_child_filter(PID, machine)

    def ask(name, *arguments):
        return run_filter(program, machine, name, *arguments)

    assert ask("clone", THREAD) == ALLOW
    assert ask("clone", PROCESS) == EPERM
    assert {ask("kill", PID, 15), ask("tgkill", PID, 1, 6), ask("prlimit64", 0)} == {ALLOW}
    refused = [ask("kill", 1, 15), ask("kill", 0, 9), ask("kill", 2**32 - 1), ask("tgkill", 1)]
    refused += [ask("prlimit64", 1), ask("socket", 1), ask("execve"), ask("utimensat")]
    refused += [ask("mount"), ask("unshare")]
    assert set(refused) == {EPERM}
    assert {ask("fcntl", 0, 1), ask("read"), ask("openat")} == {ALLOW}


def test_without_namespaces_exactly_the_calls_of_the_table_are_refused(machine):
    """If it fails, a jump of the filter leads elsewhere, and calls are open or honest ones fail."""
    program = build_strict_child_filter(PID, machine)
    column = list(ARCHITECTURES).index(machine)
    numbers = {name: numbers[column] for name, numbers in ALLOWED.items()}
    filtered = {"clone", "prlimit64", "kill", "tgkill", "prctl", "sendto"}
    found = {
        name
        for name, number in numbers.items()
        if number is not None and run_filter(program, machine, number) == EPERM
    }
    wanted = {*NAMESPACES_ONLY, *ZYGOTE_ONLY}
    assert found - filtered == {name for name in wanted if numbers[name] is not None}


def test_without_namespaces_only_pairs_of_sockets_are_of_use(machine, ask):
    """If it fails, a program reaches sockets of the machine's services."""
    program = build_strict_child_filter(PID, machine)

    def ask_child(name, *arguments):
        return run_filter(program, machine, name, *arguments)

    names = ("socket", "connect", "bind", "listen", "accept", "accept4")
    assert {ask_child(name, 1) for name in names} == {EPERM}
    address, high_address = 0x1000, 0x7F00_0000_0000
    assert {ask_child("sendto", 5, 1, 2, 0, a, 2) for a in (address, high_address)} == {EPERM}
    assert ask_child("sendto", 5, high_address, 2, 0, 0, 0) == ALLOW
    assert {ask_child("socketpair", 1), ask_child("recvfrom", 5)} == {ALLOW}
    assert {ask("sendmsg"), ask("sendmmsg")} == {EPERM}  # their addresses are out of sight


def test_without_namespaces_a_program_cannot_choose_to_outlive_its_zygote(machine):
    """If it fails, it goes on when its sandbox is closed."""
    program = build_strict_child_filter(PID, machine)
    set_death_signal, set_dumpable, set_name = 1, 4, 15
    for high_half in (0, 1 << 32):  # of which the kernel takes no notice
        assert run_filter(program, machine, "prctl", high_half | set_death_signal, 0) == EPERM
    for option in (set_dumpable, set_name):
        assert run_filter(program, machine, "prctl", option) == ALLOW


def test_another_architecture_kills():
    """Its numbers mean other calls: if it fails, everything is open."""
    native, other = ARCHITECTURES["x86_64"], 0x40000003
    program = build_zygote_filter("x86_64")
    assert run_filter(program, "x86_64", "read", architecture=other) == KILL
    assert run_filter(program, "x86_64", 0x40000000 | 41, architecture=native) == KILL
    assert (
        run_filter(build_zygote_filter("aarch64"), "aarch64", "read", architecture=native) == KILL
    )


def test_an_unknown_architecture_is_an_error():
    with pytest.raises(OSError, match="riscv64"):
        build_zygote_filter("riscv64")
