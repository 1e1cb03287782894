"""The artifact as a directory: written atomically, and checked when it is read.

An artifact is what ``server`` and ``evaluation`` load, and transformers loads it too. Weights are
safetensors only, never pickle, and no code is ever loaded from it. Training state (optimiser, data
position) belongs to a checkpoint, not to an artifact.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE
from training.artifact.bundled import resolve_artifact
from training.artifact.fim import FimLayout, prompt_start_ids
from training.artifact.manifest import (
    COPY_AGAIN,
    MANIFEST_FILE,
    MEMORY_FILE,
    NOTICE_FILE,
    Manifest,
    check_files,
    read_json_file,
    read_manifest,
)
from training.artifact.network.config import GPT2Config, transformers_config
from training.artifact.network.gpt2 import GPT2
from training.artifact.special_tokens import (
    END_OF_TEXT,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    SPECIAL_TOKENS,
)
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import VERBATIM_FILE, VerbatimIndex
from training.artifact.weights import read_weights, write_tensors
from training.foundation.atomic_files import (
    FolderContents,
    file_sha256,
    write_bytes_atomically,
    write_directory_atomically,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ArtifactError, ConfigError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX_FILE = "model.safetensors.index.json"  # which files are weights, for vLLM
TOKENIZER_FILE = "tokenizer.json"
CARD_FILE = "README.md"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
GENERATION_CONFIG_FILE = "generation_config.json"
RUN_CONFIG_FILE = "training_config.toml"  # from which the training can be run again
ARTIFACT_FILES = frozenset({
    CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, GENERATION_CONFIG_FILE,
    MANIFEST_FILE, CARD_FILE, NOTICE_FILE, WEIGHTS_INDEX_FILE, RUN_CONFIG_FILE,
})  # fmt: skip
EXTRA_FILES = frozenset({VERBATIM_FILE, MEMORY_FILE})  # added after training, if at all
PUBLIC_FILES = ARTIFACT_FILES | EXTRA_FILES  # an adaptation's record names private files
_SMALL_FILES = (CONFIG_FILE, TOKENIZER_FILE)
ARTIFACT_FOLDER = FolderContents(mark=MANIFEST_FILE, files=PUBLIC_FILES | {ADAPTATION_FILE})


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A loaded artifact, its weights in float32."""

    path: Path
    config: GPT2Config
    manifest: Manifest
    tokenizer: CodeTokenizer
    weights: Mapping[str, Tensor]

    @property
    def context_tokens(self) -> int:
        """The longest sequence the model was trained on."""
        return self.manifest.context_tokens

    @property
    def end_of_text_id(self) -> int:
        """The id that begins every prompt and ends every completion."""
        return self.tokenizer.end_of_text_id

    @cached_property
    def fim(self) -> FimLayout | None:
        """The infilling layout, or None if the model was trained left to right only."""
        if self.manifest.fim is None:
            return None
        return FimLayout.of(self.tokenizer, self._best_quality)

    @property
    def start_ids(self) -> list[int]:
        """The ids that every prompt begins with; they ask for the best quality the model knows."""
        best = self._best_quality
        quality_id = None if best is None else self.tokenizer.special_id(best)
        return prompt_start_ids(self.end_of_text_id, quality_id)

    @property
    def _best_quality(self) -> str | None:
        return self.manifest.quality_tokens[-1] if self.manifest.quality_tokens else None

    @cached_property
    def verbatim(self) -> VerbatimIndex | None:
        """The index of training text that it may repeat; None if it has no index.

        Raises:
            ArtifactError: The index is damaged or belongs to another model.
        """
        file = self.find_extra(VERBATIM_FILE)
        return None if file is None else VerbatimIndex.read(file)

    @cached_property
    def memory_gate(self) -> Mapping[str, Any] | None:
        """The parameters of the gate of a memory, as plain data; None if it has none.

        Raises:
            ArtifactError: The file is damaged.
        """
        file = self.find_extra(MEMORY_FILE)
        return None if file is None else read_json_file(file)

    def find_extra(self, name: str) -> Path | None:
        """Returns one of ``EXTRA_FILES``, once its hash is checked; None if there is none.

        Raises:
            ArtifactError: It is damaged.
        """
        expected = self.manifest.sha256.get(name)
        if expected is None:
            return None
        file = self.path / name
        if not file.is_file() or file_sha256(file) != expected:
            raise ArtifactError(f"{file} is missing or damaged; {COPY_AGAIN}")
        return file

    def model(self) -> GPT2:
        """Returns the network in evaluation mode; it shares these weights."""
        with torch.device("meta"):
            network = GPT2(self.config)
        network.load_state_dict(dict(self.weights), assign=True)
        return network.eval()


