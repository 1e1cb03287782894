"""Secrets and personal data: planted ones are replaced, similar text stays, code still parses."""

import ast

import pytest
from planted import LETTERS, SECRETS, UPPER, draw

from training.corpus.config import SecretsConfig
from training.corpus.secrets import redact

CONFIG = SecretsConfig()


def test_there_are_enough_planted_secrets():
    assert len(SECRETS) >= 40
    assert len({kind for kind, _, _ in SECRETS}) >= 12


@pytest.mark.parametrize(("kind", "secret", "line"), SECRETS)
def test_a_secret_is_replaced_and_the_code_still_parses(kind, secret, line):
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
    ("url", "password"),
    [
        ("redis://:{}@cache:6379/0", "x7Gq93kfLm"),
        ("redis://:{}@cache.acme.io:6379/0", "x7Gq93kfLm"),
        ("postgres://admin:{}@db:5432/x", "p%40ss%2Fw0rd"),
        ("postgres://bob%40acme:{}@db:5432/x", "x7Gq93kfLm"),
        ("amqp://admin:{}@mq/", "pa$sw0rd1"),
    ],
)
def test_the_password_of_a_url_is_replaced(url, password):
    """If it fails, the passwords of databases get into a corpus: Redis needs no user's name."""
    text = f"URL = '{url.format(password)}'\n"
    redacted, counts = redact(text, CONFIG)
    assert redacted == text.replace(password, "REMOVED_PASSWORD")
    assert counts == {"password": 1}


DJANGO = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"  # what it draws SECRET_KEY from


@pytest.mark.parametrize("secret", ["x7" + draw(9, LETTERS, 14), draw(5, DJANGO, 50)])
@pytest.mark.parametrize(
    "line",
    [
        "SECRET_KEY = u'{}'",
        "SECRET_KEY = b'{}'",
        'API_SECRET = rb"{}"',
        'api_key = """{}"""',
        "API_KEY = (\n    '{}'\n)",
        "TOKEN: Final[str] = '{}'",
        "def connect(password: str | None = '{}'): pass",
        "key = os.getenv('SECRET_KEY', '{}')",
        "key = os.environ.get('API_TOKEN', default='{}')",
        "keys = {{'api_key': '{}'}}",
    ],
)
def test_however_a_secret_is_assigned_it_is_replaced(line, secret):
    """If it fails, six of seven keys that Django generates get into a corpus: they have $ or %."""
    text = line.format(secret) + "\n"
    redacted, counts = redact(text, CONFIG)
    assert redacted == text.replace(secret, "REMOVED_PASSWORD")
    assert counts == {"password": 1}
    ast.parse(redacted)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("# by Ann <ann.b@mail.co.uk>\n", "# by Ann <user@example.com>\n", "e-mail"),
        ("x = 'joe+x@uni.edu'\n", "x = 'user@example.com'\n", "e-mail"),
        ("dns = '8.8.4.4'\n", "dns = '192.0.2.1'\n", "IPv4"),
        ("u = 'http://93.184.216.34/x'\n", "u = 'http://192.0.2.1/x'\n", "IPv4"),
        ("a = '2607:f8b0:4005:805::200e'\n", "a = '2001:db8::1'\n", "IPv6"),
        ("if ip == '84.17.45.2': ok()\n", "if ip == '192.0.2.1': ok()\n", "IPv4"),
        ("assert host == b'84.17.45.2'\n", "assert host == b'192.0.2.1'\n", "IPv4"),
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
        "need('tool >= 20.8.1.2')\n",
        "ok = lib.__version__ == '1.2.3.4' or api_version >= '1.2.3.4'\n",
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
        "token_url = f'{base}/hub/api/oauth2/token_v3'\n",
        "password = '%(PGPASSWORD_17)s'\n",
        "password = '$PGPASSWORD'\n",
        "url = 'postgres://$USER:$PASSWORD@db/x'\n",
        "url = 'postgres://%s:%s@db/x' % a\n",
        "url = f'redis://:{password}@cache/0'\n",
        "url = 'http://u:user@example.com/'\n",
        "PASSWORD_HASHERS = ('django.contrib.auth.hashers.MD5PasswordHasher',)\n",
        "names = ['token', 'x7Gq93kfLmZ02pQv']\n",
    ],
)
def test_text_that_only_resembles_a_secret_stays(text):
    """If it fails, the model learns placeholders where code should be."""
    assert redact(text, CONFIG) == (text, {})


def test_secrets_and_addresses_can_be_disabled_separately():
    text = f"key = 'AKIA{draw(0, UPPER, 16)}'  # ann@mail.org\n"
    assert redact(text, SecretsConfig(replace_secrets=False))[1] == {"e-mail": 1}
    assert redact(text, SecretsConfig(replace_addresses=False))[1] == {"AWS key": 1}


def test_redacting_again_changes_nothing():
    """If it fails, a corpus made of a corpus differs."""
    text = "".join(line.format(secret) + "\n" for _, secret, line in SECRETS)
    once, _ = redact(text, CONFIG)
    assert redact(once, CONFIG) == (once, {})


# All letters that change their length in lower case, upper case or normalization, and some others.
ODD_LETTERS = [
    "\u0130",
    "\u0149",
    "\u01f0",
    "\u1e9e",
    "\u00df",
    "\ufb03",
    "\u212a",
    "\u0301",
    "\U00010400",
]


@pytest.mark.parametrize("letters", ["".join(ODD_LETTERS), *ODD_LETTERS])
def test_no_letter_disables_a_detector(letters):
    """If it fails, one foreign letter in a file publishes the passwords in it."""
    text = f"CITY = '{letters * 3}'\n" + "".join(line.format(s) + "\n" for _, s, line in SECRETS)
    found, counts = redact(text, CONFIG)
    assert counts == redact(text.replace(letters, "x"), CONFIG)[1]
    assert not [secret for _, secret, _ in SECRETS if secret in found]


def test_names_in_any_script_announce_a_password():
    line = "{} = 'q7Zk2Lm9Xw4Tr8Vb'\n"
    for name in ("DB_PASSWORD", "KREDİ_PASSWORD", "credentİal", "To\u212aen", "пароль_secret"):
        assert redact(line.format(name), CONFIG)[1] == {"password": 1}, name


def test_rewritten_patterns_find_what_detect_secrets_finds():
    tokens = {
        "JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJ{draw(0, LETTERS, 40)}.dozjgNryP4J3jVmN",
        "OpenAI key": "sk-" + draw(1, LETTERS, 20) + "T3BlbkFJ" + draw(2, LETTERS, 20),
        "npm token": "//registry.example.org/:_authToken=npm_" + draw(3, LETTERS, 36),
    }
    for kind, token in tokens.items():
        for line in (f"x = '{token}'\n", f"mask-{token} {token}\n", f"eyJ.sk-//{token}\n"):
            found, counts = redact(line, CONFIG)
            assert counts[kind] >= 1, line
            assert token[3:40] not in found, line
