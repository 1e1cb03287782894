"""Programs that disguise their failure as the sandbox's, or touch shared state.

Each defines ``f``, as in the other files. None may pass, and all must be scored.
"""

from programs.breaking import attempt
from programs.forging import PUT

WAIT = "import time\n    time.sleep(0.4)\n    return None\n"

FEIGNING = {
    "a long error": PUT + "put({'e': ['A' * 2_000_000, 'X']})\nos._exit(0)\ndef f(xs):\n    pass\n",
    "a long error in the call": PUT + "def f(xs):\n    put({'e': ['x', 'A' * 2_000_000]})\n",
    "a long name of a type": PUT + "def f(xs):\n    put({'u': 'A' * 2_000_000})\n",
    "half a surrogate in an error": PUT + "put({'e': ['\\ud800', 'X']})\ndef f(xs):\n    pass\n",
    "lists in lists": PUT + "def f(xs):\n    deep = b'[' * 180 + b']' * 180\n"
    "    put(b'{\"r\":[' + b','.join([deep] * 90_000) + b']}')\n    os._exit(0)\n",
    "many small values": PUT
    + "def f(xs):\n    put(b'{\"r\":[' + b','.join([b'{}'] * 10**7) + b']}')\n",
    "descriptors in flight": "import array, os, socket\ndef f(xs):\n    pairs = []\n"
    "    null = os.open('/dev/null', 0)\n    rights = array.array('i', [null] * 253)\n"
    "    for _ in range(8):\n        pair = socket.socketpair()\n        pairs.append(pair)\n"
    "        pair[0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])\n"
    f"    {WAIT}",
    "descriptors to the examiner": "import array, os, socket\ndef f(xs):\n"
    "    channel = socket.socket(fileno=3)\n    rights = array.array('i', [3] * 200)\n"
    "    channel.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])\n",
    "memory that no process shows": "import mmap, os, time\ndef f(xs):\n    for _ in range(4):\n"
    "        if os.fork() == 0:\n            m = mmap.mmap(-1, 600 << 20)\n"
    "            for k in range(600):\n                m[k << 20 : (k + 1) << 20] = b'x' * (1 << 20)\n"
    "                m.madvise(mmap.MADV_DONTNEED, k << 20, 1 << 20)\n            time.sleep(30)\n"
    "    time.sleep(30)\n",
}

HOST_WIDE = {
    "a lock on a shared device": attempt(
        "import fcntl\nfcntl.flock(os.open('/dev/null', os.O_RDWR), fcntl.LOCK_EX)"
    ),
    "a lock on the library": attempt("import fcntl\nfcntl.flock(open(os.__file__), fcntl.LOCK_EX)"),
    "all slots for asynchronous input": attempt(
        "must(libc.syscall({'x86_64': 206}.get(os.uname().machine, 0), 128,"
        " ctypes.byref(ctypes.c_ulong(0))))"
    ),
    "an inotify instance": attempt("must(libc.inotify_init1(0))"),
    "a fanotify group": attempt("must(libc.fanotify_init(0, 0))"),
    "a lease": attempt("import fcntl\nfcntl.fcntl(open(os.__file__), 1024, 0)"),
    "a notice of changes": attempt(
        "import fcntl\nfcntl.fcntl(os.open('/usr/share/zoneinfo', 0), 1026, 2)"
    ),
    "the time of a shared device": attempt("os.utime('/dev/null')"),
    "the time of a library file": attempt("os.utime(os.__file__)"),
    "the flags of a file": attempt(
        "import fcntl, struct\nhandle = open('x', 'w')\n"
        "fcntl.ioctl(handle, 0x40086602, struct.pack('l', 0x40))"
    ),
    "the project of a file": attempt(
        "import fcntl\nhandle = open('x', 'w')\nfcntl.ioctl(handle, 0x401C5820, bytes(28))"
    ),
    "the attributes of a file": attempt(
        "must(libc.syscall(469, -100, b'/dev/null', ctypes.create_string_buffer(24), 24, 0))"
    ),
    "signals to an owner, by ioctl": attempt(
        "import fcntl, struct\nfcntl.ioctl(socket.socketpair()[0], 0x8901, struct.pack('i', 1))"
    ),
    "signals to an owner, by fcntl": attempt("import fcntl\nfcntl.fcntl(0, 8, 1)"),
    "another signal for input": attempt("import fcntl\nfcntl.fcntl(0, 10, 9)"),
    "larger socket buffers": attempt(
        "a, b = socket.socketpair()\na.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)"
    ),
    "larger pipes": attempt("import fcntl\nfcntl.fcntl(os.pipe()[1], 1031, 1 << 20)"),
    "all processors": attempt("os.sched_setaffinity(0, range(os.cpu_count()))"),
    "real-time scheduling": attempt("os.sched_setscheduler(0, 1, os.sched_param(1))"),
}
