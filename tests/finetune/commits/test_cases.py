"""Cursors and windows: what a case holds, what it may not hold, and odd histories."""

import random
from dataclasses import replace

import pytest

from finetune.commits.cases import KINDS, choose
from finetune.commits.windows import SkipReport, Tree, edits, windows
from indexer.config import Settings
from indexer.errors import UserError
from indexer.repository.policy import accepts_path
from indexer.text.lines import lines_of
from tests.support import commit_histories, repositories

SETTINGS = Settings()
ALL = dict.fromkeys(KINDS, 50)


def drawn(root, commits=100, count=1, per_kind=ALL, seed=1, every=False):
    passed = SkipReport()
    found = [edit for window in windows(root, commits, count) for edit in edits(root, window, SETTINGS, passed)]
    return choose(found, per_kind, seed, every=every), passed


def test_a_case_is_the_document_as_it_was_typed(tmp_path):
    old = "a = 1\nb = 2\nc = 3\nd = 4\n"
    new = "a = 1\nbeta = compute(2)\ngamma = compute(3)\nc = 3\nd = 4\n"
    root = repositories.repository(tmp_path / "r", {"m.py": old})
    commit_histories.commit(root, {"m.py": new})
    cases, _ = drawn(root)
    assert {case.line for case in cases} == {1, 2}
    for case in cases:
        assert (case.text[: case.offset] + case.rest).endswith(new.split("\n")[case.line])
        # The first new line stands in the place of the old one; the second comes after it, before what follows.
        before = ["a = 1"] if case.line == 1 else ["a = 1", "beta = compute(2)"]
        assert lines_of(case.text)[: case.line] == before
        assert lines_of(case.text)[case.line + 1 :] == ["c = 3", "d = 4", ""]
        assert case.following == (("gamma = compute(3)",) if case.line == 1 else ())


def test_kinds_of_cursors_stand_where_they_say(tmp_path):
    seed = random.randrange(10**6)
    print("seed", seed)
    cases, _ = drawn(commit_histories.growing(tmp_path / "r", 6, seed), seed=seed)
    assert {case.kind for case in cases} == set(KINDS)
    for case in cases:
        start = case.text.rfind("\n", 0, case.offset) + 1
        typed = case.text[start : case.offset]
        assert case.rest == case.rest.rstrip() != ""
        if case.kind == "start":
            assert not typed.strip()
            assert not case.rest[0].isspace()
        elif case.kind == "inside":
            assert (typed[-1] + case.rest[0]).isidentifier()
        else:
            assert typed.strip()
    again, _ = drawn(tmp_path / "r", seed=seed)
    assert again == cases


def test_moved_lines_are_told_and_do_not_use_up_the_plan(tmp_path):
    lines = [f"measure_{n} = probe.read({n}, unit='kelvin')" for n in range(15)]
    root = repositories.repository(tmp_path / "r", {"old.py": "\n".join(lines) + "\n", "keep.py": "x = 1\n"})
    (root / "old.py").unlink()
    fresh = ["import probe", "limit = probe.limit()"]
    commit_histories.commit(root, {"keep.py": "x = 1\n" + "\n".join([*fresh, *lines[:9]]) + "\n"})
    cases, _ = drawn(root, per_kind={"start": 50})
    assert {case.rest for case in cases if not case.moved} == set(fresh)
    assert {case.rest for case in cases if case.moved} == set(lines[:9])
    cases, _ = drawn(root, per_kind={"start": 2})
    assert sum(not case.moved for case in cases) == 2


def test_every_line_is_whatever_commits_add(tmp_path):
    moved = [f"measure_{n} = probe.read({n}, unit='kelvin')" for n in range(5)]
    root = repositories.repository(tmp_path / "r", {"old.py": "\n".join(moved) + "\n", "keep.py": "x = 1\n"})
    (root / "old.py").unlink()
    fresh = ["limits = [", "    probe.limit(),", "]", ""]
    commit_histories.commit(root, {"keep.py": "x = 1\n" + "\n".join([*fresh, *moved]) + "\n"})
    cases, _ = drawn(root, per_kind={"start": 50}, every=True)
    assert sorted(case.rest for case in cases) == sorted(line.strip() for line in [*fresh[:3], *moved])
    assert not any(case.moved for case in cases)
    cases, _ = drawn(root, per_kind={"start": 50})
    assert "]" not in {case.rest for case in cases}