def load_artifact(path: Path, *, reads_weights: bool = True) -> Artifact:
    """Reads an artifact directory, its weights as float32.

    Args:
        path: The directory.
        reads_weights: Without, they may be missing, and the artifact has none.

    Raises:
        ArtifactError: Something is missing, damaged, or of another format version.
    """
    path = resolve_artifact(path)
    if not path.is_dir():
        raise ArtifactError(
            f"there is no model directory {path}; name one such as RUN/model, or 'bundled'"
        )
    manifest = read_manifest(path / MANIFEST_FILE)
    check_files(path, manifest, (*_SMALL_FILES, WEIGHTS_FILE) if reads_weights else _SMALL_FILES)
    config = _read_config(path / CONFIG_FILE)
    if not 1 < manifest.context_tokens <= config.n_positions:
        raise ArtifactError(
            f"{path / MANIFEST_FILE}: context_tokens is {manifest.context_tokens}, expected 2 to"
            f" {config.n_positions}, the n_positions of {CONFIG_FILE}; {COPY_AGAIN}"
        )
    tokenizer = _read_tokenizer(path / TOKENIZER_FILE, config, manifest)
    weights = read_weights(path / WEIGHTS_FILE, config) if reads_weights else {}
    return Artifact(
        path=path, config=config, manifest=manifest, tokenizer=tokenizer, weights=weights
    )


def save_artifact(
    path: Path,
    *,
    config: GPT2Config,
    weights: Mapping[str, Tensor],
    tokenizer: CodeTokenizer,
    manifest: Manifest,
    card: str,
    notice: str = "",
    run_config: str = "",
    dtype: torch.dtype = torch.bfloat16,
    complete: Callable[[Path], None] = lambda _folder: None,
) -> None:
    """Writes an artifact directory atomically, replacing what is at ``path``.

    Args:
        path: The directory.
        config: The network's config.
        weights: The network's state dict.
        tokenizer: Its tokenizer.
        manifest: Its manifest; the hashes of the files are filled in here.
        card: The model card (Markdown with a YAML head).
        notice: The text of NOTICE; if empty, no file is written.
        run_config: The run's config as TOML; if empty, no file is written.
        dtype: In which the weights are stored.
        complete: Called with the folder of the new artifact before it replaces what is at ``path``.
    """
    end_of_text_id = tokenizer.end_of_text_id
    tensors = _convert_weights(weights, dtype)
    dtype_name = str(dtype).removeprefix("torch.")
    with write_directory_atomically(path, ARTIFACT_FOLDER) as aside:
        write_tensors(aside / WEIGHTS_FILE, tensors, {"format": "pt"})
        write_json_atomically(aside / WEIGHTS_INDEX_FILE, list_weights(tensors))
        save_tokenizer(aside, tokenizer, config)
        write_json_atomically(
            aside / CONFIG_FILE,
            transformers_config(config, end_of_text_id=end_of_text_id, dtype=dtype_name),
        )
        write_json_atomically(
            aside / GENERATION_CONFIG_FILE,
            {"bos_token_id": end_of_text_id, "eos_token_id": end_of_text_id, "do_sample": False},
        )
        write_text_atomically(aside / CARD_FILE, card)
        if notice:
            write_text_atomically(aside / NOTICE_FILE, notice)
        if run_config:
            write_text_atomically(aside / RUN_CONFIG_FILE, run_config)
        hashed = (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE)
        sealed = dataclasses.replace(
            manifest, sha256={name: file_sha256(aside / name) for name in hashed}
        )
        write_json_atomically(aside / MANIFEST_FILE, to_mapping(sealed))
        complete(aside)


