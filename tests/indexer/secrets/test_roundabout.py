"""Passwords as people choose them, where a name gets its value in a roundabout way; and what looks like that."""

import base64
import json

import pytest

from indexer.secrets.masking import mask

CHOSEN = ("river7414x", "dragon#2052", "Maple8477")

FORMS = [
    ("a.js", "const password = process.env.DB_PASSWORD || '{}';"),
    ("a.ts", 'const password = config.password ?? "{}";'),
    ("a.py", 'password = cfg.get("password") or "{}"'),
    ("a.py", 'password = given if given else "{}"'),
    ("A.java", '@Value("${{db.password:{}}}")'),
    ("application.yml", "password: ${{DB_PASSWORD:{}}}"),
    ("a.sh", 'PASSWORD="${{PASSWORD:-{}}}"'),
    ("a.service", 'Environment="DB_PASSWORD={}"'),
    ("a.go", 'Env: []string{{"POSTGRES_PASSWORD={}"}},'),
    ("config.yml", "- run: echo 'export DB_PASSWORD={}' >> $BASH_ENV"),
    ("build.gradle", '  storePassword "{}"'),
    ("a.edn", '{{:db {{:user "a" :password "{}"}}}}'),
    ("a.bas", 'Public Const DB_PWD As String = "{}"'),
    ("a.sql", "v_password CONSTANT VARCHAR2(20) := '{}';"),
    ("a.cbl", "       01 WS-DB-PASSWORD PIC X(20) VALUE '{}'."),
    ("a.tcl", "set db_password {{{}}}"),
    ("a.fish", "set -x DB_PASSWORD {}"),
    ("a.bat", "setx DB_PASSWORD {}"),
    ("a.cpp", 'const char* password = R"({})";'),
    ("a.swift", 'let password: String = #"{}"#'),
    ("a.zig", 'const db_password: []const u8 = "{}";'),
    ("sys.config", '{{db, [{{username, "app"}}, {{password, "{}"}}]}}.'),
    ("A.java", 'String body = "{{\\"user\\":\\"a\\",\\"password\\":\\"{}\\"}}";'),
    ("a.yml", "db: {{user: a, password: {}}}"),
    ("a.go", 'dsn := "app:{}@tcp(db:3306)/shop?parseTime=true"'),
    ("a.go", 'dsn := "host=db user=app password={} dbname=x sslmode=disable"'),
    ("a.py", 'dsn = "password={} host=db"'),
    ("A.java", 'String u = "jdbc:mysql://db/x?user=app&password={}";'),
    ("a.js", 'connect("mongodb+srv://app:pre@{}@c0.abc.example.net/x")'),
    ("a.ps1", '$p = ConvertTo-SecureString -String "{}" -AsPlainText -Force'),
    ("a.py", 'User.objects.create_user("a", "a@b.example", "{}")'),
    ("a.py", 'config.get("db", "password", fallback="{}")'),
    ("a.py", 'password: str = field(default="{}")'),
    ("A.java", 'DriverManager.getConnection(url, "app", "{}");'),
    ("A.java", 'String password = Optional.ofNullable(given).orElse("{}");'),
    ("a.js", "cy.get('#password').type('{}')"),
    ("a.js", "await page.fill('#password', '{}');"),
    ("a.js", "await page.type('input[name=password]', '{}');"),
    ("a.js", "await userEvent.type(screen.getByLabelText(/password/i), '{}')"),
    ("a.go", 'Password string `env:"DB_PASSWORD" envDefault:"{}"`'),
    ("a.rs", 'let password = env::var("DB_PASSWORD").unwrap_or_else(|_| "{}".to_string());'),
    ("a.rb", 'ENV.fetch("DB_PASSWORD") {{ "{}" }}'),
    ("a.rb", 'let(:password) {{ "{}" }}'),
    ("a.rb", 'fill_in "Password", with: "{}"'),
    ("a.php", "new PDO($dsn, 'a', '{}');"),
    ("a.sh", "aws ssm put-parameter --name /db/password --value {}"),
    ("a.yml", "command: redis-server --requirepass {}"),
    ("a.jsx", '<Input type="password" defaultValue="{}" />'),
    ("a.json", '{{"DB_PASSWORD": {{"value": "{}"}}}}'),
    ("a.proto", 'string password = 1 [default = "{}"];'),
    ("a.hs", 'password <- fromMaybe "{}" <$> lookupEnv "DB_PASSWORD"'),
    ("Jenkinsfile", "string(name: 'DB_PASSWORD', defaultValue: '{}')"),
    ("a.md", "Log in as `admin` with password `{}`."),
    ("a.txt", "ID/PW : admin / {}"),
    ("a.txt", "아이디: admin / 비밀번호: {}"),
]


@pytest.mark.parametrize(("path", "template"), FORMS)
def test_a_password_that_a_person_chose_is_masked(path: str, template: str) -> None:
    for value in CHOSEN:
        masked, count = mask(template.format(value) + "\n", path)
        assert count == 1, value
        assert value not in masked


def test_a_random_token_in_a_header_that_a_command_sends_is_masked() -> None:
    line = "curl -H 'PRIVATE-TOKEN: ahkjjylRzz94rwzGkheK' https://git.example.org\n"
    assert "ahkjj" not in mask(line, "a.sh")[0]


def test_a_key_in_base64_behind_a_name_without_meaning_is_masked() -> None:
    key = {"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0" * 3}
    value = base64.b64encode(json.dumps(key).encode()).decode()
    for line in (f"GCP_SA={value}\n", f"GCP_SA='{value}'\n", f"export GCP_SA={value}\n"):
        assert value[:40] not in mask(line, "a.sh")[0]


LOOK_ALIKES = [
    ("a.md", "Where each request has its auth checks, work with `set_pre_routing_handler()`."),
    ("a.md", "The password `db_password` is read from `DB_PASSWORD1`."),
    ("a.rb", 'let(:password) { "password" }'),
    ("a.js", "await page.fill('#password', password1);"),
    ("A.java", 'DriverManager.getConnection(url, "app", "password");'),
    ("a.txt", "ID/PW : admin / password"),
    ("a.js", "const password = process.env.DB_PASSWORD || '';"),
    ("a.js", "const password = process.env.DB_PASSWORD || 'password';"),
    ("a.js", "if (password === a || password === 'required') fail('a-b1');"),
    ("a.sh", 'PASSWORD="${PASSWORD:?must-be-set}"'),
    ("a.sh", 'PASSWORD="${PASSWORD:-$DEFAULT_1}"'),
    ("a.sh", "# when '--auth=md5' or '--auth-local=md5' is used"),
    ("a.fish", "set -l tokens (__base-test_tokens -pc)"),
    ("a.tcl", "set token {[lindex $args 0]}"),
    ("a.php", "'password' => 'required|min:6',"),
    ("a.py", 'f"password={password}"'),
    ("a.go", 'fmt.Sprintf("user=%s password=%s host=%s", u, p, h)'),
    ("a.go", 'dsn := "app:password@tcp(db:3306)/shop"'),
    ("A.java", 'String u = "jdbc:mysql://db/x?user=app&password=" + password;'),
    ("a.sql", "password VARCHAR(40) DEFAULT NULL,"),
    ("a.md", "Use `OAuth1Authenticator.ForRequestToken` function to get the request token authenticator."),
    ("a.md", "We inject `OAuth2TokenRequest.HttpClient` into the token endpoint."),
]


@pytest.mark.parametrize(("path", "line"), LOOK_ALIKES)
def test_look_alikes_stay(path: str, line: str) -> None:
    assert mask(line + "\n", path) == (line + "\n", 0)
