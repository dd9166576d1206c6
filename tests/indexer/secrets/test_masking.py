"""Secrets are masked, similar text is not, and lines keep their numbers."""

import base64
import os
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.secrets import documents as masked_documents
from indexer.secrets.cover import COVER, PLACEHOLDER, covered
from indexer.secrets.documents import DocumentMasker
from indexer.secrets.masking import find, mask
from tests.support.planted_documents import planted as documents
from tests.support.planted_secrets import (
    ALNUM,
    HEX,
    INLINE,
    KEYS,
    NAMED,
    NAMED_CONTEXTS,
    NAMED_SETTINGS_CONTEXTS,
    TOKEN_CONTEXTS,
    TOKENS,
    _of,
    key_block,
    putty_block,
    split_by_plus,
)

SEED = random.SystemRandom().randrange(2**32)
CLOUD = {name for name in TOKENS if name.split()[0] in ("aws", "google", "azure")} | {"aws secret key", "azure storage"}


@pytest.fixture
def rng() -> random.Random:
    print(f"seed {SEED}")
    return random.Random(SEED)


def planted(rng: random.Random) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """(kind, path, text, what must be gone) for every kind in every context."""
    cases = []
    for kind, make in TOKENS.items():
        for template in TOKEN_CONTEXTS.values():
            value = make(rng)
            cases.append((kind, "a.py", template % value, (value,)))
        value = make(rng)
        cases.append(
            (kind, "a.js", f"x = {split_by_plus(value)};\n", (value[: len(value) // 2], value[len(value) // 2 :]))
        )
        value = base64.b64encode(make(rng).encode()).decode()
        cases.append((kind, "a.py", f'x = "{value}"\n', (value,)))
    for kind, (name, make) in NAMED.items():
        for template in NAMED_CONTEXTS.values():
            value = make(rng)
            cases.append((kind, "a.py", template % (name, value), (value,)))
        for path, template in NAMED_SETTINGS_CONTEXTS.items():
            value = make(rng)
            cases.append((kind, path, template % (name, value), (value,)))
    for kind, (around, make) in INLINE.items():
        for template in TOKEN_CONTEXTS.values():
            value = make(rng)
            cases.append((kind, "a.py", template % (around % value), (value,)))
    return cases


def test_planted_secrets_are_masked(rng: random.Random) -> None:
    assert len(TOKENS) + len(NAMED) + len(INLINE) + len(KEYS) >= 60
    cases = planted(rng)
    missed = []
    for kind, path, text, gone in cases:
        masked, count = mask(text, path)
        assert masked.count("\n") == text.count("\n")
        if not count or any(value in masked for value in gone):
            missed.append((kind, path, text))
    assert len(missed) <= len(cases) * 0.01, missed
    assert not [case for case in missed if case[0] in CLOUD]


@pytest.mark.parametrize("path", ["App.xcconfig", "org.app.desktop", "conf/app.prefs", "settings", "a.bat"])
def test_a_random_value_in_settings_of_any_kind_is_masked(path: str, rng: random.Random) -> None:
    letters = string.ascii_letters + string.digits
    for form in ("API_SECRET = %s", "auth_token = %s", "<a token=%s>text</a>"):
        values = ["".join(rng.choices(letters, k=40)) for _ in range(200)]
        left = [value for value in values if value in mask(f"{form % value}\n", path)[0]]
        # One in 100,000 holds no digit and reads as a name.
        assert len(left) <= 1, left


def test_a_random_value_of_letters_alone_is_masked_and_a_long_name_stays(rng: random.Random) -> None:
    values = ["".join(rng.choices(string.ascii_letters, k=40)) for _ in range(300)]
    left = [value for value in values if value in mask(f"API_SECRET = {value}\n", "settings")[0]]
    assert len(left) <= 15, left  # about three
    for name in ("AbstractBasicAuthHandlerFactory", "XMLHttpRequestAuthorizationProvider"):
        assert name in mask(f"token = {name}\n", "settings")[0]


def test_names_of_secrets_that_are_passed_on_stay(rng: random.Random) -> None:
    text = (
        "api_secret = DefaultAuthenticationProviderSecretKeyFactory\ntoken = XMLHttpRequestAuthorizationTokenABTest\n"
    )
    for path in ("a.py", "a.js", "a.java"):
        assert mask(text, path) == (text, 0)


@pytest.mark.parametrize(
    "line", ['PASSWORD="${DB_PASSWORD:-hunter2Xq9}"', r'password = "\"$ecr3tWord\""', 'password = "Pa$sw0rd9!x"']
)
def test_a_value_written_beside_a_reference_is_masked(line: str) -> None:
    assert mask(line, "deploy.sh")[1] == 1


def test_references_and_nothing_else_of_weight_are_no_secret() -> None:
    line = "  HostKey ${DAEMON_FOLDER}/id_${REMOTE_SSH_KEYTYPE}\n"
    assert mask(line, "deploy.sh") == (line, 0)


def test_a_random_value_that_spells_a_stand_in_by_chance_is_masked() -> None:
    kept = "your-key-goes-here", "changeMePlease123", "YOUR_SECRET_9", "Example4Secret", "<API_KEY_HERE_123>"
    text = "".join(f'secret_key = "{value}"\n' for value in kept)
    assert mask(text)[0] == text
    by_chance = "yOuR", "xXxX", "tOdO", "todO", "todo", "YOUR", "Your"
    for word in by_chance:
        value = f"6QNXwkkj3vRrgnE{word}JAQPvfrBfOdG47NYpGXY"
        assert value not in mask(f'aws_secret_access_key = "{value}"\n')[0]
    found_by_a_random_test = "aiHXyNsFvR8tODO9qSX71/XyVP3p2YhkVtE2dC/F"
    assert found_by_a_random_test not in mask(f'aws_secret_access_key = "{found_by_a_random_test}"\n')[0]


def second_opinion(text: str) -> set[str]:
    """What the regular expressions of detect-secrets find; its check with the services is never called.

    Without its guesses by entropy and by name, which see a secret in ``password = "REDACTED"`` too, and without
    private keys, of which it finds the line above.
    """
    found: set[str] = set()
    for plugin in get_mapping_from_secret_type_to_class().values():
        if issubclass(plugin, RegexBasedDetector) and plugin.__name__ not in ("IPPublicDetector", "PrivateKeyDetector"):
            for line in text.splitlines():
                found.update(plugin().analyze_string(line))
    return found


def test_another_detector_finds_nothing_of_a_service_afterwards(rng: random.Random) -> None:
    text = "".join(text for kind, _, text, _ in planted(rng) if kind in TOKENS)
    assert len(second_opinion(text)) > 100
    assert {value for value in second_opinion(mask(text)[0]) if PLACEHOLDER not in value} == set()


KEY_CONTEXTS = {
    "plain": lambda block: block + "\n",
    "indented": lambda block: "key: |\n" + "".join(f"    {line}\n" for line in block.split("\n")),
    "comment": lambda block: "".join(f" * {line}\n" for line in block.split("\n")),
    "diff": lambda block: "".join(f"-{line}\n" for line in block.split("\n")),
    "json": lambda block: '{"private_key": "' + block.replace("\n", "\\n") + '\\n"}\n',
    "joined": lambda block: "key = (" + "".join(f'\n    "{line}\\n"' for line in block.split("\n")) + ")\n",
    "plus": lambda block: "var key =" + " +".join(f'\n    "{line}\\n"' for line in block.split("\n")) + ";\n",
    "windows": lambda block: block.replace("\n", "\r\n") + "\r\n",
    "cut off": lambda block: block[: block.rindex("\n")] + "\n",
    "margin": lambda block: "".join(f"    |{line}\n" for line in block.split("\n")),
}


@pytest.mark.parametrize("context", KEY_CONTEXTS)
def test_no_line_of_a_private_key_is_left(rng: random.Random, context: str) -> None:
    for title in KEYS:
        block, lines = key_block(rng, title)
        text = "before = 1\n" + KEY_CONTEXTS[context](block) + "after = 2\n"
        masked, count = mask(text)
        assert count
        assert not [line for line in lines if line in masked], (title, masked)
        assert masked.count("\n") == text.count("\n")
        assert masked.startswith("before = 1\n")
        assert masked.endswith("after = 2\n")


def test_a_key_of_putty_and_one_inside_base64(rng: random.Random) -> None:
    block, lines = putty_block(rng)
    masked, _ = mask(block + "\n")
    assert not [line for line in lines if line in masked]
    assert masked.count("\n") == block.count("\n") + 1
    wrapped = base64.b64encode(key_block(rng, "RSA PRIVATE KEY")[0].encode()).decode()
    masked, _ = mask(f"users:\n- client-key-data: {wrapped}\n", "kube.yaml")
    assert wrapped[40:80] not in masked


LOOK_ALIKES = [
    'password = "password"',
    'password = "changeme"',
    'password = "<your password>"',
    'password = "${DB_PASSWORD}"',
    'password = os.environ["DB_PASSWORD"]',
    "password = get_password(user, retries=3)",
    "password: str | None = None",
    'PASSWORD_FIELD = "user.password.field1"',
    'token_type = "bearer_token_v2"',
    'secret_name = "prod/app1/db-secret-2"',
    'api_key_header = "X-Api-Key-Version-2"',
    'key = "some-translation.key_1.title"',
    'KEY = "AbstractBasicAuthHandlerFactory"',
    'token = "identifier"',
    "token = tokens[index1].value2",
    'cache_key = "user-profile-v2"',
    'primary_key = "customer_id_2"',
    'foreign_key="orders.customer_id2"',
    'hash_algorithm = "sha256WithRSAEncryption"',
    'secret = "XXXXXXXXXXXXXXXX"',
    'url = "http://user:pass@host/"',
    'url = "https://user:password@example.com/"',
    'parse("http://[::1]:8080/path?x=y@z")',
    'raise ValueError("password must contain 8 characters")',
    "-----BEGIN PRIVATE KEY-----",
    'pem.replace("-----BEGIN PRIVATE KEY-----", "").replace("-----END PRIVATE KEY-----", "")',
    'commit = "9fceb02d0ae598e95dc970b74767f19372d61af8"',
    'sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
    'id = "123e4567-e89b-12d3-a456-426614174000"',
    "assert_equal(sk_live_mode, pk_live_mode)",
    "AKIA_PREFIX = 4",
    "import numpy as np  # npm_config_registry",
    "Authorization: Bearer <token>",
    "headers['Authorization'] = `Bearer ${token}`",
    "module sk_buff_key_expander_256bit_pipeline(input clk);",
    "`define KEY_EXPAND_ROUND_KEY_WIDTH_128 128'h0",
    "logic [255:0] key_share0_q, key_share1_q;",
    "assign auth_tag_o = gf_mult_out ^ key_stream_q2;",
    'std::string_view kTokenPattern = "[a-zA-Z_][a-zA-Z0-9_]*";',
    "parameter lc_token_t RndCnstRawUnlockToken = RndCnstRawUnlockTokenDefault2",
    "private_key_bytes = kOtRsa2048PrivateKeyBytes2;",
    "get_exp_token = lc_pkg::ZeroTokenIdx256;",
    "match token { Token::RecursiveZeroOrMore2 => 1 }",
    "self.map.connect('app1', '/app1url', app=app1)",
    'TOKEN_RE = re.compile(r"[%s0-9a-zA-Z]+" % (re.escape(SPECIAL)))',
    'newRequest(t, "GET", "/serve/ok?key=%7Benv.REWRITE_TEST_SECRET%7D")',
    'pass = form.selectFirst("input[name=pass1]")',
    'secretArg := regexp.MustCompile("^-{1,2}(user|pass|auth)(=.*)?$")',
    'token = "a🌍b🗺c🔥d☂️1《👩🏽」"',
    'cl_git_pass(git_oid_from_string(&one, "c47800c7266a2be04c571c04d5a6614691ea99bd", GIT_OID_SHA1));',
    'api_token = "${var.token_prefix}-${local.env}"',
    r'$last_update_token = "\"$last_update_token\"";',
    'assert_name_and_email("nulltoken.", "nulltoken@mail.example.net.");',
    "4d6558b8fa764baeb0f19c1e857df91e0eda5a0f nulltoken <n@example.net> 13802 +0200 reset: "
    "moving to b240c0fb88c5a629e00ebc1275fa1f33e364a705",
    "# define STATUS_LOCAL_USER_SESSION_KEY ((NTSTATUS) 0x40000006L)",
    "# define STATUS_NULL_LM_PASSWORD ((NTSTATUS) 0x4000000DL)",
    "비밀번호를 입력하세요",
    'msg = "암호가 틀렸습니다"',
]


@pytest.mark.parametrize("line", LOOK_ALIKES)
def test_look_alikes_stay(line: str) -> None:
    assert mask(line + "\n", "a.py") == (line + "\n", 0)


NOTED = [
    ("a.py", "# password: {}"),
    ("a.c", "// password = {}"),
    ("a.c", "/* password: {} */"),
    ("a.vb", "' password: {}"),
    ("a.c", " * db password: {}"),
    ("a.sql", "-- password: {}, user admin"),
    ("a.py", "x = 1  # user admin, password: {}"),
    ("a.py", "# 비밀번호: {}"),
    ("a.py", "# 비밀번호={}"),
    ("a.js", "// 비번: {}"),
    ("notes.txt", "password: {}"),
    ("README.md", "- **Password**: {}"),
    ("users.ldif", "userPassword: {}"),
    ("pillar/a.sls", "mysql:\n  root_pw: {}"),
    ("Makefile", "DB_PW := {}"),
    ("rules.mk", "export DB_PASSWORD ?= {}"),
]


@pytest.mark.parametrize(("path", "template"), NOTED)
def test_an_unquoted_password_behind_its_name_is_masked(path: str, template: str) -> None:
    for value in ("w8Jm2nQz", "Zk82mmQlp0", "Summer2024x", "qwer1234!@"):
        assert mask(template.format(value) + "\n", path) == (template.format(PLACEHOLDER) + "\n", 1), value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("# 토큰: {}", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
        ("// 인증키 {}", "9f8e7d6c5b4a39281706f5e4d3c2"),
        ("# 비밀번호(운영): {}", "qwer1234!@"),
        ("# 계정 admin, 암호 {}", "qwer1234!"),
    ],
)
def test_secrets_in_korean_comments_are_masked(line: str, value: str) -> None:
    assert mask(line.format(value) + "\n", "a.py") == (line.format(PLACEHOLDER) + "\n", 1)


def test_a_password_of_ldif_in_base64_is_masked() -> None:
    value = base64.b64encode(b"Zk82mmQlp0").decode()
    assert mask(f"userPassword:: {value}\n", "users.ldif")[0] == f"userPassword:: {PLACEHOLDER}\n"


TOOLS = [
    ("a.sh", "keytool -genkey -keypass {} -alias a"),
    ("a.sh", "keytool -list -storepass '{}'"),
    ("a.sh", "useradd -m -p {} admin"),
    ("a.sh", "mysqladmin -u root password {}"),
    ("a.sh", "security unlock-keychain -p {} login.keychain"),
    ("a.sh", "influx -username admin -password {}"),
    ("a.sh", "tool --pwd {}"),
    ("a.lua", "passwd = [[{}]]"),
    ("a.lua", "passwd = [==[{}]==]"),
    ("a.sql", "CONNECT scott/{}@db"),
    ("appsettings.json", '{{"Jwt": {{"Issuer": "a", "Key": "{0}{0}"}}}}'),
    ("appsettings.json", '{{"SecurityKey": "{0}{0}"}}'),
    ("Kconfig", 'config WIFI_PASSWORD\n    string "Wi-Fi password"\n    default "{}"'),
    ("a.robot", "*** Variables ***\n${{PASSWORD}}    {}"),
    ("a.c", 'strcpy((char *)config.sta.password, "{}");'),
    ("a.c", 'strlcpy(config->password, "{}", sizeof(config->password));'),
    ("a.c", 'memcpy((uint8_t *)&config.psk[0], "{}", 10);'),
    ("a.toml", '[db]\npass = """{}"""'),
    ("a.toml", "[db]\npass = '''{}'''"),
    ("a.ipynb", '{{"source": ["password = \\"{}\\"\\n"]}}'),
]


@pytest.mark.parametrize(("path", "template"), TOOLS)
def test_passwords_of_tools_and_of_other_languages_are_masked(path: str, template: str) -> None:
    for value in ("Zk82mmQlp0", "w8Jm2nQz4T"):
        masked, count = mask(template.format(value) + "\n", path)
        assert count == 1
        assert value not in masked
        assert masked.count("\n") == template.count("\n") + 1


@pytest.mark.parametrize("template", ["char pwd[] = {%s};", "char[] pwd = new char[]{%s};"])
def test_a_password_of_single_characters_is_masked(template: str) -> None:
    for value, masked in (("Zk82mmQlp0", 1), ("password", 0)):
        line = template % ", ".join(f"'{character}'" for character in value)
        assert mask(line + "\n", "a.c")[1] == masked


UNQUOTED_LOOK_ALIKES = [
    ("a.tf", "  password = random_password.db[0].result"),
    ("a.tf", "  password = module.db[0].password"),
    ("a.tf", "  password = data.vault_generic_secret.db[0].data"),
    ("a.tf", "  password = aws_db.main2[count.index].password"),
    ("a.tf", "  token = data.x.y[each.key].token1"),
    ("a.tf", "  password = one(module.db[*].password2)"),
    ("a.ts", "    password: string2"),
    ("a.go", "  pass: int64"),
    ("a.js", "key: value1"),
    ("a.js", "    password: newPassword2"),
    ("a.sql", "  password: VARCHAR255"),
    ("a.txt", "passwd: utf8mb4"),
    ("a.md", "password: the user's"),
    ("a.py", "# password: sha256sum"),
    ("a.py", "# password: get_password1()"),
    ("a.py", "# password: config.password1"),
    ("a.py", "# password: user_password2"),
    ("a.py", "# password: ./path/to1"),
    ("a.py", "# password: see RFC2617"),
    ("a.java", "// password: PBKDF2WithHmacSHA256"),
    ("a.c", "// token: uint32_t"),
    ("a.py", "# token: Token2Type"),
    ("a.py", "# 비밀번호: 8자 이상"),
    ("a.py", "# 암호 알고리즘 SHA512/256"),
    ("Makefile", "SECRET_KEY := $(shell cat key1.pem)"),
    ("Makefile", "TOKEN_FILE := build/token1.txt"),
    ("Makefile", "secret: tests2run"),
    ("a.sh", "keytool -storepass $PW1x -keypass ${KP2}"),
    ("a.sh", "tool --pwd ./build2"),
    ("a.sql", "CONNECT scott/tiger@db"),
    ("a.lua", "passwd = [[your password]]"),
    ("a.robot", "${PASSWORD}    ${VALUE1}"),
    ("a.robot", "${PASSWORD}    Get Text    id1"),
    ("Kconfig", 'config WIFI_PASSWORD\n    string "Wi-Fi password"\n    default "mypassword"'),
    ("appsettings.json", '{"Jwt": {"Key": "Authentication:Key"}}'),
    ("a.ex", "token = Base.decode64!(encoded_token, padding: false)"),
    ("a.ex", "token = :crypto.strong_rand_bytes(@rand_size)"),
    ("a.ex.eex", "token = conn.cookies[@remember_me_cookie]"),
    ("a.ex.eex", "if token = get_session(conn, :user_token) do"),
    ("a.js.eex", 'let socket = new Socket("/socket", {authToken: window.userToken})'),
    ("a.swift", 'credential(accessToken: "a\\(refreshCount)",'),
    ("a.sv", ", parameter master_lg_token_width_p = lg_credit_to_token_decimation_p+2"),
    ("a.csproj", '<Reference Include="A, Version=1.0.0.0, PublicKeyToken=5120e14c03d0593c" />'),
    ("a.config", '<assemblyIdentity name="A" publicKeyToken="31bf3856ad364e35"/>'),
    ("a.rb", "TOKEN_IDENTIFIER = '!real_csrf_token'"),
]


@pytest.mark.parametrize(("path", "line"), UNQUOTED_LOOK_ALIKES)
def test_unquoted_look_alikes_stay(path: str, line: str) -> None:
    assert mask(line + "\n", path) == (line + "\n", 0)


def test_generated_look_alikes_stay(rng: random.Random) -> None:
    nouns = ["user", "order", "buffer", "token", "stream", "cache", "key", "index", "pass", "auth", "secret", "state"]
    touched = 0
    for number in range(3000):
        one, two, three = rng.sample(nouns, 3)
        line = rng.choice(
            [
                f"{one}_{two} = {three}_{number}",
                f'{one}_key = "{two}_{three}_{number % 100}"',
                f"self.{one}{two.title()}Token = {three}.next{number % 7}()",
                f'log("{one} {two} {three} %d", {number})',
                f'"{one}-{two}-{three}.v{number % 9}": {number},',
                f'digest = "{_of(rng, HEX, rng.choice([32, 40, 64]))}"',
                f"wire [{number % 64}:0] {one}_{two}_{three}_q{number % 4};",
                f'#include "{one}/{two}/{three}_{number % 20}.h"',
            ]
        )
        touched += mask(line + "\n", "a.py")[1]
    assert touched <= 30


def test_all_occurrences_of_a_secret_are_masked(rng: random.Random) -> None:
    value = TOKENS["github personal"](rng)
    masked, count = mask(f"a = '{value}'\nb = 1  # {value}\n")
    assert masked == f"a = '{PLACEHOLDER}'\nb = 1  # {PLACEHOLDER}\n"
    assert count == 2


def test_only_the_secret_itself_is_replaced(rng: random.Random) -> None:
    value = _of(rng, ALNUM, 14) + "7"
    masked, _ = mask(f'db.connect("postgres://app:{value}@db:5432/app", timeout=3)\n')
    assert masked == f'db.connect("postgres://app:{PLACEHOLDER}@db:5432/app", timeout=3)\n'


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*"aB3=:\"' \n\r\t+-_/.@<>(){}[]가", "password", "KEY", "://", "token", "\u2028"])))
def test_masking_keeps_lines_and_is_idempotent(pieces: list[str]) -> None:
    text = "".join(pieces)
    masked, count = mask(text, "a.yaml")
    for end in ("\n", "\r"):
        assert masked.count(end) == text.count(end)
    assert (count == 0) == (masked == text)
    again, _ = mask(masked, "a.yaml")
    assert again == masked


