"""Text to tokens on one core: the library alone against the table of words in front of it.

Run: ``python tests/benchmarks/training/encoding.py``. Prints megabytes a second of both over the
standard library, with the bundled vocabulary, and their ratio.
"""

import sysconfig
import time
from pathlib import Path

from training.artifact.tokenizer import CodeTokenizer
from training.artifact.word_cache import WordCache
from training.corpus.readers.folders import walk_python_files

MODEL = Path(__file__).parents[3] / "server" / "model"


def main():
    tokenizer = CodeTokenizer.load(MODEL / "tokenizer.json")
    paths = walk_python_files(Path(sysconfig.get_path("stdlib")))
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in paths]
    n_bytes = sum(len(text.encode()) for text in texts)
    library = megabytes_per_s(tokenizer.encode, texts, n_bytes)
    words = megabytes_per_s(WordCache(tokenizer.encode_batch).encode, texts, n_bytes)
    print(f"library {library:.1f} MB/s, words {words:.1f} MB/s, ratio {words / library:.1f}")


def megabytes_per_s(encode, texts, n_bytes):
    started = time.process_time()
    for text in texts:
        encode(text)
    return n_bytes / 1e6 / (time.process_time() - started)


if __name__ == "__main__":
    main()
