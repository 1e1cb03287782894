"""What the model writes behind a few fixed beginnings, to be read beside the loss."""

from collections.abc import Iterator

import torch

from training.artifact.fim import FimLayout
from training.artifact.network.gpt2 import GPT2
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer

MAX_NEW_TOKENS = 40
PROMPTS = (  # text before the cursor, and behind it (None: nothing is known of it)
    ("import os\nimport sys\n\n\ndef main(argv):\n    ", None),
    ("class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, ", None),
    ("def read_lines(path):\n    with open(path", ") as file:\n        return file.readlines()\n"),
)


def samples(
    model: GPT2, tokenizer: CodeTokenizer, *, has_quality: bool
) -> Iterator[tuple[str, str]]:
    """Yields each prompt, ``[...]`` where the middle goes, with its greedy completion."""
    layout = FimLayout.of(tokenizer, QUALITY_TOKENS[-1] if has_quality else None)
    for prefix, suffix in PROMPTS:
        ids = tokenizer.encode(prefix)
        if suffix is None:
            prompt = layout.left_to_right_prompt(ids)
        else:
            prompt = layout.spm_prompt(ids, tokenizer.encode(suffix))
        written = _greedy(model, prompt, layout.end_of_text_id)
        yield f"{prefix}[...]{suffix or ''}", tokenizer.decode(written)


def _greedy(model: GPT2, prompt: list[int], end_id: int) -> list[int]:
    device = model.transformer.wte.weight.device
    ids = list(prompt)
    room = model.config.n_positions - len(prompt)
    with torch.no_grad():
        for _ in range(min(MAX_NEW_TOKENS, room)):
            hidden = model.hidden(torch.tensor([ids], device=device))[:, -1]
            best = int(model.logits(hidden).argmax())
            if best == end_id:
                break
            ids.append(best)
    return ids[len(prompt) :]
