"""Every file is found or counted, in one order, and no path leads out of the root."""

import dataclasses
import os
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from indexer.config import Settings
from indexer.errors import UserError
from indexer.ignore_patterns import compile_lines, is_usable
from indexer.repository import policy
from indexer.repository.walk import Rules, excluded, walk
from indexer.types import Entry, Skip, Source
from tests.support.repositories import git, place, repository

LINUX = sys.platform.startswith("linux")


def paths(found: tuple[list[Entry], list[Skip]]) -> list[str]:
    return [entry.path for entry in found[0]]


def reasons(found: tuple[list[Entry], list[Skip]]) -> dict[str, str]:
    return {skip.path: skip.reason for skip in found[1]}


FILES: dict[str, str | bytes] = {
    "a.py": "x = 1\n",
    "b/c.py": "y = 1\n",
    "b/d/e.py": "z = 1\n",
    "B.py": "w = 1\n",
    "a-b.py": "v = 1\n",
    "가/나.py": "이름 = 1\n",
}


@pytest.mark.parametrize("plain", [False, True])
def test_tracked_and_untracked_files_in_one_order(tmp_path: Path, plain: bool) -> None:
    root = tmp_path / "r"
    if plain:
        for path, content in FILES.items():
            place(root, path, content)
    else:
        repository(root, FILES)
        place(root, "b/new.py", "n = 1\n")
    found = walk(root, Settings())
    expected = sorted([*FILES, *([] if plain else ["b/new.py"])])
    assert paths(found) == expected
    entry = found[0][1]
    status = (root / entry.path).stat()
    assert (entry.size, entry.mtime_ns, entry.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)
    assert walk(root, Settings()) == found


@pytest.mark.parametrize("plain", [False, True])
def test_ignore_files(tmp_path: Path, plain: bool) -> None:
    files = {
        ".gitignore": "*.log.py\n/out/\n",
        "b/.gitignore": "!keep.log.py\nlocal.py\n",
        ".ondolignore": "private/\n*_test.py\n!seen_test.py\n",
        "b/.ondolignore": "!deep_test.py\n# a remark\nonly_here.py\n",
        "a.py": "",
        "a.log.py": "",
        "out/x.py": "",
        "b/keep.log.py": "",
        "b/local.py": "",
        "local.py": "",
        "private/x.py": "",
        "private/.ondolignore": "!x.py\n",
        "b/private/y.py": "",
        "z_test.py": "",
        "seen_test.py": "",
        "b/deep_test.py": "",
        "b/only_here.py": "",
        "only_here.py": "",
    }
    root = tmp_path / "r"
    if plain:
        for path, content in files.items():
            place(root, path, content or "x = 1\n")
    else:
        repository(root, {}, commit=False)
        for path, content in files.items():
            place(root, path, content or "x = 1\n")
        git(root, "add", "-A")
    found = walk(root, Settings())
    assert [path for path in paths(found) if not path.endswith("ignore")] == [
        "a.py",
        "b/deep_test.py",
        "b/keep.log.py",
        "local.py",
        "only_here.py",
        "seen_test.py",
    ]
    why = reasons(found)
    assert why["z_test.py"] == why["b/only_here.py"] == policy.ONDOLIGNORED
    assert why["private/" if plain else "private/x.py"] == policy.ONDOLIGNORED
    assert why["out/"] == why["a.log.py"] == why["b/local.py"] == policy.IGNORED


def test_a_file_that_git_tracks_is_read_though_ignored(tmp_path: Path) -> None:
    root = repository(tmp_path, {".gitignore": "*.py\n", "a.py": "x = 1\n"})
    assert paths(walk(root, Settings())) == [".gitignore", "a.py"]


def test_exclude_setting_and_names(tmp_path: Path) -> None:
    root = repository(
        tmp_path, {"a.py": "", "gen/a.py": "", "node_modules/m/i.js": "", "docs/a.md": "", "i.png": b"\x89PNG"}
    )
    settings = Settings(exclude=("gen/", "*.md"))
    found = walk(root, settings)
    assert paths(found) == ["a.py"]
    assert reasons(found) == {
        "gen/a.py": policy.EXCLUDED,
        "docs/a.md": policy.EXCLUDED,
        "node_modules/m/i.js": policy.VENDORED,
        "i.png": policy.BINARY,
    }
    assert "node_modules/m/i.js" in paths(walk(root, Settings(include_vendored=True)))
    for path in ("gen/a.py", "node_modules/m/i.js", "a.py"):
        assert excluded(root, path, settings) == reasons(found).get(path)


