"""Documents with secrets as companies write them: name, path, text around a value, and how the value is made up.

Each row of ``DOCUMENTS`` is (kind, path, text with ``%s`` for the secret, maker of the secret). Nothing here is a real
secret, and none stands in this file; :func:`planted` builds them from a seed.
"""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.planted_by_people import CHOSEN_DOCUMENTS
from tests.support.planted_elsewhere import OTHER_DOCUMENTS
from tests.support.planted_in_formats import FORMAT_DOCUMENTS
from tests.support.planted_secrets import ALNUM, B64, DIGITS, TOKENS, _b64, _of, _password, key_block
from tests.support.secret_makers import alnum, hex_digits, key_bytes

Maker = Callable[[random.Random], str]


def _bcrypt(rng: random.Random) -> str:
    return "$2b$12$" + _of(rng, "./" + ALNUM, 53)


def _shadow(rng: random.Random) -> str:
    return f"$6${_of(rng, ALNUM, 16)}${_of(rng, './' + ALNUM, 86)}"


def resident(rng: random.Random, joint: str = "-") -> str:
    """A resident registration number with a right check digit."""
    front = f"{rng.randrange(50, 100)}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}{rng.choice('12')}{_of(rng, DIGITS, 5)}"
    total = sum(int(d) * w for d, w in zip(front, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=True))
    return f"{front[:6]}{joint}{front[6:]}{(11 - total % 11) % 10}"


def _b64text(rng: random.Random) -> str:
    return base64.b64encode(_password(rng).encode()).decode()


