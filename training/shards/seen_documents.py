"""How much of each document a model has seen, whether from shards or from a stream.

Called by ``python -m training.provenance`` and :mod:`training.stream.document_log`.
"""

import difflib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.foundation.errors import ConfigError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SeenDocument:
    """A document that was seen in training; the fields are those of ``--out``.

    ``times`` counts how often a block with a part of the document was read, ``tokens`` its tokens
    in those blocks; ``tokens_a_pass`` are all its tokens.
    """

    package: str
    version: str
    path: str
    licence: str
    quality: str = ""  # old shards have none
    sha256: str
    times: int
    tokens: int
    tokens_a_pass: int


@dataclass(frozen=True, kw_only=True)
class SeenDocuments:
    """How much of each document was seen, in any order.

    The counts ``[documents]`` are those of :class:`SeenDocument`.
    """

    documents: list[dict[str, str]]
    times: Counts
    tokens: Counts
    tokens_a_pass: Counts

    def filter_package(self, package: str) -> "SeenDocuments":
        """Returns only one package's documents.

        Raises:
            ConfigError: The data holds none of them.
        """
        name = package.lower()
        names = {d["package"].lower(): d["package"] for d in self.documents}
        if name not in names:
            near = difflib.get_close_matches(name, names, n=2, cutoff=0.5) or sorted(names)
            raise ConfigError(
                f"the training data holds no document of '{package}', so the model has not seen"
                f" it there; known packages are {', '.join(names[n] for n in near)}"
            )
        rows = [i for i, d in enumerate(self.documents) if d["package"].lower() == name]
        return SeenDocuments(
            documents=[self.documents[i] for i in rows],
            times=self.times[rows],
            tokens=self.tokens[rows],
            tokens_a_pass=self.tokens_a_pass[rows],
        )

    def rank(self) -> list[SeenDocument]:
        """Returns the documents that were seen at all, those with the most tokens first."""
        rows = np.argsort(-self.tokens, kind="stable")
        return [
            SeenDocument(
                **self.documents[i],
                times=int(self.times[i]),
                tokens=int(self.tokens[i]),
                tokens_a_pass=int(self.tokens_a_pass[i]),
            )
            for i in rows
            if self.times[i]
        ]
