"""The hash of the code that shapes documents: prose does not change it, code does."""

import importlib.util
import time
from pathlib import Path

import pytest

from indexer.storage import fingerprint

MODULE = '''"""What it does."""

LIMIT = 3
"""Why three."""


class Cutter:
    """Cuts."""

    def cut(self, text: str) -> str:
        """The first characters."""
        # a remark
        return text[:LIMIT]


def nothing() -> None:
    """Does nothing."""
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("What it does", "Another sentence", True),
        ("Why three", "Another reason", True),
        ("The first characters", "Other words", True),
        ("# a remark\n", "# another remark\n        # of two lines\n", True),
        ('    """Does nothing."""', "    # no docstring\n    pass", False),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("text[:LIMIT]", "text[LIMIT:]", False),
        ("cut(self, text: str)", "cut(self, text: str, more: int = 0)", False),
    ],
)
def test_prose_keeps_the_shape_and_code_changes_it(old: str, new: str, same: bool) -> None:
    changed = MODULE.replace(old, new)
    assert changed != MODULE
    assert (fingerprint.code_of(changed) == fingerprint.code_of(MODULE)) is same


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of one shaping module, and an empty cache."""
    (tmp_path / "package" / "data").mkdir(parents=True)
    (tmp_path / "package" / "cutter.py").write_text(MODULE)
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(fingerprint, "_SHAPING_MODULES", ("cutter",))
    monkeypatch.setattr(fingerprint, "code_hash_cache_file", lambda: tmp_path / "cache" / "shape")
    return tmp_path / "package"


def test_the_shape_follows_code_and_data_of_the_installed_files(package: Path) -> None:
    def shape() -> str:
        return fingerprint.shape.__wrapped__()

    first = shape()
    (package / "cutter.py").write_text("# prose\n" + MODULE)
    assert shape() == first
    (package / "cutter.py").write_text(MODULE + "x = 1\n")
    assert shape() != first
    (package / "cutter.py").write_text(MODULE)
    assert shape() == first
    (package / "data" / "embedding").write_bytes(b"1")
    assert shape() != first


@pytest.mark.parametrize("package_name", ["kingfisher_secret_scanner", "tree_sitter_python"])
def test_another_version_of_the_secret_scanner_or_a_grammar_changes_the_shape(package, monkeypatch, package_name):
    """In a folder of installed packages where these have another version."""
    first = fingerprint.shape.__wrapped__()
    assert fingerprint.shape.__wrapped__() == first
    find = importlib.util.find_spec
    installed = Path(find("kingfisher_sdk").origin).parents[1]
    site = package.parent / "site"
    for path in installed.glob("*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        (site / f"{name}-{'999' if name == package_name else version}.dist-info").mkdir(parents=True)

    def elsewhere(name):
        found = find(name)
        found.origin = str(site / name / "__init__.py")
        return found

    monkeypatch.setattr(importlib.util, "find_spec", elsewhere)
    second = fingerprint.shape.__wrapped__()
    assert second != first
    (site / f"{package_name}-999.dist-info").rename(site / f"{package_name}-998.dist-info")
    assert fingerprint.shape.__wrapped__() != second


def test_the_parse_is_cached_and_a_damaged_cache_is_made_again(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint.shape.__wrapped__()
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "code_of", lambda source: pytest.fail("parsed again"))
        assert fingerprint.shape.__wrapped__() == first
    (package.parent / "cache" / "shape").write_bytes(b"damaged")
    assert fingerprint.shape.__wrapped__() == first


def test_two_installations_in_turn_are_parsed_once_each(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [MODULE, MODULE + "x = 1\n"]
    shapes = []
    for module in modules:
        (package / "cutter.py").write_text(module)
        shapes.append(fingerprint.shape.__wrapped__())
    monkeypatch.setattr(fingerprint, "code_of", lambda source: pytest.fail("parsed again"))
    for module, shape in zip(modules, shapes, strict=True):
        (package / "cutter.py").write_text(module)
        assert fingerprint.shape.__wrapped__() == shape


def test_with_its_cache_the_shape_of_this_installation_takes_no_time_worth_speaking_of() -> None:
    fingerprint.shape.__wrapped__()
    started = time.thread_time()
    fingerprint.shape.__wrapped__()
    assert time.thread_time() - started < 0.05
