"""Where settings come from, whom they trust, and that a bad one is reported and never stops anything."""

import dataclasses
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import config
from indexer.config import Settings, describe, load
from indexer.data_layout import repository_directory, work_directory
from indexer.errors import UserError
from indexer.finetune_settings import FinetuneSettings

NOWHERE = Path("/nonexistent/ondol.toml")


def from_repository(tmp_path: Path, text: str, **user: Any) -> tuple[Settings, list[str]]:
    (tmp_path / ".ondol.toml").write_text(text, encoding="utf-8")
    return load(tmp_path, {}, NOWHERE, user)


def test_every_setting_declares_trust_and_help() -> None:
    fields = [field for field in dataclasses.fields(Settings) if field.name not in config.TABLES]
    in_tables = {
        f"{table}.{field.name}": field for table, kind in config.TABLES.items() for field in dataclasses.fields(kind)
    }
    for field in (*fields, *in_tables.values()):
        assert field.metadata.get("trust") in ("user", "narrow"), field.name
        assert field.metadata.get("help", "").endswith("."), field.name
        assert (field.metadata.get("narrow") is not None) == (field.metadata["trust"] == "narrow"), field.name
        # what names a path, an address, a model or a program is the user's alone
        if any(
            word in field.name for word in ("dir", "url", "model", "backend", "path", "command", "file_name", "host")
        ):
            assert field.metadata["trust"] == "user", field.name
    assert [row[0] for row in describe()] == [*(field.name for field in fields), *in_tables]


def test_defaults_and_order_of_sources(tmp_path: Path) -> None:
    assert load(tmp_path, {}, NOWHERE, None) == (Settings(), [])
    user = tmp_path / "ondol.toml"
    user.write_text('precision = 0.7\nmax_lines = 5\nexclude = ["a/"]\nbackend = "remote"\n')
    env = {"ONDOL_MAX_LINES": "6", "ONDOL_EXCLUDE": "b/, c/", "ONDOL_MULTI_LINE": "off", "PATH": "/bin"}
    settings, problems = load(tmp_path, env, user, {"maxLines": 7, "deadline_ms": 80})
    assert problems == []
    assert (settings.precision, settings.max_lines, settings.exclude) == (0.7, 7, ("b/", "c/"))
    assert (settings.multi_line, settings.deadline_ms, settings.backend) == (False, 80, "remote")


def test_a_table_of_the_settings_comes_from_every_source_but_the_repository(tmp_path: Path) -> None:
    user = tmp_path / "ondol.toml"
    user.write_text("[finetune]\nrank = 32\nepochs = 2\nquantize = true\n")
    env = {"ONDOL_FINETUNE_EPOCHS": "0.5", "ONDOL_FINETUNE_MAX_SAMPLES": "700"}
    (tmp_path / ".ondol.toml").write_text("[finetune]\nseed = 5\n")
    settings, problems = load(tmp_path, env, user, {"finetune": {"threads": 2}})
    assert settings.finetune == FinetuneSettings(rank=32, epochs=0.5, quantize=True, max_samples=700, threads=2)
    assert len(problems) == 1
    assert "finetune.seed may not be set by a repository; copy it into your user settings" in problems[0]


def test_a_bad_value_in_a_table_is_reported_with_key_reason_and_default(tmp_path: Path) -> None:
    user = tmp_path / "ondol.toml"
    user.write_text('[finetune]\nrank = 0\nepochs = "two"\nleast = 3\n')
    settings, problems = load(None, {}, user)
    assert settings == Settings()
    assert problems == [
        f"{user}: finetune.rank must lie between 1 and 512, not 0; 16 is used.",
        f'{user}: finetune.epochs must be a number, not "two"; 1.0 is used.',
        f"{user}: finetune.least is not a setting; it is ignored.",
    ]
    user.write_text("finetune = 3\n")
    assert load(None, {}, user)[1] == [f"{user}: finetune is not a setting; it is ignored."]


