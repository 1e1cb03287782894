"""Calls a function in a process that has done nothing else."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def alone(work, *arguments):
    """Returns what a function returns in a process of its own.

    oneDNN chooses its instructions once a process, and idle threads of one contender slow others.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
