"""Secrets made up for the tests: the right shape and alphabet of each kind, random content, never a real one.

Nothing that looks like a secret stands in this file; :func:`plant` builds them from a seed when a test runs.
"""

import base64
import json
import random
import string
from collections.abc import Callable

UPPER, LOWER, DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
ALNUM = UPPER + LOWER + DIGITS
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"
B64 = ALNUM + "+/"


def _of(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _b64(rng: random.Random, size: int) -> str:
    return base64.b64encode(rng.randbytes(size)).decode()


def _jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": _of(rng, DIGITS, 10), "name": _of(rng, LOWER, 8), "iat": 1_516_239_022}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{_of(rng, URL64, 43)}"


def _password(rng: random.Random) -> str:
    return _of(rng, LOWER, 5) + rng.choice("!#%*") + _of(rng, UPPER, 2) + _of(rng, DIGITS, 3)


# Kinds whose value says by itself that it is a secret: found anywhere, whatever stands around it.
TOKENS: dict[str, Callable[[random.Random], str]] = {
    "aws access key": lambda r: "AKIA" + _of(r, UPPER + "234567", 16),
    "aws temporary key": lambda r: "ASIA" + _of(r, UPPER + "234567", 16),
    "github personal": lambda r: "ghp_" + _of(r, ALNUM, 36),
    "github oauth": lambda r: "gho_" + _of(r, ALNUM, 36),
    "github server": lambda r: "ghs_" + _of(r, ALNUM, 36),
    "github fine-grained": lambda r: "github_pat_" + _of(r, ALNUM, 22) + "_" + _of(r, ALNUM, 59),
    "gitlab personal": lambda r: "glpat-" + _of(r, URL64, 20),
    "google api key": lambda r: "AIza" + _of(r, URL64, 35),
    "google oauth secret": lambda r: "GOCSPX-" + _of(r, URL64, 28),
    "google access token": lambda r: "ya29." + _of(r, URL64, 60),
    "slack bot": lambda r: f"xoxb-{_of(r, DIGITS, 12)}-{_of(r, DIGITS, 12)}-{_of(r, ALNUM, 24)}",
    "slack webhook": lambda r: (
        "https://hooks.slack.com/services/"
        f"T{_of(r, UPPER + DIGITS, 8)}/B{_of(r, UPPER + DIGITS, 8)}/{_of(r, ALNUM, 24)}"
    ),
    "stripe live": lambda r: "sk_live_" + _of(r, ALNUM, 24),
    "stripe restricted": lambda r: "rk_live_" + _of(r, ALNUM, 24),
    "sendgrid": lambda r: f"SG.{_of(r, URL64, 22)}.{_of(r, URL64, 43)}",
    "mailchimp": lambda r: _of(r, HEX, 32) + "-us" + _of(r, "123456789", 2),
    "npm": lambda r: "npm_" + _of(r, ALNUM, 36),
    "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + _of(r, URL64, 120),
    "json web token": _jwt,
    "openai project": lambda r: f"sk-proj-{_of(r, URL64, 74)}T3BlbkFJ{_of(r, URL64, 74)}",
    "anthropic": lambda r: "sk-ant-api03-" + _of(r, URL64, 93) + "AA",
    "hugging face": lambda r: "hf_" + _of(r, UPPER + LOWER, 34),
    "digitalocean": lambda r: "dop_v1_" + _of(r, HEX, 64),
    "shopify": lambda r: "shpat_" + _of(r, HEX, 32),
    "square": lambda r: "sq0csp-" + _of(r, URL64, 43),
    "databricks": lambda r: "dapi" + _of(r, HEX, 32),
    "vault": lambda r: "hvs." + _of(r, URL64, 95),
    "docker hub": lambda r: "dckr_pat_" + _of(r, URL64, 27),
    "atlassian": lambda r: "ATATT3" + _of(r, URL64 + "=", 186),
    "age": lambda r: "AGE-SECRET-KEY-1" + _of(r, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "telegram bot": lambda r: _of(r, "123456789", 10) + ":AA" + _of(r, URL64, 33),
    "discord bot": lambda r: f"MT{_of(r, ALNUM, 24)}.{_of(r, URL64, 6)}.{_of(r, URL64, 38)}",
    "new relic": lambda r: "NRAK-" + _of(r, UPPER + DIGITS, 27),
    "grafana": lambda r: f"glsa_{_of(r, ALNUM, 32)}_{_of(r, HEX, 8)}",
    "doppler": lambda r: "dp.pt." + _of(r, ALNUM, 43),
    "azure client secret": lambda r: _of(r, ALNUM, 3) + "8Q~" + _of(r, URL64 + ".~", 34),
}

# Kinds that only their name gives away: (name to assign to, value).
NAMED: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "aws secret key": ("aws_secret_access_key", lambda r: _of(r, B64, 40)),
    "aws session token": ("AWS_SESSION_TOKEN", lambda r: _of(r, B64, 300)),
    "password": ("db_password", _password),
    "passwd": ("SMTP_PASSWD", _password),
    "hex api key": ("api_key", lambda r: _of(r, HEX, 32)),
    "client secret": ("clientSecret", lambda r: _of(r, ALNUM, 32)),
    "auth token": ("AUTH_TOKEN", lambda r: _of(r, ALNUM, 40)),
    "heroku key": (
        "HEROKU_API_KEY",
        lambda r: "-".join(_of(r, HEX, size) for size in (8, 4, 4, 4, 12)),
    ),
    "twilio auth token": ("twilio_auth_token", lambda r: _of(r, HEX, 32)),
    "signing key": ("SECRET_KEY", lambda r: _of(r, ALNUM + "!@#%^&*(-_=+)", 50)),
    "encryption key": ("encryption_key", lambda r: _b64(r, 32)),
    "datadog key": ("DD_API_KEY", lambda r: _of(r, HEX, 32)),
}

# Kinds that are a piece of a longer line: (text with %s, value).
INLINE: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "database url": ("postgres://app:%s@db.internal:5432/app", lambda r: _of(r, ALNUM, 14)),
    "amqp url": ("amqp://worker:%s@mq.internal/jobs", lambda r: _of(r, ALNUM + "-_.~", 12)),
    "https url": ("https://deploy:%s@git.internal/team/app.git", lambda r: _of(r, ALNUM, 20)),
    "azure storage": (
        "DefaultEndpointsProtocol=https;AccountName=app;AccountKey=%s;EndpointSuffix=core.windows.net",
        lambda r: _b64(r, 64),
    ),
    "ado connection": ("Server=db;Database=app;User Id=app;Password=%s;", lambda r: _of(r, ALNUM, 14)),
    "bearer header": ("Authorization: Bearer %s", lambda r: _of(r, ALNUM, 40)),
    "basic header": ("Authorization: Basic %s", lambda r: _b64(r, 24)),
    "azure sas": (
        "https://app.blob.core.windows.net/c/f?sv=2022-11-02&sp=r&sig=%s",
        lambda r: _of(r, ALNUM, 40) + "%2B" + _of(r, ALNUM, 3) + "%3D",
    ),
}