def test_a_repository_may_narrow(tmp_path: Path) -> None:
    settings, problems = from_repository(
        tmp_path,
        'exclude = ["secret/", "a/"]\nmax_file_bytes = 5000\nprecision = 0.9\nmulti_line = false\nmax_lines = 3\n'
        'disabled_languages = ["markdown"]\n',
        exclude=["a/"],
        traceText=True,
    )
    assert problems == []
    assert settings.exclude == ("a/", "secret/")
    assert (settings.max_file_bytes, settings.precision, settings.multi_line, settings.max_lines) == (
        5000,
        0.9,
        False,
        3,
    )
    assert (settings.disabled_languages, settings.trace_text) == (("markdown",), True)


def test_a_repository_may_not_widen(tmp_path: Path) -> None:
    settings, problems = from_repository(
        tmp_path,
        "exclude = []\nmax_file_bytes = 50_000_000\nmax_line_chars = 10_000_000\nprecision = 0.0\nmulti_line = true\n"
        "trace_text = true\ninclude_vendored = true\nworkers = 64\n",
        exclude=["a/"],
        multiLine=False,
        workers=2,
    )
    assert settings == Settings(exclude=("a/",), multi_line=False, workers=2)
    assert len(problems) == 7
    assert all("may only be tightened by a repository" in problem for problem in problems)


def test_a_repository_may_not_redirect(tmp_path: Path) -> None:
    trusted = [name for name, _, trust, _ in describe() if trust == "user"]
    assert {"data_dir", "backend", "remote_url", "remote_model", "base_model"} <= set(trusted)
    values = {"data_dir": "/tmp/x", "backend": "remote", "remote_url": "http://evil.invalid"}
    for name in trusted:
        value = values.get(name, 1)
        text = f'{name} = "{value}"\n' if isinstance(value, str) else f"{name} = {value}\n"
        settings, problems = from_repository(tmp_path, text)
        assert settings == Settings(), name
        assert len(problems) == 1
        assert f"{name} may not be set by a repository; copy it into your user settings" in problems[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"precision": 1.5}, "the editor's options: precision must lie between 0 and 1, not 1.5; 0.66 is used."),
        ({"precision": "high"}, 'precision must be a number, not "high"; 0.66 is used.'),
        ({"maxLines": True}, "max_lines must be a whole number, not true; 12 is used."),
        ({"maxLines": 0}, "max_lines must be more than 0, not 0; 12 is used."),
        ({"maxIndexMemoryMb": 1}, "max_index_memory_mb must be at least 1000, not 1; 4000 is used."),
        ({"maxLines": 2.5}, "max_lines must be a whole number, not 2.5; 12 is used."),
        ({"multiLine": "yes"}, 'multi_line must be true or false, not "yes"; true is used.'),
        ({"backend": "llama"}, 'backend must be one of retrieval, local, remote, not "llama"; "retrieval" is used.'),
        ({"remoteUrl": "file:///etc"}, 'remote_url must be empty or start with http:// or https://, not "file:///etc"'),
        ({"dataDir": "relative/x"}, "data_dir must be an absolute path (~ is allowed)"),
        ({"dataDir": "~no-such-user-here/x"}, "data_dir names a home folder that does not exist"),
        ({"colour": "red"}, "the editor's options: colour is not a setting; it is ignored."),
        ({"baseModel": None}, "base_model must be a string, not None"),
        ({"baseModel": "a\0b"}, "base_model must be a string"),
    ],
)
def test_bad_values_are_reported_and_not_used(options: dict[str, Any], told: str) -> None:
    settings, problems = load(None, {}, NOWHERE, options)
    assert settings == Settings()
    assert len(problems) == 1
    assert told in problems[0]


def test_an_unknown_language_is_reported_and_still_holds(tmp_path: Path) -> None:
    settings, problems = from_repository(tmp_path, 'disabled_languages = ["markdown", "klingon", "Vue"]\n')
    assert settings.disabled_languages == ("markdown", "klingon", "Vue")  # an editor may have a plugin for it
    assert len(problems) == 1
    assert '.ondol.toml: disabled_languages names "klingon", which is no language that Ondol knows' in problems[0]
    assert "ada, " in problems[0]
    assert problems[0].endswith("zig.")
    assert len(load(None, {"ONDOL_DISABLED_LANGUAGES": "klingon,python"}, NOWHERE)[1]) == 1
    assert load(None, {}, NOWHERE, {"disabledLanguages": ["text", "plaintext", "FortranFreeForm"]})[1] == []


