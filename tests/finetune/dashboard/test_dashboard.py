"""The pages show the stored figures, over HTTP, to the browser that was given the token, and to nothing else."""

import html
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="starlette is not installed: the web page is NOT tested")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: the web page is NOT tested")

from finetune.evaluation import results
from finetune.nightly.promotion import BASE, CANDIDATE
from indexer.data_layout import registry_directory, repository_directory
from lsp_server.weights import adapter_registry, adapter_registry_writer
from tests.support import adapters, commit_histories, console, indexes, repositories
from tests.support.adapters import trained_adapter, version_record
from tests.support.dashboard import PAGES, Served, serving

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("dashboard")
    with serving(repositories.repository(folder / "repo"), folder / "data") as served:
        yield served


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_page_says_what_to_run(empty: Served, path: str) -> None:
    text = empty.page(path)
    assert "<h1>repo: " in text
    assert re.search(r"<code>ondol [a-z]+|open a file of this repository", text)


def test_the_token_opens_the_pages_and_nothing_else_does(empty: Served) -> None:
    status, fields, _ = empty.get(f"/?token={empty.token}")
    assert (status, fields["location"]) == (303, "/")
    cookie = fields["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and empty.token in cookie
    assert empty.get(f"/search?text=a+b&token={empty.token}")[1]["location"] == "/search?text=a+b"
    for path in (*PAGES, "/style.css", "/?token=wrong", f"/?token={empty.token[:-1]}"):
        status, _, text = empty.get(path)
        assert status == 403 and "repo" not in text
    assert empty.get("/", Cookie=f"ondol-{empty.port}=wrong")[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost", "evil.example:{port}", "[::1]:{port}"])
def test_a_foreign_host_gets_nothing(empty: Served, host: str) -> None:
    own = {"Cookie": f"ondol-{empty.port}={empty.token}", "Host": host.format(port=empty.port)}
    for path in ("/", f"/?token={empty.token}", "/style.css"):
        status, fields, text = empty.get(path, **own)
        assert status == 421 and "set-cookie" not in fields and "repo" not in text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_a_foreign_origin_gets_nothing(empty: Served, origin: str) -> None:
    own = {"Cookie": f"ondol-{empty.port}={empty.token}", "Origin": origin.format(port=empty.port)}
    status, fields, text = empty.get("/", **own)
    assert status == 403 and "access-control-allow-origin" not in fields and "repo" not in text


def test_nothing_can_be_changed_or_loaded_from_elsewhere(empty: Served) -> None:
    own = {"Cookie": f"ondol-{empty.port}={empty.token}"}
    for path in PAGES:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            if (path, method) != ("/models", "POST"):
                assert empty.get(path, method, **own)[0] == 405
    status, fields, text = empty.get("/", **own)
    assert status == 200
    assert "default-src 'none'" in fields["content-security-policy"]
    assert fields["referrer-policy"] == "same-origin"
    assert "server" not in fields
    assert "://" not in text and "<script" not in text
    assert "://" not in empty.page("/style.css").replace("http://www.w3.org", "")
    assert empty.get("/none", **own)[0] == 404


def test_only_this_machine_reaches_it(empty: Served) -> None:
    listening = Path(f"/proc/{empty.process.pid}/net/tcp")
    if not listening.exists():
        pytest.skip("there is no /proc")
    for name, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        rows = [line.split()[1] for line in listening.with_name(name).read_text().splitlines()[1:]]
        assert {one.split(":")[0] for one in rows if int(one.split(":")[1], 16) == empty.port} <= {loopback}


@pytest.mark.parametrize("key", ["systems", "arms"], ids=["present", "version before"])
def test_nightly_runs_versions_and_statistics(tmp_path: Path, base: Any, key: str) -> None:
    root, data = repositories.repository(tmp_path / "repo\u202e"), tmp_path / "data"
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
    run = {"made": "2026-11-21", "status": "promoted", "summary": "good <b>", "replay": {key: figures}}
    (folder / "nights" / "1.json").write_text(json.dumps(run))
    (folder / "nights" / "2.json").write_text("{")
    shown = {"time": time.time(), "event": "shown", "id": "a", "language": "python", "engine": "copy"}
    (folder / "stats.jsonl").write_text(json.dumps(shown) + "\n" + json.dumps({**shown, "event": "accepted"}) + "\n")
    with serving(root, data) as served:
        overview = served.page("/")
        for said in ("version 1", "25.0 %", "+3.1", "95 % interval 1.2 to 5.0"):
            assert said in overview
        assert "\u202e" not in overview and "\\u202e" in overview
        nights = served.page("/nights")
        assert nights.index("unreadable") < nights.index("<td>2026-11-21")
        assert "good &lt;b&gt;" in nights and "<svg" in nights
        models = served.page("/models")
        assert "promoted" in models and "accepted_share" not in served.page("/use")
        assert "<td>100.0 %</td>" in served.page("/use")


@dataclass
class Registry:
    """A served registry of four versions of which the second is current, after the first."""

    served: Served
    where: Path

    def current(self) -> int | None:
        return adapter_registry.current_number(self.where)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    folder, root = tmp_path / "base", repositories.repository(tmp_path / "repo")
    base = adapters.tiny_base(folder)
    where = registry_directory(indexes.settings(tmp_path / "data"), root)
    for number in range(1, 5):
        gain = {"value": 0.01 * number, "low": 0.005 * number, "high": 0.02 * number, "count": 400}
        figures = {"gains": {BASE: gain}, "systems": {CANDIDATE: {"exact": {"value": 0.2 + 0.01 * number}}}}
        facts = {"metrics": figures, "training": {"loss_last": 1.0 / number, "steps": 300}, "verdict": "kept back"}
        adapters.add_version(where, base, number, **facts)
    adapter_registry_writer.promote(where, 1, base)
    adapter_registry_writer.promote(where, 2, base)
    (where / "versions" / "4" / "adapter_model.safetensors").write_bytes(b"damaged")
    with serving(root, tmp_path / "data", variables={"ONDOL_BASE_MODEL": str(folder)}) as served:
        yield Registry(served, where)


def test_a_version_is_promoted_and_rolled_back_after_a_question(registry: Registry) -> None:
    served = registry.served
    page = served.page("/models")
    assert page.count("make it current …") == 3 and page.count("roll back …") == 1
    asked = served.page("/models?ask=promote&version=3")
    assert "Version 2 is current. Make version 3 the current one?" in asked and "It gained +3.0" in asked
    assert registry.current() == 2, "a question changes nothing"
    answer = served.question("ask=promote&version=3")
    assert served.answer(answer)[:2] == (303, "/models")
    assert registry.current() == 3
    assert "Version 3 is current now." in served.page("/models")
    assert "is current now" not in served.page("/models"), "it is said once"
    back = served.question("ask=rollback")
    assert "Go back to version 2?" in served.page("/models?ask=rollback")
    assert served.answer(back)[0] == 303 and registry.current() == 2


def test_a_browser_that_reloads_or_an_old_question_changes_nothing_again(registry: Registry) -> None:
    served = registry.served
    back = served.question("ask=rollback")
    old = served.question("ask=promote&version=3")
    assert served.answer(back)[0] == 303 and registry.current() == 1
    for again in (back, back, old):
        assert served.answer(again)[0] == 303
        assert registry.current() == 1
        assert "another version has become current meanwhile" in served.page("/models")


def test_a_damaged_version_stays_out_with_a_sentence(registry: Registry) -> None:
    served = registry.served
    assert served.answer(served.question("ask=promote&version=4"))[0] == 303
    page = served.page("/models")
    assert registry.current() == 2 and "adapter version 4 is refused" in page and "Traceback" not in page


@pytest.mark.parametrize(
    ("values", "headers", "status"),
    [
        ({}, {"Origin": ""}, 403),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({}, {"Origin": "null"}, 403),
        ({}, {"Cookie": ""}, 403),
        ({}, {"Cookie": "ondol=wrong"}, 403),
        ({}, {"Host": "evil.example"}, 421),
        ({"token": ""}, {}, 403),
        ({"token": "guessed"}, {}, 403),
        ({"token": "가" * 3000}, {}, 403),
        ({"do": "delete"}, {}, 303),
        ({"version": "-1"}, {}, 303),
        ({"version": "3; rm"}, {}, 303),
        ({"version": "99"}, {}, 303),
        ({"now": "x\u202e"}, {}, 303),
    ],
)
def test_a_foreign_or_wrong_answer_changes_nothing(
    registry: Registry, values: dict[str, str], headers: dict[str, str], status: int
) -> None:
    asked = registry.served.question("ask=promote&version=3")
    assert registry.served.answer({**asked, **values}, **headers)[0] == status
    assert registry.current() == 2
    assert "\u202e" not in registry.served.page("/models")


def test_two_versions_are_compared_and_all_stand_on_a_time_line(registry: Registry) -> None:
    page = registry.served.page("/models?a=1&b=3")
    assert "Version 1 and version 3" in page
    assert re.search(r"<td>training: loss last</td><td>1</td><td>0.3333</td>", page)
    assert page.index("loss last") < page.index("the same in both") < page.index("training: steps")
    assert page.count("<title>version ") == 4 and "(current)" in page
    for query in ("a=1", "a=1&b=x", "a=9&b=1", "ask=promote&version=2", "ask=promote&version=x", "ask=none"):
        assert "Version 1 and version" not in registry.served.page(f"/models?{query}")


def test_use_over_time_by_language_and_engine(tmp_path: Path) -> None:
    root, data = repositories.repository(tmp_path / "repo"), tmp_path / "data"
    records = repository_directory(indexes.settings(data), root) / "stats.jsonl"
    now, lines = time.time(), []
    for week in range(30):
        for number in range(4):
            facts = {"id": f"{week}.{number}", "language": ("go", "c")[number % 2], "engine": "retrieval"}
            at = now - (29 - week) * 7 * 86400
            lines.append({"time": at, "event": "shown", **facts})
            lines += [{"time": at, "event": "accepted", **facts, "characters": 9}] if number < 1 + week // 15 else []
    lines += [{"time": 1e300, "event": "shown", "id": "x"}, {"time": "soon", "event": 7, "id": ["?"]}, {"event": None}]
    records.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{half")
    with serving(root, data) as served:
        page = served.page("/use")
        assert "<h2>By month</h2>" in page and page.count("<svg") == 2
        assert f"<td>{time.strftime('%Y-%m', time.localtime(now))}</td>" in page
        assert "25.0 %" in page and "50.0 %" in page
        of_c = served.page("/use?language=c&engine=retrieval")
        assert "<td>c</td>" in of_c and "<td>go</td>" not in of_c
        assert "<option selected>c</option>" in of_c
        assert "Nothing was shown yet" in served.page("/use?language=%3Cscript%3E")
        overview = served.page("/")
        assert "In the last 7 days, 4 texts were shown and 2 of them accepted (50.0 %)." in overview


def test_the_last_replays_stand_on_their_page_in_the_words_of_the_command(tmp_path: Path) -> None:
    root, data = commit_histories.growing(tmp_path / "shop\u202e", 10), tmp_path / "data"
    said = [
        console.run("eval", root, "--commits", "4", *options, data=data).stdout
        for options in (("--cases", "10"), ("--cases", "0", "--typing", "--hunks", "2"))
    ]
    (tmp_path / "other.json").write_text("[]")
    folder = repository_directory(indexes.settings(data), root)
    (folder / "replays" / "9.json").write_text("[" * 200_000)
    os.mkfifo(folder / "replays" / "8.json")
    (folder / "nights").mkdir()
    os.mkfifo(folder / "nights" / "1.json")
    with serving(root, data, "--eval", tmp_path / "other.json") as served:
        page = served.page("/replay")
        assert "unreadable" in served.page("/nights")
    assert page.index("typed key by key") < page.index("single cursors")
    assert all(f"{name}.json is not a report" in page for name in ("other", "8", "9"))
    assert "\u202e" not in page
    words = " ".join(html.unescape(page).split())
    for sentence in (" ".join(one.split()).partition(". ")[0] for one in said):
        assert sentence.startswith("Ondol would have saved") and sentence in words


def test_the_oldest_reports_of_replays_go(tmp_path: Path) -> None:
    folder = tmp_path / "replays"
    for day in range(1, 15):
        results.keep({"made": f"2026-11-{day:02}T10:00:00+00:00"}, folder)
    assert [path.name[:8] for path in sorted(folder.iterdir())] == [f"202611{day:02}" for day in range(5, 15)]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A repository whose functions repeat each other, with a secret, a file that is left out, and a large history."""
    folder = tmp_path_factory.mktemp("code")
    root = commit_histories.growing(folder / "shop <b>", 10)
    secret = "ghp_" + "Zk4" * 12
    (root / "src" / "keys.py").write_text(f"token = '{secret}'\ncount = 1\n")
    (root / "blob.bin").write_bytes(b"\0" * 100)
    text = (root / "src" / "area0" / "module_0.py").read_text()
    (root / "src" / "open.py").write_text(text + "\n\ndef feed_pipit(store, limit):\n    found = store\n")
    repositories.git(root, "add", "-A")
    assert console.run("index", root, data=folder / "data").returncode == 0
    records = repository_directory(indexes.settings(folder / "data"), root) / "stats.jsonl"
    events = (
        {"time": 1.0, "event": "shown", "id": f"{n}", "language": "go", "engine": "retrieval"} for n in range(20_000)
    )
    records.write_text("".join(json.dumps(event) + "\n" for event in events))
    with serving(root, folder / "data") as served:
        yield served


def test_search_finds_a_definition_and_leads_to_the_playground(indexed: Served) -> None:
    name = re.search(r"def (\w+_\d+)\(", indexed.page("/playground?file=src/open.py&line=5"))
    assert name
    found = indexed.page(f"/search?text={name[1]}")
    assert "It is defined here." in found and f"def {name[1]}" in found
    assert re.search(r'href="/playground\?file=[^"]+&amp;line=\d+"', found)


def test_the_index_page_says_what_is_in_what_is_left_out_and_why(indexed: Served) -> None:
    page = indexed.page("/index")
    assert "<td>python</td>" in page and "blob.bin" in page
    assert re.search(r"<b>\d+</b><span>files</span>", page)


def test_the_playground_shows_candidates_and_why_nothing_is_shown(indexed: Served) -> None:
    text = Path(re.search(r"<h1>(.*?): ", indexed.page("/playground"))[1]).name  # type: ignore[index]
    assert text == "shop &lt;b&gt;"
    shown = indexed.page("/playground?file=src/open.py&line=4&column=5")
    assert re.search(r"<td>\d+ %</td><td>retrieval</td><td>src/", shown), shown
    assert re.search(r"It was sent to the editor|Held back|Nothing in the repository|It is more likely", shown)
    assert shown.count('class="move"') == 4
    for query in (
        "file=../../etc/passwd&line=1",
        "file=none.py&line=1",
        "file=src/open.py&line=999999999&column=99999",
    ):
        assert "Traceback" not in indexed.page(f"/playground?{query}")
    assert "ghp_" not in indexed.page("/playground?file=src/keys.py&line=2")
    assert "root:" not in indexed.page("/playground?file=/etc/passwd&line=1")


def test_the_playground_shows_what_the_model_writes_beside_retrieval(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"a.py": "def total(values):\n    return sum(values)\n" * 9})
    assert console.run("index", root, data=tmp_path / "data").returncode == 0
    place = "/playground?file=a.py&line=2&column=12"
    small = Path(__file__).parents[2] / "fixtures" / "small_llama"
    variables = {"ONDOL_BACKEND": "local", "ONDOL_BASE_MODEL": str(small)}
    with serving(root, tmp_path / "data", variables=variables) as served:
        page = served.page(place)
        assert f'href="{place.replace("&", "&amp;")}&amp;model=1">ask the model</a>' in page
        page = served.page(f"{place}&model=1")
        assert "Retrieval and model, automatically" in page and "The model alone, on request" in page
        assert "<td>model</td>" in page or "Nothing: " in page
    assert served.process.returncode in (0, -15)
    variables["ONDOL_BASE_MODEL"] = str(tmp_path / "none")
    with serving(root, tmp_path / "data", variables=variables) as served:
        assert served.page(f"{place}&model=1").count("there is no model") == 1
        assert "On request" in served.page(f"{place}&model=1")


@pytest.mark.parametrize(
    "path", [*PAGES, "/search?text=store", "/playground?file=src/open.py&line=5", "/use?language=go"]
)
def test_a_browser_draws_every_page(indexed: Served, tmp_path: Path, path: str) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed: the pages are NOT opened in a browser")
    joint = "&" if "?" in path else "?"
    address = f"http://127.0.0.1:{indexed.port}{path}{joint}token={indexed.token}"
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom")
    drawn = subprocess.run([browser, *options, address], capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<h1>shop &lt;b&gt;: " in drawn and "<nav>" in drawn
    assert "store.select" in drawn or "src" not in path and "text" not in path
