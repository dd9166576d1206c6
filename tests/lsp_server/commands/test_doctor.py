"""``ondol doctor`` on good and damaged installations, and its proof that nothing leaves the machine."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from indexer.config import Settings
from lsp_server.commands import doctor, egress
from tests.support import console, indexes, repositories


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.mark.slow
def test_doctor_reports_what_is_installed_and_indexed_and_what_is_wrong(tmp_path, data):
    root = repositories.repository(tmp_path / "repo", {**repositories.FILES, "x.png": b"1"})
    before = json.loads(console.run("doctor", "--repo", root, "--json", data=data).stdout)
    assert before["index"]["generation"] is None
    assert any("run `ondol index`" in cure for _, cure in before["problems"])
    console.run("index", root, data=data)
    done = console.run("doctor", "--repo", root, "--verify", "--json", data=data)
    found = json.loads(done.stdout)
    assert (done.returncode, found["problems"]) == (0, [])
    assert (found["index"]["counts"]["files"], found["index"]["skipped"]) == (4, {"binary": 1})
    assert found["repository"]["branch"] == "main"
    assert found["packages"]["core"]["tantivy"]
    texts = next(indexes.directory(root, data).rglob("texts.bin"))
    texts.write_bytes(texts.read_bytes()[:-1] + b"\xff")
    broken = console.run("doctor", "--repo", root, "--verify", data=data)
    assert broken.returncode == 1
    assert "texts.bin of the index does not match its hash" in broken.stdout
    assert "cure      rebuild it with `ondol index --full`" in broken.stdout
    assert "it is rebuilt" in console.run("index", root, data=data).stderr
    assert console.run("doctor", "--repo", root, "--verify", data=data).returncode == 0


def test_doctor_reports_settings_that_are_not_used(tmp_path, data):
    root = repositories.repository(tmp_path / "repo", {".ondol.toml": "data_dir = '/tmp/x'\n"})
    problems = json.loads(console.run("doctor", "--repo", root, "--json", data=data).stdout)["problems"]
    assert any("data_dir" in what for what, _ in problems)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read all")
def test_a_data_folder_that_may_not_be_read_is_said(tmp_path, data):
    root = repositories.repository(tmp_path / "repo")
    gone = repositories.repository(tmp_path / "locked" / "other")
    for one in (root, gone):
        assert console.run("index", one, data=data).returncode == 0
    humbly = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def run(*arguments):
        return console.run(*arguments, "--repo", root, data=data, prefix=humbly)

    (tmp_path / "locked").chmod(0)
    try:
        assert "removed" not in run("doctor", "--remove-orphans").stderr, "what may not be looked at is not gone"
        data.chmod(0)
        found = run("doctor")
        assert (found.returncode, found.stderr) == (1, "")
        assert f"{data} cannot be read" in found.stdout
        for command in ("stats", "explain"):
            done = run(command)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"ondol: {data} cannot be read; choose another folder")
    finally:
        data.chmod(0o700)
        (tmp_path / "locked").chmod(0o700)


def test_doctor_names_languages_whose_grammar_cannot_be_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "missing_grammars", lambda: ["ruby", "scala"])
    problems = doctor.examine(tmp_path, Settings(data_dir=tmp_path / "data"))["problems"]
    assert ("no grammar can be loaded for ruby, scala", "install Ondol again") in problems


def test_a_bare_repository_gets_a_cure_that_works(tmp_path, data):
    repositories.git(tmp_path, "init", "-q", "--bare", "shop.git")
    done = console.run("doctor", "--repo", tmp_path / "shop.git", data=data)
    assert (done.returncode, done.stdout.count("cure ")) == (1, 1)
    assert "shop.git is a bare repository, so it has no files" in done.stdout
    assert "clone it and index the clone" in done.stdout and "a plain folder" not in done.stdout


@pytest.mark.slow
def test_the_first_screen_names_what_is_wrong_and_its_cure_first(tmp_path, data):
    root = repositories.repository(tmp_path / "repo", {f"{n}.bin": b"\0" for n in range(3)})
    done = console.run("doctor", "--repo", root, data=data)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("wrong        there is no index in ") and "run `ondol index`" in lines[1]
    assert len(lines) <= 24
    assert any("from the checkout" in line for line in lines)
    assert len(console.run("doctor", "--repo", root, "--full", data=data).stdout) > len(done.stdout)


def test_variables_of_other_programs_are_not_wrong_and_misspelt_settings_are(tmp_path, data, monkeypatch):
    root = repositories.repository(tmp_path / "repo")
    monkeypatch.setenv("ONDOL_COMMAND", "/bin/ondol")
    monkeypatch.setenv("ONDOL_SEED", "7")
    monkeypatch.setenv("ONDOL_PRECISON", "0.5")
    problems = json.loads(console.run("doctor", "--repo", root, "--json", data=data).stdout)["problems"]
    assert [what for what, _ in problems if "environment" in what] == [
        "environment variable ONDOL_PRECISON: precison is not a setting; it is ignored. Is precision meant?"
    ]


@pytest.mark.slow
def test_nothing_leaves_the_machine(tmp_path):
    root = repositories.repository(tmp_path / "repo")
    proof = egress.prove(root)
    assert proof["attempts"] == []
    assert [(step["command"], step["ok"]) for step in proof["steps"]] == [
        ("index", True),
        ("search", True),
        ("serve", True),
    ]


def test_the_guard_counts_and_refuses_what_would_leave(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(egress._HOOK)
    log = tmp_path / "log"
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 9), 1)\nexcept PermissionError: print('refused')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "ONDOL_EGRESS_LOG": str(log)}
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-P', '-c', {code!r}])"
    done = subprocess.run([sys.executable, "-c", inner], env=environment, capture_output=True, text=True)
    assert done.stdout == "refused\n"
    assert log.read_text() == "socket.getaddrinfo 192.0.2.1\n"