def test_renamed_files_are_no_news(tmp_path):
    text = "".join(f"value_{n} = {n}\n" for n in range(40))
    root = repositories.repository(tmp_path / "r", {"a.py": text, "b.py": "y = 1\n"})
    repositories.git(root, "mv", "a.py", "c.py")
    commit_histories.commit(root, {"b.py": "y = 1\nz = 2\n"})
    cases, passed = drawn(root)
    assert {case.path for case in cases} == {"b.py"}
    assert passed.reasons == {"file: no lines changed, or binary": 1}


def test_what_is_put_back_was_not_typed(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a.py": "first = 1\n"})
    commit_histories.commit(root, {"a.py": "second = 2\n"})
    commit_histories.commit(root, {"a.py": "first = 1\n"}, "revert")
    cases, passed = drawn(root)
    assert {case.rest for case in cases if case.kind == "start"} == {"second = 2"}
    assert passed.reasons == {"file: restored to a state from before the window": 1}


def test_a_huge_commit_is_sampled_and_that_is_said(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    bulk = {f"gen/m{n}.py": "".join(f"row_{n}_{k} = {k}\n" for k in range(800)) for n in range(30)}
    commit = commit_histories.commit(root, bulk)
    cases, passed = drawn(root, per_kind={"start": 1000})
    assert passed.notes == [f"Commit {commit[:10]} adds 24,000 lines: 20 of its 30 files were sampled."]
    assert len({case.path for case in cases}) == 20
    assert len(cases) == 20 * 20


def test_binary_and_undecodable_files_are_counted(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n", "b.py": b"\x00\x01\x02", "c.py": "y = 1\n"})
    commit_histories.commit(root, {"a.py": "x = 1\nz = x\n", "b.py": b"\x00\x01\x03", "c.py": "y = 1\rz = 2\n"})
    cases, passed = drawn(root)
    assert {case.path for case in cases} == {"a.py"}
    assert passed.reasons == {"file: no lines changed, or binary": 1, "file: lone carriage returns": 1}


def test_crlf_and_other_encodings_keep_their_lines(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\r\ny = 2\r\n", "b.c": "int a;\n".encode("cp949")})
    commit_histories.commit(
        root, {"a.py": "x = 1\r\nnew = 3\r\ny = 2\r\n", "b.c": "int a;\nint b; // 재고 합계\n".encode("cp949")}
    )
    cases, _ = drawn(root, per_kind={"start": 9})
    assert {(case.rest, case.line) for case in cases} == {("new = 3", 1), ("int b; // 재고 합계", 1)}


def test_a_file_that_takes_the_place_of_a_link_does_not_shift_others(tmp_path):
    root = repositories.repository(tmp_path / "r", {"z.py": "x = 1\n"})
    (root / "a.py").symlink_to("z.py")
    commit_histories.commit(root, {})
    (root / "a.py").unlink()
    commit_histories.commit(root, {"a.py": "one = 1\ntwo = 2\n", "z.py": "x = 1\ny = x\n"})
    cases, _ = drawn(root, commits=1, per_kind={"start": 9})
    assert {(case.path, case.rest) for case in cases} == {("z.py", "y = x")}


def test_secrets_are_masked_in_cases(tmp_path):
    secret = "AKIA" + "".join(random.Random(5).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    commit_histories.commit(root, {"a.py": f"x = 1\nkey = '{secret}'\ny = 2\n"})
    cases, _ = drawn(root)
    assert cases
    assert not any(secret[6:] in case.text + case.rest for case in cases)


def test_windows_never_hold_what_their_base_holds(tmp_path):
    root = commit_histories.growing(tmp_path / "r", 9)
    # A commit with a date from the future on a branch that is merged, so that the order by date lies.
    repositories.git(root, "checkout", "-q", "-b", "side", "HEAD~4")
    repositories.write(root, {"side.py": "import side\n"})
    repositories.git(root, "add", "-A")
    repositories.git(root, "commit", "-q", "-m", "side", GIT_COMMITTER_DATE="2040-01-01T00:00:00")
    repositories.git(root, "checkout", "-q", "main")
    repositories.git(root, "merge", "-q", "--no-edit", "side")
    plan = windows(root, 100, 3)
    replayed = [commit.id for window in plan for commit in window.commits]
    assert len(replayed) == len(set(replayed)) == 10
    for window in plan:
        held = set(repositories.git(root, "rev-list", window.base).split())
        assert not held & {commit.id for commit in window.commits}


def test_histories_that_give_nothing_say_what_to_do(tmp_path):
    plain = tmp_path / "plain"
    repositories.write(plain, {"a.py": "x = 1\n"})
    empty = tmp_path / "empty"
    empty.mkdir()
    repositories.git(empty, "init", "-q")
    one = repositories.repository(tmp_path / "one", {"a.py": "x = 1\n"})
    for root, what in ((plain, "no history"), (empty, "no history"), (one, "only one commit")):
        with pytest.raises(UserError, match=what) as raised:
            windows(root, 100, 4)
        assert "--split-files" in str(raised.value)
    for name in ("b", "c"):
        repositories.git(one, "checkout", "-q", "-b", name, "main")
        commit_histories.commit(one, {f"{name}.py": "y = 2\n"})
        repositories.git(one, "checkout", "-q", "main")
        repositories.git(one, "merge", "-q", "--no-ff", "--no-edit", name)
    with pytest.raises(UserError, match="only merges; replay without --first-parent"):
        windows(one, 100, 4, first_parent=True)
    with pytest.raises(UserError, match="no commit since 2099-01-01"):
        windows(one, 100, 4, since="2099-01-01")
    assert sum(len(window.commits) for window in windows(one, 100, 4)) == 2


def test_a_shallow_clone_is_told_from_a_young_repository(tmp_path):
    root = commit_histories.growing(tmp_path / "r", 5)
    clone = tmp_path / "clone"
    repositories.git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), str(clone))
    with pytest.raises(UserError, match="whose history was cut off; run git fetch --unshallow"):
        windows(clone, 100, 4)


def test_a_tree_moves_between_commits_as_files_and_folders_trade_places(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a/b.py": "x = 1\n", "c": "y\n", ".gitignore": "kept.py\n"})
    first = repositories.git(root, "rev-parse", "HEAD").strip()
    for name in ("a/b.py", "c"):
        (root / name).unlink()
    (root / "a").rmdir()
    repositories.write(root, {"a": "z\n", "c/d.py": "w = 2\n", "kept.py": "tracked = True\n"})
    repositories.git(root, "add", "-A", "-f")
    repositories.git(root, "commit", "-q", "-m", "trade")
    tree = Tree(root, tmp_path / "tree", 1000)
    second = repositories.git(root, "rev-parse", "HEAD").strip()
    for commit in (first, second, first, second):
        tree.move_to(commit, lambda path: accepts_path(path, SETTINGS) is None)
        names = {str(path.relative_to(tree.folder)) for path in tree.folder.rglob("*") if path.is_file()}
        assert names == ({"a/b.py", "c"} if commit == first else {"a", "c/d.py", "kept.py"})


def test_excluded_paths_are_not_replayed(tmp_path):
    root = commit_histories.growing(tmp_path / "r", 4)
    settings = replace(SETTINGS, exclude=("src/area0/",))
    found = [e.change.path for w in windows(root, 9, 1) for e in edits(root, w, settings, SkipReport())]
    assert found
    assert all(path.startswith("src/area1/") for path in found)
