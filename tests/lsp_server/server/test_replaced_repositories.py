"""A repository that is taken away or replaced while the server runs: what was there is not offered any more."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lsp_client import explanation
from tests.support.repositories import repository
from tests.support.waiting import eventually
from tests.support.zoo import asked, code, serving, zoo

pytestmark = pytest.mark.slow


def _another_repository(root: Path, aside: Path) -> None:
    root.rename(aside)
    repository(root, {"zoo/otter.py": code("otter")})


def _a_plain_folder(root: Path, aside: Path) -> None:
    root.rename(aside)
    (root / "zoo").mkdir(parents=True)
    (root / "zoo/otter.py").write_text(code("otter"))


def _the_same_without_git(root: Path, aside: Path) -> None:
    shutil.rmtree(root / ".git")
    (root / "zoo/walrus.py").unlink()
    (root / "zoo/heron.py").unlink()
    (root / "zoo/otter.py").write_text(code("otter"))


@pytest.mark.parametrize("replace", [_another_repository, _a_plain_folder, _the_same_without_git])
def test_what_stands_in_the_place_of_a_repository_is_used(
    tmp_path: Path, replace: Callable[[Path, Path], None]
) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=False) as client:
        assert asked(client, root, "walrus")
        replace(root, tmp_path / "aside")
        eventually(lambda: not asked(client, root, "walrus") and not asked(client, root, "heron"))
        eventually(lambda: asked(client, root, "otter"))


def test_a_link_in_the_place_of_a_repository_offers_nothing_of_it(tmp_path: Path) -> None:
    root = zoo(tmp_path / "zoo")
    repository(tmp_path / "third", {"zoo/otter.py": code("otter")})
    with serving(tmp_path, root, watches=False) as client:
        assert asked(client, root, "walrus")
        root.rename(tmp_path / "aside")
        root.symlink_to(tmp_path / "third")
        eventually(lambda: not asked(client, root, "walrus") and not asked(client, root, "heron"))
        assert client.command("ondol.status")["faults"] == 0


def _nothing(root: Path) -> None:
    return


def _a_file(root: Path) -> None:
    root.write_text("not a folder\n")


def _a_loop(root: Path) -> None:
    root.symlink_to(root)


@pytest.mark.parametrize("put", [_nothing, _a_file, _a_loop])
def test_a_repository_that_is_gone_offers_nothing_and_comes_back(tmp_path: Path, put: Callable[[Path], None]) -> None:
    root = zoo(tmp_path / "zoo")
    with serving(tmp_path, root, watches=False) as client:
        assert asked(client, root, "walrus")
        root.rename(tmp_path / "aside")
        put(root)
        eventually(lambda: not asked(client, root, "walrus"))
        assert explanation(client)  # it still answers
        if root.is_symlink() or root.is_file():
            root.unlink()
        (tmp_path / "aside").rename(root)
        eventually(lambda: asked(client, root, "walrus") and asked(client, root, "heron"))
        assert client.command("ondol.status")["faults"] == 0
