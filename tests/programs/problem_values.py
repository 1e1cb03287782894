"""More kinds of problem, as in ``problem_kinds``: by what crosses, and by what a program does."""

from programs.problem_kinds import APART, BESIDE, CLASSES, DEF, FUNCTIONS, ITERATORS, Kind, simple

ERROR = "class TooFewError(Exception):\n    pass\n\n"

VALUES = {
    "a numpy truth value": simple(
        "x",
        "np.float64(x) > 2",
        "np.float64(x) < 2",
        "assert candidate(3) == True\nassert candidate(1) == False",
        APART,
        "import numpy as np\n",
    ),
    "a numpy array": simple(
        "a, k",
        "a * k",
        "a + k",
        "import numpy as np\nassert (candidate(np.array([1, 2]), 3) == np.array([3, 6])).all()",
        APART,
        "import numpy as np\n",
    ),
    "np.allclose": simple(
        "a",
        "a / 3",
        "a / 2",
        "import numpy as np\nassert np.allclose(candidate(np.ones(2)), 1 / 3)",
    ),
    "an array changed in place": Kind(
        DEF.format("a"),
        "    a *= 2\n",
        "    a = a * 2\n",
        "import numpy as np\na = np.array([1, 2])\ncandidate(a)\nassert a.tolist() == [2, 4]",
        APART,
    ),
    "an array of objects": simple(
        "x",
        "np.array([x, None], dtype=object)",
        "np.array([None, x], dtype=object)",
        "assert list(candidate('a')) == ['a', None]",
        BESIDE,
        "import numpy as np\n",
    ),
    "a date": simple(
        "d",
        "d + datetime.timedelta(days=1)",
        "d",
        "import datetime\nassert candidate(datetime.date(2024, 2, 28)) == datetime.date(2024, 2, 29)",
        APART,
        "import datetime\n",
    ),
    "a moment with a time zone": simple(
        "t",
        "t.astimezone(datetime.timezone.utc)",
        "t.replace(tzinfo=datetime.timezone.utc)",
        "import datetime as d\nz = d.timezone(d.timedelta(hours=-5))\n"
        "assert candidate(d.datetime(2024, 1, 1, 20, tzinfo=z)).day == 2",
        APART,
        "import datetime\n",
    ),
    "a counter": simple(
        "s",
        "Counter(s)",
        "Counter(set(s))",
        "from collections import Counter\nassert candidate('aab') == Counter('aab')\n"
        "assert candidate('aab').most_common(1) == [('a', 2)]",
        APART,
        "from collections import Counter\n",
    ),
    "a default dict": Kind(
        "from collections import defaultdict\ndef f(words):\n    d = defaultdict(list)\n",
        "    for w in words:\n        d[len(w)].append(w)\n    return d\n",
        "    return d\n",
        "d = candidate(['a', 'bc'])\nassert d[2] == ['bc']\nassert d[9] == []",
        APART,
    ),
    "an ordered dict": simple(
        "d",
        "OrderedDict(sorted(d.items()))",
        "OrderedDict(d)",
        "assert candidate({2: 1, 1: 2}).popitem() == (2, 1)",
        APART,
        "from collections import OrderedDict\n",
    ),
    "a deque": simple(
        "xs",
        "deque(xs, maxlen=2)",
        "deque(xs)",
        "d = candidate([1, 2, 3])\nd.appendleft(0)\nassert list(d) == [0, 2]",
        APART,
        "from collections import deque\n",
    ),
    "a decimal": simple(
        "x",
        "Decimal(x).quantize(Decimal('0.01'))",
        "Decimal(x)",
        "from decimal import Decimal\nassert str(candidate('2.5')) == '2.50'",
        APART,
        "from decimal import Decimal\n",
    ),
    "a fraction": simple(
        "a, b",
        "Fraction(a, b)",
        "Fraction(b, a)",
        "assert candidate(2, 4).denominator == 2\nassert candidate(2, 4) == 0.5",
        APART,
        "from fractions import Fraction\n",
    ),
    "a set of frozen sets": simple(
        "xs",
        "{frozenset(x) for x in xs}",
        "{frozenset()}",
        "assert candidate([[1, 2], [2, 1]]) == {frozenset({1, 2})}",
    ),
    "bytes": simple(
        "s", "s.encode()", "s.encode('utf-16')", "assert candidate('ä') == b'\\xc3\\xa4'"
    ),
    "a byte array": Kind(
        DEF.format("b"),
        "    b.reverse()\n",
        "    pass\n",
        "b = bytearray(b'ab')\ncandidate(b)\nassert b == b'ba'",
        APART,
    ),
    "a complex number": simple("z", "z * z", "z", "assert candidate(1j) == -1"),
    "not a number": simple(
        "x", "x / x if x else float('nan')", "1.0", "y = candidate(0)\nassert y != y"
    ),
    "infinity": simple("", "float('-inf')", "float('inf')", "assert candidate() < -1e308"),
    "a huge number": simple(
        "n", "7 ** n", "7 ** n + 1", "assert candidate(5000) % 10**9 == 403000001"
    ),
    "nothing": simple("x", "None", "0", "assert candidate(1) is None"),
    "an ellipsis": simple("x", "...", "None", "assert candidate(1) is ..."),
    "a path": simple(
        "p",
        "p.with_suffix('.md')",
        "p",
        "from pathlib import PurePosixPath as P\nassert candidate(P('a/b.txt')).name == 'b.md'",
    ),
    "a match": simple(
        "s",
        "re.match('(a+)b', s)",
        "re.match('(a)', s)",
        "m = candidate('aab')\nassert m.group(1) == 'aa'\nassert candidate('b') is None",
        BESIDE,
        "import re\n",
    ),
    "half a surrogate": simple(
        "s",
        "s.encode('utf-8', 'surrogatepass').hex()",
        "s.encode('utf-8', 'replace').hex()",
        "assert candidate('\\ud800') == 'eda080'",
    ),
    "a name outside ASCII": Kind(
        "def \ufb01nd_\u00b5(xs):\n",
        "    return max(xs)\n",
        "    return min(xs)\n",
        "assert candidate([1, 3]) == 3",
        APART,
    ),
}

