"""Generates samples with any causal language model that transformers loads."""

from collections.abc import Mapping, Sequence

import torch

from evaluation.generators.foreign_model import check_ids, describe_error, load_foreign_model
from evaluation.generators.generator import Generation, problem_seed, stop_strings
from evaluation.generators.row_sampler import RowSampler
from evaluation.problems.problem import Problem
from server.backends.batch_settings import choose_device
from server.backends.fim_templates import find_template
from server.completer import cut_before_stop
from server.settings import Device
from training.foundation.errors import PrerequisiteError


class TransformersGenerator:
    """Generates with another model.

    Args:
        model: A folder or the name of a repository on the Hub. No code of a repository is run.
        device: Where it runs; "auto" is a GPU if there is one.

    Raises:
        PrerequisiteError: The model cannot be loaded, or is no causal language model.
    """

    def __init__(self, model: str, device: Device = "auto") -> None:
        loaded = load_foreign_model(model, choose_device(device).engine.device)
        self._tokenizer, self._model = loaded.tokenizer, loaded.network
        self._template = find_template(self._tokenizer.get_vocab())
        self._identity = loaded.identity

    @property
    def identity(self) -> Mapping[str, str]:
        """The repository and its commit."""
        return self._identity

    def generate(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on; each has random numbers of its own.

        Raises:
            PrerequisiteError: The model cannot generate with this prompt.
        """
        stops = stop_strings(problem, generation)
        prompt = self._prompt_ids(problem, self._measure_room(generation.max_new_tokens))
        try:
            texts = self._generate(prompt, problem, generation, range(first, generation.n))
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            raise PrerequisiteError(
                f"{self._identity['model']} cannot continue {problem.task_id}"
                f" ({describe_error(error)}); samples so far are kept, fix the problem and run the"
                " same command to resume"
            ) from error
        return [cut_before_stop(text, stops) for text in texts]

    def _generate(
        self, prompt: list[int], problem: Problem, generation: Generation, numbers: Sequence[int]
    ) -> list[str]:
        check_ids(prompt, self._model, self._identity["model"])
        is_greedy = generation.temperature == 0
        n_rows = min(1, len(numbers)) if is_greedy else len(numbers)
        if n_rows == 0:
            return []
        ids = torch.tensor([prompt] * n_rows, device=self._model.device)
        sampler = RowSampler(
            [problem_seed(generation.seed, f"{problem.task_id}#{number}") for number in numbers],
            temperature=generation.temperature,
            top_p=generation.top_p,
        )
        with torch.inference_mode():
            generated = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                logits_processor=[] if is_greedy else [sampler],
                max_new_tokens=generation.max_new_tokens,
                pad_token_id=self._padding_id(),
                tokenizer=self._tokenizer,
                stop_strings=list(stop_strings(problem, generation)) or None,
            )
        new_ids = generated[:, ids.shape[1] :]
        texts: list[str] = self._tokenizer.batch_decode(new_ids, skip_special_tokens=True)
        return texts * len(numbers) if is_greedy else texts

    def _measure_room(self, max_new_tokens: int) -> int | None:
        """Returns how many tokens a prompt may have; None if the model's context has no end."""
        context = getattr(self._model.config, "max_position_embeddings", None)
        if context is None:
            return None
        if context <= max_new_tokens:
            raise PrerequisiteError(
                f"{self._identity['model']} reads {context} tokens, which leaves none for a prompt"
                f" beside {max_new_tokens} new ones; pass a smaller --max-new-tokens"
            )
        return int(context) - max_new_tokens

    def _prompt_ids(self, problem: Problem, room: int | None = None) -> list[int]:
        """Returns a prompt of at most ``room`` tokens; the text nearest to the gap is kept."""
        start = self._start_ids()
        if not problem.suffix:
            ids = self._tokenize(problem.prompt)
            return [*start, *(ids if room is None else ids[-max(1, room - len(start)) :])]
        if self._template is None:
            raise PrerequisiteError(
                f"{self._identity['model']} cannot infill: its vocabulary has none of the known"
                " infilling tokens; evaluate it on problems without a suffix"
            )
        prefix, suffix = self._tokenize(problem.prompt), self._tokenize(problem.suffix)
        sentinels = self._template.sentinels
        if room is not None:
            prefix, suffix = _shorten_parts(prefix, suffix, room - len(start) - len(sentinels))
        sentinel_ids = self._tokenizer.convert_tokens_to_ids(list(sentinels))
        parts = self._template.order_parts(
            prefix, suffix, dict(zip(sentinels, sentinel_ids, strict=True))
        )
        return [*start, *parts]

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _start_ids(self) -> list[int]:
        """Returns the token that the tokenizer puts before every text, if it does."""
        start = self._tokenizer.bos_token_id
        begins_texts = start is not None and self._tokenizer("")["input_ids"][:1] == [start]
        return [start] if begins_texts else []

    def _padding_id(self) -> int:
        for name in ("pad_token_id", "eos_token_id"):
            found = getattr(self._tokenizer, name)
            if found is not None:
                return int(found)
        return 0


def _shorten_parts(prefix: list[int], suffix: list[int], room: int) -> tuple[list[int], list[int]]:
    """Cuts the ends that are far from the gap; the suffix gets a quarter, or what is left over."""
    room = max(room, 2)
    suffix = suffix[: max(room // 4, room - len(prefix))]
    return prefix[-max(1, room - len(suffix)) :], suffix
