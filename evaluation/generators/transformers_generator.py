"""Any causal language model that transformers loads, from a folder or the Hub, as a writer."""

from collections.abc import Mapping
from typing import Any

import torch

from evaluation.generators.generator import before_stop, problem_seed, stops_of
from evaluation.passk.config import Generation
from evaluation.problems.problem import Problem
from training.foundation.errors import PrerequisiteError
from training.foundation.extras import check_extra

# Names of the tokens that open prefix, suffix and middle, family by family.
FIM_TOKENS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # SantaCoder, StarCoder
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<PRE>", "<SUF>", "<MID>"),  # CodeLlama
    ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"),
)


class CausalLMWriter:
    """Writes with a foreign model.

    Args:
        model: A folder or the name of a repository on the Hub. No code of a repository is run.

    Raises:
        PrerequisiteError: It cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        check_extra("evaluate")
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - seconds

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
            loaded: Any = AutoModelForCausalLM.from_pretrained(model)
            self._model = loaded.eval()
        except (OSError, ValueError, KeyError) as error:
            raise PrerequisiteError(
                f"cannot load the model {model} ({error}); give a model folder or a Hub repository"
            ) from error
        if torch.cuda.is_available():
            self._model = self._model.cuda()
        vocabulary = self._tokenizer.get_vocab()
        self._fim = next((t for t in FIM_TOKENS if all(x in vocabulary for x in t)), None)
        revision = str(getattr(self._model.config, "_commit_hash", None))
        n_parameters = sum(p.numel() for p in self._model.parameters())
        self._identity = {"model": model, "revision": revision, "parameters": str(n_parameters)}

    @property
    def identity(self) -> Mapping[str, str]:
        """The repository and its commit."""
        return self._identity

    def write(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on; all are drawn, since they share a batch."""
        stops = stops_of(problem, generation)
        prompt = self._prompt(problem)
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None:
            prompt = prompt[-(room - generation.max_new_tokens) :]
        ids = torch.tensor([prompt], device=self._model.device)
        torch.manual_seed(problem_seed(generation.seed, problem.task_id))
        is_greedy = generation.temperature == 0
        drawing = (
            {}
            if is_greedy
            else {
                "temperature": generation.temperature,
                "top_p": generation.top_p,
                "top_k": 0,
            }
        )
        with torch.inference_mode():
            written = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=not is_greedy,
                num_return_sequences=1 if is_greedy else generation.n,
                max_new_tokens=generation.max_new_tokens,
                pad_token_id=self._end_id(),
                tokenizer=self._tokenizer,
                stop_strings=list(stops) or None,
                **drawing,
            )
        texts = self._tokenizer.batch_decode(written[:, ids.shape[1] :], skip_special_tokens=True)
        texts = texts * generation.n if is_greedy else texts
        return [before_stop(text, stops) for text in texts][first:]

    def _prompt(self, problem: Problem) -> list[int]:
        if not problem.suffix:
            ids: list[int] = self._tokenizer(problem.prompt)["input_ids"]
            return ids
        if self._fim is None:
            raise PrerequisiteError(
                f"{self._identity['model']} cannot infill: its vocabulary has none of the known"
                " infilling tokens; evaluate it on problems without a suffix"
            )
        prefix, suffix, middle = self._tokenizer.convert_tokens_to_ids(list(self._fim))
        before, after = (
            self._tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (problem.prompt, problem.suffix)
        )
        return [prefix, *before, suffix, *after, middle]

    def _end_id(self) -> int:
        for name in ("pad_token_id", "eos_token_id"):
            found = getattr(self._tokenizer, name)
            if found is not None:
                return int(found)
        return 0
