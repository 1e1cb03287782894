"""The wording of VS Code's texts: what the tests of the manifest and of the source look for."""

import re

# Phrases that read as translated, each with a better one.
RETIRED = {
    r"\d %": "7%",
    r"\bas it comes\b": "default",
    r"\bas (you|the user) like": "",
    r"\bat the most\b": "maximum",
    r"\bbehind the cursor\b": "after the cursor",
    r"\belsewhere\b": "remote",
    r"\bfor one in twenty\b": "95th percentile",
    r"\bgoes on\b": "continues",
    r"\b[Hh]ave (the server|it quiet)\b": "Install the server",
    r"\bhow (eager|far|sure)\b": "eagerness, length, confidence",
    r"\bInstall It\b": "Install Server…",
    r"\b(is|are|be|was) told\b|\btells\b": "shows",
    r"\bmains\b": "on battery",
    r"\bmended\b": "fixed",
    r"\bName (Its|the) Command\b": "Set Server Path…",
    r"\bof late\b": "recently",
    r"\bonly when asked\b|\bunasked\b": "only on request",
    r"\bstands? (behind|before)\b": "follows, precedes",
    r"\b[Tt]aken\b|\btakes\b": "accepted",
    r"\btrouble\b": "problem",
    r"Parrotlet is error": "Parrotlet has a problem",
}
IDENTIFIER = r"\b[a-z]+_[a-z_]+\b"


def find_retired_phrases(text):
    """Returns each retired phrase in a text, with a better one."""
    return [
        (match[0], better)
        for pattern, better in RETIRED.items()
        for match in re.finditer(pattern, text)
    ]


def find_identifiers(text):
    """Returns names from the code outside inline code."""
    return re.findall(IDENTIFIER, " ".join(text.split("`")[::2]))
