"""Sets of prompts to compare models by: the project's problems, the chapter's tasks, and prose.

Source: the tasks of ``chapter`` are those of Tunstall, von Werra and Wolf, "Natural Language
Processing with Transformers", chapter 10, in our own words. ``prose`` begins sentences that
a model of novels and a model of web pages end differently.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from evaluation.generators.generator import STOP
from evaluation.problems.own import load_own_problems
from evaluation.runs.input_files import read_text_file
from training.foundation.errors import ConfigError

_SEPARATOR = re.compile(r"\n?^---[ \t]*$\n?", re.MULTILINE)  # between prompts in a file
_CHAPTER = (
    'def hours_to_minutes(hours):\n    """Convert a number of hours to minutes."""\n',
    (
        "def rectangle_area(width, height):\n"
        '    """Return the area of a rectangle with the given sides."""\n'
    ),
    (
        'class Complex:\n    """A complex number with a real and an imaginary part."""\n\n'
        "    def __init__(self, real, imaginary):\n"
    ),
    (
        "import re\n\n\ndef find_urls(html):\n"
        '    """Return the addresses of all links (href) in a page of HTML."""\n'
    ),
    (
        "# In plain Python\ndef mean(values):\n    total = 0.0\n    for value in values:\n"
        "        total += value\n    return total / len(values)\n\n\n"
        "# The same with NumPy\nimport numpy as np\n\n\ndef mean_numpy(values):\n"
    ),
)
_PROSE = (
    "After the long winter,",
    "The first thing that she noticed was",
    "Yesterday evening, in the city,",
    "What nobody had expected was that",
    "He looked at the letter and",
    "If you want to know more about this,",
)


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """Prompts of one kind.

    Attributes:
        prompts: The prompts.
        is_prose: Whether they are English rather than Python.
        stop: What ends a completion: for code, what begins after its first block.
    """

    prompts: tuple[str, ...]
    is_prose: bool = False
    stop: tuple[str, ...] = STOP


def load_prompts(name: str, *, is_prose: bool = False) -> PromptSet:
    """Returns a set by its name, or the prompts in a file.

    Args:
        name: One of ``PROMPT_SETS``, or a file of prompts separated by lines of ---.
        is_prose: Whether a file's prompts are prose.

    Raises:
        ConfigError: The file contains no prompt.
        PrerequisiteError: The file does not exist.
    """
    if name == "own":
        return PromptSet(prompts=tuple(problem.prompt for problem in load_own_problems()))
    if name == "chapter":
        return PromptSet(prompts=_CHAPTER)
    if name == "prose":
        return PromptSet(prompts=_PROSE, is_prose=True, stop=())
    text = read_text_file(Path(name), "--prompts").replace("\r\n", "\n").replace("\r", "\n")
    prompts = tuple(prompt for prompt in _SEPARATOR.split(text) if prompt.strip())
    if not prompts:
        raise ConfigError(f"{name} contains no prompts; write prompts separated by lines of ---")
    return PromptSet(prompts=prompts, is_prose=is_prose, stop=() if is_prose else STOP)


PROMPT_SETS = ("own", "chapter", "prose")
