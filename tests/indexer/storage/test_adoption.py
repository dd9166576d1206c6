"""A repository whose folder is renamed finds its data again; data of repositories that are gone are listed and removed."""

import json
from pathlib import Path

from indexer.storage import adoption
from indexer.storage.reader import Index
from tests.support import console, indexes, repositories


def test_a_renamed_folder_finds_its_index_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    root = repositories.repository(tmp_path / "before")
    before = indexes.updated(root, data)
    (indexes.directory(root, data).parent / "gate.json").write_text("{}")
    root.rename(tmp_path / "after")
    done = console.run("index", tmp_path / "after", "--json", data=data)
    report = json.loads(done.stdout)
    assert report["added"] == 0 and report["files"] == len(before.documents)
    assert "same first commit" in report["notes"][0]
    after = Index.open(indexes.directory(tmp_path / "after", data))
    assert after.root == tmp_path / "after"
    assert (indexes.directory(tmp_path / "after", data).parent / "gate.json").exists()
    assert len(list((data / "repositories").iterdir())) == 1


def test_a_copy_takes_nothing_from_a_repository_that_is_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    root = repositories.repository(tmp_path / "one")
    indexes.updated(root, data)
    repositories.git(tmp_path, "clone", "-q", str(root), "two")
    indexes.updated(tmp_path / "two", data)
    assert len(list((data / "repositories").iterdir())) == 2
    assert adoption.orphans(indexes.settings(data)) == []


def test_doctor_lists_orphans_and_removes_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    root = repositories.repository(tmp_path / "gone")
    indexes.updated(root, data)
    other = repositories.repository(tmp_path / "here", {"a.py": "x = 1\n"})
    indexes.updated(other, data)
    root.rename(tmp_path / "elsewhere")
    said = console.run("doctor", "--repo", other, data=data).stdout
    assert "--remove-orphans" in said and str(root) in said
    console.run("doctor", "--repo", other, "--remove-orphans", data=data)
    found = json.loads(console.run("doctor", "--repo", other, "--json", data=data).stdout)
    assert found["orphans"] == []
    assert [path.name.rpartition("-")[0] for path in (data / "repositories").iterdir()] == ["here"]


def test_the_data_of_a_named_folder_that_is_gone_are_taken_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    root = tmp_path / "before"  # without git, so that nothing but the name connects the folders
    repositories.write(root, {"a.py": "def weigh(walrus):\n    return walrus.mass\n"})
    console.run("index", root, data=data)
    (indexes.directory(root, data).parent / "gate.json").write_text("{}")
    still = console.run("index", tmp_path, "--adopt", root, data=data)
    assert still.returncode == 1 and "is still there" in still.stderr
    root.rename(tmp_path / "after")
    unknown = console.run("index", tmp_path / "after", "--adopt", tmp_path / "nowhere", data=data)
    assert unknown.returncode == 1 and str(root) in unknown.stderr
    assert not (indexes.directory(tmp_path / "after", data) / "CURRENT").exists()
    console.run("index", tmp_path / "after", data=data)  # its own index is there by now, and stays
    done = console.run("index", tmp_path / "after", "--adopt", root, data=data)
    assert done.returncode == 0 and f"the data of {root} are used" in done.stderr
    assert (indexes.directory(tmp_path / "after", data).parent / "gate.json").exists()
    assert [one.root for one in adoption.orphans(indexes.settings(data))] == []
    assert Index.open(indexes.directory(tmp_path / "after", data)).root == tmp_path / "after"
