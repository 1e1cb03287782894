"""Replaces secrets and personal data by placeholders: keys, tokens, passwords, addresses.

The patterns of most tokens come from detect-secrets (Yelp). They are matched against whole texts
instead of single lines, and only if the text contains a literal that every such token has, so that
a gigabyte takes a minute. No pattern takes more than linear time: a quantifier is bounded or
possessive, and where many matches could begin in one run of characters, a pattern begins at the
start of the run. Placeholders consist of letters, digits, dots, ``@`` and ``:``, so that a
string literal or comment stays one. Secrets themselves are never returned, printed or counted.
Called by :mod:`training.corpus.filters.screening`.
"""

import io
import ipaddress
import math
import re
import string
import tokenize
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from training.corpus.config import SecretsConfig

EMAIL_PLACEHOLDER, IPV4_PLACEHOLDER, IPV6_PLACEHOLDER = (
    "user@example.com",
    "192.0.2.1",  # RFC 5737
    "2001:db8::1",  # RFC 3849
)
EMAIL, IPV4, IPV6, PASSWORD, PRIVATE_KEY = "e-mail", "IPv4", "IPv6", "password", "private key"
_REMOVED = "REMOVED_"

_Kind = tuple[str, type[RegexBasedDetector], tuple[str, ...]]
# Name, detector, and literals one of which occurs in each of its tokens.
_DETECTORS: tuple[_Kind, ...] = (
    ("AWS key", AWSKeyDetector, ("AKIA", "ASIA", "ABIA", "ACCA", "A3T", "aws", "AWS")),
    ("Azure storage key", AzureStorageKeyDetector, ("AccountKey=",)),
    ("Discord token", DiscordBotTokenDetector, ("discord", "Discord", "DISCORD")),
    ("GitHub token", GitHubTokenDetector, ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    ("GitLab token", GitLabTokenDetector, ("gl", "GR1348941")),
    ("Mailchimp key", MailchimpDetector, ("-us",)),
    ("PyPI token", PypiTokenDetector, ("pypi-AgE",)),
    ("SendGrid key", SendGridDetector, ("SG.",)),
    ("Slack token", SlackDetector, ("xox", "hooks.slack.com")),
    ("Square secret", SquareOAuthDetector, ("sq0csp",)),
    ("Stripe key", StripeDetector, ("k_live_",)),
    ("Twilio key", TwilioKeyDetector, ("AC", "SK")),
)
# Name, pattern, literals: tokens that detect-secrets does not know yet, and three of its patterns
# that take quadratic time, rewritten to find the same; where there is a group, it is the token.
_MORE = (
    (
        "JSON web token",
        re.compile(
            r"(?<![A-Za-z0-9_=-])(?>[A-Za-z0-9_=-]*?(?=eyJ))"
            r"(?P<token>eyJ[A-Za-z0-9_=-]++\.[A-Za-z0-9_=-]++\.?)"
        ),
        ("eyJ",),
    ),
    (
        "npm token",
        re.compile(
            r"^(?>.*?(?=//))(?P<token>//.+/:_authToken=\s*+(?:npm_.+|[A-Fa-f0-9-]{36}).*)",
            re.MULTILINE,
        ),
        ("_authToken",),
    ),
    (
        "OpenAI key",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?>[A-Za-z0-9_-]*?(?=sk-))"
            r"(?P<token>sk-[A-Za-z0-9_-]*[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})"
        ),
        ("T3BlbkFJ",),
    ),
    ("GitHub token", re.compile(r"github_pat_[A-Za-z0-9_]{22,}"), ("github_pat_",)),
    ("Google key", re.compile(r"AIza[0-9A-Za-z_-]{35}"), ("AIza",)),
    ("Hugging Face token", re.compile(r"\bhf_[A-Za-z]{34}\b"), ("hf_",)),
    ("npm token", re.compile(r"npm_[A-Za-z0-9]{36}"), ("npm_",)),
    ("OpenAI key", re.compile(r"sk-(?:proj-)?[A-Za-z0-9_-]{40,}"), ("sk-",)),
    ("Telegram token", re.compile(r"\b\d{8,10}:AA[0-9A-Za-z_-]{33}\b"), (":AA",)),
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)(.+?)"
    r"(?=-----END (?:[A-Z0-9]+ )*PRIVATE KEY|\Z)",
    re.DOTALL,
)
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=]{24,}")
# The user may be missing, as for Redis; what URLs reserve is written as %40.
_BASIC_AUTH = re.compile(
    r"""://(?:[^/\s:@'"{}<>%]|%[0-9A-Fa-f]{2})*+:((?:[^/\s:@'"{}<>%]|%[0-9A-Fa-f]{2}){3,}+)@"""
)
_NO_PASSWORD = {"password", "passwd", "pass", "pwd", "secret", "***", "removed_password"}
_NO_PASSWORD |= {"user", ""}  # of an address that was replaced; a template
_PASSWORD_NAMES = ("passw", "secret", "api_key", "apikey", "token", "credential", "private_key")
_REST_OF_NAME = re.compile(r"\w*+")
# What follows a name: its annotation, the sign, and a string with any prefix and quotes. Of several
# strings in brackets, which Python joins, the first counts; a tuple is something else.
_VALUE = r"""[bBfFrRuU]{0,2}+(?P<quote>"{3}|'{3}|["'])(?P<value>[^"'\s\\{}<>]{8,}+)(?P=quote)"""
_ASSIGNED = re.compile(
    r"""["'\]]*+\s*+(?::(?:[\w.|\s]|\[[\w.|,\s]{0,60}+\]){1,60}+=|[=:])\s*+(?P<opened>\(\s*+)?"""
    rf"""{_VALUE}(?(opened)\s*+[)"'])"""
)
# A look-up with a default: os.getenv("API_KEY", "...").
_LOOKED_UP = re.compile(r"""(?:get\w*+|setdefault|env\w*+|config)\(\s*+["'][\w.-]*+$""")
_DEFAULT = re.compile(rf"""["']\s*+,\s*+(?:default\s*+=\s*+)?{_VALUE}""")
_MAX_LOOK_UP_CHARS = 64
# What is filled in later: $NAME, %s, %(name)s; braces are no part of a value.
_TEMPLATE = re.compile(r"\$(?:[A-Z_]++|[a-z_]++)(?!\w)|%\(\w*+\)\w|%[sdr](?!\w)")
_EMAIL_HOST = re.compile(r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b")
_EMAIL_NAME_MARKS = "._%+-"
_EMAIL_NAME_CHARS = string.ascii_letters + string.digits + _EMAIL_NAME_MARKS
_MAX_EMAIL_NAME_CHARS = 64
_NO_PERSON = re.compile(
    r"@(?:[\w.-]*\.)?(?:example\.(?:com|org|net)|(?:example|test|invalid|local|localhost))$|^git@",
    re.IGNORECASE,
)
_IPV4_HINT = re.compile(r"\.\d{1,3}\.\d")
_IPV6_HINT = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}::?){2,7}(?:[0-9A-Fa-f]{1,4})?(?![\w:])")
# A version is called one, or follows a requirement's sign at once; in code, a quote comes first.
_VERSION_BEFORE = re.compile(
    r"""(?:version|release)(?:__|_info)?+\W{0,6}$|\bv\W{0,4}$|[=<>~]=[ \t]*+$""", re.IGNORECASE
)
_LOOK_BEFORE_CHARS = 24
_MAX_REPEATED_SHARE = 20  # of a text, that its tokenizer reads again after errors


