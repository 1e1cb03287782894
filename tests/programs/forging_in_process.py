"""Programs that try to pass a test which runs in their own process, without solving the problem.

The test expects ``f(2)(3) == 5`` and the like of each. None may pass.
"""

FRAME = "import sys\ndef numbers():\n    frame = sys._getframe()\n    while frame:\n"
SEND = (
    "import json, os, struct\ndef send(message):\n    data = json.dumps(message).encode()\n"
    "    os.write(3, struct.pack('<I', len(data)) + data)\n"
)
INSIDE = "from evaluation.judge.inside.processes import candidate\n"
FORGERIES = {
    "an exit": "import os\ndef f(n):\n    os._exit(0)\n",
    "an exit at the end": "import atexit, os\natexit.register(os._exit, 0)\nf = lambda n: 1 / 0\n",
    "SystemExit": "def f(n):\n    raise SystemExit(0)\n",
    "a printed pass": "def f(n):\n    print('passed')\n    print('{\"done\": 1}')\n",
    "a forged answer": SEND + "send({'done': ''})\nf = None\n",
    "the number in a frame": FRAME + "        message = frame.f_locals.get('message')\n"
    "        if isinstance(message, dict) and 'number' in message:\n"
    "            return message['number']\n        frame = frame.f_back\n"
    + SEND
    + "def f(n):\n    send({'done': numbers()})\n    os._exit(0)\n",
    "a patched runner": INSIDE
    + "candidate._run_test = lambda message, *_: {'done': message['number']}\nf = None\n",
    "a patched compile": "import builtins\nhonest = builtins.compile\n"
    "builtins.compile = lambda text, *a: honest('', *a)\nf = None\n",
    "a patched exec": "import builtins\nbuiltins.exec = lambda *a: None\nf = None\n",
    "no assertions": "import sys\nimport ast, builtins\nhonest = builtins.compile\n"
    "def compile(text, name, mode):\n    return honest(text, name, mode, optimize=2)\n"
    "builtins.compile = compile\ndef f(n):\n    return lambda x: 0\n",
    "what is expected": "import sys\ndef f(n):\n    def g(x):\n"
    "        constants = sys._getframe(1).f_code.co_consts\n"
    "        numbers = [c for c in constants if type(c) is int]\n        return numbers[-1]\n"
    "    return g\n",
    "equal to all": "class A:\n    def __eq__(self, other):\n        return True\n"
    "def f(n):\n    return lambda x: A()\n",
    "a number equal to all": "class A(int):\n    def __eq__(self, other):\n        return True\n"
    "def f(n):\n    return lambda x: A()\n",
    "a guess": "import random\nrandom.seed()\nclass A:\n    def __eq__(self, other):\n"
    "        return random.random() < 0.5\ndef f(n):\n    return lambda x: A()\n",
    "a trace": "import sys\ndef trace(frame, event, argument):\n    if frame.f_code.co_name == 'check':\n"
    "        frame.f_lineno = frame.f_lineno\n    return trace\nsys.settrace(trace)\n"
    "def f(n):\n    return lambda x: 0\n",
    "another check": "def check(candidate):\n    pass\ndef f(n):\n    return lambda x: 0\n",
    "patched exceptions": "import builtins\nbuiltins.AssertionError = KeyError\n"
    "builtins.BaseException = KeyError\ndef f(n):\n    return lambda x: 0\n",
    "a thread that answers": SEND + "import threading, time\ndef g():\n    while True:\n"
    "        send({'done': '0'})\nthreading.Thread(target=g, daemon=True).start()\nf = None\n",
    "a forked answer": SEND + "if os.fork():\n    os._exit(0)\nf = lambda n: lambda x: 0\n",
    "a stranger's test": "import gc\ndef f(n):\n    for o in gc.get_objects():\n"
    "        if isinstance(o, dict) and 'number' in o:\n            o['test'] = ''\n"
    "    return lambda x: 0\n",
}
