"""Programs that try to be judged right without being right, through every channel there is.

Each defines ``f``; the test expects a sorted list. None may pass.
"""

PUT = """
import os, json, struct
def put(message, descriptor=3):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    try:
        os.write(descriptor, struct.pack('<I', len(data)) + data)
    except OSError:
        pass
"""

VALUES = {
    "equal to all": "class A:\n    __eq__ = lambda s, o: True\n    __hash__ = None\n"
    "def f(xs):\n    return A()\n",
    "never unequal": "class A:\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\n"
    "def f(xs):\n    return A()\n",
    "list equal to all": "class A(list):\n    __eq__ = lambda s, o: True\n"
    "def f(xs):\n    return A()\n",
    "tuple equal to all": "class A(tuple):\n    __eq__ = lambda s, o: True\n"
    "def f(xs):\n    return A()\n",
    "text equal to all": "class A(str):\n    __eq__ = lambda s, o: True\n"
    "    __hash__ = str.__hash__\ndef f(xs):\n    return A('')\n",
    "number equal to all": "class A(int):\n    __eq__ = lambda s, o: True\n"
    "    __hash__ = int.__hash__\ndef f(xs):\n    return A(0)\n",
    "mapping equal to all": "class A(dict):\n    __eq__ = lambda s, o: True\n"
    "def f(xs):\n    return A()\n",
    "set equal to all": "class A(set):\n    __eq__ = lambda s, o: True\ndef f(xs):\n    return A()\n",
    "an element equal to all": "class A(float):\n    __eq__ = lambda s, o: True\n"
    "    __hash__ = float.__hash__\ndef f(xs):\n    return [A(7)] * len(xs) + [A(1)]\n",
    "a class that lies about its class": "class A:\n    __class__ = list\n"
    "    __eq__ = lambda s, o: True\ndef f(xs):\n    return A()\n",
    "a metaclass that is every instance": "class M(type):\n"
    "    __instancecheck__ = lambda c, o: True\n    __eq__ = lambda c, o: True\n"
    "    __hash__ = type.__hash__\nclass A(metaclass=M):\n    pass\ndef f(xs):\n    return A\n",
    "reversed comparison": "class A:\n    def __eq__(s, o):\n        return NotImplemented\n"
    "    __req__ = lambda s, o: True\ndef f(xs):\n    return A()\n",
    "a pickle": "import os\nclass A:\n    def __reduce__(s):\n        return os._exit, (0,)\n"
    "def f(xs):\n    return A()\n",
    "a generator": "def f(xs):\n    yield from sorted(xs)\n",
    "an endless generator": "import itertools\ndef f(xs):\n    return (i for i in itertools.count())\n",
    "not implemented": "def f(xs):\n    return NotImplemented\n",
    "an ellipsis": "def f(xs):\n    return ...\n",
    "nothing": "def f(xs):\n    pass\n",
    "a coroutine": "async def f(xs):\n    return sorted(xs)\n",
    "a partial": "import functools\ndef f(xs):\n    return functools.partial(sorted, xs)\n",
    "its own argument, changed": "def f(xs):\n    xs.clear()\n    return xs + [0]\n",
}

EXITS = {
    "exit at import": "import os\nos._exit(0)\n",
    "SystemExit at import": "raise SystemExit(0)\n",
    "exit in the call": "import os\ndef f(xs):\n    os._exit(0)\n",
    "SystemExit in the call": "def f(xs):\n    raise SystemExit(0)\n",
    "KeyboardInterrupt": "def f(xs):\n    raise KeyboardInterrupt\n",
    "GeneratorExit": "def f(xs):\n    raise GeneratorExit\n",
    "StopIteration": "def f(xs):\n    raise StopIteration([])\n",
    "a base exception": "class E(BaseException):\n    pass\ndef f(xs):\n    raise E\n",
    "an exception that cannot be printed": "class E(Exception):\n    def __str__(s):\n"
    "        raise SystemExit\ndef f(xs):\n    raise E\n",
    "an exception with a long name": "E = type('E' * 10**6, (Exception,), {})\n"
    "def f(xs):\n    raise E('x' * 10**7)\n",
    "an exception that looks like success": "class passed(Exception):\n    pass\n"
    "def f(xs):\n    raise passed('passed')\n",
    "exit as the sandbox would": "import os\nos._exit(77)\n",
    "a signal": "import os\ndef f(xs):\n    os.abort()\n",
    "a kill": "import os, signal\ndef f(xs):\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    "a stop": "import os, signal\ndef f(xs):\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
    "a crash": "import ctypes\ndef f(xs):\n    ctypes.string_at(0)\n",
    "exec of another program": "import os, sys\ndef f(xs):\n"
    "    os.execv(sys.executable, [sys.executable, '-c', 'print([])'])\n",
}