DOCUMENTS: tuple[tuple[str, str, str, Maker], ...] = (
    ("c header", "src/config.h", '#ifndef CONFIG_H\n#define API_KEY "%s"\n#define PORT 80\n#endif\n', alnum(32)),
    ("c header", "src/wifi.h", '#define WIFI_PASSWORD   "%s"\n', _password),
    ("c header", "src/keys.h", "#define AES_KEY 0x%s\n", hex_digits(32)),
    ("c constant", "src/a.c", 'static const char kDbPassword[] = "%s";\n', _password),
    ("c constant", "src/a.cpp", 'constexpr std::string_view api_key{"%s"};\n', alnum(32)),
    ("verilog define", "rtl/otp.svh", "`define OTP_PASSWORD 64'h%s\n", hex_digits(16)),
    ("verilog define", "rtl/otp.svh", '`define UNLOCK_PASSWORD "%s"\n', _password),
    (
        "verilog parameter",
        "rtl/aes.sv",
        "module m;\n  localparam logic [127:0] AES_KEY = 128'h%s;\nendmodule\n",
        hex_digits(32),
    ),
    ("verilog parameter", "rtl/aes.sv", "  parameter bit [255:0] HMAC_KEY = 256'h%s,\n", hex_digits(64)),
    ("vhdl constant", "rtl/aes.vhd", 'constant AES_KEY : std_logic_vector(127 downto 0) := x"%s";\n', hex_digits(32)),
    ("byte array", "src/key.c", "static const uint8_t key[16] = {%s};\n", key_bytes(16)),
    ("byte array", "src/key.c", "const unsigned char aes_key[] = {\n    %s\n};\n", key_bytes(32)),
    ("byte array", "src/Key.java", "byte[] secretKey = new byte[] { %s };\n", key_bytes(16, "(byte) 0x{:02x}")),
    ("byte array", "src/key.rs", "const ENCRYPTION_KEY: [u8; 16] = [%s];\n", key_bytes(16)),
    ("byte array", "src/key.go", "var hmacKey = []byte{%s}\n", key_bytes(32)),
    ("byte array", "src/key.py", "MASTER_KEY = bytes([%s])\n", key_bytes(16)),
    ("byte string", "src/key.py", 'SECRET_KEY = b"%s"\n', key_bytes(16, "\\x{:02x}", "")),
    ("fromhex", "src/key.py", 'AES_KEY = bytes.fromhex("%s")\n', hex_digits(32)),
    ("fromhex", "src/key.py", 'signing_key = binascii.unhexlify(b"%s")\n', hex_digits(64)),
    ("fromhex", "src/key.js", 'const encryptionKey = Buffer.from("%s", "hex");\n', hex_digits(64)),
    ("fromhex", "src/key.rs", 'let private_key = hex!("%s");\n', hex_digits(64)),
    ("ansible", "group_vars/all.yml", "ansible_user: deploy\nansible_become_pass: %s\n", _password),
    ("ansible", "inventory/hosts.ini", "[db]\ndb1 ansible_host=10.0.0.3 ansible_ssh_pass=%s\n", _password),
    ("ansible", "roles/db/vars/main.yml", "mysql_root_password: '%s'\n", _password),
    ("yaml next line", "config/app.yml", "db:\n  password:\n    %s\n  host: db\n", _password),
    ("yaml next line", "config/app.yml", "smtp:\n  secret:\n    '%s'\n", alnum(24)),
    ("yaml block", "config/app.yaml", "api_key: >-\n  %s\nname: x\n", alnum(32)),
    ("yaml block", "config/app.yaml", "private_key: |\n  %s\nname: x\n", lambda r: _b64(r, 45)),
    ("yaml list", "config/app.yaml", "passwords:\n  - %s\n", _password),
    ("yaml anchor", "config/app.yaml", "base: &b\n  password: &pw %s\n", _password),
    (
        "kubernetes secret",
        "k8s/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  login: %s\n",
        _b64text,
    ),
    ("kubernetes secret", "k8s/s.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  config: %s\n", _password),
    (
        "kubernetes secret",
        "k8s/s.yaml",
        "kind: Secret\nstringData:\n  app.ini: |\n    [db]\n    word = %s\n",
        _password,
    ),
    ("kubernetes env", "k8s/deploy.yaml", 'env:\n  - name: DB_PASSWORD\n    value: "%s"\n', _password),
    ("kubernetes env", "k8s/deploy.yaml", "env:\n  - name: API_TOKEN\n    value: %s\n", alnum(32)),
    ("ecs environment", "task.json", '{"environment": [{"name": "DB_PASSWORD", "value": "%s"}]}\n', _password),
    ("terraform", "main.tf", 'variable "db_password" {\n  type    = string\n  default = "%s"\n}\n', _password),
    ("terraform", "main.tf", 'resource "x" "y" {\n  master_password = "%s"\n}\n', _password),
    ("terraform", "prod.tfvars", 'api_token = "%s"\n', alnum(32)),
    ("cloudformation", "stack.yaml", "Parameters:\n  DBPassword:\n    Type: String\n    Default: %s\n", _password),
    ("compose", "docker-compose.yml", "services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD=%s\n", _password),
    ("compose", "docker-compose.yml", "    environment:\n      MYSQL_ROOT_PASSWORD: %s\n", _password),
    ("dockerfile", "Dockerfile", "FROM x\nENV DB_PASSWORD %s\n", _password),
    ("dockerfile", "docker/Dockerfile.prod", "ARG NPM_TOKEN=%s\n", alnum(36)),
    ("ini", "app.ini", "[db]\nuser = a\npasswd = %s\n", _password),
    ("properties", "app.properties", "spring.datasource.password=%s\n", _password),
    ("dotenv", ".env.local", "SECRET_KEY_BASE=%s\n", hex_digits(64)),
    ("netrc", "home/.netrc", "machine git.internal login ci password %s\n", _password),
    ("pgpass", "home/.pgpass", "db.internal:5432:app:app:%s\n", _password),
    ("npmrc", ".npmrc", "//npm.internal/:_authToken=%s\n", alnum(36)),
    ("npmrc", ".npmrc", "_auth = %s\n", lambda r: _b64(r, 24)),
    ("pypirc", ".pypirc", "[internal]\nusername: ci\npassword: %s\n", _password),
    ("git credentials", "git-credentials", "https://ci:%s@git.internal\n", alnum(20)),
    ("sql", "init.sql", "CREATE USER app IDENTIFIED BY '%s';\n", _password),
    ("sql", "init.sql", "CREATE ROLE app WITH LOGIN PASSWORD '%s';\n", _password),
    ("sql", "init.sql", "ALTER LOGIN app WITH PASSWORD = '%s';\n", _password),
    ("sql", "init.sql", "SET PASSWORD FOR 'app'@'%%' = PASSWORD('%s');\n", _password),
    ("sql", "src/db.py", "cur.execute(\"ALTER USER app WITH ENCRYPTED PASSWORD '%s'\")\n", _password),
    ("curl user", "run.sh", "curl -fsS -u deploy:%s https://x/y\n", _password),
    ("curl user", "README.md", "    curl --user 'ci:%s' https://x/y\n", _password),
    ("curl header", "run.sh", 'curl -H "X-Api-Key: %s" https://x/\n', hex_digits(40)),
    ("curl header", "run.sh", "curl -H 'PRIVATE-TOKEN: %s' https://x/\n", alnum(24)),
    ("mysql option", "run.sh", "mysql -h db -u root -p%s app < dump.sql\n", _password),
    ("sshpass", "run.sh", "sshpass -p '%s' ssh root@h\n", _password),
    ("shell option", "run.sh", "deploy --host x --password %s --force\n", _password),
    ("shell option", "Makefile", "\tcli --api-key=%s push\n", alnum(32)),
    ("shell option", "run.py", 'subprocess.run(["cli", "--token", "%s"])\n', alnum(32)),
    ("shell variable", "Makefile", "\tPGPASSWORD=%s psql -h db\n", _password),
    ("shell pipe", "run.sh", "echo '%s' | docker login -u ci --password-stdin\n", _password),
    ("openssl pass", "run.sh", "openssl rsa -in k.pem -passin pass:%s\n", _password),
    ("auth tuple", "client.py", 'requests.get(url, auth=("ci", "%s"))\n', _password),
    ("auth tuple", "client.py", 'session.auth = HTTPBasicAuth("ci", "%s")\n', _password),
    ("auth call", "Client.java", 'request.header(Credentials.basic("ci", "%s"));\n', _password),
    ("auth call", "client.go", 'req.SetBasicAuth("ci", "%s")\n', _password),
    ("auth call", "client.py", 'smtp.login("ci@x", "%s")\n', _password),
    ("auth call", "Client.cs", 'new NetworkCredential("ci", "%s")\n', _password),
    ("connection string", "app.cs", 'var c = "Server=db;Database=a;User Id=sa;Password=%s;";\n', _password),
    (
        "connection string",
        "app.config",
        '<add name="x" connectionString="Data Source=d;User ID=a;Pwd=%s;Pooling=true" />\n',
        _password,
    ),
    ("connection url", "settings.py", 'URL = "mongodb+srv://app:%s@cluster0.x.net/app"\n', alnum(16)),
    ("connection url", "a.go", 'dsn := "redis://:%s@cache:6379/0"\n', alnum(16)),
    ("bearer", "api.http", "GET https://x/y\nAuthorization: Bearer %s\n", alnum(40)),
    (
        "basic",
        "api.http",
        "Authorization: Basic %s\n",
        lambda r: base64.b64encode(b"ci:" + _password(r).encode()).decode(),
    ),
    ("html password", "login.html", '<input name="p" type="password" value="%s">\n', _password),
    ("html password", "login.html", '<input value="%s"\n  class="x"\n  type=\'password\'/>\n', _password),
    ("markdown table", "docs/access.md", "| user | password |\n|---|---|\n| admin | %s |\n", _password),
    ("markdown table", "docs/access.md", "| 서버 | 비밀번호 |\n|:--|--:|\n| db1 | x |\n| db2 | `%s` |\n", _password),
    ("spring xml", "beans.xml", '<property name="password" value="%s"/>\n', _password),
    ("spring xml", "beans.xml", '<property name="password">\n  <value>%s</value>\n</property>\n', _password),
    ("web.config", "web.config", '<add key="ApiKey" value="%s" />\n', alnum(32)),
    ("maven settings", "settings.xml", "<server><id>x</id><password>%s</password></server>\n", _password),
    ("android strings", "strings.xml", '<string name="maps_api_key">%s</string>\n', alnum(39)),
    ("plist", "a.plist", "<key>ApiKey</key>\n<string>%s</string>\n", alnum(32)),
    ("appsettings", "appsettings.json", '{"Smtp": {"Password": "%s"}}\n', _password),
    ("go", "a.go", 'const apiKey string = "%s"\n', alnum(32)),
    ("rust", "a.rs", 'const API_TOKEN: &\'static str = "%s";\n', alnum(32)),
    ("rust", "a.rs", 'let password = String::from("%s");\n', _password),
    ("kotlin", "a.kt", 'val dbPassword: String = "%s"\n', _password),
    ("swift", "a.swift", 'let apiKey: String = "%s"\n', alnum(32)),
    ("php", "a.php", "define('DB_PASSWORD', '%s');\n", _password),
    ("php", "a.php", "'password' => '%s',\n", _password),
    ("perl", "a.pl", "my $password = '%s';\n", _password),
    ("tcl", "a.tcl", 'set db_password "%s"\n', _password),
    ("lisp", "a.el", '(setq my-api-key "%s")\n', alnum(32)),
    ("powershell", "a.ps1", '$env:API_TOKEN = "%s"\n', alnum(32)),
    ("batch", "a.bat", "set DB_PASSWORD=%s\n", _password),
    ("string list", "a.py", 'API_KEYS = ["%s"]\n', alnum(32)),
    ("dict subscript", "a.py", 'os.environ["DB_PASSWORD"] = "%s"\n', _password),
    ("korean name", "a.py", '비밀번호 = "%s"\n', _password),
    ("resident number", "people.csv", "이름,번호\n홍길동,%s\n", resident),
    ("resident number", "people.py", 'jumin = "%s"\n', lambda r: resident(r, "")),
    ("bcrypt hash", "fixtures.sql", "INSERT INTO u VALUES ('a', '%s');\n", _bcrypt),
    ("shadow hash", "etc/shadow", "root:%s:19000:0:99999:7:::\n", _shadow),
    ("htpasswd", "conf/htpasswd", "ci:$apr1$%s\n", lambda r: f"{_of(r, ALNUM, 8)}${_of(r, './' + ALNUM, 22)}"),
    ("wireguard", "wg0.conf", "[Interface]\nPrivateKey = %s\n", lambda r: _b64(r, 32)),
    ("docker config", "config.json", '{"auths": {"r.internal": {"auth": "%s"}}}\n', lambda r: _b64(r, 24)),
    ("headless key", "src/a.py", 'DER = "MIIEpAIBAAKCAQEA%s"\n', lambda r: _of(r, B64, 120)),
    ("ssh key body", "src/a.sh", 'echo "b3BlbnNzaC1rZXktdjEAAAAA%s" > id\n', lambda r: _of(r, B64, 120)),
)

