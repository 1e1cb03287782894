"""Loads another project's causal language model, or says in one sentence why it cannot be scored.

A model that loads may still be unusable: transformers replaces missing weights by random ones, runs
an encoder as if it were a decoder, and generates from weights that are not numbers. So a first
prompt is run before anything is generated.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evaluation.runs.record_fields import shorten
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.network.kernel_cache import limit_kernel_caches
from training.artifact.tokenizer_pipeline import MAX_TOKENIZER_BYTES, read_pipeline
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import ForeignDataError, ParrotletError, PrerequisiteError
from training.foundation.extras import check_extra
from training.foundation.foreign_text import read_bounded

PROBE = "def first(items):\n    return items[0]\n"
MAX_LAYERS = 10_000
_MIN_BITS = 1  # per parameter, in the files; with fewer, the config belongs to other weights
# How far two computations of the same logits may be apart, as a share of their range.
_TOLERANCE, _TOLERANCE_OF_HALF = 1e-4, 0.02


@dataclass(frozen=True, kw_only=True)
class ForeignModel:
    """A model with its tokenizer, and what identifies it: the weights, not only their place."""

    tokenizer: Any
    network: Any
    identity: Mapping[str, str]


def load_foreign_model(model: str, device: str = "cpu") -> ForeignModel:
    """Loads a model, and runs a first prompt.

    Args:
        model: A folder or the name of a repository on the Hub. No code of a repository is run.
        device: As PyTorch names it; of several GPUs, the process's own.

    Raises:
        PrerequisiteError: It cannot be loaded, or is no causal language model.
    """
    check_extra("evaluate")
    limit_kernel_caches()
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - slow

    # Without False, transformers offers at a prompt to run the repository's own code.
    with _one_sentence(f"cannot load the model {model}"):
        config = AutoConfig.from_pretrained(model, trust_remote_code=False)
        _check_config(config, model)
        _check_tokenizer(Path(model) / TOKENIZER_FILE)
        tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        if Path(model).is_dir():
            _check_size(config, model)
        load: Any = AutoModelForCausalLM.from_pretrained
        loaded, info = load(model, trust_remote_code=False, output_loading_info=True)
        missing = sorted(info["missing_keys"])
        if missing:
            raise PrerequisiteError(
                f"the weights of {model} lack {len(missing)} tensors, such as"
                f" {shorten(missing[0])}; download the model again"
            )
        network = loaded.eval().to(device)
        _drop_generation_defaults(network, tokenizer)
        _check_first_prompt(network, tokenizer, model)
    n_parameters = sum(p.numel() for p in network.parameters())
    identity = {"model": model, **_identify_weights(network, model)}
    return ForeignModel(
        tokenizer=tokenizer,
        network=network,
        identity={**identity, "parameters": str(n_parameters)},
    )


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    """Turns whatever a library raises into one sentence."""
    try:
        yield
    except ForeignDataError as error:
        raise PrerequisiteError(f"{what} ({error}); download it again") from error
    except ParrotletError:
        raise
    except BaseException as error:  # transformers raises all kinds; a panic of Rust is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise PrerequisiteError(
            f"{what} ({describe_error(error)}); give a model folder or a Hub repository"
        ) from error


def describe_error(error: BaseException) -> str:
    """Returns the first line of a library's message; without one, the name of its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _check_tokenizer(path: Path) -> None:
    """Refuses ids for which the library would need more memory than there is."""
    if path.exists():
        read_pipeline(read_bounded(path, MAX_TOKENIZER_BYTES))


def _check_config(config: Any, model: str) -> None:
    if config.is_encoder_decoder:
        raise PrerequisiteError(
            f"{model} is an encoder with a decoder, not a causal language model; give a causal one"
        )
    n_layers = getattr(config.get_text_config(), "num_hidden_layers", 0)
    if n_layers > MAX_LAYERS:
        raise PrerequisiteError(
            f"the config of {model} describes {n_layers} layers, more than {MAX_LAYERS}; correct it"
        )


