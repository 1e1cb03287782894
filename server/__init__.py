"""Serves a trained model's completions as ghost text over the Language Server Protocol."""

VERSION: str  # of the installed package; "0" in a checkout that is not installed


def __getattr__(name: str) -> str:
    """Looks the version up when it is wanted: nothing is imported before :mod:`server.isolation`.

    Raises:
        AttributeError: There is nothing else.
    """
    if name != "VERSION":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

    try:
        found = version("parrotlet")
    except PackageNotFoundError:
        found = "0"
    globals()["VERSION"] = found  # the next one finds it
    return found
