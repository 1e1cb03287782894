"""Programs that read secrets, break out, exhaust resources, stay behind, or harm the next program.

Each defines ``f``, which returns the right answer only if the attempt succeeded. None may pass.
"""


def attempt(code: str) -> str:
    """Returns a program that gives the right answer only if ``code`` raises no exception."""
    body = "".join(f"        {line}\n" for line in code.split("\n"))
    return (
        "import ctypes, os, socket, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def must(result):\n    if result < 0:\n        raise OSError(ctypes.get_errno())\n"
        f"    return result\ndef f(xs):\n    try:\n{body}    except BaseException:\n"
        "        return None\n    return sorted(xs)\n"
    )


READING = {
    "the password file": attempt("open('/etc/passwd').read()"),
    "the shadow file": attempt("open('/etc/shadow').read()"),
    "a home folder": attempt("os.listdir('/home')"),
    "the host's root": attempt("assert {'etc', 'boot', 'srv'} & set(os.listdir('/'))"),
    "its environment": attempt("assert 'JUDGE_PLAN' in os.environ"),
    "the first process' environment": attempt("open('/proc/1/environ').read()"),
    "its own memory map": attempt("open('/proc/self/maps').read()"),
    "its parent's memory": attempt("open(f'/proc/{os.getppid()}/mem', 'rb').read(1)"),
    "all processes": attempt("assert [p for p in os.listdir('/proc') if p.isdigit()]"),
    "kernel messages": attempt("open('/dev/kmsg').read(1)"),
    "physical memory": attempt("open('/dev/mem', 'rb').read(1)"),
    "the disk": attempt("open('/dev/vda', 'rb').read(1)"),
    "the kernel's settings": attempt("open('/proc/sys/kernel/hostname').read()"),
    "the machine's devices": attempt("os.listdir('/sys')"),
    "the host's name": attempt("assert socket.gethostname() != 'judge'"),
    "a stranger's memory": attempt("must(libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0))"),
    "the test in its own heap": "import gc\ndef f(xs):\n    found = [o for o in gc.get_objects()"
    " if isinstance(o, (str, bytes)) and 'assert candidate' in str(o)]\n"
    "    return sorted(xs) if found else None\n",
    "the test in its callers": "import sys\ndef f(xs):\n    frame = sys._getframe()\n"
    "    while frame:\n        if 'test' in frame.f_locals or 'check' in frame.f_globals:\n"
    "            return sorted(xs)\n        frame = frame.f_back\n",
    "other descriptors": attempt("assert [d for d in range(4, 256) if os.fstat(d)]"),
    "what the last program left": attempt("assert os.listdir('/tmp')"),
}

ESCAPING = {
    "a new user namespace": attempt("must(libc.unshare(0x10000000))"),
    "a new mount namespace": attempt("must(libc.unshare(0x20000))"),
    "a cloned namespace": attempt("must(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0))"),
    "clone3": attempt("must(libc.syscall(435, ctypes.create_string_buffer(88), 88))"),
    "another's namespace": attempt("must(libc.setns(os.open('/tmp', os.O_RDONLY), 0))"),
    "a mount": attempt("must(libc.mount(b'none', b'/tmp', b'tmpfs', 0, b''))"),
    "an unmount": attempt("must(libc.umount2(b'/proc', 2))"),
    "a new root": attempt("os.chroot('/tmp')"),
    "a pivot": attempt("must(libc.syscall(155, b'/tmp', b'/tmp'))"),
    "a trace": attempt("must(libc.ptrace(16, os.getppid(), 0, 0))"),
    "a program in the kernel": attempt("must(libc.syscall(321, 0, 0, 0))"),
    "performance counters": attempt("must(libc.syscall(298, 0, 0, -1, -1, 0))"),
    "page faults": attempt("must(libc.syscall(323, 0))"),
    "an io_uring": attempt("must(libc.syscall(425, 8, ctypes.create_string_buffer(120)))"),
    "the keyring": attempt("must(libc.syscall(250, 0, -3, 0))"),
    "a 32-bit call": attempt("must(libc.syscall(0x40000000 | 39))"),
    "another user": attempt("os.setuid(0)"),
    "another group": attempt("os.setgroups([0])"),
    "capabilities": attempt("must(libc.prctl(47, 2, 21, 0, 0))"),
    "a device": attempt("os.mknod('/tmp/d', 0o20600, os.makedev(1, 1))\nopen('/tmp/d', 'rb')"),
    "the network": attempt("socket.socket()"),
    "the network, version 6": attempt("socket.socket(socket.AF_INET6)"),
    "netlink": attempt("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    "packets": attempt("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    "the machine monitor": attempt("socket.socket(40, 1)"),
    "the kernel's crypto": attempt("socket.socket(38, 5)"),
    "a host's socket": attempt("socket.socket(socket.AF_UNIX).connect('/run/systemd/private')"),
    "an abstract socket": attempt("socket.socket(socket.AF_UNIX).connect('\\0/tmp/.X11-unix/X0')"),
    "writing to the interpreter": attempt("open(os.__file__, 'a').write('x')"),
    "writing to the judge": attempt("open('/judge/x', 'w').write('x')"),
    "writing to the root": attempt("open('/x', 'w').write('x')"),
    "a terminal": attempt("open('/dev/tty', 'w').write('x')"),
    "killing the zygote": "import os\ndef f(xs):\n    os.kill(os.getppid(), 9)\n    os.kill(1, 9)\n",
    "killing all": "import os\ndef f(xs):\n    os.kill(-1, 9)\n    os.kill(0, 9)\n",
    "the clock": attempt("import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)"),
    "the host's name changed": attempt("socket.sethostname('x')"),
    "more priority": attempt("os.nice(-5)"),
    "higher limits": attempt(
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6))"
    ),
}

