"""Secrets and personal data: all planted ones go, what only looks alike stays, code stays code."""

import ast
import random
import string

import pytest

from training.corpus.config import SecretsConfig
from training.corpus.secrets import redact

CONFIG = SecretsConfig()
UPPER, LETTERS = string.ascii_uppercase + string.digits, string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits


def draw(seed, alphabet, n):
    return "".join(random.Random(seed).choices(alphabet, k=n))


def planted():
    """Yields kind, secret and a line of code with it; none is real, none stands here whole."""
    for i in range(4):
        yield "AWS key", "AKIA" + draw(i, UPPER, 16), "key_id = '{}'"
        yield "GitHub token", "ghp_" + draw(i, LETTERS, 36), "headers = {{'auth': '{}'}}"
        yield "GitLab token", "glpat-" + draw(i, LETTERS, 20), "gitlab('{}')"
        yield "Slack token", f"xoxb-{'1' * 12}-{'2' * 12}-" + draw(i, LETTERS, 24), "S = '{}'"
        yield "Stripe key", "sk_live_" + draw(i, LETTERS, 24), "pay(key='{}')"
        yield "Google key", "AIza" + draw(i, LETTERS, 35), "# the key is {}"
        yield "npm token", "npm_" + draw(i, LETTERS, 36), "N = '''\n{}\n'''"
        yield "password", "x7" + draw(i, LETTERS, 14), "db_password = '{}'"
    for i in range(2):
        yield "PyPI token", "pypi-AgEIcHlwaS5vcmc" + draw(i, LETTERS, 80), "T = '{}'"
        yield "SendGrid key", f"SG.{draw(i, LETTERS, 22)}.{draw(i, LETTERS, 43)}", "mail('{}')"
        yield "Hugging Face token", "hf_" + draw(i, string.ascii_letters, 34), "login('{}')"
        yield "private key", draw(i, LETTERS, 64), KEY_BLOCK
        yield "password", "s3" + draw(i, LETTERS, 8), "u = 'postgres://bob:{}@db.internal/x'"
        yield "Mailchimp key", draw(i, "0123456789abcdef", 32) + "-us12", "M = '{}'"
        yield "Telegram token", f"{10**9 + i}:AA" + draw(i, LETTERS, 33), "bot('{}')"


KEY_BLOCK = "K = '''-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----'''"
PLANTED = list(planted())


def test_enough_is_planted():
    assert len(PLANTED) >= 40
    assert len({kind for kind, _, _ in PLANTED}) >= 12


@pytest.mark.parametrize(("kind", "secret", "line"), PLANTED)
def test_a_secret_goes_and_the_code_stays_code(kind, secret, line):
    """If it fails, the model can be made to say somebody's key."""
    text = "import os\n" + line.format(secret) + "\nprint(os)\n"
    redacted, counts = redact(text, CONFIG)
    assert secret not in redacted
    assert secret[4:] not in redacted
    assert counts[kind] == 1
    ast.parse(redacted)
    assert redacted.startswith("import os\n")
    assert redacted.endswith("\nprint(os)\n")


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("# by Ann <ann.b@mail.co.uk>\n", "# by Ann <user@example.com>\n", "e-mail"),
        ("x = 'joe+x@uni.edu'\n", "x = 'user@example.com'\n", "e-mail"),
        ("dns = '8.8.4.4'\n", "dns = '192.0.2.1'\n", "IPv4"),
        ("u = 'http://93.184.216.34/x'\n", "u = 'http://192.0.2.1/x'\n", "IPv4"),
        ("a = '2607:f8b0:4005:805::200e'\n", "a = '2001:db8::1'\n", "IPv6"),
    ],
)
def test_addresses_become_those_kept_for_documentation(text, expected, kind):
    assert redact(text, CONFIG) == (expected, {kind: 1})


@pytest.mark.parametrize(
    "text",
    [
        "y = x@weights.mT\n",
        "y = left@right.transpose\n",
        "@pytest.fixture.something\ndef f(): ...\n",
        "hosts = ['127.0.0.1', '0.0.0.0', '10.1.2.3', '192.168.1.1', '::1', 'fe80::1']\n",
        "version = '1.2.3.4'\n",
        "need('tool==20.8.1.2')\n",
        "oid = '1.3.6.1.4.1.311'\n",
        "x = y[1:2:3]\n",
        "OAUTH2_TOKEN = 'https://login.live.com/oauth20_token.srf'\n",
        "multicast = '239.255.255.250'\n",
        "mac = 'aa:bb:cc:dd:ee:ff'\n",
        "password = 'password'\n",
        "token = os.environ['TOKEN']\n",
        "secret_name = 'projects-secrets-demo'\n",
        "remote = 'git@github.com:a/b.git'\n",
        "mail = 'someone@example.com'\n",
        "path = 'AC' * 20 + 'SKIP'\n",
    ],
)
def test_what_only_looks_alike_stays(text):
    """If it fails, the model learns placeholders where code should be."""
    assert redact(text, CONFIG) == (text, {})


def test_each_half_can_be_switched_off():
    text = f"key = 'AKIA{draw(0, UPPER, 16)}'  # ann@mail.org\n"
    assert redact(text, SecretsConfig(replace_secrets=False))[1] == {"e-mail": 1}
    assert redact(text, SecretsConfig(replace_addresses=False))[1] == {"AWS key": 1}


def test_redacting_again_changes_nothing():
    """If it fails, a corpus made of a corpus differs."""
    text = "".join(line.format(secret) + "\n" for _, secret, line in PLANTED)
    once, _ = redact(text, CONFIG)
    assert redact(once, CONFIG) == (once, {})