def test_ignore_lines_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    place(tmp_path, ".ondolignore", "secret/\n**/a/**/b/**/c/**/d/**/e\n[z-a]\nlost\\\n!\n" + "x" * 600 + "\n")
    place(tmp_path, "secret/x.py", "x = 1\n")
    found = walk(tmp_path, Settings())
    assert "secret/x.py" not in paths(found)
    bad = [path for path, reason in reasons(found).items() if reason == policy.BAD_PATTERN]
    assert bad == [f".ondolignore:{line}" for line in (2, 3, 4, 5, 6)]


def test_many_stars_are_matched_in_linear_time(tmp_path: Path) -> None:
    place(tmp_path, ".ondolignore", "*a" * 100 + "*b\n**/" * 3 + "x\n")
    for number in range(20):
        place(tmp_path, "a" * 200 + str(number), "x = 1\n")
    assert len(paths(walk(tmp_path, Settings()))) == 21  # with backtracking this would outlast the machine


@given(
    pattern=st.lists(st.sampled_from(["*", "?", "a", "b", "/", "**", "[ab]", "[!a]", "."]), min_size=1, max_size=8),
    names=st.lists(st.text(alphabet="ab/.", min_size=1, max_size=10), min_size=5, max_size=20),
)
def test_patterns_match_as_pathspec_does(pattern: list[str], names: list[str]) -> None:
    line = "".join(pattern)
    if is_usable(line):
        ours, bad = compile_lines([line])
        assert not bad
        theirs = GitIgnoreSpec.from_lines([line], backend="simple")
        for name in names:
            if "[!" in line and "/" in name:
                continue  # in pathspec "[!a]" matches a slash, in git it does not
            assert ours.match_file(name) == theirs.match_file(name), (line, name)


def test_a_negated_set_matches_no_slash_as_in_git() -> None:
    ours, _ = compile_lines(["*[!a]*?"])
    assert not ours.match_file("a./a") and ours.match_file("a/bb.c")


def test_submodules_and_nested_repositories_are_counted(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"i.py": "x = 1\n"})
    root = repository(tmp_path / "r", {"a.py": "x = 1\n"})
    git(root, "submodule", "add", "-q", str(inner), "libs/inner")
    git(root, "commit", "-q", "-m", "with a submodule")
    repository(root / "nested", {"n.py": "x = 1\n"})
    found = walk(root, Settings())
    assert paths(found) == [".gitmodules", "a.py"]
    assert reasons(found) == {"libs/inner": policy.SUBMODULE, "nested/": policy.SUBMODULE}
    assert paths(walk(root / "libs" / "inner", Settings())) == ["i.py"]


def test_repository_without_commits_or_files(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {}, commit=False)
    assert walk(root, Settings()) == ([], [])
    place(root, "a.py", "x = 1\n")
    assert paths(walk(root, Settings())) == ["a.py"]
    with pytest.raises(UserError, match="there is no folder"):
        walk(tmp_path / "missing", Settings())


