"""Documents with secrets that people chose: a word, a number and a sign, or a word spelt with digits.

They were written after the rules for ``planted_elsewhere`` and tried on them first. Rows are as in ``DOCUMENTS``.
"""

import random
from collections.abc import Callable

from tests.support.planted_secrets import ALNUM, DIGITS, _b64, _of
from tests.support.secret_makers import alnum, hex_digits

Maker = Callable[[random.Random], str]

WORDS = ("Blue", "Tiger", "Winter", "Kimchi", "Delta", "Orion", "Maple", "Falcon")
A40, H32, H64 = alnum(40), hex_digits(32), hex_digits(64)


def chosen(rng: random.Random) -> str:
    return rng.choice(WORDS) + rng.choice("!@#%") + _of(rng, DIGITS, rng.choice((3, 4))) + rng.choice(["", "x", "Qz"])


def chosen_lower(rng: random.Random) -> str:
    return rng.choice(WORDS).lower() + _of(rng, DIGITS, 4) + rng.choice("!#")


def chosen_long(rng: random.Random) -> str:
    return f"S{_of(rng, DIGITS, 1)}cur3-{rng.choice(WORDS)}-{_of(rng, DIGITS, 2)}"


CHOSEN_DOCUMENTS: tuple[tuple[str, str, str, Maker], ...] = (
    ("swiftui", "A.swift", 'let creds = Creds(login: "ops", pass: "%s")\n', chosen),
    ("go struct", "a.go", 'cfg := Config{User: "ops", Password: "%s"}\n', chosen),
    ("go map", "a.go", 'headers := map[string]string{"X-API-KEY": "%s"}\n', A40),
    ("kotlin named", "a.kt", 'connect(user = "ops", password = "%s")\n', chosen_lower),
    ("ts interface", "a.ts", 'const cfg: Cfg = { apiSecret: "%s" } as const;\n', A40),
    ("vue env", ".env.production", "VUE_APP_TOKEN=%s\n", A40),
    ("xcconfig", "a.xcconfig", "API_SECRET = %s\n", A40),
    ("podspec", "a.rb", 's.authorization = "Bearer %s"\n', A40),
    ("fastlane", "Fastfile", 'match(git_basic_authorization: "%s")\n', lambda r: _b64(r, 24)),
    ("fastlane pass", "Fastfile", 'ENV["MATCH_PASSWORD"] = "%s"\n', chosen_long),
    ("make var", "Makefile", "DB_PASS := %s\n", chosen_long),
    ("make ?=", "Makefile", "REGISTRY_TOKEN ?= %s\n", A40),
    ("tox", "tox.ini", "setenv =\n    PASSWORD=%s\n", chosen),
    ("pytest ini", "pytest.ini", "env =\n    API_TOKEN=%s\n", A40),
    ("bat setx", "a.bat", 'setx DB_PASSWORD "%s" /M\n', chosen),
    ("csh", "a.csh", "setenv DB_PASSWORD %s\n", chosen),
    ("fish", "a.fish", "set -x API_KEY %s\n", A40),
    ("perl dbi", "a.pl", 'DBI->connect("dbi:Pg:dbname=x", "ops", "%s");\n', chosen_long),
    ("ruby mysql", "a.rb", 'Mysql2::Client.new(host: "db", username: "ops", password: "%s")\n', chosen),
    ("node mysql", "a.js", "mysql.createConnection({ host: 'db', user: 'ops', password: '%s' });\n", chosen_lower),
    ("py ldap", "a.py", 'conn.simple_bind_s("cn=ops", "%s")\n', chosen_long),
    ("java keystore", "A.java", 'ks.load(in, "%s".toCharArray());\n', chosen_long),
    ("java sysprop", "A.java", 'System.setProperty("javax.net.ssl.trustStorePassword", "%s");\n', chosen),
    ("yaml jmx", "a.yml", "JAVA_OPTS: -Djavax.net.ssl.keyStorePassword=%s -Xmx1g\n", chosen),
    ("dockerfile run", "Dockerfile", "RUN echo 'root:%s' | chpasswd\n", chosen_long),
    ("k8s cm", "a.yaml", "data:\n  application.properties: |\n    db.password=%s\n", chosen_lower),
    ("k8s args", "a.yaml", 'args: ["--password=%s", "-v"]\n', chosen),
    ("helm values", "values.yaml", "postgresql:\n  auth:\n    postgresPassword: %s\n", chosen_lower),
    ("tf provider", "a.tf", 'provider "x" {\n  token = "%s"\n}\n', A40),
    ("tf locals", "a.tf", 'locals {\n  creds = { user = "ops", pass = "%s" }\n}\n', chosen),
    ("pulumi", "Pulumi.dev.yaml", "config:\n  app:dbPassword: %s\n", chosen_lower),
    ("bicep", "a.bicep", "param adminPassword string = '%s'\n", chosen),
    ("arm", "a.json", '"adminPassword": { "value": "%s" }\n', chosen_long),
    ("sam", "template.yml", "Environment:\n  Variables:\n    API_SECRET: %s\n", A40),
    ("serverless", "serverless.yml", "custom:\n  secrets:\n    stripe: %s\n", A40),
    ("uvm reg", "a.sv", "ral.unlock_key.write(status, 64'h%s);\n", hex_digits(16)),
    ("sv force", "tb.sv", "force dut.u_otp.key_q = 256'h%s;\n", H64),
    ("sv rand case", "a.sv", "if (debug_unlock_token !== 128'h%s) $error;\n", H32),
    ("c efuse", "efuse.c", "efuse_write(EFUSE_AES_KEY, 0x%s);\n", H32),
    ("lua redis", "a.lua", 'red:auth("%s")\n', chosen_long),
    ("redis cli url", "a.sh", "redis-cli -a '%s' ping\n", chosen),
    ("mongosh", "a.sh", 'mongosh --username ops --password "%s"\n', chosen),
    ("rsync", "a.sh", "RSYNC_PASSWORD=%s rsync a b\n", chosen),
    ("svn", "a.sh", "svn co --username ops --password %s https://x\n", chosen_lower),
    ("p4", "a.sh", "echo %s | p4 login\n", chosen),
    ("nmcli", "a.sh", "nmcli dev wifi connect x password '%s'\n", chosen_long),
    ("smb conf py", "a.py", "SMBConnection('ops', '%s', 'me', 'srv')\n", chosen_long),
    ("imap", "a.py", "imap.login('ops@corp.example', '%s')\n", chosen),
    ("tweepy", "a.py", 'tweepy.OAuthHandler("%s", SECRET)\n', A40),
    ("boto pos", "a.py", 'boto.connect_s3("AKIA", "%s")\n', A40),
    ("azure key", "a.py", 'AzureKeyCredential("%s")\n', A40),
    ("openai cli", "a.js", "new OpenAI({ apiKey: '%s' })\n", A40),
    ("sentry", "a.js", "Sentry.init({ authToken: '%s' })\n", A40),
    ("gcp svc", "a.json", '"private_key_id": "x", "client_secret": "%s"\n', A40),
    ("md step", "SETUP.md", "2. Enter `ops` / `%s` (password) and press OK\n", chosen),
    ("md ko", "설치.md", "계정: ops / 비밀번호: %s\n", chosen_lower),
    ("jira wiki", "a.txt", "Password for the lab machines: %s\n", chosen),
    ("log line", "a.log", "login ok user=ops password=%s ip=1.2.3.4\n", chosen),
    ("soap", "a.xml", '<wsse:Password Type="PasswordText">%s</wsse:Password>\n', chosen),
    ("jmeter", "a.jmx", '<stringProp name="HTTPSampler.password">%s</stringProp>\n', chosen_long),
    ("soapui", "a.xml", "<con:password>%s</con:password>\n", chosen),
    ("eclipse launch", "a.launch", '<stringAttribute key="PASSWORD" value="%s"/>\n', chosen),
    ("idea run", "a.xml", '<env name="DB_PASSWORD" value="%s" />\n', chosen),
    ("vscode launch", "launch.json", '"env": {"API_TOKEN": "%s"}\n', A40),
    ("csharp sec", "a.cs", 'new SqlCredential("ops", Sec("%s"))\n', chosen_long),
    ("cs key", "a.cs", 'new SymmetricSecurityKey(Encoding.UTF8.GetBytes("%s"))\n', A40),
    ("aspnet", "appsettings.json", '"Jwt": { "Key": "%s", "Issuer": "x" }\n', A40),
    ("php wp", "a.php", "$client->setAuth('ops', '%s');\n", chosen_long),
    ("php const", "a.php", "const SECRET = '%s';\n", A40),
    ("twig", "a.yaml", "APP_SECRET: '%s'\n", H32),
    ("scala", "a.scala", 'Credentials(user = "ops", secret = "%s")\n', chosen_long),
    ("excel vba", "a.bas", 'ActiveSheet.Unprotect Password:="%s"\n', chosen_lower),
    ("applescript", "a.scpt", 'do shell script "x" with administrator privileges password "%s"\n', chosen),
    ("cisco ios", "r.conf", "tacacs-server key 7 %s\n", H32),
    ("junos", "j.conf", 'encrypted-password "$6$ab12CD34$%s";\n', lambda r: _of(r, ALNUM, 86)),
    ("ipsec", "ipsec.secrets", '10.0.0.1 : PSK "%s"\n', chosen_long),
    ("ppp", "chap-secrets", "ops * %s *\n", chosen_long),
    ("freeradius", "clients.conf", "secret = %s\n", chosen),
    ("asterisk", "sip.conf", "secret=%s\n", chosen_lower),
    ("postfix", "sasl_passwd", "[smtp.x.example]:587 ops:%s\n", chosen_long),
    ("haproxy", "h.cfg", "stats auth ops:%s\n", chosen),
    ("traefik", "t.toml", 'users = ["ops:$apr1$abcdefgh$%s"]\n', lambda r: _of(r, ALNUM, 22)),
    ("prom", "p.yml", "basic_auth:\n  username: ops\n  password: %s\n", chosen_lower),
    ("grafana ini", "g.ini", "admin_password = %s\n", chosen),
    ("logstash", "l.conf", 'elasticsearch { user => "ops" password => "%s" }\n', chosen),
    ("vector", "v.toml", 'auth.password = "%s"\n', chosen_lower),
)
