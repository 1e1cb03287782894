"""Completions of a few fixed prompts, to be read beside the loss."""

import torch

from training.artifact.fim import FimLayout
from training.artifact.network.gpt2 import GPT2
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.run.run_metrics import SampleCompletion

MAX_NEW_TOKENS = 40
PROMPTS = (  # text before the cursor, and after it (None: nothing is known of it)
    ("import os\nimport sys\n\n\ndef main(argv):\n    ", None),
    ("class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, ", None),
    ("def read_lines(path):\n    with open(path", ") as file:\n        return file.readlines()\n"),
)


def complete_samples(
    model: GPT2, tokenizer: CodeTokenizer, *, has_quality: bool, has_fim: bool = True
) -> list[SampleCompletion]:
    """Completes each of ``PROMPTS`` greedily; without infilling, those that end at the cursor."""
    layout = FimLayout.of(tokenizer, QUALITY_TOKENS[-1] if has_quality else None)
    samples = []
    for prefix, suffix in PROMPTS:
        if suffix is not None and not has_fim:
            continue
        ids = tokenizer.encode(prefix)
        if suffix is None:
            prompt = layout.left_to_right_prompt(ids)
        else:
            prompt = layout.spm_prompt(ids, tokenizer.encode(suffix))
        completion = tokenizer.decode(_generate(model, prompt, layout.end_of_text_id))
        samples.append(SampleCompletion(prompt=f"{prefix}[...]{suffix or ''}", text=completion))
    return samples


def _generate(model: GPT2, prompt: list[int], end_id: int) -> list[int]:
    device = model.transformer.wte.weight.device
    ids = list(prompt)
    room = model.config.n_positions - len(prompt)
    with torch.no_grad():
        for _ in range(min(MAX_NEW_TOKENS, room)):
            hidden = model.compute_hidden(torch.tensor([ids], device=device))[:, -1]
            best = int(model.logits(hidden).argmax())
            if best == end_id:
                break
            ids.append(best)
    return ids[len(prompt) :]
