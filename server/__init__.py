"""Serves a trained model's completions as ghost text over the Language Server Protocol."""

VERSION: str  # of the installed package; "0" in a checkout that is not installed


def __getattr__(name: str) -> str:
    """Looks up the version on first use: nothing may be imported before :mod:`server.isolation`.

    Raises:
        AttributeError: For any other name.
    """
    if name != "VERSION":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

    try:
        found = version("parrotlet")
    except PackageNotFoundError:
        found = "0"
    globals()["VERSION"] = found  # this function is not called again
    return found