EXHAUSTING = {
    "endless": "def f(xs):\n    while True:\n        pass\n",
    "endless at import": "while True:\n    pass\n",
    "endless in C": "def f(xs):\n    return sum(x for x in iter(int, 1))\n",
    "a slow pattern": "import re\ndef f(xs):\n    return re.match('(a+)+$', 'a' * 60 + 'b')\n",
    "a huge power": "def f(xs):\n    return 7 ** 10**9\n",
    "sleeping": "import time\ndef f(xs):\n    time.sleep(1000)\n",
    "waiting for input": "import select\ndef f(xs):\n    select.select([], [], [])\n",
    "ignoring signals": "import signal\nfor n in range(1, 65):\n    try:\n"
    "        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\n"
    "def f(xs):\n    while True:\n        pass\n",
    "memory": "def f(xs):\n    x = [0] * 10**10\n    return x\n",
    "memory, piece by piece": "def f(xs):\n    x = []\n    while True:\n        x.append(bytearray(2**22))\n",
    "memory by mapping": "import mmap\ndef f(xs):\n    maps = []\n    while True:\n"
    "        m = mmap.mmap(-1, 2**26)\n        m.write(b'x' * 2**26)\n        maps.append(m)\n",
    "memory over many processes": "import os, time\ndef f(xs):\n    for _ in range(40):\n"
    "        if os.fork() == 0:\n            x = bytearray(150 * 2**20)\n            for i in "
    "range(0, len(x), 4096):\n                x[i] = 1\n            time.sleep(1000)\n"
    "    time.sleep(1000)\n",
    "memory that belongs to no process": attempt("os.memfd_create('x')"),
    "a fork bomb": "import os\ndef f(xs):\n    while True:\n        try:\n            os.fork()\n"
    "        except OSError:\n            pass\n",
    "threads": "import threading, time\ndef f(xs):\n    while True:\n        try:\n"
    "            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    "        except RuntimeError:\n            pass\n",
    "descriptors": "import os\ndef f(xs):\n    while True:\n        os.open('/dev/null', 0)\n",
    "the disk": "def f(xs):\n    with open('/tmp/x', 'wb') as h:\n        while True:\n"
    "            h.write(b'x' * 2**20)\n",
    "many files": "def f(xs):\n    n = 0\n    while True:\n        open(f'/tmp/{n}', 'w').close()\n"
    "        n += 1\n",
    "a file with holes": attempt("h = open('/tmp/x', 'wb')\nh.truncate(2**40)"),
    "endless output": "import sys\ndef f(xs):\n    while True:\n        sys.stdout.write('x' * 2**16)\n",
    "endless output at import": "while True:\n    print('x' * 2**16)\n",
    "the C stack": "import sys\nsys.setrecursionlimit(10**9)\ndef f(xs):\n    return f(xs)\n",
    "locked memory": attempt("must(libc.mlockall(3))\nassert len(bytearray(2**30))"),
    "full pipes": "import os\ndef f(xs):\n    while True:\n        r, w = os.pipe()\n"
    "        os.set_blocking(w, False)\n        os.write(w, b'x' * 2**16)\n",
    "a message queue": attempt("must(libc.mq_open(b'/x', 0o102, 0o600, 0))"),
    "shared segments": attempt("must(libc.shmget(0, 2**20, 0o1600))"),
}

LINGERING = {
    "a child": "import os, time\nif os.fork() == 0:\n    while True:\n        time.sleep(0.1)\n"
    "def f(xs):\n    return None\n",
    "a daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        while True:\n            time.sleep(0.1)\n    os._exit(0)\ndef f(xs):\n    return None\n",
    "a child that ignores signals": "import os, signal, time\nif os.fork() == 0:\n    for n in range(1, 65):\n"
    "        try:\n            signal.signal(n, signal.SIG_IGN)\n        except (OSError, ValueError):\n"
    "            pass\n    while True:\n        time.sleep(0.1)\ndef f(xs):\n    return None\n",
    "a busy child": "import os\nif os.fork() == 0:\n    while True:\n        pass\n"
    "def f(xs):\n    return None\n",
    "a file for the next one": "open('/tmp/left', 'w').write('x')\ndef f(xs):\n    return None\n",
    "a module for the next one": "open('/tmp/math.py', 'w').write('def sqrt(x): return 0')\n"
    "def f(xs):\n    return None\n",
    "an exit handler": "import atexit, time\natexit.register(time.sleep, 1000)\n"
    "def f(xs):\n    return None\n",
    "a locked file": "import fcntl\nh = open('/dev/null')\nfcntl.flock(h, fcntl.LOCK_EX)\n"
    "def f(xs):\n    return None\n",
    "a lower priority": "import os\nos.nice(19)\ndef f(xs):\n    return None\n",
    "a stopped child": "import os, signal\npid = os.fork()\nif pid == 0:\n"
    "    os.kill(os.getpid(), signal.SIGSTOP)\ndef f(xs):\n    return None\n",
}

BREAKING = {**READING, **ESCAPING, **EXHAUSTING, **LINGERING}