def replace_weights(
    path: Path, weights: Mapping[str, Tensor], dtype: torch.dtype = torch.bfloat16
) -> None:
    """Replaces the weights of an artifact, and their hash in the manifest.

    Raises:
        ArtifactError: There is no such artifact.
    """
    add_file(path, WEIGHTS_FILE, save(_convert_weights(weights, dtype), metadata={"format": "pt"}))


def round_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns float32 weights rounded as an artifact stores them."""
    return {name: w.float() for name, w in _convert_weights(weights, torch.bfloat16).items()}


def _convert_weights(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: w.detach().to("cpu", dtype).contiguous() for name, w in weights.items()}


def list_weights(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Returns the contents of an index of weights: without one, vLLM reads every safetensors."""
    return {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
        "weight_map": dict.fromkeys(sorted(tensors), WEIGHTS_FILE),
    }


def add_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Adds metrics to an artifact's manifest; they replace older ones of the same name.

    Raises:
        ArtifactError: There is no such artifact.
    """
    manifest = read_manifest(path / MANIFEST_FILE)
    updated = dataclasses.replace(manifest, evaluation={**manifest.evaluation, **metrics})
    write_json_atomically(path / MANIFEST_FILE, to_mapping(updated))


def add_file(path: Path, name: str, content: bytes) -> None:
    """Adds a file to an artifact, and its hash to the manifest.

    Raises:
        ArtifactError: There is no such artifact.
    """
    manifest = read_manifest(path / MANIFEST_FILE)
    write_bytes_atomically(path / name, content)
    hashes = {**manifest.sha256, name: file_sha256(path / name)}
    sealed = dataclasses.replace(manifest, sha256=hashes)
    write_json_atomically(path / MANIFEST_FILE, to_mapping(sealed))


def save_tokenizer(path: Path, tokenizer: CodeTokenizer, config: GPT2Config) -> None:
    """Writes the tokenizer files that transformers loads into the folder ``path``."""
    tokenizer.save(path / TOKENIZER_FILE)
    write_json_atomically(path / TOKENIZER_CONFIG_FILE, _tokenizer_config(config))


def _tokenizer_config(config: GPT2Config) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.n_positions,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "additional_special_tokens": [t for t in SPECIAL_TOKENS if t != END_OF_TEXT],
        "clean_up_tokenization_spaces": False,
    }


def _read_tokenizer(file: Path, config: GPT2Config, manifest: Manifest) -> CodeTokenizer:
    tokenizer = CodeTokenizer.load(file)
    if tokenizer.vocab_size > config.vocab_size:
        raise ArtifactError(
            f"{file} has {tokenizer.vocab_size} tokens but the model only"
            f" {config.vocab_size}; they do not belong together; {COPY_AGAIN}"
        )
    sentinels = (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE) if manifest.fim else ()
    for token in (END_OF_TEXT, *sentinels, *manifest.quality_tokens):
        if not tokenizer.has_special(token):
            raise ArtifactError(f"{file} lacks the token {token!r:.40}; {COPY_AGAIN}")
    return tokenizer


def read_network_config(path: Path) -> GPT2Config:
    """Reads the config of an artifact's network alone.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    return _read_config(path / CONFIG_FILE)


def _read_config(path: Path) -> GPT2Config:
    values = read_json_file(path)
    if values.get("model_type") != "gpt2":
        raise ArtifactError(
            f"{path} is of type {values.get('model_type')!r:.40}, expected 'gpt2'; {COPY_AGAIN}"
        )
    names = [f.name for f in dataclasses.fields(GPT2Config)]
    try:
        known = {name: values[name] for name in names if name in values}
        return from_mapping(GPT2Config, known, where=str(path))
    except ConfigError as error:
        raise ArtifactError(f"{error}; {COPY_AGAIN}") from error
