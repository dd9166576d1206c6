"""What changes on disk: the real server follows it within seconds, with an editor that reports files and without."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.storage.generations import Store
from lsp_server.commands.lsp_client import Client
from lsp_server.server.changed_files import ChangedFiles
from tests.support.indexes import directory, settings, updated
from tests.support.lsp_client import explanation, messages, real
from tests.support.repositories import git, repository, write
from tests.support.waiting import eventually
from tests.support.zoo import START, asked, code, serving, zoo

pytestmark = pytest.mark.slow


def tell(client: Client, *events: tuple[Path, int]) -> None:
    changes = [{"uri": path.as_uri(), "type": kind} for path, kind in events]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})


def test_the_editor_is_asked_to_watch_files_where_it_can(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=True) as client:
        asking = client.wait_for(lambda m: m.get("method") == "client/registerCapability")
        (registration,) = asking["params"]["registrations"]
        assert registration["method"] == "workspace/didChangeWatchedFiles"
        assert registration["registerOptions"]["watchers"][0]["globPattern"] == "**/*"
    with real(tmp_path) as client:
        offered = client.initialize([root])["capabilities"]["workspace"]["fileOperations"]
        assert set(offered) == {"didCreate", "didRename", "didDelete"}
        assert not client.of("client/registerCapability")


def test_a_deleted_file_is_not_offered_from_the_event_on(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=True) as client:
        assert asked(client, root, "walrus") and asked(client, root, "heron")
        (root / "zoo/walrus.py").unlink()
        tell(client, (root / "zoo/walrus.py", 3))
        assert not asked(client, root, "walrus")  # the first answer, long before an update can end
        assert asked(client, root, "heron")
        shutil.rmtree(root / "zoo")
        client.notify("workspace/didDeleteFiles", {"files": [{"uri": (root / "zoo").as_uri()}]})
        assert not asked(client, root, "heron")
        eventually(lambda: any("updating" in status["message"] for status in client.of("ondol/status")))


def test_a_file_that_is_deleted_and_comes_back_is_offered_again(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    file = root / "zoo/walrus.py"
    with serving(tmp_path, root, watches=True) as client:
        (tmp_path / "aside").write_text(file.read_text())
        file.unlink()
        tell(client, (file, 3))
        assert not asked(client, root, "walrus")
        shutil.copy(tmp_path / "aside", file)
        tell(client, (file, 1))
        eventually(lambda: asked(client, root, "walrus"))


def test_new_renamed_and_replaced_files_are_followed(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=True) as client:
        write(root, {"made/otter.py": code("otter")})
        tell(client, (root / "made", 1))
        eventually(lambda: asked(client, root, "otter"))
        (root / "made/otter.py").rename(root / "made/marten.py")
        old, new = ((root / f"made/{name}.py").as_uri() for name in ("otter", "marten"))
        client.notify("workspace/didRenameFiles", {"files": [{"oldUri": old, "newUri": new}]})
        eventually(lambda: asked(client, root, "otter") and source(client).startswith("made/marten.py"))
        (root / "made/marten.py").unlink()
        write(root, {"made/marten.py/inner.py": code("lynx")})  # a folder stands where a file stood
        tell(client, (root / "made/marten.py", 2))
        eventually(lambda: asked(client, root, "lynx") and not asked(client, root, "otter"))


def test_answers_follow_the_disk_while_the_index_cannot(tmp_path: Path) -> None:
    root = repository(tmp_path / "zoo", {"zoo/heron.py": code("heron"), ".gitignore": "private_*\n"})
    with serving(tmp_path, root, watches=True) as client, Store(directory(root, tmp_path / "data")).writing():
        file, moved = root / "zoo/walrus.py", root / "zoo/moved.py"
        file.write_text(code("walrus"))
        (root / "zoo/private_otter.py").write_text(code("otter"))
        tell(client, (file, 1), (root / "zoo/private_otter.py", 1))
        eventually(lambda: asked(client, root, "walrus"))
        assert not asked(client, root, "otter")  # git ignores it
        file.rename(moved)
        tell(client, (file, 3), (moved, 1))
        eventually(lambda: asked(client, root, "walrus") and source(client).startswith("zoo/moved.py"))
        (root / "zoo/heron.py").write_text(code("lynx"))
        tell(client, (root / "zoo/heron.py", 2))
        eventually(lambda: asked(client, root, "lynx") and not asked(client, root, "heron"))
        moved.write_text(code("walrus").replace("season", "'ghp_" + "1a2B" * 9 + "'"))
        tell(client, (moved, 2))
        eventually(
            lambda: "ivory_register.append_entry(amount, keeper, season)" not in suggested(client, root, "walrus")
        )
        assert "ivory_register" in (said := suggested(client, root, "walrus")) and "1a2B" not in said
        (root / ".ondolignore").write_text("heron.py\n")
        assert not asked(client, root, "lynx")
        moved.unlink()
        tell(client, (moved, 3))
        assert not asked(client, root, "walrus")


def test_what_was_saved_is_offered_from_the_closing_on_while_the_index_cannot_follow(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=True) as client, Store(directory(root, tmp_path / "data")).writing():
        for saved, animal in ((True, "otter"), (False, "lynx")):
            file = root / f"zoo/{animal}.py"
            client.open(file.as_uri(), code(animal))
            eventually(lambda animal=animal: asked(client, root, animal))
            if saved:
                file.write_text(code(animal))
                client.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
                time.sleep(3)  # the server's own looks find the file while it is open, and not again
            client.notify("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
        eventually(lambda: asked(client, root, "otter"))
        assert not asked(client, root, "lynx")


def test_a_text_that_was_read_before_the_file_was_written_again_is_not_kept(tmp_path: Path) -> None:
    root, rules = zoo(tmp_path / "zoo"), settings(tmp_path / "data")
    files, heron = ChangedFiles(root), root / "zoo/heron.py"
    heron.write_text(code("lynx"))
    early = files.read(["zoo/heron.py"], rules)
    heron.write_text(code("heron"))
    late = files.read(["zoo/heron.py"], rules)
    assert [one.text for one in files.add(late)] == [code("heron")]
    assert not files.add(early)  # its reading took longer
    heron.write_text(code("lynx") + "\n")
    assert files.drop_indexed(updated(root, tmp_path / "data")) and not files.knows("zoo/heron.py")


def suggested(client: Client, root: Path, animal: str) -> str:
    """The text that is offered below the head of an animal's function, on request."""
    uri = (root / "new.py").as_uri()
    client.open(uri, START.format(animal) + "    ")
    items = client.complete(uri, 1, 4, automatic=False)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return "\n".join(item["insertText"] for item in items or [])