def _check_size(config: Any, model: str) -> None:
    """Refuses a config that describes more parameters than the files can hold."""
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - slow

    build: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):  # takes no memory
        described = build(config, trust_remote_code=False)
    n_parameters = sum(p.numel() for p in described.parameters())
    n_bytes = sum(path.stat().st_size for path in _list_weights(Path(model)))
    if n_bytes * 8 < n_parameters * _MIN_BITS:
        raise PrerequisiteError(
            f"the config of {model} describes {n_parameters} parameters, but its weights have"
            f" {n_bytes} bytes; download the model again (git lfs pull)"
        )


def _list_weights(folder: Path) -> list[Path]:
    return sorted(path for kind in ("safetensors", "bin") for path in folder.glob(f"*.{kind}"))


def _drop_generation_defaults(network: Any, tokenizer: Any) -> None:
    """Keeps only those of the model's own generation settings that say where a text ends.

    Its penalties, beams and lengths would apply beside the run's settings without being recorded.
    """
    from transformers import GenerationConfig  # noqa: PLC0415 - slow

    own = network.generation_config
    ends = own.eos_token_id
    ends = network.config.get_text_config().eos_token_id if ends is None else ends
    make: Any = GenerationConfig
    network.generation_config = make(
        bos_token_id=own.bos_token_id,
        eos_token_id=tokenizer.eos_token_id if ends is None else ends,
        pad_token_id=own.pad_token_id,
    )


def _check_first_prompt(network: Any, tokenizer: Any, model: str) -> None:
    """Runs two texts that differ in their last token: no earlier token may see it."""
    ids = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    check_ids(ids, network, model)
    _compare_text(ids, tokenizer, model)
    other = next(i for i in range(3) if i != ids[-1])
    pair = torch.tensor([[*ids, ids[-1]], [*ids, other]], device=network.device)
    with torch.inference_mode():
        logits = network(pair).logits.float()
    if not bool(logits.isfinite().all()):
        raise PrerequisiteError(
            f"the weights of {model} are damaged: it predicts values that are not numbers; download"
            " the model again"
        )
    first, second = logits[:, : len(ids)]
    is_single = all(p.dtype == torch.float32 for p in network.parameters())
    tolerance = _TOLERANCE if is_single else _TOLERANCE_OF_HALF
    if (first - second).abs().max() > tolerance * (first.max() - first.min()):
        raise PrerequisiteError(
            f"{model} is not a causal language model: its tokens see those after them; give a"
            " causal one"
        )


def check_ids(ids: list[int], network: Any, model: str) -> None:
    """Refuses a tokenizer that is not the model's.

    Raises:
        PrerequisiteError: It gives no tokens, or tokens that the model does not have.
    """
    n_known = network.get_input_embeddings().num_embeddings
    if not ids:
        raise PrerequisiteError(f"the tokenizer of {model} finds no tokens in code; replace it")
    if max(ids) >= n_known or min(ids) < 0:
        raise PrerequisiteError(
            f"the tokenizer of {model} has the token {max(ids)}, but the model knows only"
            f" {n_known}; give the tokenizer that belongs to it"
        )


def _compare_text(ids: list[int], tokenizer: Any, model: str) -> None:
    text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    if text.strip() != PROBE.strip():
        sys.stderr.write(
            f"note: the tokenizer of {model} changes the text of programs, so its scores say little"
            " about the model\n"
        )


def _identify_weights(network: Any, model: str) -> dict[str, str]:
    folder = Path(model)
    if not folder.is_dir():
        return {"revision": str(getattr(network.config, "_commit_hash", None))}
    files = [*sorted(folder.glob("*.json")), *_list_weights(folder)]
    hashes = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return {"revision": "None", "files_sha256": hashlib.sha256(hashes.encode()).hexdigest()}