def test_a_deleted_file_that_git_tracks_is_counted(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": "x = 1\n", "gone.py": "x = 1\n"})
    (root / "gone.py").unlink()
    assert reasons(walk(root, Settings())) == {"gone.py": policy.ABSENT}


def test_ondols_own_data_is_not_read(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "home" / ".local" / "share" / "ondol")
    place(tmp_path / "home", ".local/share/ondol/repositories/x/texts.py", "x = 1\n")
    place(tmp_path / "home", "a.py", "x = 1\n")
    found = walk(tmp_path / "home", settings)
    assert paths(found) == ["a.py"]
    assert reasons(found) == {".local/share/ondol/": policy.OWN_DATA}


def make_links(root: Path, outside: Path) -> list[str]:
    """Links of every kind; returns their paths."""
    place(root, "real/a.py", "x = 1\n")
    place(outside, "private.py", "outside = 1\n")
    (root / "loop").symlink_to(".")
    (root / "up").symlink_to("..")
    (root / "ping").symlink_to("pong")
    (root / "pong").symlink_to("ping")
    (root / "etc.py").symlink_to("/etc/passwd")
    (root / "folder").symlink_to(outside)
    (root / "dangling.py").symlink_to("nowhere")
    (root / "inside.py").symlink_to("real/a.py")
    (root / "zero.py").symlink_to("/dev/zero")
    names = ["loop", "up", "ping", "pong", "etc.py", "folder", "dangling.py", "inside.py", "zero.py"]
    for number in range(50):
        (root / f"chain{number}").symlink_to(f"chain{number + 1}")
        names.append(f"chain{number}")
    return names


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("plain", [False, True])
def test_links_are_counted_and_never_followed(tmp_path: Path, plain: bool) -> None:
    root = tmp_path / "r"
    if not plain:
        repository(root, {})
    names = make_links(root, tmp_path / "outside")
    if not plain:
        git(root, "add", "-A")
    found = walk(root, Settings())
    assert paths(found) == ["real/a.py"]
    assert {skip.path for skip in found[1] if skip.reason == policy.LINK} == set(names)
    for name in ("etc.py", "inside.py", "zero.py", "folder/private.py", "up/outside/private.py"):
        assert policy.read_bytes(root, name, 1000) == policy.LINK


@pytest.mark.skipif(not LINUX, reason="dir_fd")
def test_a_link_swapped_in_while_reading_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "r", tmp_path / "outside"
    place(root, "folder/a.py", "inside = 1\n")
    place(outside, "a.py", "outside = 1\n")
    other = root / "other"
    other.symlink_to(outside)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    import threading

    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(root / "folder", root / "kept")
            os.rename(other, root / "folder")
            if rng.random() < 0.1:
                stop.wait(0.0005)
            os.rename(root / "folder", other)
            os.rename(root / "kept", root / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        # The other thread may hold the link in place whenever this one runs, for a while.
        seen, until = Counter[bytes | str](), time.monotonic() + 60
        while seen.total() < 10_000 or (not seen[b"inside = 1\n"] and time.monotonic() < until):
            seen[policy.read_bytes(root, "folder/a.py", 1000)] += 1
    finally:
        stop.set()
        thread.join()
    assert set(seen) <= {b"inside = 1\n", policy.LINK, policy.VANISHED}
    assert seen[b"inside = 1\n"]


@pytest.mark.skipif(not LINUX, reason="names are bytes there")
@pytest.mark.parametrize("plain", [False, True])
def test_names_are_data(tmp_path: Path, plain: bool) -> None:
    names = [
        b"-rf",
        b"$(touch PWNED)",
        b"a;b.py",
        b"`id`.py",
        b"<|fim_suffix|>.py",
        b"new\nline.py",
        b"tab\t.py",
        b'quo"te.py',
        b"\xff\xfe latin.py",
        "📦.py".encode(),
        b"--output=x.py",
        b"back\\slash.py",
        b":(exclude)x.py",
        b"*.py",
        b"x" * 255,
        b"space .py",
        b" lead.py",
    ]
    root = tmp_path / "r"
    root.mkdir()
    for name in names:
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            file.write(b"x = 1\n")
    if not plain:
        git(root, "init", "-q")
        git(root, "add", "-A")
    found = walk(root, Settings())
    assert paths(found) == sorted(os.fsdecode(name) for name in names)
    assert all(isinstance(policy.read_source(root, entry, Settings()), Source) for entry in found[0])
    assert not (root / "PWNED").exists()


@pytest.mark.skipif(not LINUX, reason="special files")
@pytest.mark.parametrize("plain", [False, True])
def test_special_files_are_not_opened(tmp_path: Path, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "r"
    repository(root, {"a.py": "x = 1\n", "late.py": "x = 1\n"}) if not plain else place(root, "a.py", "x = 1\n")
    os.mkfifo(root / "pipe.py")
    (root / "folder.py").mkdir()
    place(root, "folder.py/inner.py", "x = 1\n")
    monkeypatch.chdir(root)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket.py")
    try:
        found = walk(root, Settings())
        assert {"a.py", "folder.py/inner.py"} <= set(paths(found))
        # git does not list special files that it does not track, so only a plain walk meets them
        if plain:
            assert reasons(found) == {"pipe.py": policy.SPECIAL, "socket.py": policy.SPECIAL}
        for name in ("pipe.py", "socket.py", "folder.py"):
            assert policy.read_bytes(root, name, 1000) == policy.SPECIAL
        if not plain:
            (root / "late.py").unlink()
            os.mkfifo(root / "late.py")
            assert reasons(walk(root, Settings()))["late.py"] == policy.SPECIAL
    finally:
        listener.close()


@pytest.mark.skipif(not LINUX, reason="special files")
@pytest.mark.parametrize("plain", [False, True])
def test_a_pipe_in_place_of_an_ignore_file_does_not_hold_up(tmp_path: Path, plain: bool) -> None:
    root = tmp_path / "r"
    repository(root, {"a.py": "x = 1\n"}) if not plain else place(root, "a.py", "x = 1\n")
    os.mkfifo(root / ".ondolignore")
    if plain:
        os.mkfifo(root / ".gitignore")
    found = walk(root, Settings())
    assert paths(found) == ["a.py"]
    assert reasons(found)[".ondolignore"] == policy.SPECIAL


def test_a_file_that_vanishes_or_grows_between_walk_and_read(tmp_path: Path) -> None:
    root = repository(tmp_path, {"gone.py": "x = 1\n", "grown.py": "x = 1\n", "dir/a.py": "x = 1\n"})
    entries = {entry.path: entry for entry in walk(root, Settings())[0]}
    (root / "gone.py").unlink()
    (root / "grown.py").write_text("x = 1\n" * 1000)
    (root / "dir" / "a.py").unlink()
    (root / "dir").rmdir()
    place(root, "dir", "now a file\n")
    settings = dataclasses.replace(Settings(), max_file_bytes=1000)
    assert policy.read_source(root, entries["gone.py"], settings) == Skip("gone.py", policy.VANISHED)
    assert policy.read_source(root, entries["grown.py"], settings) == Skip("grown.py", policy.TOO_LARGE)
    assert isinstance(policy.read_source(root, entries["dir/a.py"], settings), Skip)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_and_folders_are_counted(tmp_path: Path) -> None:
    place(tmp_path, "a.py", "x = 1\n").chmod(0)
    place(tmp_path, "dir/b.py", "x = 1\n")
    (tmp_path / "dir").chmod(0)
    try:
        found = walk(tmp_path, Settings())
        assert reasons(found) == {"dir/": policy.UNREADABLE}
        assert policy.read_source(tmp_path, found[0][0], Settings()) == Skip("a.py", policy.UNREADABLE)
    finally:
        (tmp_path / "dir").chmod(0o700)


def test_an_unreadable_file_is_counted_for_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path, "a.py", "x = 1\n")
    entry = walk(tmp_path, Settings())[0][0]

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(policy, "_open_beneath", refuse)
    assert policy.read_source(tmp_path, entry, Settings()) == Skip("a.py", policy.UNREADABLE)


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "./a", ".git/config", "a/.GIT/config", "git~1/x", "a\0b"]
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    place(tmp_path, ".git/config", "[core]\n")
    assert policy.accepts_path(path, Settings()) == policy.BAD_PATH
    assert policy.read_source(tmp_path, Entry(path, 1, 0, 0, 0), Settings()) == Skip(path, policy.BAD_PATH)
    assert policy.source_from_bytes(path, b"x = 1\n", Settings()) == Skip(path, policy.BAD_PATH)


def test_random_trees_are_accounted_for_to_the_last_file(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    parts = ["src", "lib", "vendor", "a", "b", "node_modules", "gen", "docs", "x y", "é"]
    names = ["a.py", "b.sv", "c.min.js", "d.png", ".env", "package-lock.json", "e.md", "f_pb2.py", "g", "h.csv"]
    for number in range(3):
        root = tmp_path / f"r{number}"
        files = {"/".join([*rng.sample(parts, rng.randrange(4)), rng.choice(names)]): "x = 1\n" for _ in range(60)}
        files = {path: text for path, text in files.items() if not any(other.startswith(path + "/") for other in files)}
        repository(root, files, commit=False)
        git(root, "add", "-f", *rng.sample(sorted(files), len(files) // 2))
        found = walk(root, Settings())
        listed = [*paths(found), *reasons(found)]
        assert sorted(listed) == sorted(set(files))
        rules = Rules(root, Settings())
        assert {path for path in files if rules.reason(path) is None} == set(paths(found))
        assert set(reasons(found).values()) <= set(policy.REASONS)
