"""Programs that evade a limit, or attack the examiner and the supervisor by what they send.

Each defines ``f``, as in the other files. None may pass, and all must be scored. ``CPU`` are judged
with little processor time and much time: each computes 0.8 s of it, in children.
"""

from programs.forging import PUT

SPIN = (
    "import ctypes, os, signal, sys, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def spin(s={child_s}):\n    start = time.process_time()\n"
    "    while time.process_time() < start + s:\n        pass\n"
    "def ignore():\n    try:\n        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    "    except OSError:\n        pass\n"
    "class Action(ctypes.Structure):\n    _fields_ = [('handler', ctypes.c_void_p),"
    " ('mask', ctypes.c_ubyte * 128), ('flags', ctypes.c_int), ('restorer', ctypes.c_void_p)]\n"
)
RETURN = "    return sorted(xs)\n"

CPU = {
    "children that nobody waits for": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n"
    "    for _ in range(40):\n        if os.fork() == 0:\n            spin()\n"
    "            os.write(w, b'x')\n            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "a chain of orphans": SPIN + "def work(n, w):\n    spin()\n    if n and os.fork() == 0:\n"
    "        work(n - 1, w)\n    if not n:\n        os.write(w, b'x')\n    os._exit(0)\n"
    "def f(xs):\n    ignore()\n    r, w = os.pipe()\n    if os.fork() == 0:\n        work(40, w)\n"
    "    os.read(r, 1)\n" + RETURN,
    "children without a status": SPIN + "def f(xs):\n    action = Action(None, flags=2)\n"
    "    libc.sigaction(17, ctypes.byref(action), None)\n    r, w = os.pipe()\n"
    "    for _ in range(40):\n        if os.fork() == 0:\n            spin()\n"
    "            os.write(w, b'x')\n            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "children without a signal": SPIN
    + "def f(xs):\n    r, w = os.pipe()\n    for _ in range(40):\n"
    "        if libc.syscall(56, 0, 0, 0, 0, 0) == 0:\n            spin()\n"
    "            os.write(w, b'x')\n            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "children of children": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n"
    "    for _ in range(25):\n        if os.fork() == 0:\n            ignore()\n"
    "            if os.fork() == 0:\n                spin()\n                os.write(w, b'x')\n"
    "            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "children that are killed": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n"
    "    for _ in range(40):\n        pid = os.fork()\n        if pid == 0:\n            spin()\n"
    "            os.write(w, b'x')\n            time.sleep(9)\n        os.read(r, 1)\n"
    "        os.kill(pid, 9)\n" + RETURN,
    "children of a reaper": SPIN + "def f(xs):\n    libc.prctl(36, 1, 0, 0, 0)\n    ignore()\n"
    "    r, w = os.pipe()\n    for _ in range(40):\n        if os.fork() == 0:\n            os.setsid()\n"
    "            if os.fork() == 0:\n                spin()\n                os.write(w, b'x')\n"
    "            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "children in turns": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n    pids = []\n"
    "    for _ in range(8):\n        pid = os.fork()\n        if pid == 0:\n"
    "            os.kill(os.getpid(), signal.SIGSTOP)\n            spin(0.1)\n"
    "            os.write(w, b'x')\n            os._exit(0)\n        pids.append(pid)\n"
    "    for pid in pids:\n        time.sleep(0.01)\n        os.kill(pid, signal.SIGCONT)\n"
    "        os.read(r, 1)\n" + RETURN,
    "children with a misleading name": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n"
    "    for _ in range(40):\n        if os.fork() == 0:\n"
    "            libc.prctl(15, b') S 1 1 1\\n0 0', 0, 0, 0)\n            spin()\n"
    "            os.write(w, b'x')\n            os._exit(0)\n        os.read(r, 1)\n" + RETURN,
    "threads of children": SPIN + "def f(xs):\n    ignore()\n    r, w = os.pipe()\n"
    "    for _ in range(40):\n        if os.fork() == 0:\n"
    "            thread = threading.Thread(target=spin)\n            thread.start()\n"
    "            thread.join()\n            os.write(w, b'x')\n            os._exit(0)\n"
    "        os.read(r, 1)\n" + RETURN,
}

