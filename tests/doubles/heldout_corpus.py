"""A corpus as far as the commands that measure a model read it: its held-out documents."""

import pyarrow as pa
import pyarrow.parquet as pq


def write_heldout_corpus(corpus, rows):
    """Writes rows of package, path and text; returns the folder."""
    folder = corpus / "heldout"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "0.parquet")
    return corpus


def number_files(text, n_files, packages=("one", "two")):
    """Yields so many files for each package, all alike but for a number."""
    for package in packages:
        for number in range(n_files):
            yield {
                "package": package,
                "path": f"{number}.py",
                "text": f"{text}\n\nNUMBER = {number}\n",
            }
