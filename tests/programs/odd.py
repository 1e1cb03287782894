"""Unusual but honest programs, which give the right answer. All must pass."""

ODD = {
    "threads": "import threading\ndef f(xs):\n    out = []\n"
    "    t = threading.Thread(target=lambda: out.extend(sorted(xs)))\n"
    "    t.start(); t.join()\n    return out\n",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor\ndef f(xs):\n"
    "    with ThreadPoolExecutor(4) as pool:\n        return sorted(pool.map(lambda x: x, xs))\n",
    "a fork": "import os\ndef f(xs):\n    pid = os.fork()\n    if pid == 0:\n        os._exit(0)\n"
    "    os.waitpid(pid, 0)\n    return sorted(xs)\n",
    "a pool of processes": "import multiprocessing\ndef same(x):\n    return x\ndef f(xs):\n"
    "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
    "        return sorted(pool.map(same, xs))\n",
    "a subprocess": "import json, subprocess, sys\ndef f(xs):\n    code = 'import json, sys;"
    " print(json.dumps(sorted(json.load(sys.stdin))))'\n    done = subprocess.run("
    "[sys.executable, '-c', code], input=json.dumps(xs), capture_output=True, text=True)\n"
    "    return json.loads(done.stdout)\n",
    "a shell": "import os, subprocess\ndef f(xs):\n"
    "    done = subprocess.run('for i in 1 2; do echo $i; done | head -1', shell=True,"
    " capture_output=True)\n    return sorted(xs) if done.stdout == b'1\\n' else None\n",
    "children that end unheeded": "import os\ndef f(xs):\n    for _ in range(9):\n"
    "        if os.fork() == 0:\n            os._exit(0)\n    return sorted(xs)\n",
    "the handler of children's ends": "import signal\ndef f(xs):\n"
    "    return sorted(xs) if signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL else None\n",
    "a temporary file": "def f(xs):\n    import tempfile, json\n"
    "    with tempfile.TemporaryFile('w+') as h:\n        json.dump(xs, h); h.seek(0)\n"
    "        return sorted(json.load(h))\n",
    "a temporary folder": "import os, tempfile\ndef f(xs):\n"
    "    with tempfile.TemporaryDirectory() as d:\n        open(os.path.join(d, 'x'), 'w').close()\n"
    "        return sorted(xs) if os.listdir(d) == ['x'] else None\n",
    "a file in its folder": "def f(xs):\n    with open('notes.txt', 'w') as h:\n"
    "        h.write('x')\n    return sorted(xs) if open('notes.txt').read() == 'x' else None\n",
    "much output": "def f(xs):\n    print('x' * 10_000_000)\n    return sorted(xs)\n",
    "output in bytes": "import sys\ndef f(xs):\n    sys.stdout.buffer.write(bytes(range(256)))\n"
    "    sys.stderr.write('oops')\n    return sorted(xs)\n",
    "input that is empty": "import sys\ndef f(xs):\n"
    "    return sorted(xs) if sys.stdin.read() == '' else None\n",
    "an exit that is caught": "def f(xs):\n    try:\n        raise SystemExit(1)\n"
    "    except SystemExit:\n        return sorted(xs)\n",
    "an exit function that is caught": "import sys\ndef f(xs):\n    try:\n        sys.exit()\n"
    "    finally:\n        return sorted(xs)\n",
    "deep recursion": "def d(n):\n    return n and d(n - 1)\ndef f(xs):\n    d(500)\n"
    "    return sorted(xs)\n",
    "deeper recursion": "import sys\nsys.setrecursionlimit(20_000)\ndef d(n):\n"
    "    return n and d(n - 1)\ndef f(xs):\n    d(10_000)\n    return sorted(xs)\n",
    "a recursion error that is caught": "def d():\n    return d()\ndef f(xs):\n    try:\n"
    "        d()\n    except RecursionError:\n        return sorted(xs)\n",
    "a subclass of list": "class L(list):\n    pass\ndef f(xs):\n    return L(sorted(xs))\n",
    "a class in the middle": "class Sorter:\n    def __call__(self, xs):\n"
    "        return sorted(xs)\nf = Sorter()\n",
    "a method": "class S:\n    def sort(self, xs):\n        return sorted(xs)\nf = S().sort\n",
    "a decorator": "import functools\ndef twice(g):\n    @functools.wraps(g)\n"
    "    def h(*a):\n        return g(g(*a))\n    return h\n@twice\ndef f(xs):\n    return sorted(xs)\n",
    "a cache": "import functools\n@functools.lru_cache\ndef g(xs):\n    return sorted(xs)\n"
    "def f(xs):\n    return list(g(tuple(xs)))\n",
    "a lambda": "f = lambda xs: sorted(xs)\n",
    "a default argument": "def f(xs=None, *, key=None):\n    return sorted(xs, key=key)\n",
    "global state": "calls = 0\ndef f(xs):\n    global calls\n    calls += 1\n"
    "    return sorted(xs)\n",
    "a signal handler": "import signal\ndef f(xs):\n    hit = []\n"
    "    signal.signal(signal.SIGUSR1, lambda *a: hit.append(1))\n"
    "    signal.raise_signal(signal.SIGUSR1)\n    return sorted(xs) if hit else None\n",
    "an alarm": "import signal\ndef f(xs):\n    signal.signal(signal.SIGALRM, lambda *a: None)\n"
    "    signal.setitimer(signal.ITIMER_REAL, 0.01)\n    signal.pause()\n    return sorted(xs)\n",
    "asyncio": "import asyncio\nasync def g(xs):\n    await asyncio.sleep(0)\n"
    "    return sorted(xs)\ndef f(xs):\n    return asyncio.run(g(xs))\n",
    "a main guard": "def f(xs):\n    return sorted(xs)\nif __name__ == '__main__':\n"
    "    raise SystemExit('never here')\n",
    "types at run time": "import dataclasses, typing\n@dataclasses.dataclass(order=True)\n"
    "class D:\n    x: typing.Any\ndef f(xs):\n    return [d.x for d in sorted(map(D, xs))]\n",
    "numpy": "try:\n    import numpy\nexcept ImportError:\n    numpy = None\ndef f(xs):\n"
    "    return sorted(xs) if numpy is None else [xs[i] for i in numpy.argsort(xs, kind='stable')]\n",
    "generated code": "exec('def f(xs):\\n    return sorted(xs)')\n",
    "a name outside ASCII": "def größe(xs):\n    return sorted(xs)\nf = größe\n",
    "carriage returns": "def f(xs):\r\n    return sorted(xs)\r\n",
    "a shared memory": "from multiprocessing import shared_memory\ndef f(xs):\n"
    "    block = shared_memory.SharedMemory(create=True, size=8)\n    block.close()\n"
    "    block.unlink()\n    return sorted(xs)\n",
}
