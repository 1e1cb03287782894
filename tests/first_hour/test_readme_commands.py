"""Every shell block of every README, word for word, in a fresh clone.

They run in the order of the documents: the first one installs what the others use.
"""

import shutil

import pytest
from sandbox_levels import lacking
from stranger import CODE_SERVER, ROOT, shell_blocks

pytestmark = [pytest.mark.first_hour, pytest.mark.timeout(1200)]

READMES = (
    "README.md",
    "evaluation/README.md",
    "training/README.md",
    "server/README.md",
    "editor-client/vscode/README.md",
    "editor-client/nvim/README.md",
)
SHORTER_ADAPTATIONS = "twenty minutes of training; test_adapt.py has short ones"
# The first line of a block that is not run, without its comment, and why.
NOT_RUN = {
    "parrotlet corpus training/configs/corpus.toml": "a day of training",
    "parrotlet corpus training/configs/corpus-own.toml"
    " sources.folders='[\"/path/to/your/code\"]'": "ten minutes of training; test_own_code.py",
    "parrotlet adapt ~/project": SHORTER_ADAPTATIONS,
    "parrotlet adapt": SHORTER_ADAPTATIONS,
    "parrotlet train ~/src/billing ~/src/web --budget 4h": "hours of training; test_train_stages.py"
    " has the stages",
    "accelerate launch training/pretrain.py training/configs/small.toml paths.tokenizer=bundled"
    " \\": "needs the Hub; the tests of streams have a double",
    "vllm serve runs/default/run/model --served-model-name ours --max-model-len 1024": "needs vLLM;"
    " make serving has real servers",
    "pip install -c constraints.txt -e '.[bigquery]'": "needs an account of Google Cloud",
    "accelerate launch --multi_gpu --num_processes 2 -m evaluation.passk --model server/model"
    " --problems humaneval --n 5": "generates for minutes; test_passk_sources.py has two processes",
    "python -m evaluation.passk --model bigcode/tiny_starcoder_py --problems humaneval --n 5"
    " --out runs/starcoder": "needs the Hub",
    "parrotlet overlap runs/corpus/default human-eval --out runs/overlap.json": "needs the default"
    " corpus, which is downloaded",
    "python -m evaluation.bits --corpus runs/corpus/default --n 50": "needs the default corpus",
    "python -m evaluation.lines --corpus runs/corpus/default": "needs the default corpus",
    "python -m evaluation.fit --corpus runs/corpus/default --n 2000": "needs the default corpus",
    "python -m evaluation.fit_memory --model runs/default/run/model"
    " --corpus runs/corpus/default": "needs a trained default model",
    "python -m evaluation.lines --model runs/default/run/model --workspace"
    " --out runs/lines-default": "needs a trained default model",
}
# A word in a block, what it needs, and whether that is here.
NEEDS = {
    "code --install-extension": ("VS Code (code-server in .tools)", CODE_SERVER.exists()),
    "npm ": ("npm", shutil.which("npm") is not None),
}

BLOCKS = [
    pytest.param(readme, block, id=f"{readme}:{block.splitlines()[0][:60]}")
    for readme in READMES
    if (ROOT / readme).exists()
    for block in shell_blocks(ROOT / readme)
]


def first_command(block):
    return block.splitlines()[0].partition(" #")[0].rstrip()


@pytest.mark.parametrize(("readme", "block"), BLOCKS)
def test_a_block_does_what_it_says(stranger, readme, block):
    """If it fails, somebody who follows the documents is stuck in the first hour."""
    first = first_command(block)
    if first in NOT_RUN:
        pytest.skip(NOT_RUN[first])
    for word, (tool, is_here) in NEEDS.items():
        if word in block and not is_here:
            lacking(f"needs {tool}")
    stranger.run(block)


def test_what_is_not_run_is_there():
    """If it fails, the list of exceptions excuses a block that is gone."""
    firsts = {first_command(block) for _, block in (param.values for param in BLOCKS)}
    assert set(NOT_RUN) <= firsts