SENDING = {
    "an array of another size": PUT
    + "def f(xs):\n    put({'r': {'l': ['ndarray', ['<i8', [1 << 40], {'b': ''}]]}})\n",
    "an array of objects": PUT
    + "def f(xs):\n    put({'r': {'l': ['ndarray', ['|O', [1], {'b': '00' * 8}]]}})\n",
    "an array of nothing": PUT
    + "def f(xs):\n    put({'r': {'l': ['ndarray', ['|S0', [1 << 60], {'b': ''}]]}})\n",
    "an array of arrays": PUT + "def f(xs):\n"
    "    put({'r': [{'l': ['ndarray', ['<i8', [1] * 32, {'b': '00' * 8}]]}] * 200_000})\n",
    "an array in place of an argument": PUT + "def f(xs):\n"
    "    put({'r': [], 'a': [{'t': [{'l': ['ndarray', ['<i8', [0], {'b': ''}]]}]}, {'d': []}]})\n",
    "a type that is none": PUT + "def f(xs):\n    put({'r': {'l': ['os.system', ['true']]}})\n",
    "a type of the judge": PUT + "def f(xs):\n    put({'r': {'l': ['__main__.exec', ['x']]}})\n",
    "a range without an end": PUT
    + "def f(xs):\n    put({'r': {'l': ['builtins.range', [0, {'i': hex(1 << 70)}, 1]]}})\n",
    "a date from a state": PUT
    + "def f(xs):\n    put({'r': {'l': ['datetime.date', [{'b': '07e8ff20'}]]}})\n",
    "a fraction of powers": PUT
    + "def f(xs):\n    put({'r': {'l': ['fractions.Fraction', ['1e99999999', 1]]}})\n",
    "bytes by their number": PUT
    + "def f(xs):\n    put({'r': {'l': ['builtins.bytearray', [1 << 40]]}})\n",
    "a counter that is no mapping": PUT
    + "def f(xs):\n    put({'r': {'l': ['collections.Counter', [[1, 2]]]}})\n",
    "a default that is a function": PUT
    + "def f(xs):\n    put({'r': {'l': ['collections.defaultdict', ['exec', []]]}})\n",
    "numbers that collide": "def f(xs):\n    return {k * (2**61 - 1) for k in range(1, 40_000)}\n",
    "a mapping whose keys collide": PUT
    + "def f(xs):\n    items = [[{'i': hex(k * (2**61 - 1))}, 0]"
    " for k in range(1, 40_000)]\n    put({'r': {'d': items}})\n",
    "exceptions with many bases": PUT + "put({'e': ['x'] * 100_000})\ndef f(xs):\n    pass\n",
    "an exception without a name": PUT + "put({'e': ['x']})\ndef f(xs):\n    pass\n",
    "an exception of long names": PUT
    + "def f(xs):\n    put({'e': ['x', *['A' * 2_000_000] * 12]})\n",
    "an exception that ends the examiner": PUT
    + "def f(xs):\n    put({'e': ['x', 'SystemExit']})\n",
    "an exception of the examiner's": PUT
    + "def f(xs):\n    put({'e': ['x', '_LostError', 'BaseException']})\n",
    "an error that looks like memory": "def f(xs):\n    raise MemoryError('MemoryError')\n",
    "a frame a byte at a time": "import os, time\ndef f(xs):\n    os.write(3, b'\\xff\\xff\\0\\0')\n"
    "    while True:\n        os.write(3, b' ')\n        time.sleep(0.02)\n",
    "a frame that never ends": "import os, time\ndef f(xs):\n    os.write(3, b'\\xff\\xff\\0\\0[')\n"
    "    time.sleep(60)\n",
    "many frames at once": PUT + "def f(xs):\n    os.set_blocking(3, False)\n    try:\n"
    "        while True:\n            os.write(3, b'\\2\\0\\0\\0{}' * 1000)\n"
    "    except BlockingIOError:\n        os._exit(0)\n",
    "a byte out of band": "import socket\ndef f(xs):\n    s = socket.socket(fileno=3)\n"
    "    s.send(b'x', socket.MSG_OOB)\n    s.detach()\n",
    "half a channel": "import socket\ndef f(xs):\n    s = socket.socket(fileno=3)\n"
    "    s.shutdown(socket.SHUT_RD)\n    s.detach()\n    return sorted(xs)\n",
    "the other half of a channel": "import socket\ndef f(xs):\n    s = socket.socket(fileno=3)\n"
    "    s.shutdown(socket.SHUT_WR)\n    s.detach()\n    return sorted(xs)\n",
    "a channel in other hands": "import os\ndef f(xs):\n    if os.fork():\n        os._exit(0)\n"
    "    return sorted(xs)\n",
    "an endless list of large items": "import itertools\ndef f(xs):\n"
    "    return (bytes(1 << 20) for _ in itertools.count())\n",
    "an object that lies about its type": "class A:\n    __class__ = dict\n    def items(s):\n"
    "        return [(1, 2)]\ndef f(xs):\n    return A()\n",
    "a type that lies about its name": "A = type('Decimal', (), {'__module__': 'decimal'})\n"
    "import decimal\ndef f(xs):\n    return A()\n",
    "an array that is equal to all": "import numpy as np\nclass A(np.ndarray):\n"
    "    def __eq__(s, o):\n        return np.True_\ndef f(xs):\n    return np.zeros(1).view(A)\n",
}

HOLDING = {
    "what sockets hold": "import os, socket, time\ndef fill():\n    kept = []\n"
    "    for _ in range(27):\n        a, b = socket.socketpair()\n        a.setblocking(False)\n"
    "        kept += [a, b]\n        try:\n            while True:\n                a.send(b'x' * 4096)\n"
    "        except BlockingIOError:\n            pass\n    time.sleep(30)\ndef f(xs):\n"
    "    for _ in range(40):\n        if os.fork() == 0:\n            fill()\n    time.sleep(30)\n",
    "what no process shows": "import mmap, os, time\ndef f(xs):\n    for _ in range(4):\n"
    "        if os.fork() == 0:\n            m = mmap.mmap(-1, 200 << 20)\n"
    "            for k in range(200):\n                m[k << 20 : (k + 1) << 20] = b'x' * (1 << 20)\n"
    "                m.madvise(mmap.MADV_DONTNEED, k << 20, 1 << 20)\n            time.sleep(30)\n"
    "    time.sleep(30)\n",
    "what a device holds": "import mmap, os, time\ndef f(xs):\n    for _ in range(4):\n"
    "        if os.fork() == 0:\n            m = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 200 << 20)\n"
    "            for k in range(200):\n                m[k << 20 : (k + 1) << 20] = b'x' * (1 << 20)\n"
    "                m.madvise(mmap.MADV_DONTNEED, k << 20, 1 << 20)\n            time.sleep(30)\n"
    "    time.sleep(30)\n",
    "what many processes hold": "import os, time\ndef f(xs):\n    for _ in range(30):\n"
    "        if os.fork() == 0:\n            x = b'x' * (30 << 20)\n            time.sleep(30)\n"
    "    time.sleep(30)\n",
    "what is mapped over and over": "import mmap\ndef f(xs):\n    kept = []\n    for _ in range(40):\n"
    "        kept.append(mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE))\n"
    "        kept[-1].write(b'x' * (64 << 20))\n    return sorted(xs)\n",
}