def test_of_many_changed_files_all_are_offered_in_the_end(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=True) as client:
        names = [f"made/otter_{number}.py" for number in range(30)]
        write(root, {name: code("otter").replace("otter", f"otter_{n}") for n, name in enumerate(names)})
        tell(client, *((root / name, 1) for name in names))
        start = "def feed_otter_{}(amount, keeper):\n    "

        def known(number: int) -> bool:
            uri = (root / "new.py").as_uri()
            client.open(uri, start.format(number))
            items = client.complete(uri, 1, 4, automatic=False)
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            return bool(items)

        eventually(lambda: all(known(number) for number in (0, 14, 29)))


def source(client: Client) -> str:
    """Where the last suggestion came from."""
    found: list[str] = client.command("ondol.sources")
    return found[0] if found else ""


def _clone(tmp_path: Path) -> tuple[Path, Path]:
    root = zoo(tmp_path / "zoo")
    return root, root


def _worktree(tmp_path: Path) -> tuple[Path, Path]:
    main = zoo(tmp_path / "main")
    git(main, "worktree", "add", "-q", "-b", "work", str(tmp_path / "tree"))
    return tmp_path / "tree", tmp_path / "tree"


def _submodule(tmp_path: Path) -> tuple[Path, Path]:
    inner = zoo(tmp_path / "inner")
    outer = repository(tmp_path / "outer", {"a.py": "x = 1\n"})
    git(outer, "submodule", "add", "-q", str(inner), "lib")
    return outer / "lib", outer / "lib"


def _subfolder(tmp_path: Path) -> tuple[Path, Path]:
    root = zoo(tmp_path / "zoo")
    return root / "zoo", root


def _link(tmp_path: Path) -> tuple[Path, Path]:
    root = zoo(tmp_path / "zoo")
    (tmp_path / "link").symlink_to(root)
    return tmp_path / "link", root


