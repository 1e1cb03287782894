"""Generates samples with any causal language model that transformers loads."""

from collections.abc import Mapping
from typing import Any

import torch

from evaluation.generators.generator import Generation, problem_seed, stop_strings
from evaluation.problems.problem import Problem
from server.backends.fim_templates import find_template
from server.completer import cut_before_stop
from training.foundation.errors import PrerequisiteError
from training.foundation.extras import check_extra


class TransformersGenerator:
    """Generates with another model.

    Args:
        model: A folder or the name of a repository on the Hub. No code of a repository is run.

    Raises:
        PrerequisiteError: The model cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        check_extra("evaluate")
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - seconds

        try:
            # Without False, transformers offers at a prompt to run the repository's own code.
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
            loaded: Any = AutoModelForCausalLM.from_pretrained(model, trust_remote_code=False)
            self._model = loaded.eval()
        except (OSError, ValueError, KeyError) as error:
            raise PrerequisiteError(
                f"cannot load the model {model} ({error}); give a model folder or a Hub repository"
            ) from error
        if torch.cuda.is_available():
            self._model = self._model.cuda()
        self._template = find_template(self._tokenizer.get_vocab())
        revision = str(getattr(self._model.config, "_commit_hash", None))
        n_parameters = sum(p.numel() for p in self._model.parameters())
        self._identity = {"model": model, "revision": revision, "parameters": str(n_parameters)}

    @property
    def identity(self) -> Mapping[str, str]:
        """The repository and its commit."""
        return self._identity

    def generate(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on; all are drawn, since they share a batch."""
        stops = stop_strings(problem, generation)
        prompt = self._prompt_ids(problem)
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None and room <= generation.max_new_tokens:
            raise PrerequisiteError(
                f"{self._identity['model']} reads {room} tokens, which leaves none for a prompt"
                f" beside {generation.max_new_tokens} new ones; pass a smaller --max-new-tokens"
            )
        if room is not None:
            prompt = prompt[-(room - generation.max_new_tokens) :]
        ids = torch.tensor([prompt], device=self._model.device)
        torch.manual_seed(problem_seed(generation.seed, problem.task_id))
        is_greedy = generation.temperature == 0
        sampling: dict[str, Any] = {}
        if not is_greedy:
            sampling = {
                "temperature": generation.temperature,
                "top_p": generation.top_p,
                "top_k": 0,
            }
        with torch.inference_mode():
            generated = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=not is_greedy,
                num_return_sequences=1 if is_greedy else generation.n,
                max_new_tokens=generation.max_new_tokens,
                pad_token_id=self._padding_id(),
                tokenizer=self._tokenizer,
                stop_strings=list(stops) or None,
                **sampling,
            )
        new_ids = generated[:, ids.shape[1] :]
        texts = self._tokenizer.batch_decode(new_ids, skip_special_tokens=True)
        texts = texts * generation.n if is_greedy else texts
        return [cut_before_stop(text, stops) for text in texts][first:]

    def _prompt_ids(self, problem: Problem) -> list[int]:
        if not problem.suffix:
            ids: list[int] = self._tokenizer(problem.prompt)["input_ids"]
            return ids
        if self._template is None:
            raise PrerequisiteError(
                f"{self._identity['model']} cannot infill: its vocabulary has none of the known"
                " infilling tokens; evaluate it on problems without a suffix"
            )
        prefix, suffix = (
            self._tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (problem.prompt, problem.suffix)
        )
        sentinels = self._template.sentinels
        sentinel_ids = self._tokenizer.convert_tokens_to_ids(list(sentinels))
        parts = self._template.order_parts(
            prefix, suffix, dict(zip(sentinels, sentinel_ids, strict=True))
        )
        return [*self._start_ids(), *parts]

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
