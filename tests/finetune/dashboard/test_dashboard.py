"""The web page shows the stored figures, listens on a loopback address only, and sends no telemetry."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit", reason="streamlit is not installed: the web page is NOT tested")

from streamlit.testing.v1 import AppTest

from finetune.dashboard import command as dashboard
from finetune.nightly.promotion import BASE, CANDIDATE
from indexer.data_layout import (
    registry_directory,
    repository_directory,
)
from lsp_server.weights import adapter_registry_writer
from tests.support import console, indexes, repositories
from tests.support.adapters import trained_adapter, version_record

pytestmark = pytest.mark.model

PAGE = Path(dashboard.__file__).parent / "page.py"


def opened(root: Path, data: Path, *more: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "argv", [str(PAGE), str(root), str(data), *map(str, more)])
    return AppTest.from_file(str(PAGE), default_timeout=60).run()


def test_an_empty_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(repositories.repository(tmp_path / "repo"), tmp_path / "data", monkeypatch=monkeypatch)
    assert not page.exception
    assert [one.value for one in page.metric] == ["none", "-", "-"]


@pytest.mark.parametrize("key", ["systems", "arms"], ids=["present", "version before"])
def test_nightly_runs_versions_statistics_and_a_replay(
    tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    settings = indexes.settings(data)
    folder = repository_directory(settings, root)
    gain = {"value": 0.031, "low": 0.012, "high": 0.05, "count": 400}
    metrics = {key: {CANDIDATE: {"exact": {"value": 0.25}}}, "gains": {BASE: gain}}
    where = registry_directory(settings, root)
    adapter_registry_writer.add(
        where, trained_adapter(data / "x", base), version_record(base, metrics=metrics, verdict="promoted"), {}
    )
    adapter_registry_writer.promote(where, 1, base)
    figures = {name: {"overall": {"exact": {"value": value}}} for name, value in ((BASE, 0.2), (CANDIDATE, 0.25))}
    (folder / "nights").mkdir()
    run = {"made": "2026-11-21", "status": "promoted", "summary": "good", "replay": {key: figures}}
    (folder / "nights" / "1.json").write_text(json.dumps(run))
    (folder / "nights" / "2.json").write_text("{")
    shown = {"time": 1.0, "event": "shown", "id": "a", "language": "python", "engine": "copy"}
    (folder / "stats.jsonl").write_text(json.dumps(shown) + "\n" + json.dumps({**shown, "event": "accepted"}) + "\n")
    (tmp_path / "eval.json").write_text(json.dumps({"repository": "repo", "cases": 7, key: figures}))
    (tmp_path / "other.json").write_text("[]")
    page = opened(root, data, tmp_path / "eval.json", tmp_path / "other.json", monkeypatch=monkeypatch)
    assert not page.exception
    assert [one.value for one in page.metric][:3] == ["version 1", "25.0 %", "+3.1"]
    tables = [one.value.to_dict("records") for one in page.dataframe]
    assert [one["status"] for one in tables[0]] == ["unreadable", "promoted"]
    assert (tables[1][0]["version"], tables[1][0]["verdict"]) == (1, "promoted")
    assert tables[2][-1]["accepted"] == 1
    assert tables[3] == [{"figure": "exact rest of line", BASE: "20.0 %", CANDIDATE: "25.0 %"}]
    assert page.metric[2].label == "gain over the base, in points (95 % interval 1.2 to 5.0)"
    assert len(page.error) == 1


def test_only_this_machine_reaches_it(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (root / ".streamlit").mkdir()
    (root / ".streamlit" / "config.toml").write_text(
        '[server]\naddress = "0.0.0.0"\n[browser]\ngatherUsageStats = true\n'
    )
    command = [console.SCRIPT, "dashboard", root, "--port", str(port), "--data-dir", tmp_path / "data"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                assert process.poll() is None, process.stdout and process.stdout.read()
                time.sleep(0.5)
        else:
            pytest.fail("it does not answer")
        listening = Path(f"/proc/{process.pid}/net/tcp")
        if listening.exists():
            rows = [line.split()[1] for line in listening.read_text().splitlines()[1:]]
            assert {one.split(":")[0] for one in rows if int(one.split(":")[1], 16) == port} == {"0100007F"}
    finally:
        process.terminate()
        process.wait()
