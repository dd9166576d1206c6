"""The look at folders and files of a repository: everything in its turn, bounded by number and by time."""

from pathlib import Path

from lsp_server.server.folder_poll import FolderPoll
from tests.support.repositories import write

LONG = 60.0


def poll(root: Path, files: list[str]) -> FolderPoll:
    """A poll of some files, made after them."""
    made = FolderPoll(root, lambda path: True, ())
    made.use(files, max((root / name).lstat().st_ctime_ns for name in files))
    return made


def test_one_look_that_may_see_everything_sees_a_new_a_written_and_a_deleted_file(tmp_path: Path) -> None:
    files = [f"part{number}/file{number}.py" for number in range(20)]
    write(tmp_path, dict.fromkeys(files, "x = 1\n"))
    looks = poll(tmp_path, files)
    assert looks.look(100, LONG).changed == []
    write(tmp_path, {"top.py": "x", "part3/new.py": "x", "part5/file5.py": "x = 22\n"})
    (tmp_path / files[7]).unlink()
    found = looks.look(100, LONG)
    assert sorted(found.changed) == ["part3/new.py", "part5/file5.py", "top.py"]
    assert found.gone == [files[7]]


def test_what_came_before_the_first_look_is_seen_at_it_also_in_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = 1\n", "inner/b.py": "x = 1\n"})
    looks = poll(tmp_path, ["a.py", "inner/b.py"])
    made = (tmp_path / "inner/b.py").lstat().st_ctime_ns
    while (tmp_path / "inner/b.py").lstat().st_ctime_ns <= made:  # times of files go on in steps of some milliseconds
        write(tmp_path, {"inner/b.py": "x = 22\n"})
    write(tmp_path, {"new.py": "x = 1\n", "inner/new.py": "x = 1\n"})
    assert set(looks.look(100, LONG).changed) - {"inner"} == {"inner/b.py", "inner/new.py", "new.py"}


def test_a_small_budget_comes_to_everything_in_turn(tmp_path: Path) -> None:
    files = [f"part{number}/file.py" for number in range(30)]
    write(tmp_path, dict.fromkeys(files, "x = 1\n"))
    looks = poll(tmp_path, files)
    for _ in range(10):
        looks.look(10, LONG)
    write(tmp_path, dict.fromkeys(files, "x = 22\n"))
    seen = [path for _ in range(10) for path in looks.look(10, LONG).changed]
    assert sorted(seen) == sorted(files)


def test_a_look_ends_after_its_time_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    files = [f"file{number}.py" for number in range(50)]
    write(tmp_path, dict.fromkeys(files, "x = 1\n"))
    looks = poll(tmp_path, files)
    looks.look(100, LONG)
    write(tmp_path, dict.fromkeys(files, "x = 22\n"))
    assert looks.look(100, -1.0).changed == []
    assert sorted(looks.look(100, LONG).changed) == sorted(files)
