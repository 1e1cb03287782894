"""How much memory a program uses with all processes that it started.

Read from the ``/proc`` of the namespace around, which the zygote opens before it hides it: there a
process stands with its number in each nested namespace, and those of the program are the ones that
are nested deeper than the zygote.
"""

import contextlib
import os

_KIB = 1024


class MemoryWatch:
    """Looks at the memory of the programs below a zygote.

    Args:
        proc: A descriptor of ``/proc``.
    """

    def __init__(self, proc: int) -> None:
        self._proc = proc
        self._depth = len(self._status("self").get("NSpid", "").split())
        self._shared_kib = self._anonymous_kib(self._status("self"))

    def tree_bytes(self, but: int) -> int:
        """Returns the memory of all programs but one, beyond what they share with the zygote.

        Args:
            but: The one that waits for its program, by its number in the supervisor's namespace.
        """
        names = os.listdir(self._proc)  # noqa: PTH208 - a descriptor, no path
        return _KIB * sum(self._own_kib(name, but) for name in names)

    def _own_kib(self, name: str, but: int) -> int:
        if not name.isdigit():
            return 0
        status = self._status(name)
        numbers = status.get("NSpid", "").split()
        if len(numbers) <= self._depth or numbers[self._depth - 1] == str(but):
            return 0
        return max(0, self._anonymous_kib(status) - self._shared_kib)

    def _anonymous_kib(self, status: dict[str, str]) -> int:
        kib = (status.get(key, "0").split() for key in ("RssAnon", "RssShmem"))
        return sum(int(words[0]) for words in kib)

    def _status(self, name: str) -> dict[str, str]:
        with contextlib.suppress(OSError):  # it has ended
            file = os.open(f"{name}/status", os.O_RDONLY, dir_fd=self._proc)
            try:
                text = os.read(file, 1 << 14).decode("ascii", "replace")
            finally:
                os.close(file)
            return dict(line.partition(":\t")[::2] for line in text.splitlines())
        return {}
