"""Other repositories' indexes are searched where the user says so, with their place, and nowhere else."""

import json
import shutil
from pathlib import Path

import pytest

from indexer.config import load
from tests.support.console import finished, printed
from tests.support.lsp_client import Client, messages, real
from tests.support.repositories import repository
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

SISTER = "def settle(ledger, amount, currency):\n    ledger.append_quarterly_entry(amount, currency)\n"
OWN = "def total(items):\n    return sum(items)\n"
TYPED = "def again(ledger):\n    ledger.append_"
ANSWER = "quarterly_entry(amount, currency)"


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """The user's repository and its sister, both indexed."""
    own = repository(tmp_path / "own", {"a.py": OWN})
    files = {"src/ledger.py": SISTER, "private/ledger.py": SISTER.replace("quarterly", "secret_yearly")}
    sister = repository(tmp_path / "sister", {**files, ".ondolignore": "private/\n"})
    for root in (own, sister):
        printed(tmp_path, "index", str(root))
    return own, sister


def answer(client: Client, own: Path) -> str:
    items = client.complete((own / "new.py").as_uri(), 1, 18)
    return str(items[0]["insertText"]) if items else ""


def test_a_sister_is_searched_when_the_user_names_it_and_explain_says_where_it_is(
    tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    own, sister = roots
    with real(tmp_path) as client:
        client.initialize([own], options={"alsoSearch": [str(sister)]})
        client.wait_state("ready")
        client.open((own / "new.py").as_uri(), TYPED)
        items = client.complete((own / "new.py").as_uri(), 1, 18)
        assert items[0]["insertText"] == ANSWER
        assert client.command("ondol.sources", *items[0]["command"]["arguments"])[0].startswith(
            "../sister/src/ledger.py:2"
        )
        assert "../sister/src/ledger.py:2" in client.command("ondol.explain")
        client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"alsoSearch": []}}})
        eventually(lambda: answer(client, own) != ANSWER)


def test_nothing_crosses_without_the_setting_nor_by_a_repository(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    own, sister = roots
    (own / ".ondol.toml").write_text(f"also_search = [{json.dumps(str(sister))}]\n")
    assert [problem for problem in load(own)[1] if "also_search may not be set by a repository" in problem]
    with real(tmp_path) as client:
        client.initialize([own])
        client.wait_state("ready")
        client.open((own / "new.py").as_uri(), TYPED)
        assert "quarterly" not in answer(client, own)
        assert "sister" not in client.command("ondol.explain")
        assert len(messages(client, "also_search may not be set by a repository")) == 1


def test_what_the_sister_excludes_or_has_lost_is_not_searched(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    own, sister = roots
    (sister / "src/ledger.py").unlink()  # its index still has it
    (sister / ".ondolignore").write_text("private/\n")
    (own / "new.py").write_text(TYPED)
    shown = finished(tmp_path, "complete", "new.py:2:19", cwd=own, ONDOL_ALSO_SEARCH=str(sister))
    assert "quarterly" not in shown.stdout
    assert "secret_yearly" not in shown.stdout


def test_the_command_searches_a_sister_by_path_and_by_name(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    own, sister = roots
    (own / "new.py").write_text(TYPED)
    (name,) = [folder.name for folder in (tmp_path / "data/repositories").iterdir() if folder.name.startswith("sister")]
    for named in (str(sister), str(sister / "src"), name):
        done = finished(tmp_path, "complete", "new.py:2:19", "--json", cwd=own, ONDOL_ALSO_SEARCH=named)
        best = json.loads(done.stdout)["suggestions"][0]
        assert best["ghost_text"] == ANSWER
        assert best["provenance"][0]["path"] == "../sister/src/ledger.py"
        assert best["provenance"][0]["kind"] == "other repository"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("/does/not/exist", "there is no folder"),
        ("unknown-name", "there is no index"),
        ("..", "a relative path would depend on where the editor was started"),
        ("../../../../../../etc", "a relative path would depend on where the editor was started"),
        ("/", "there is no index of /"),
        ("~", "there is no "),
        ("~nobody-of-this-name/x", "there is no folder"),
    ],
)
def test_what_cannot_be_searched_is_said_and_the_rest_works(
    tmp_path: Path, roots: tuple[Path, Path], named: str, said: str
) -> None:
    own, sister = roots
    (own / "new.py").write_text(TYPED)
    both = f"{named},{sister}"
    before = sorted((tmp_path / "data/repositories").iterdir())
    done = finished(tmp_path, "complete", "new.py:2:19", cwd=own, ONDOL_ALSO_SEARCH=both)
    assert f"also_search: {named} is not searched" in done.stderr
    assert said in done.stderr
    assert ANSWER in done.stdout
    assert sorted((tmp_path / "data/repositories").iterdir()) == before


def test_the_own_repository_named_as_its_sister_is_searched_once(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    own, _ = roots
    (own / "a.py").write_text(SISTER)
    printed(tmp_path, "index", str(own))
    (own / "new.py").write_text(TYPED)
    done = finished(tmp_path, "complete", "new.py:2:19", "--json", cwd=own, ONDOL_ALSO_SEARCH=str(own))
    places = [(one["path"], one["line"]) for one in json.loads(done.stdout)["suggestions"][0]["provenance"]]
    assert places == [("a.py", 2)]


@pytest.mark.parametrize(("named", "said"), [("\0", "no path has a null character"), ("", "it is empty")])
def test_an_entry_that_no_path_can_have_is_said_and_the_own_index_is_used(
    tmp_path: Path, roots: tuple[Path, Path], named: str, said: str
) -> None:
    own, sister = roots
    with real(tmp_path) as client:
        client.initialize([own], options={"alsoSearch": [named, str(sister)]})
        client.wait_state("ready")
        client.open((own / "new.py").as_uri(), TYPED)
        assert answer(client, own) == ANSWER
        eventually(lambda: messages(client, f"also_search: {json.dumps(named)} is not searched: {said}"))


def test_a_sister_that_is_gone_or_has_no_index_is_said_by_the_command_and_by_doctor(
    tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    own, sister = roots
    (own / "new.py").write_text(TYPED)
    (name,) = [folder.name for folder in (tmp_path / "data/repositories").iterdir() if folder.name.startswith("sister")]
    (tmp_path / "empty").mkdir()

    def said(named: str) -> str:
        done = finished(tmp_path, "complete", "new.py:2:19", cwd=own, ONDOL_ALSO_SEARCH=named)
        found = json.loads(finished(tmp_path, "doctor", "--json", cwd=own, ONDOL_ALSO_SEARCH=named).stdout)
        (row,) = found["also_search"]
        if row["state"] == "indexed":
            assert row["lines"] == 3
            assert not [what for what, _ in found["problems"] if "also_search" in what]
        else:
            ((what, cure),) = [problem for problem in found["problems"] if "also_search" in problem[0]]
            assert f"{what}; {cure}." in done.stderr
        return done.stderr

    assert "also_search" not in said(name)
    assert "there is no index of" in said(str(tmp_path / "empty"))
    sister.rename(tmp_path / "moved")
    assert "is gone" in said(name)
    assert "there is no folder" in said(str(sister))
    sister.mkdir()
    assert "is still there" in said(name)
    shutil.rmtree(tmp_path / "data/repositories" / name)
    assert "there is no index" in said(name)
