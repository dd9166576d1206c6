"""Git repositories for tests, made with git itself and without anybody's configuration."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@a.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@a.invalid",
}
FILES = {
    "src/walrus.py": "import os\n\n\ndef feed_walrus(fish: int) -> int:\n    return fish * 2\n",
    "src/heron.py": "def heron_height(cm):\n    # 왜가리 높이\n    return cm / 100\n",
    "src/deep/badger.c": "#include <stdio.h>\n\nint badger_count(void)\n{\n    return 7;\n}\n",
    "README.md": "# Animals\n\nCounts of walrus and badger.\n",
}


def git(root: Path, *args: str, **environment: str) -> str:
    """Run git as a user would, with none of Ondol's precautions; return what it prints."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *args],
        cwd=root,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def place(root: Path, path: str, content: str | bytes) -> Path:
    """Write one file and the folders above it."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return target


def write(root: Path, files: dict[str, str | bytes]) -> None:
    """Write files below ``root``."""
    for path, content in files.items():
        place(root, path, content)


def repository(root: Path, files: dict[str, str | bytes] | None = None, commit: bool = True) -> Path:
    """Make a repository at ``root`` that holds ``files`` (default: ``FILES``), in one commit unless ``commit`` is false."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q")
    write(root, FILES if files is None else files)
    if commit:
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "--allow-empty", "-m", "first")
    return root
