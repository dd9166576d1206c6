"""What a hostile repository chose is printed without control characters, by every command, and shown so in the editor."""

import json
from pathlib import Path

from indexer.text.printable import hidden_in
from tests.support import console
from tests.support.lsp_client import real
from tests.support.repositories import git, repository

NASTY = "\x1b]0;owned\x07\u202e\u200bx\x9b"
FILES = {
    f"src/{NASTY}name.py": 'def open_socket(timeout):\n    """Open a socket."""\n    return connect(timeout)\n',
    "src/code.py": f"def open_socket_again(timeout):\n    # {NASTY}\n    return connect(timeout)\n",
    ".ondol.toml": 'precision\u202e = 7\n"\\u001b]0;key\\u0007" = 3\nexclude = ["\\u001b[31m"]\nbackend = "\\u001b]0;v\\u0007"\n',
}


def is_clean(text: str) -> bool:
    return not hidden_in(text) - {"\x1b"} and all(part.startswith("[") for part in text.split("\x1b")[1:])


def test_no_command_prints_what_a_repository_hides(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", FILES)
    git(root, "commit", "-q", "--allow-empty", "-m", f"A subject {NASTY}")
    data = tmp_path / "data"
    commands = (
        ("index", str(root), "--skipped"),
        ("search", "open a socket", "--repo", str(root)),
        ("complete", f"{root}/src/code.py:3:5"),
        ("doctor", str(root)),
        ("models", "list", "--repo", str(root)),
        ("stats", "--repo", str(root)),
        ("explain", "--repo", str(root)),
        ("index", str(root / f"src/{NASTY}name.py")),
        ("complete", f"{root}/src/{NASTY}none.py:1"),
        ("search", NASTY, "--repo", f"{root}/{NASTY}"),
    )
    seen = ""
    for command in commands:
        done = console.run(*command, data=data)
        seen += done.stdout + done.stderr
        assert is_clean(done.stdout), (command, done.stdout)
        assert is_clean(done.stderr), (command, done.stderr)
    assert "\\x1b" in seen or "\\u202e" in seen


def test_no_message_of_the_server_holds_what_a_repository_hides(tmp_path: Path) -> None:
    root = repository(tmp_path / f"repo{NASTY}", FILES)
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        uri = (root / f"src/{NASTY}name.py").as_uri()
        client.open(uri, FILES["src/code.py"] + "\n\ndef open_socket_again(timeout):\n    ")
        answers = client.complete(uri, 5, 4, automatic=False)
        explained = client.command("ondol.explain")
        shown = [message["params"] for message in client.messages if "ondol/status" in str(message.get("method"))]
        shown += client.of("window/showMessage")
        log = client.errors.decode("utf-8", "surrogateescape")
    assert shown
    said = [value for one in shown for value in one.values() if isinstance(value, str)]
    assert [text for text in (*said, *explained.split("\n"), *log.split("\n")) if hidden_in(text)] == []
    assert [item for item in answers if hidden_in(item["insertText"])] == [], json.dumps(answers)