CHANNEL = {
    "a forged verdict everywhere": PUT + "for d in range(64):\n"
    "    put({'outcome': 'passed', 'calls': 3}, d)\ndef f(xs):\n    return None\n",
    "forged answers": PUT + "put({'ok': 1})\nfor _ in range(9):\n    put({'r': []})\n"
    "def f(xs):\n    return []\n",
    "answers instead of a program": PUT + "put({'ok': 1})\nput({'r': [1, 2, 3]})\nput({'r': []})\n"
    "os._exit(0)\n",
    "confined twice": PUT + "put({'confined': 1})\nput({'ok': 1})\ndef f(xs):\n    return []\n",
    "two answers in one message": PUT + "def f(xs):\n    put({'r': [1, 2, 3], 'e': ['', 'E']})\n"
    "    put({'r': []})\n    return None\n",
    "the wrong answer, then the right one": PUT + "def f(xs):\n    put({'r': []})\n"
    "    return [1, 2, 3]\n",
    "a huge frame": "import os, struct\nos.write(3, struct.pack('<I', 2**32 - 1))\n"
    "def f(xs):\n    return []\n",
    "an empty frame": "import os\nos.write(3, bytes(4))\ndef f(xs):\n    return []\n",
    "half a frame": "import os\nos.write(3, b'\\x10\\0')\ndef f(xs):\n    return []\n",
    "not JSON": PUT + "def f(xs):\n    put(b'\\xff\\xfe{{{')\n",
    "deep JSON": PUT + "def f(xs):\n    put(b'[' * 10**6)\n",
    "JSON that is a list": PUT + "def f(xs):\n    put([1, 2, 3])\n",
    "NaN and Infinity": PUT + "def f(xs):\n    put(b'{\"r\": [NaN, Infinity, -Infinity]}')\n",
    "an unknown tag": PUT + "def f(xs):\n    put({'r': {'exec': 'passed'}})\n",
    "two tags": PUT + "def f(xs):\n    put({'r': {'t': [], 's': []}})\n",
    "a tag of the wrong kind": PUT + "def f(xs):\n    put({'r': {'t': 7}})\n",
    "an unhashable key": PUT + "def f(xs):\n    put({'r': {'d': [[[], 1]]}})\n",
    "a set of lists": PUT + "def f(xs):\n    put({'r': {'s': [[1]]}})\n",
    "an iterable with a strange name": PUT
    + "def f(xs):\n    put({'r': {'o': '__class__', 'v': [1, 2, 3]}})\n",
    "a range that is not one": PUT
    + "def f(xs):\n    put({'r': {'o': 'range', 'v': [[1], 'x']}})\n",
    "changed arguments of the wrong shape": PUT + "def f(xs):\n    put({'r': [], 'a': 5})\n",
    "changed arguments of another kind": PUT
    + "def f(xs):\n    put({'r': [], 'a': [{'t': [{'d': []}]}, {'d': []}]})\n",
    "more changed arguments than there are": PUT
    + "def f(xs):\n    put({'r': [], 'a': [{'t': [[], [], []]}, {'d': [['x', 1]]}]})\n",
    "an exception that is no list": PUT + "def f(xs):\n    put({'e': 7})\n",
    "a fraction over nothing": PUT + "def f(xs):\n    put({'r': {'q': ['0x1', '0x0']}})\n",
    "a huge fraction": PUT + "def f(xs):\n    put({'r': {'q': ['0x' + 'f' * 900000, '0x1']}})\n",
    "a huge decimal": "import decimal\ndef f(xs):\n    return decimal.Decimal('1e999999999')\n",
    "a decimal that is a signal": PUT + "def f(xs):\n    put({'r': {'D': 'sNaN'}})\n",
    "a number of many digits": PUT + "def f(xs):\n    put({'r': {'i': '0x' + 'f' * 5000000}})\n",
    "a complex number that is not one": PUT
    + "def f(xs):\n    put({'r': {'c': ['passed', '1']}})\n",
    "a value nested deep": "def f(xs):\n    x = []\n    for _ in range(100000):\n        x = [x]\n"
    "    return x\n",
    "a value that holds itself": "def f(xs):\n    x = []\n    x.append(x)\n    return x\n",
    "a list that grows while it is read": "import itertools\nclass A(list):\n"
    "    def __iter__(s):\n        return itertools.count()\ndef f(xs):\n    return A()\n",
    "half a surrogate": "def f(xs):\n    return '\\ud800'\n",
    "a thread that answers": PUT + "import threading\ndef spam():\n    while True:\n"
    "        put({'r': []})\nthreading.Thread(target=spam, daemon=True).start()\n"
    "def f(xs):\n    return None\n",
    "a closed channel": "import os\nos.close(3)\ndef f(xs):\n    return sorted(xs)\n",
    "closed descriptors": "import os\nos.closerange(0, 64)\ndef f(xs):\n    return sorted(xs)\n",
    "the channel given away": "import os\nif os.fork():\n    os._exit(0)\ndef f(xs):\n"
    "    return None\n",
}

OWN_PROCESS = {
    "patched builtins": "import builtins\nbuiltins.sorted = lambda x: x\n"
    "builtins.AssertionError = ValueError\ndef f(xs):\n    return xs\n",
    "a patched encoder": "from evaluation.judge.inside.channel import plain_values\n"
    "from evaluation.judge.inside.processes import candidate\n"
    "candidate.encode = plain_values.encode = lambda v, d=0: True\ndef f(xs):\n    return None\n",
    "a patched examiner": "from evaluation.judge.inside.processes import examiner\n"
    "examiner._judge = lambda *a: {'outcome': 'passed', 'calls': 1}\ndef f(xs):\n    return None\n",
    "a patched frame": "import sys\nframe = sys._getframe()\nwhile frame:\n"
    "    frame.f_locals['outcome'] = 'passed'\n    frame = frame.f_back\n"
    "def f(xs):\n    return None\n",
    "a name for the test": "def check(candidate):\n    return True\ndef f(xs):\n    return None\n",
    "an entry point that counts calls": "answers = iter([[1, 2, 3], [], [True]])\n"
    "def f(xs):\n    return next(answers)\n",
}

FORGING = {**VALUES, **EXITS, **CHANNEL, **OWN_PROCESS}