@pytest.mark.parametrize("kind", [_clone, _worktree, _submodule, _subfolder, _link])
def test_without_reports_of_the_editor_the_disk_is_followed(
    tmp_path: Path, kind: Callable[[Path], tuple[Path, Path]]
) -> None:
    folder, root = kind(tmp_path)
    with serving(tmp_path, folder, watches=False, index_of=root) as client:
        assert asked(client, folder, "walrus")
        (root / "zoo/walrus.py").unlink()
        write(root, {"zoo/otter.py": code("otter")})
        eventually(lambda: not asked(client, folder, "walrus") and asked(client, folder, "otter"))
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "otter for walrus")
        git(root, "checkout", "-q", "-b", "elsewhere", "HEAD~1")
        eventually(lambda: asked(client, folder, "walrus") and not asked(client, folder, "otter"))
        (root / "zoo/heron.py").write_text(code("lynx"))
        eventually(lambda: asked(client, folder, "lynx") and not asked(client, folder, "heron"))
        git(root, "stash", "-q")
        eventually(lambda: asked(client, folder, "heron") and not asked(client, folder, "lynx"))
        git(root, "stash", "pop", "-q")
        eventually(lambda: asked(client, folder, "lynx"))


def test_what_changed_while_no_server_ran_is_followed_at_the_start(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    updated(root, tmp_path / "data")
    (root / "zoo/walrus.py").unlink()
    write(root, {"zoo/otter.py": code("otter")})
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        assert not asked(client, root, "walrus")
        eventually(lambda: asked(client, root, "otter"))


def test_what_changed_while_no_server_ran_is_followed_before_the_index_is(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    updated(root, tmp_path / "data")
    write(root, {"zoo/otter.py": code("otter"), "zoo/heron.py": code("lynx")})
    with Store(directory(root, tmp_path / "data")).writing(), real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        eventually(lambda: asked(client, root, "otter") and asked(client, root, "lynx"))
        assert asked(client, root, "walrus") and not asked(client, root, "heron")


def _ignore_file(root: Path, client: Client) -> None:
    (root / ".ondolignore").write_text("walrus.py\n")


def _settings_on_disk(root: Path, client: Client) -> None:
    (root / ".ondol.toml").write_text('exclude = ["walrus.py"]\n')


def _settings_of_the_editor(root: Path, client: Client) -> None:
    client.notify("workspace/didChangeConfiguration", {"settings": {"ondol": {"exclude": ["walrus.py"]}}})


def _pull(root: Path, client: Client) -> None:
    other = root.parent / "other"
    git(root.parent, "clone", "-q", str(root), str(other))
    write(other, {".ondolignore": "walrus.py\n"})
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "walrus is private")
    git(root, "pull", "-q", str(other), "main")


@pytest.mark.parametrize("exclude", [_ignore_file, _settings_on_disk, _settings_of_the_editor, _pull])
@pytest.mark.parametrize("opened", [False, True])
def test_what_is_excluded_is_not_in_the_first_answer_and_leaves_the_disk(
    tmp_path: Path, exclude: Callable[[Path, Client], None], opened: bool
) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=False) as client:
        if opened:
            client.open((root / "zoo/walrus.py").as_uri(), code("walrus") + "walrus_private = walrus_secret_drawer\n")
        assert asked(client, root, "walrus") and asked(client, root, "heron")
        exclude(root, client)
        assert not asked(client, root, "walrus")
        assert "excludes others" not in explanation(client)
        assert asked(client, root, "heron")
        eventually(lambda: not _on_disk(tmp_path, root, "ivory_register"))
        assert not asked(client, root, "walrus")
        assert not messages(client, "internal error")


def _on_disk(tmp_path: Path, root: Path, word: str) -> bool:
    """Whether a word stands in the texts that the index has on disk, deleted ones included."""
    from indexer.data_layout import index_directory
    from indexer.storage.reader import Index

    index: Any = Index.open(index_directory(settings(tmp_path / "data"), root))
    texts = [segment.unpacked(i)[0] for segment in index.segments.values() for i in range(len(segment.documents))]
    return any(word in text for text in texts) or index.bm25.frequency(word) > 0