def test_secrets_in_documents_as_companies_write_them_are_masked(rng: random.Random) -> None:
    plants = documents(rng)
    assert len(plants) >= 290
    assert len({plant.kind for plant in plants}) >= 60
    left = [
        (plant.kind, plant.path)
        for plant in plants
        if any(gone in mask(plant.text, plant.path)[0] for gone in plant.gone)
    ]
    assert len(left) <= len(plants) * 0.01, left


def test_a_secret_is_masked_wherever_it_stands_in_its_document(rng: random.Random) -> None:
    for letters, within in ((6, 1), (8, 0)):  # a short value may be part of a longer word by chance
        value = _of(rng, ALNUM, letters) + "!7aB"
        masked, _ = mask(f'password = "{value}"\nconnect("{value}")\nx = "{value}x"\n', "a.py")
        assert masked.count(value) == within


def test_a_value_below_its_key_needs_the_lines_around_it(rng: random.Random) -> None:
    value = _of(rng, ALNUM, 14)
    manifest = f"apiVersion: v1\nkind: Secret\nstringData:\n  word: {value}\n"
    assert value not in mask(manifest, "k8s/a.yaml")[0]
    assert value in mask(manifest.replace("Secret", "ConfigMap"), "k8s/a.yaml")[0]


def test_masking_after_each_key_covers_what_masking_the_whole_document_does(rng: random.Random) -> None:
    """It may cover more: a value that stood near what showed it stays covered until its lines are searched again."""
    plants = rng.sample(documents(rng), 12)
    for path in ("a.py", "a.yaml", "a.md"):
        masker = DocumentMasker(path)
        text = "\n".join(f"line_{number} = call({number})" for number in range(60))
        secrets: set[str] = set()
        for _ in range(60):
            at = rng.randrange(len(text) + 1)
            start = text.rfind("\n", 0, at) + 1
            choice = rng.random()
            if choice < 0.3:
                text = text[:start] + rng.choice(plants).text + "\n" + text[start:]
            elif choice < 0.5:
                text = text[:at] + text[min(len(text), at + rng.randrange(1, 200)) :]
            else:
                text = text[:at] + rng.choice("ab1 =\"'\n-|:") + text[at:]
            seen = masker.mask(text)
            assert len(seen) == len(text)
            assert [len(line) for line in seen.split("\n")] == [len(line) for line in text.split("\n")]
            spans = find(text, path)
            secrets |= {text[left:right] for left, right in spans}
            wanted = covered(text, spans)
            pairs = zip(text, seen, wanted, strict=True)
            more = "".join(one if other != third else "\n" for one, other, third in pairs)
            assert all(other in (third, COVER) for other, third in zip(seen, wanted, strict=True)), path
            assert all(any(part in secret for secret in secrets) for part in more.split()), path