EFFECTS = {
    "an exception of its own": Kind(
        ERROR + DEF.format("xs"),
        "    if not xs:\n        raise TooFewError('none')\n    return xs[0]\n",
        "    return xs[0] if xs else None\n",
        "assert candidate([1]) == 1\ntry:\n    candidate([])\nexcept TooFewError as error:\n"
        "    assert str(error) == 'none'\nelse:\n    assert False",
        APART,
    ),
    "an exception derived from a builtin one": Kind(
        "class BadError(ValueError):\n    pass\n\n" + DEF.format("x"),
        "    raise BadError(x)\n",
        "    raise KeyError(x)\n",
        "try:\n    candidate('no')\nexcept ValueError:\n    pass\nelse:\n    assert False",
        APART,
    ),
    "the message of a key error": Kind(
        DEF.format("d"),
        "    raise KeyError('name')\n",
        "    raise KeyError('other')\n",
        "try:\n    candidate({})\nexcept KeyError as error:\n    assert error.args == ('name',)\n"
        "else:\n    assert False",
        APART,
    ),
    "what it prints": simple(
        "name",
        "print(f'hello {name}')",
        "print('hello')",
        "import contextlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n"
        "    candidate('a')\nassert out.getvalue() == 'hello a\\n'",
        BESIDE,
    ),
    "what it reads": simple(
        "",
        "int(input()) + 1",
        "int(input())",
        "import io, sys\nbefore, sys.stdin = sys.stdin, io.StringIO('4\\n')\n"
        "assert candidate() == 5\nsys.stdin = before",
        BESIDE,
    ),
    "a function that is replaced": simple(
        "",
        "random.randint(1, 6)",
        "random.randint(2, 6)",
        "from unittest import mock\nimport random\nwith mock.patch('random.randint') as die:\n"
        "    die.side_effect = lambda a, b: 10 * a + b\n    assert candidate() == 16",
        BESIDE,
        "import random\n",
    ),
    "a file": simple(
        "path",
        "open(path).read().upper()",
        "open(path).read()",
        "import os, tempfile\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    path = os.path.join(folder, 'x')\n    with open(path, 'w') as file:\n"
        "        file.write('a')\n    assert candidate(path) == 'A'",
        BESIDE,
    ),
    "an argument changed": Kind(
        DEF.format("d"),
        "    d.setdefault('a', []).append(1)\n",
        "    d['a'] = [2]\n",
        "d = {}\ncandidate(d)\ncandidate(d)\nassert d == {'a': [1, 1]}",
        APART,
    ),
    "the same object": Kind(
        DEF.format("xs"),
        "    xs.sort()\n    return xs\n",
        "    return sorted(xs)\n",
        "xs = [2, 1]\nassert candidate(xs) is xs\nassert xs == [1, 2]",
        BESIDE,
    ),
    "state between calls": Kind(
        "seen = []\n" + DEF.format("x"),
        "    seen.append(x)\n    return len(seen)\n",
        "    return 1\n",
        "assert [candidate(1), candidate(1)] == [1, 2]",
        APART,
    ),
}

KINDS = {**CLASSES, **FUNCTIONS, **ITERATORS, **VALUES, **EFFECTS}