def test_a_bad_value_leaves_the_one_before(tmp_path: Path) -> None:
    user = tmp_path / "ondol.toml"
    user.write_text("max_lines = 5\n")
    settings, problems = load(None, {"ONDOL_MAX_LINES": "many"}, user, None)
    assert settings.max_lines == 5
    assert problems == [
        'environment variable ONDOL_MAX_LINES: max_lines must be a whole number, not "many"; 5 is used.'
    ]


@pytest.mark.parametrize("text", ["max_lines = ", "\xff\xfe", "[" * 5000, "x = 1\nx = 2\n", "a" * 100_000])
def test_a_broken_file_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / ".ondol.toml").write_bytes(text.encode("latin-1"))
    settings, problems = load(tmp_path, {}, NOWHERE, None)
    assert settings == Settings()
    assert len(problems) == 1
    assert ".ondol.toml: is" in problems[0]
    assert problems[0].endswith("it is ignored.")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_the_repositorys_file_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("max_lines = 3\n")
    (tmp_path / ".ondol.toml").symlink_to("elsewhere")
    settings, problems = load(tmp_path, {}, NOWHERE, None)
    assert settings == Settings()
    assert "cannot be read" in problems[0]
    (tmp_path / ".ondol.toml").unlink()
    for make in (os.mkfifo, os.mkdir):
        make(tmp_path / ".ondol.toml")
        said = [f"{tmp_path}/.ondol.toml: is not a regular file; it is ignored."]
        assert load(tmp_path, {}, NOWHERE, None) == (Settings(), said)
        (tmp_path / ".ondol.toml").rename(tmp_path / f"before {make.__name__}")


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))


@given(st.dictionaries(st.sampled_from([*(row[0] for row in describe()), "", "x", "maxLines"]), VALUES, max_size=6))
def test_nothing_in_the_options_raises(options: dict[str, Any]) -> None:
    settings, problems = load(None, {}, NOWHERE, options)
    assert isinstance(settings, Settings)
    hash(settings)
    assert all(problem.endswith(".") for problem in problems)


def test_environment_moves_the_data(tmp_path: Path) -> None:
    settings, problems = load(None, {"ONDOL_DATA_DIR": str(tmp_path / "data")}, NOWHERE, None)
    assert problems == []
    assert settings.data_dir == tmp_path / "data"
    assert load(None, {"ONDOL_DATA_DIR": "~/data"}, NOWHERE, None)[0].data_dir == Path.home() / "data"


def test_repository_directory(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        settings = Settings(data_dir=tmp_path / "data")
        root = tmp_path / "my repo+가"
        root.mkdir()
        directory = repository_directory(settings, root)
        assert directory.parent == tmp_path / "data" / "repositories"
        assert directory.name.startswith("my_repo__-")
        assert len(directory.name.rpartition("-")[2]) == 12
        if os.name == "posix":
            for folder in (directory, directory.parent, settings.data_dir):
                assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (tmp_path / "link").symlink_to(root)
        assert repository_directory(settings, tmp_path / "link") == directory
        (tmp_path / "other").mkdir()
        assert repository_directory(settings, tmp_path / "other") != directory
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match="cannot make the folder .*; make it writable or set ONDOL_DATA_DIR"):
            repository_directory(Settings(data_dir=tmp_path / "file"), root)
        refused = pytest.raises(UserError, match="cannot make a folder in .*file .*; make it writable")
        with refused, work_directory(Settings(data_dir=tmp_path / "file"), "eval"):
            pass
    finally:
        os.umask(old)


@pytest.mark.parametrize("written", ['"secret/"', '["secret/", "!"]', '["secret/", 5]'])
def test_what_is_excluded_stays_so_next_to_a_mistake(tmp_path, written):
    user = tmp_path / "ondol.toml"
    user.write_text(f"exclude = {written}\n")
    found, problems = load(env={}, user_file=user)
    assert (found.exclude, len(problems)) == (("secret/",), 1)
    assert '["secret/"] is used.' in problems[0]
    user.write_text('exclude = ["mine/"]\n')
    (tmp_path / ".ondol.toml").write_text(f"exclude = {written}\n")
    found, problems = load(tmp_path, env={}, user_file=user)
    assert (found.exclude, len(problems)) == (("mine/", "secret/"), 1)
