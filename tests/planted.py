"""What a corpus must not take, made up for the tests: secrets, copies, hostile archives.

No secret is real, and none stands here whole.
"""

import io
import random
import string
import tarfile
import zipfile

UPPER, LETTERS = string.ascii_uppercase + string.digits, string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits


def draw(seed, alphabet, n):
    return "".join(random.Random(seed).choices(alphabet, k=n))


def secrets():
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
SECRETS = list(secrets())


def similar_pair(similarity, n_words=400, seed=0):
    """Two texts whose word sets have exactly ``similarity`` in common."""
    n_both = round(n_words * similarity)
    n_own = (n_words - n_both) // 2
    names = [f"name_{seed}_{i}" for i in range(n_both + 2 * n_own)]
    one, other = names[: n_both + n_own], names[:n_both] + names[n_both + n_own :]
    random.Random(seed).shuffle(other)
    return " ".join(one), " ".join(other)


MIT_METADATA = "Metadata-Version: 2.4\nName: {0}\nVersion: 1.0\nLicense-Expression: MIT\n"


def make_wheel(path, files, name):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", MIT_METADATA.format(name))
        for member, data in files.items():
            archive.writestr(member, data)


def make_sdist(path, files, name, specials=()):
    """``specials`` are name, type and target of members that are no plain files."""
    files = {f"{name}-1.0/PKG-INFO": MIT_METADATA.format(name).encode(), **files}
    with tarfile.open(path, "w:gz") as archive:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for member, kind, target in specials:
            info = tarfile.TarInfo(member)
            info.type, info.linkname = kind, target
            archive.addfile(info)