@dataclass(frozen=True, kw_only=True)
class SecretFinding:
    """Characters ``[start, end)`` that ``placeholder`` replaces."""

    kind: str
    start: int
    end: int
    placeholder: str

    @property
    def is_secret(self) -> bool:
        """Whether this is a secret, which takes precedence over an address that overlaps it."""
        return self.placeholder.startswith(_REMOVED)


def redact(text: str, config: SecretsConfig) -> tuple[str, Counter[str]]:
    """Returns the text with placeholders, and their number by kind."""
    findings = sorted(_find_all(text, config), key=lambda f: (f.start, not f.is_secret, -f.end))
    if not findings:
        return text, Counter()
    parts, end, counts = [], 0, Counter[str]()
    for finding in findings:
        if finding.start < end:
            continue  # overlaps one that was replaced
        parts += [text[end : finding.start], finding.placeholder]
        counts[finding.kind] += 1
        end = finding.end
    return "".join([*parts, text[end:]]), counts


def _find_all(text: str, config: SecretsConfig) -> Iterator[SecretFinding]:
    if config.replace_secrets:
        yield from _find_tokens(text)
        yield from _find_private_keys(text)
        yield from _find_passwords(text, config.min_entropy_bits)
    if config.replace_addresses:
        yield from _find_emails(text)
        yield from _find_addresses(text)


def _find_tokens(text: str) -> Iterator[SecretFinding]:
    for kind, pattern, literals in _load_patterns():
        if any(literal in text for literal in literals):
            group = "token" if "token" in pattern.groupindex else 0
            for match in pattern.finditer(text):
                yield _make_finding(kind, *match.span(group))


@cache
def _load_patterns() -> list[tuple[str, re.Pattern[str], tuple[str, ...]]]:
    known = [
        (kind, pattern, literals)
        for kind, detector, literals in _DETECTORS
        for pattern in detector.denylist  # type: ignore[attr-defined]
    ]
    return [*known, *_MORE]


def _make_finding(kind: str, start: int, end: int) -> SecretFinding:
    name = "".join(c if c.isalnum() else "_" for c in kind.upper())
    return SecretFinding(kind=kind, start=start, end=end, placeholder=_REMOVED + name)