def test_changes_far_apart_are_masked_each_by_itself(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    plants = [plant.text.replace("\n", " ") for plant in rng.sample(documents(rng), 8)]
    lines = [f"line_{number} = call({number}, 'a text of some length')" for number in range(3_000)]
    masker = DocumentMasker("a.py")
    masker.mask("\n".join(lines))
    searched: list[int] = []
    near = masked_documents.find_near
    monkeypatch.setattr(
        masked_documents, "find_near", lambda text, path: searched.append(len(text)) or near(text, path)
    )
    for number in range(40):
        rows = rng.sample(range(len(lines)), rng.choice((1, 2, 3, 12)))
        for row in rows:
            lines[row] = rng.choice([*plants, "x = 1", "", f"call({row})"])
        if number % 5 == 0:
            lines.insert(rng.randrange(len(lines)), "inserted = 1")
        searched.clear()
        text = "\n".join(lines)
        assert masker.mask(text) == covered(text, find(text, "a.py"))
        if number % 5 and len(rows) <= 3:
            assert sum(searched) < 30_000  # of 150,000 characters


def test_of_processes_that_start_together_one_compiles_the_rules(tmp_path: Path) -> None:
    code = (
        "import resource; from indexer.secrets import masking; masking.prepare(); print(resource.getrusage(0).ru_utime)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    seconds = sorted(float(process.communicate(timeout=120)[0]) for process in started)
    assert [process.returncode for process in started] == [0, 0, 0]
    assert seconds[1] < seconds[2] / 2, f"processor seconds of each: {seconds}"
    assert sorted(path.suffix for path in (tmp_path / "ondol/kingfisher").iterdir()) == ["", ".vscdb"]