KEYS = (
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
)


def key_block(rng: random.Random, title: str, size: int | None = None) -> tuple[str, list[str]]:
    """A key in PEM armour, and the lines of it that are secret."""
    body = _b64(rng, size or {"EC PRIVATE KEY": 121}.get(title, 1190))
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    dashes = "-" * 5
    return "\n".join([f"{dashes}BEGIN {title}{dashes}", *lines, f"{dashes}END {title}{dashes}"]), lines


def putty_block(rng: random.Random) -> tuple[str, list[str]]:
    """A key as PuTTY stores it, and its secret lines."""
    body = _b64(rng, 300)
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    head = ["PuTTY-User-Key-" + "File-3: ssh-ed25519", "Encryption: none", "Comment: me", "Public-Lines: 1", "AAAAC3Nz"]
    return "\n".join([*head, f"Private-Lines: {len(lines)}", *lines, "Private-MAC: 00"]), lines


# How a value that names itself may stand in a file.
TOKEN_CONTEXTS = {
    "python": 'client = connect("%s", timeout=3)\n',
    "javascript": "const value = '%s';\n",
    "json": '{\n  "value": "%s",\n  "size": 3\n}\n',
    "yaml": "service:\n  value: %s\n  size: 3\n",
    "comment": "# until we move: %s works as well\n",
    "diff": "@@ -1,2 +1,2 @@\n-value = '%s'\n+value = load()\n",
    "c": '#define VALUE "%s"\n',
    "shell": "export VALUE=%s\n",
    "markdown": "Use `%s` when testing.\n",
    "call": 'curl -H "X-Value: %s" https://service.internal/\n',
}
# How a value may be assigned to a name: % (name, value).
NAMED_CONTEXTS = {
    "python": '%s = "%s"\n',
    "python dict": 'settings = {"%s": "%s", "size": 3}\n',
    "javascript": "const %s = '%s';\n",
    "json": '{\n  "%s": "%s"\n}\n',
    "go": '%s := "%s"\n',
    "ruby": "{ :%s => '%s' }\n",
    "java": 'private static final String %s = "%s";\n',
    "c": 'const char *%s = "%s";\n',
    "call": 'builder.%s("%s").build();\n',
    "diff": '-    %s = "%s"\n',
    "comment": '// %s = "%s"\n',
    "keyword argument": 'connect(host, %s="%s")\n',
}
# In files of settings a value needs no quotes.
NAMED_SETTINGS_CONTEXTS = {
    "app.yaml": "app:\n  %s: %s\n",
    "app.properties": "%s=%s\n",
    "app.ini": "[app]\n%s = %s\n",
    "run.sh": "export %s=%s\n",
    "Dockerfile": "ENV %s=%s\n",
    "app.toml": '[app]\n%s = "%s"\n',
}


def split_by_plus(value: str) -> str:
    """The value as code that joins two halves."""
    half = len(value) // 2
    return f'"{value[:half]}" + "{value[half:]}"'
