"""The console script: good repositories, bad ones, odd files; exit codes and messages."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import console, indexes, repositories, screens

HEAVY = ("numpy", "faiss", "tree_sitter", "tantivy", "tokenizers", "pygls", "lsprotocol", "torch", "rich")


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_index_then_search(tmp_path, data):
    root = repositories.repository(tmp_path / "repo")
    built = console.run("index", root, data=data)
    assert built.returncode == 0, built.stderr
    assert "built, generation 1" in built.stdout
    assert "4 files" in built.stdout
    found = console.run("search", "badger count", data=data, cwd=root / "src")
    assert found.stdout.startswith("src/deep/badger.c:1\n")
    assert "    int badger_count(void)" in found.stdout
    rows = json.loads(console.run("search", "왜가리 높이", "--repo", root, "--json", data=data).stdout)
    assert (rows[0]["path"], rows[0]["line"]) == ("src/heron.py", 1)
    assert set(rows[0]["parts"]) <= {"bm25", "vector"}


def test_report_as_json_counts_every_file(tmp_path, data):
    root = repositories.repository(tmp_path / "repo", {**repositories.FILES, "logo.png": b"\x89PNG", "id_rsa": "x"})
    report = json.loads(console.run("index", root, "--json", "--skipped", data=data).stdout)
    assert (report["files"], report["skipped"]) == (4, {"key or credentials file": 1, "binary": 1})
    assert sorted(report["skips"]) == [["id_rsa", "key or credentials file"], ["logo.png", "binary"]]
    assert report["lines"] == sum(text.count("\n") for text in repositories.FILES.values())


def test_progress_as_json_lines_ends_with_the_report(tmp_path, data):
    root = repositories.repository(tmp_path / "repo")
    lines = [json.loads(line) for line in console.run("index", root, "--progress-json", data=data).stdout.splitlines()]
    assert lines[-1]["report"]["files"] == 4
    assert all(set(line) == {"phase", "done", "total", "percent"} for line in lines[:-1])
    percents = [line["percent"] for line in lines[:-1]]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_no_bar_and_no_colours_when_it_is_not_a_terminal(tmp_path, data):
    built = console.run("index", repositories.repository(tmp_path / "repo"), data=data)
    assert built.stderr == ""
    assert "\x1b" not in built.stdout
    assert console.run("index", tmp_path / "repo", "--full", "--quiet", data=data).stdout == ""


@pytest.mark.slow
def test_a_plain_folder_an_empty_one_and_one_without_commits_work(tmp_path, data):
    repositories.write(tmp_path / "plain", repositories.FILES)
    (tmp_path / "empty").mkdir()
    (tmp_path / "fresh").mkdir()
    repositories.git(tmp_path / "fresh", "init", "-q")
    assert "4 files" in console.run("index", tmp_path / "plain", data=data).stdout
    for name in ("empty", "fresh"):
        done = console.run("index", tmp_path / name, data=data)
        assert (done.returncode, "0 files" in done.stdout) == (0, True), done.stderr
        assert "nothing to search" in done.stdout
        assert console.run("search", "anything", "--repo", tmp_path / name, data=data).stdout == "nothing found\n"
    repositories.write(tmp_path / "empty", {"first.py": "first_word = 1\n"})
    console.run("index", tmp_path / "empty", data=data)
    assert "first.py:1" in console.run("search", "first_word", "--repo", tmp_path / "empty", data=data).stdout


def test_shallow_detached_and_with_submodules(tmp_path, data):
    inner = repositories.repository(tmp_path / "inner", {"inner.py": "inner = 1\n"})
    outer = repositories.repository(tmp_path / "outer")
    repositories.git(outer, "submodule", "add", "-q", str(inner), "sub")
    repositories.git(outer, "commit", "-qm", "submodule")
    repositories.git(tmp_path, "clone", "-q", "--depth", "1", outer.as_uri(), "shallow")
    repositories.git(outer, "checkout", "-q", "--detach")
    for root in (outer, tmp_path / "shallow"):
        report = json.loads(console.run("index", root, "--json", data=data).stdout)
        assert report["files"] >= 4
    assert (
        json.loads(console.run("index", outer, "--json", data=data).stdout)["skipped"]["submodule or nested repository"]
        == 1
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "no/such/place"], "no/such/place"),
        (["search", "x", "--repo", "."], "there is no index in"),
        (["index", ""], "an empty name is no path"),
        (["search", "x", "--repo", ""], "an empty name is no path"),
        (["explain", ""], "there is no record ''"),
        (["stats", "--data-dir", ""], "an empty name is no path"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(tmp_path, data, arguments, sentence):
    done = console.run(*arguments, data=data, cwd=tmp_path)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.startswith("ondol: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_wrong_use_is_exit_code_2(tmp_path):
    assert console.run("index", "--no-such-option").returncode == 2
    assert console.run("no-such-command").returncode == 2


def test_a_home_folder_is_indexed_only_if_it_is_named(tmp_path, data):
    home = tmp_path / "home"
    home.mkdir()
    (home / "a.py").write_text("x = 1\n")
    given = {"data": data, "cwd": home, "env": {"HOME": str(home), "USERPROFILE": str(home)}}
    done = console.run("index", **given)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is no repository" in done.stderr and "ondol index FOLDER" in done.stderr
    assert not data.exists()
    assert console.run("index", home, **given).returncode == 0
    repositories.git(home, "init", "-q")
    assert console.run("index", **given).returncode == 0


def test_a_bare_repository_is_recognized(tmp_path, data):
    repositories.git(tmp_path, "init", "-q", "--bare", "bare.git")
    done = console.run("index", tmp_path / "bare.git", data=data)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
@pytest.mark.slow
def test_a_zoo_of_files_is_indexed_or_counted(tmp_path, data):
    """Whatever stands in a folder, the build ends well; every file is in the index or counted with a reason."""
    root = tmp_path / "zoo"
    secret = tmp_path / "outside.py"
    secret.write_text("outside_word = 1\n")
    repositories.write(
        root,
        {
            "empty.py": "",
            "blank.py": "\n\n\n",
            "bom.py": "\ufeffbom_word = 1\n",
            "no_end.py": "no_end = 1",
            "nul.py": b"a = 1\0\n",
            "nuls.bin": bytes(1000),
            "random.py": os.urandom(100_000),
            "utf16.py": "utf16_word = 1\n".encode("utf-16"),
            "utf16le.py": "le_word = 1\n".encode("utf-16-le"),
            "cp949.py": "# 한국어 주석입니다\nname = '값'\n".encode("cp949"),
            "latin.py": "caf\xe9_word = 1\n".encode("latin-1"),
            "cr.py": "a = 1\rb = 2\r",
            "crlf.py": "a = 1\r\nb = 2\r\n",
            "mixed.py": "a\n\rb\r\nc\u2028d\x0ce\n",
            "long_line.py": b"x = '" + b"y" * 30_000 + b"'\n",
            "fifty.js": b"var a=1;" * 6_500_000,
            "nested.py": b"(" * 50_000 + b"\n",
            "brackets.json": b"[" * 400_000,
            "many_lines.py": b"x = 1\n" * 150_000,
            "bidi.py": "a = '\u202e\u2066'\n",
            "app.min.js": "var a=1;" * 1000,
            "made_pb2.py": "# Generated by the protocol buffer compiler.\n",
            "archive.py": b"PK\x03\x04" + os.urandom(5000),
            "node_modules/x/index.js": "x\n",
            "table.csv": "1,2\n",
            ".env": "KEY=1\n",
            "-rf": "dash\n",
            "$(id).py": "dollar = 1\n",
            "a;b.py": "semi = 1\n",
            "한글 이름.py": "korean_name = 1\n",
            "emoji\U0001f980.py": "crab = 1\n",
            "new\nline.py": "newline_name = 1\n",
            "<|fim_suffix|>.py": "token = 1\n",
            "surrogate.py": b"x = '\xed\xa0\x80'\n",
            "deep/" * 40 + "x.py": "deep = 1\n",
        },
    )
    (root.joinpath(os.fsdecode(b"bytes\xff\xfe.py"))).write_text("not_utf8_name = 1\n")
    (root / ("n" * 250 + ".py")).write_text("long_name = 1\n")
    (root / "unreadable.py").write_text("hidden = 1\n")
    (root / "unreadable.py").chmod(0)
    os.mkfifo(root / "pipe.py")
    (root / "link_out.py").symlink_to(secret)
    (root / "link_dir").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "folder.py").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root)
        listener.bind("s.py")
        os.chdir(here)
        done = console.run("index", root, "--json", "--skipped", data=data)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    present = {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, folders, names in os.walk(root)
        for name in [*names, *(inner for inner in folders if os.path.islink(os.path.join(folder, inner)))]
    }
    left_out = {path for path, _ in report["skips"]}
    covered = {path for path in left_out if not path.endswith("/")}
    for path in left_out - covered:
        covered |= {name for name in present if name.startswith(path)}
    assert report["files"] == len(present - covered), report
    reasons = dict(map(tuple, report["skips"]))
    assert reasons["fifty.js"] == "too large"
    assert reasons["long_line.py"] == "lines too long"
    assert reasons["nul.py"] == "binary"
    assert reasons["link_out.py"] == reasons["loop"] == "link"
    assert reasons["pipe.py"] == reasons["s.py"] == "not a regular file"
    if os.geteuid() != 0:
        assert reasons["unreadable.py"] == "unreadable"
    for word in (
        "bom_word",
        "utf16_word",
        "le_word",
        "korean_name",
        "not_utf8_name",
        "newline_name",
        "deep",
        "한국어 주석",
    ):
        assert "nothing" not in console.run("search", word, "--repo", root, "--limit", "1", data=data).stdout, word
    assert "outside_word" not in console.run("search", "outside_word", "--repo", root, data=data).stdout


def test_secrets_are_in_no_file_of_the_index(tmp_path, data):
    key = "AKIA" + "Z7Q2M4T6W8X9B3D5"
    root = repositories.repository(
        tmp_path / "repo", {"deploy.py": f"aws_access_key_id = '{key}'\nregion_word = 'x'\n"}
    )
    assert "1 secrets masked" in console.run("index", root, data=data).stdout
    from indexer.storage.reader import Index

    index = Index.open(indexes.directory(root, data))
    assert key not in index.text(index.documents["deploy.py"])
    for path in data.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes()
            assert key.lower().encode() not in path.read_bytes()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0 and not os.path.exists("/proc"), reason="needs POSIX")
def test_a_data_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    (tmp_path / "file").write_text("not a folder")
    done = console.run("index", root, data=tmp_path / "file" / "data")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("ondol: ")


@pytest.mark.parametrize(
    ("path", "definition", "line"),
    [
        ("lib.py", "def gather_walrus(x):\n    return x\n", 1),
        ("lib.c", "static int other;\nint gather_walrus(struct herd *h)\n{\n    return 1;\n}\n", 2),
        ("lib.go", "package lib\n\nfunc (h *Herd) GatherWalrus() int {\n\treturn 1\n}\n", 3),
        ("lib.sv", "module gather_walrus(input logic clk);\nendmodule\n", 1),
        ("Lib.java", "class Lib {\n    static int gatherWalrus(int a) {\n        return a;\n    }\n}\n", 2),
        ("lib.rs", "struct A;\nimpl A {\n    fn gather_walrus(&self) {}\n}\n", 3),
        ("lib.ts", "export class Lib {\n    gatherWalrus(): number {\n        return 1;\n    }\n}\n", 2),
    ],
)
def test_a_definition_comes_before_its_uses(tmp_path, data, path, definition, line):
    name = next(n for n in ("gather_walrus", "GatherWalrus", "gatherWalrus") if n in definition)
    uses = "".join(f"a{n} = {name}({n}) + {name}({n + 1})\n" for n in range(30))
    root = repositories.repository(tmp_path / "repo", {path: definition, **{f"use{n}.py": uses for n in range(6)}})
    console.run("index", root, data=data)
    first = json.loads(console.run("search", name, "--repo", root, "--json", data=data).stdout)[0]
    assert (first["path"], first["definition"]) == (path, line)
    shown = console.run("search", name, "--repo", root, data=data).stdout.splitlines()
    assert shown[0] == f"{path}:{line}  defined here"
    lines = definition.splitlines()
    assert shown[1 : 1 + len(lines)] == [f"    {text}" for text in lines], "whole, with its tabs"


def test_the_answer_fits_a_screen_with_the_best_hit_first(tmp_path, data):
    long = "def gather_walrus(x):\n" + "".join(f"\ty{n} = '{'한글 ' * 60}'\n" for n in range(30)) + "\treturn x\n"
    uses = "".join(f"a{n} = gather_walrus({n}) + {'1 + ' * 90}1\n" for n in range(40))
    root = repositories.repository(tmp_path / "repo", {"lib.py": long, **{f"use{n}.py": uses for n in range(9)}})
    console.run("index", root, data=data)
    for words in ("gather_walrus", "gather walrus return"):
        shown = console.run("search", words, "--repo", root, data=data, env={"COLUMNS": "100"}).stdout
        assert screens.fits(shown), shown
        assert len(re.findall(r"^\S+\.py:\d+", shown, re.MULTILINE)) == 5
        assert shown.count("…") >= 5
    full = console.run("search", "gather_walrus", "--repo", root, "--full", data=data).stdout
    assert "한글 " * 60 in full and full.count("\n") > 30


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write all")
def test_a_read_only_index_is_searched_and_not_updated(tmp_path, data):
    root = repositories.repository(tmp_path / "repo")
    console.run("index", root, data=data)
    folders = [path for path in [data, *data.rglob("*")] if path.is_dir()]
    for path in [*data.rglob("*"), data]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    humbly = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    )
    try:
        found = console.run("search", "badger", "--repo", root, data=data, prefix=humbly)
        assert (found.returncode, found.stderr) == (0, "")
        assert "badger" in found.stdout
        refused = console.run("index", root, data=data, prefix=humbly)
        assert refused.returncode == 1
        assert "LOCK cannot be written (Permission denied); make " in refused.stderr
    finally:
        for path in sorted(folders):
            path.chmod(0o700)


def test_help_imports_nothing_heavy_and_every_command_shows_an_example(tmp_path):
    code = (
        "import sys; from finetune.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    listed = done.stdout
    for name in ("index", "search", "doctor"):
        assert f"\n  {name} " in listed
        assert "Example: ondol " in console.run(name, "--help").stdout


def test_version():
    assert console.run("--version").stdout.startswith("ondol 0.")


def test_bad_settings_are_reported_with_the_default(tmp_path, data):
    root = repositories.repository(tmp_path / "repo", {".ondol.toml": "data_dir = '/tmp/x'\nmax_file_bytes = -1\n"})
    said = console.run("index", root, data=data).stderr
    assert "data_dir may not be set by a repository" in said
    assert "max_file_bytes must be more than 0, not -1; 1000000 is used" in said


def test_a_hostile_repository_runs_nothing(tmp_path, data):
    """Names that Python, git or a linter would run, all of which would leave a file behind."""
    mark = tmp_path / "PWNED"
    python = f"open({str(mark)!r}, 'w').write('x')\n"
    names = ("json", "click", "numpy", "sitecustomize", "usercustomize", "conftest", "setup", "tokenizers", "rich")
    files = {f"{name}.py": python for name in names}
    files |= {f"{name}/__init__.py": python for name in ("indexer", "lsp_server", "finetune", "multiprocessing")}
    files[".gitattributes"] = "* filter=evil diff=evil\n"
    root = repositories.repository(tmp_path / "repo", files)
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "diff.external", "diff.evil.textconv"):
        repositories.git(root, "config", key, str(script))
    repositories.git(root, "config", "core.hooksPath", str(tmp_path))
    mark.unlink(missing_ok=True)
    for arguments in (["index"], ["search", "open"], ["doctor"]):
        done = console.run(*arguments, data=data, cwd=root)
        assert done.returncode == 0, (arguments, done.stderr, done.stdout)
    assert not mark.exists()


def test_the_script_ends_with_a_sentence_when_it_is_at_fault(tmp_path):
    code = (
        "import indexer.commands.search as c; c.find_root = lambda p: 1 / 0\n"
        "from indexer.cli import main; main(['search', 'x'])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith("ondol: a fault of Ondol (ZeroDivisionError: division by zero)")


def test_paths_of_the_report_cannot_disturb_a_terminal(tmp_path, data):
    root = tmp_path / "repo"
    repositories.write(root, {"\x1b[31mred.png": b"1"})
    assert "\x1b" not in console.run("index", root, "--skipped", data=data).stdout
    assert Path(root / "\x1b[31mred.png").exists()


def test_a_file_names_its_repository_and_no_other_folder(tmp_path):
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    assert "built" in console.run("index", root / "README.md", data=data).stdout
    repositories.write(tmp_path / "plain", {"note.txt": "one\n", "other.txt": "two\n"})
    os.mkfifo(tmp_path / "plain" / "pipe")
    for command in ("index", "eval", "demo", "finetune", "dashboard"):
        for name in ("note.txt", "pipe"):
            done = console.run(command, tmp_path / "plain" / name, data=data)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"{name} is a file, and not part of a repository; name a folder." in done.stderr