KEY_KINDS = (
    *(
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
    ),
    *(
        "PGP PRIVATE KEY BLOCK",
        "ANY PRIVATE KEY",
        "SSH2 ENCRYPTED PRIVATE KEY",
        "X25519 PRIVATE KEY",
        "TSS2 PRIVATE KEY",
    ),
    "OpenVPN Static key V1",
)

KEY_DOCUMENTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "plain": ("key.txt", lambda block: block + "\n"),
    "yaml": ("a.yaml", lambda block: "key: |\n" + "".join(f"    {line}\n" for line in block.split("\n")) + "next: 1\n"),
    "json": ("a.json", lambda block: '{"private_key": "' + block.replace("\n", "\\n") + '\\n"}\n'),
    "c string": (
        "a.c",
        lambda block: "char *key =" + "".join(f'\n    "{line}\\n"' for line in block.split("\n")) + ";\n",
    ),
    "python": ("a.py", lambda block: f'KEY = """{block}"""\nx = 1\n'),
    "java": (
        "A.java",
        lambda block: "var key =" + " +".join(f'\n    "{line}\\n"' for line in block.split("\n")) + ";\n",
    ),
    "comment": ("a.c", lambda block: "".join(f" * {line}\n" for line in block.split("\n"))),
    "half typed": ("key.txt", lambda block: "\n".join(block.split("\n")[: max(2, block.count("\n") // 2)])),
    "head cut off": ("key.txt", lambda block: "x = 1\n" + block.split("\n", 1)[1] + "\n"),
}


@dataclass(frozen=True)
class Plant:
    """A document with a secret in it.

    :param gone: texts of which none may be left.
    """

    kind: str
    path: str
    text: str
    gone: tuple[str, ...]


def planted(rng: random.Random) -> list[Plant]:
    """One document for each row, each kind of key in two of its ways, and each token of a service."""
    plants = []
    rows = (*DOCUMENTS, *OTHER_DOCUMENTS, *CHOSEN_DOCUMENTS, *FORMAT_DOCUMENTS)
    for number, (kind, path, template, make) in enumerate(rows):
        value = make(rng)
        plants.append(Plant(kind, f"d{number}/{path}", template % value, (value,)))
    for number, title in enumerate(KEY_KINDS):
        for name, (path, place) in KEY_DOCUMENTS.items():
            block, lines = key_block(rng, title)
            text = place(block)
            gone = tuple(line for line in lines if line in text)
            plants.append(Plant(f"key: {name}", f"k{number}/{name.replace(' ', '')}/{path}", text, gone))
    for number, (kind, make) in enumerate(TOKENS.items()):
        value = make(rng)
        plants.append(Plant(f"token: {kind}", f"t{number}/a.py", f'client = connect("{value}", timeout=3)\n', (value,)))
        value = make(rng)
        plants.append(Plant(f"token: {kind}", f"t{number}/notes.md", f"Use `{value}` when testing.\n", (value,)))
    return plants
