"""What users are told once, however many processes train on their machine."""

import os
import sys


def print_hint(sentence: str) -> None:
    """Prints a hint on stderr in the first process of this machine."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        sys.stderr.write(f"hint: {sentence}\n")
