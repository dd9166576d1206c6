"""The registry's writer: wherever it ends or fails, the current adapter stays complete."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.adapters.stale_data import StaleData, stale_data
from finetune.dataset.shards import path_key
from indexer import fsio
from indexer.errors import UserError
from lsp_server.errors import BackendProblem
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import current_number, read_version
from lsp_server.weights.base_model import ModelFolder
from tests.support import indexes, repositories
from tests.support.adapters import add_version, lora, trained_adapter, version_record
from tests.support.commit_histories import commit

posix = pytest.mark.skipif(os.name == "nt", reason="needs fork")
WRITING = [name for name in fsio.OPERATIONS if name != "read"]


def test_a_version_is_added_listed_promoted_and_read_by_the_server(tmp_path: Path, base: ModelFolder) -> None:
    where = tmp_path / "registry"
    assert [add_version(where, base, seed=n, commits={"newest": f"c{n}"}) for n in (1, 2)] == [1, 2]
    assert current_number(where) is None
    adapter_registry_writer.promote(where, 2, base)
    assert current_number(where) == 2
    assert read_version(where, 2, base.identity, base.spec.name, base.tensors).scale == 2.0
    assert [one.newest for one in adapter_registry_writer.versions(where)] == ["c1", "c2"]
    assert [(e.what, e.version) for e in adapter_registry_writer.history(where)] == [
        ("added", 1),
        ("added", 2),
        ("promoted", 2),
    ]
    assert not (where.stat().st_mode | (where / "versions" / "1").stat().st_mode) & 0o077


def test_rollback_goes_back_through_the_promoted_versions_and_then_to_the_base(
    tmp_path: Path, base: ModelFolder
) -> None:
    where = tmp_path / "registry"
    for number in (1, 2, 3):
        add_version(where, base)
        adapter_registry_writer.promote(where, number, base)
    adapter_registry_writer.delete(where, 2)
    assert [adapter_registry_writer.rollback(where), current_number(where)] == [1, 1]
    assert [adapter_registry_writer.rollback(where), current_number(where)] == [None, None]
    with pytest.raises(UserError, match="nothing to roll back"):
        adapter_registry_writer.rollback(where)
    adapter_registry_writer.promote(where, 3, base)
    assert adapter_registry_writer.rollback(where) is None


def test_the_current_version_is_deleted_only_by_force_and_numbers_are_not_reused(
    tmp_path: Path, base: ModelFolder
) -> None:
    where = tmp_path / "registry"
    for number in (1, 2):
        add_version(where, base)
        adapter_registry_writer.promote(where, number, base)
    with pytest.raises(UserError, match="is the current adapter"):
        adapter_registry_writer.delete(where, 2)
    assert adapter_registry_writer.delete(where, 2, force=True) == 1
    assert (current_number(where), [one.number for one in adapter_registry_writer.versions(where)]) == (1, [1])
    assert add_version(where, base) == 3
    with pytest.raises(UserError, match="no adapter version 2"):
        adapter_registry_writer.delete(where, 2)


def test_a_version_that_does_not_fit_is_not_promoted(tmp_path: Path, base: ModelFolder) -> None:
    where = tmp_path / "registry"
    add_version(where, base)
    adapter_registry_writer.promote(where, 1, base)
    other = adapter_registry_writer.add(
        where, trained_adapter(tmp_path / "x", base), version_record(base) | {"base": {"identity": "0" * 64}}, {}
    )
    old = adapter_registry_writer.add(
        where, tmp_path / "x", version_record(base) | {"prompt": {"format": 0, "spec": base.spec.name}}, {}
    )
    broken = {name: np.full_like(value, np.nan) for name, value in lora(base).items()}
    nan = adapter_registry_writer.add(where, trained_adapter(tmp_path / "nan", base, broken), version_record(base), {})
    flipped = adapter_registry_writer.add(where, tmp_path / "x", version_record(base), {})
    weights = flipped.path / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    for found, why in (
        (other, "another base"),
        (old, "prompt format"),
        (nan, "NaN"),
        (flipped, "not what the manifest"),
    ):
        with pytest.raises(BackendProblem, match=why):
            adapter_registry_writer.promote(where, found.number, base)
        assert current_number(where) == 1


def test_listing_hashes_nothing_and_opens_no_weights(
    tmp_path: Path, base: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "registry"
    for _ in range(100):
        add_version(where, base)
    touched: list[str] = []
    monkeypatch.setattr(fsio, "hash_file", lambda path: touched.append(str(path)))
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: touched.append(self.name) or opened(self, *a, **k))
    assert len(adapter_registry_writer.versions(where)) == 100
    assert set(touched) == {"manifest.json"}
    assert len(touched) == 100


def test_a_damaged_manifest_or_history_is_reported_and_hides_nothing_else(tmp_path: Path, base: ModelFolder) -> None:
    where = tmp_path / "registry"
    for number in (1, 2):
        add_version(where, base)
        adapter_registry_writer.promote(where, number, base)
    (where / "versions" / "1" / "manifest.json").write_text("{")
    (where / "history.json").write_text("[{]")
    assert [one.problem is None for one in adapter_registry_writer.versions(where)] == [False, True]
    assert adapter_registry_writer.rollback(where) is None
    assert add_version(where, base) == 3


ACTIONS = {
    "add": lambda where, base: add_version(where, base, seed=3),
    "promote": lambda where, base: adapter_registry_writer.promote(where, 2, base),
    "rollback": lambda where, base: adapter_registry_writer.rollback(where),
    "delete": lambda where, base: adapter_registry_writer.delete(where, 2),
    "delete --force": lambda where, base: adapter_registry_writer.delete(where, 1, force=True),
}


def state(where: Path, base: ModelFolder) -> tuple[int | None, frozenset[int]]:
    """The current version and all versions, after all files were verified."""
    now = current_number(where)
    found = adapter_registry_writer.versions(where)
    assert all(one.problem is None for one in found)
    for one in found:
        adapter_registry_writer.verify(where, one.number, base)
    assert now is None or now in {one.number for one in found}
    return now, frozenset(one.number for one in found)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("mode", ["killed", "failing"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_writer_that_ends_at_any_operation_leaves_the_state_before_or_after(
    action: str, mode: str, tmp_path: Path, base: ModelFolder
) -> None:
    first = tmp_path / "first" / "registry"
    for number in (1, 2):
        add_version(first, base, seed=number)
    adapter_registry_writer.promote(first, 1, base)
    before = state(first, base)
    seen = set()
    for at in range(1, 100):
        where = tmp_path / f"{at}" / "registry"
        subprocess.run(["cp", "-a", first.parent, where.parent], check=True)
        child = os.fork()
        if not child:
            struck(at, mode)
            try:
                ACTIONS[action](where, base)
            except (OSError, UserError):
                os._exit(9)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = state(where, base)
        # What was left behind is no obstacle, and the current version can be promoted again.
        assert add_version(where, base) > max(found[1])
        if found[0] is not None:
            assert adapter_registry_writer.rollback(where) == (1 if found[0] == 2 else None)
        assert not [path for path in (where / "versions").iterdir() if not path.name.isdigit()]
        seen.add(found)
        if code == 0:
            break
    assert code == 0
    assert at > 3
    assert before in seen
    after = {
        "add": (1, frozenset({1, 2, 3})),
        "promote": (2, frozenset({1, 2})),
        "rollback": (None, frozenset({1, 2})),
        "delete": (1, frozenset({1})),
        "delete --force": (None, frozenset({2})),
    }[action]
    between = {(None, frozenset({1, 2}))} if action == "delete --force" else set()
    assert after in seen
    assert seen <= {before, after} | between


def struck(at: int, mode: str) -> None:
    """Ends this process, or fails, at the write operation number ``at``."""
    count = [0]

    def wrapped(operation: Any) -> Any:
        def counted(*args: Any, **values: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                if mode == "killed":
                    os._exit(9)
                raise OSError(28, "No space left on device", str(args[0]))
            return operation(*args, **values)

        return counted

    for name in WRITING:
        setattr(fsio, name, wrapped(getattr(fsio, name)))


@posix
def test_a_second_writer_is_refused(tmp_path: Path, base: ModelFolder) -> None:
    where = tmp_path / "registry"
    add_version(where, base)
    code = (
        "import sys, time; from pathlib import Path; from indexer import lock\n"
        "with lock.hold(Path(sys.argv[1]), 'x'):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, where / "LOCK"], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"another Ondol process \(PID {holder.pid}\) is changing these adapters"):
            add_version(where, base)
    finally:
        holder.kill()
        holder.wait()
    assert add_version(where, base) == 2


def test_versions_that_saw_files_since_deleted_or_excluded_are_marked(tmp_path: Path, base: ModelFolder) -> None:
    root = repositories.repository(tmp_path / "repo")
    where = tmp_path / "registry"
    ids = dict(reversed(line.split()[2:]) for line in repositories.git(root, "ls-tree", "-r", "HEAD").splitlines())
    saw = {path_key(path): (blob,) for path, blob in ids.items()}
    saw[path_key("gone/long/ago.py")] = ("0" * 40,)
    head = {"head": repositories.git(root, "rev-parse", "HEAD").strip()}
    adapter_registry_writer.add(where, trained_adapter(tmp_path / "x", base), version_record(base, commits=head), saw)
    adapter_registry_writer.add(
        where, tmp_path / "x", version_record(base), {key: saw[key] for key in [path_key("README.md")]}
    )
    settings = indexes.settings(tmp_path / "data")

    def stale(**values: Any) -> dict[int, StaleData]:
        return stale_data(
            where, root, indexes.settings(tmp_path / "data", **values), adapter_registry_writer.versions(where)
        )

    assert stale_data(where, root, settings, adapter_registry_writer.versions(where)) == {}
    assert stale(exclude=("*.c",)) == {1: StaleData(0, 1)}
    (root / "src/heron.py").rename(root / "src/egret.py")
    commit(root, {}, "moved")
    assert stale() == {}
    (root / "src/walrus.py").unlink()
    commit(root, {"README.md": "other\n"}, "gone")
    assert stale() == {1: StaleData(1, 0)}
    assert stale(exclude=("README.md",)) == {1: StaleData(1, 1), 2: StaleData(0, 1)}
    assert str(StaleData(1, 1)) == "of its training files, 1 deleted since and 1 excluded since"