def _find_private_keys(text: str) -> Iterator[SecretFinding]:
    """Finds the lines of keys between their markers; quotes and line ends around them stay."""
    if "PRIVATE KEY" not in text:
        return
    for block in _PRIVATE_KEY.finditer(text):
        for body in _KEY_BODY.finditer(text, *block.span(2)):
            yield _make_finding(PRIVATE_KEY, *body.span())


def _find_passwords(text: str, min_entropy_bits: float) -> Iterator[SecretFinding]:
    if "://" in text:
        for match in _BASIC_AUTH.finditer(text):
            if _TEMPLATE.sub("", match.group(1)).lower() not in _NO_PASSWORD:
                yield _make_finding(PASSWORD, *match.span(1))
    lowered = _lower(text)
    for name in _PASSWORD_NAMES:
        at = lowered.find(name)
        while at >= 0:
            rest = _REST_OF_NAME.match(text, at + len(name))
            assert rest is not None, "it matches nothing too"
            end = rest.end()
            value = _ASSIGNED.match(text, end) or _match_default(text, at, end)
            if value and _looks_random(value["value"], min_entropy_bits):
                yield _make_finding(PASSWORD, *value.span("value"))
            at = lowered.find(name, end)


def _match_default(text: str, start: int, end: int) -> re.Match[str] | None:
    """Matches the default of a look-up by a name that begins and ends there."""
    is_looked_up = _LOOKED_UP.search(text[max(0, start - _MAX_LOOK_UP_CHARS) : start])
    return _DEFAULT.match(text, end) if is_looked_up else None


def _lower(text: str) -> str:
    """Returns the text in lower case with the same offsets; a few letters become several."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower()[0] for c in text)


def _looks_random(value: str, min_entropy_bits: float) -> bool:
    """Returns whether a value mixes letters and digits and has the entropy of a random one."""
    value = _TEMPLATE.sub("", value)
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    counts = Counter(value).values()
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return has_both and bits >= min_entropy_bits and "://" not in value


def _find_emails(text: str) -> Iterator[SecretFinding]:
    found = []
    for host in _EMAIL_HOST.finditer(text):
        before = text[max(0, host.start() - _MAX_EMAIL_NAME_CHARS) : host.start()]
        name = before[len(before.rstrip(_EMAIL_NAME_CHARS)) :].lstrip(_EMAIL_NAME_MARKS)
        if not name or name.startswith(_REMOVED) or _NO_PERSON.search(name + host.group()):
            continue
        start = host.start() - len(name)
        found.append(
            SecretFinding(kind=EMAIL, start=start, end=host.end(), placeholder=EMAIL_PLACEHOLDER)
        )
    yield from _keep_in_literals(text, found)


def _find_addresses(text: str) -> Iterator[SecretFinding]:
    found = []
    for start, end in _find_lines(_IPV4_HINT, text):
        for match in _IPV4.finditer(text, start, end):
            before = text[max(0, match.start() - _LOOK_BEFORE_CHARS) : match.start()]
            if _is_public(match.group()) and not _VERSION_BEFORE.search(before):
                found.append((IPV4, match.span(), IPV4_PLACEHOLDER))
    for start, end in _find_lines(_IPV6_HINT, text):
        found += [
            (IPV6, match.span(), IPV6_PLACEHOLDER)
            for match in _IPV6.finditer(text, start, end)
            if _is_public(match.group())
        ]
    yield from _keep_in_literals(
        text,
        [
            SecretFinding(kind=kind, start=start, end=end, placeholder=placeholder)
            for kind, (start, end), placeholder in found
        ],
    )


def _find_lines(hint: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Yields the lines in which a fast pattern occurs, for a slow one to search."""
    end = 0
    while match := hint.search(text, end):
        start = text.rfind("\n", end, match.start()) + 1 or end
        newline = text.find("\n", match.end())
        end = len(text) if newline < 0 else newline
        yield start, end


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_global and not found.is_multicast


def _keep_in_literals(text: str, findings: Iterable[SecretFinding]) -> Iterator[SecretFinding]:
    """Yields the findings in strings and comments: ``a@b.T`` is a product, ``1:2:3`` a slice."""
    findings = list(findings)
    if not findings:
        return
    spans = _find_literals(text)
    if spans is None:
        yield from findings
        return
    starts = [start for start, _ in spans]
    for finding in findings:
        index = bisect_right(starts, finding.start) - 1
        if index >= 0 and finding.end <= spans[index][1]:
            yield finding


def _find_literals(text: str) -> list[tuple[int, int]] | None:
    """Returns the spans of strings and comments, or None if the text cannot be tokenized."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    kinds = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    spans, repeated_chars = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in kinds:
                start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
                spans.append((start, end))
            elif token.type == tokenize.ERRORTOKEN:  # the rest of the line is read once more
                repeated_chars += len(token.line) - token.end[1]
                if repeated_chars > _MAX_REPEATED_SHARE * len(text):
                    return None
    except (tokenize.TokenError, SyntaxError, IndexError, ValueError, RecursionError):
        return None
    return spans
