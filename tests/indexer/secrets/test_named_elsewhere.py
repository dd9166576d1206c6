"""Secrets whose name stands in a comment behind them, in the head of a statement, or nowhere but in the call or file."""

import pytest

from indexer.secrets.masking import mask

CHOSEN = ("river7414", "dragon#2052", "Maple8477")

FORMS = [
    ("a.py", 'connect("db1", "svc", "{}")  # user, password'),
    ("a.go", 'cfg.Addr, cfg.Cred = "db:5432", "{}" // db password'),
    ("A.kt", 'val x = "{}" // 관리자 비밀번호'),
    ("a.vhd", 'constant K : string := "{}"; -- password of the debug port'),
    ("a.c", 'char *x = "{}"; /* admin password */'),
    ("a.sql", "INSERT INTO users (name, password) VALUES ('admin', '{}');"),
    ("a.sql", "insert into `u` (`id`, `passwd`, `at`)\nvalues (1, 'old', now()),\n  (2, '{}', f(1, '2'));"),
    ("a.sql", "INSERT INTO api (name, client_secret) SELECT 'x', '{}';"),
    ("vpn/auth.txt", "svc-user\n{}\n"),
    ("A.java", 'ks.load(in, "{}".toCharArray());'),
    ("A.java", 'new PBEKeySpec("{}".toCharArray(), salt, 1000, 256);'),
    ("a.php", "'x' => Hash::make('{}'),"),
    ("a.js", 'await argon2.hash("{}")'),
    ("a.go", 'bcrypt.GenerateFromPassword([]byte("{}"), 10)'),
    ("a.py", 'FTP("host", "bob", "{}")'),
    ("a.pl", 'DBI->connect("dbi:Pg:dbname=x", "bob", "{}");'),
    ("a.scala", 'Map("user" -> "bob", "password" -> "{}")'),
    ("a.sh", "htpasswd -b /etc/nginx/.htpasswd admin {}"),
    ("a.sh", "htpasswd -nb admin {}"),
    ("a.bat", r"net use x: \\srv\share {} /user:corp\bob"),
    ("a.sh", "http --auth user:{} https://x.example/api"),
    ("a.sh", "xh -a bob:{} get x.example"),
]


@pytest.mark.parametrize("password", CHOSEN)
@pytest.mark.parametrize(("path", "form"), FORMS)
def test_a_password_without_a_name_before_it_is_masked(path: str, form: str, password: str) -> None:
    assert password not in mask(form.replace("{}", password), path)[0]


@pytest.mark.parametrize("form", ['key = "{}\\\n{}"', 'const char *api_key = "{}\\\r\n{}";'])
def test_both_halves_of_a_token_that_a_line_end_cuts_are_masked(form: str) -> None:
    first, second = "UDipEDjyvmTxY4ZCAa", "CsLL5ZVXF2cNhCAkaJ"
    left = mask(form.replace("key", "api_key").format(first, second), "a.c")[0]
    assert first not in left
    assert second not in left


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yml", 'pass: ["text/*", "image/svg+xml"]'),
        ("a.py", "# token: base64.b64decode"),
        ("a.cfg", "secret = base64.b64decode"),
        ("a.txt", "secret: LaTeX-related"),
        ("a.sh", "tool --token SetFromBuffer"),
        ("a.sql", "INSERT INTO users (name, password) VALUES ('user-42', ?), ('ann8', :password);"),
        ("a.sql", "INSERT INTO users (id, password_id) VALUES (1, 'a1b2c3');"),
        ("a.py", 'name = "user_name_2"  # not the password'),
        ("a.py", 'field = "auth_v2"  # where the password is checked'),
        ("vpn/auth.txt", "svc-user\n${VPN_PASSWORD_1}\n"),
        ("A.java", 'char[] digits = "0123456789abcdef".toCharArray();'),
        ("a.php", "Hash::make('password');"),
        ("a.js", 'crypto.hash("sha256")'),
    ],
)
def test_what_only_looks_like_that_stays(path: str, text: str) -> None:
    assert mask(text, path) == (text, 0)


def test_a_long_line_of_options_is_looked_through_once() -> None:
    options = (
        "htpasswd " + "-b " * 50_000
    )  # a pattern that tried each option from each other one would take half an hour
    assert mask(options, "a.sh") == (options, 0)
