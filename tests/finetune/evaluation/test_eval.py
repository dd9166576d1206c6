"""``ondol eval`` as people run it: good repositories and bad ones."""

import json
import re
from html.parser import HTMLParser

import pytest

from tests.support import commit_histories, console, repositories

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Checks that tags are closed, and gathers what could reach outside."""

    VOID = frozenset({"meta", "br", "link", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.reaching: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.reaching += [(tag, name) for name, _ in attributes if name in ("src", "href", "xlink:href", "action")]
        if tag in ("script", "iframe", "object", "link", "img", "base"):
            self.reaching.append((tag, ""))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_repository_is_replayed_and_reported_in_every_form(tmp_path):
    root = commit_histories.growing(tmp_path / "shop <b>", 24)
    evil = "<script>alert(1)</script>"
    text = (root / "src/area0/module_0.py").read_text()
    commit_histories.commit(root, {"src/area0/module_0.py": text + f"\nmarkup = render('{evil}', unknown_limit=3)\n"})
    data, page, cases = tmp_path / "data", tmp_path / "page.html", tmp_path / "cases.jsonl"
    done = commit_histories.evaluate(root, data, "--cases", "80", "--full", "--html", page, "--out", cases)
    assert done.returncode == 0, done.stderr
    for said in (
        "80 cursors in 4 files, 25 commits",
        "exact rest of line, at line start",
        "by cursor",
        "by directory",
        "src/area0",
        "calibration error",
        "The history has 25 commits to replay.",
        "ms at a new line",
    ):
        assert said in done.stdout, done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    report = commit_histories.report(root, data, "--cases", "80")
    again = commit_histories.report(root, data, "--cases", "80")
    for one in (report, again):
        for varying in ("made", "seconds", "stages"):
            one.pop(varying)
        for system in one["systems"].values():
            system.pop("latency_ms")
    assert report == again
    overall = report["systems"]["retrieval"]["overall"]
    # The functions repeat each other, so copies find much of them; names of their own they cannot know.
    assert 0.15 < overall["exact"]["value"] < 0.9
    assert overall["exact"]["low"] <= overall["exact"]["value"] <= overall["exact"]["high"]
    assert overall["precision"]["value"] > overall["exact"]["value"]
    # The dot of the report lies on its curve.
    dot = [overall["coverage"]["value"], overall["precision"]["value"]]
    assert report["systems"]["retrieval"]["curve"][-1] == pytest.approx(dot, abs=1e-3)
    assert "walrus" not in json.dumps(report)
    rows = [json.loads(line) for line in cases.read_text().splitlines()]
    assert len(rows) >= 80
    assert {"text", "rest", "offset", "systems"} <= set(rows[0])
    html = page.read_text("utf-8")
    parser = Page()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert parser.reaching == []
    assert "<script" not in html
    assert re.findall(r"https?://|@import|url\(", html) == []
    assert html.count("<svg") == 4
    assert "shop <b>" in parser.text
    for said in ("How it was measured", "indexed commit", "seed", "generation", "Worst: shown and wrong"):
        assert said in parser.text
    assert not list(data.glob("eval-*"))


@pytest.mark.parametrize("kind", ["plain", "young", "moves"])
def test_poor_histories(tmp_path, kind):
    data = tmp_path / "data"
    root = tmp_path / "r"
    if kind == "plain":
        repositories.write(
            root, {f"src/m{n}.py": f"def f_{n}(store):\n    return store.count({n})\n" for n in range(30)}
        )
        done = commit_histories.evaluate(root, data)
        assert done.returncode == 1
        assert (
            done.stderr
            == f"ondol: {root} has no history to replay; hold out files instead of commits with --split-files.\n"
        )
        report = commit_histories.report(root, data, "--split-files")
        assert report["cases"] > 0
        assert report["head"] is None
        assert report["stages"][0]["held_out"] >= 1
    elif kind == "young":
        commit_histories.growing(root, 9)
        report = commit_histories.report(root, data, "--seed", "5")
        assert sum(stage["commits"] for stage in report["stages"]) == 9
        assert report["notes"][0] == "The history has 9 commits to replay."
        wide = report["systems"]["retrieval"]["overall"]["precision"]
        assert wide["high"] - wide["low"] > 0.05
    else:
        lines = "".join(f"setting_{n} = load({n})\n" for n in range(30))
        repositories.repository(root, {"a.py": lines, "b.py": "import a\n"})
        (root / "a.py").write_text("import b\n")
        commit_histories.commit(root, {"b.py": "import a\n" + lines})
        report = commit_histories.report(root, data)
        assert report["cases"] == 1
        # Twenty lines of a file are taken at most.
        assert report["moved"] == report["systems"]["retrieval"]["moved"]["exact"]["count"] == 20
        report = commit_histories.report(root, data, "--every-line")
        assert (report["cases"], report["moved"]) == (21, 0)
        assert any("moved lines are included" in note for note in report["notes"])


def test_a_language_without_a_grammar_is_replayed(tmp_path):
    root = repositories.repository(tmp_path / "r", {"a.specl": "unit pump {\n  rate: 3;\n};\n", "NOTES.txt": "one\n"})
    commit_histories.commit(
        root, {"a.specl": "unit pump {\n  rate: 3;\n};\nunit valve {\n  rate: 3;\n};\n", "NOTES.txt": "two\n"}
    )
    report = commit_histories.report(root, tmp_path / "data")
    assert report["cases"] == 2
    assert set(report["systems"]["retrieval"]["groups"]["language"]) == {"text"}
    assert any("unknown ones were replayed" in note for note in report["notes"])


def test_a_shallow_clone_says_how_little_it_has(tmp_path):
    root = commit_histories.growing(tmp_path / "r", 6)
    repositories.git(tmp_path, "clone", "-q", "--depth", "4", root.as_uri(), "clone")
    report = commit_histories.report(tmp_path / "clone", tmp_path / "data", "--cases", "20")
    assert report["notes"][0] == "The clone is shallow: it has 3 of 100 commits to replay."
    assert sum(stage["commits"] for stage in report["stages"]) == 3


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--system", "oracle"), 1, "there is no system called oracle; name one of retrieval, "),
        (("--cases", "1"), 2, "--cases is at least 2"),
        (("--split-files", "--since", "2020-01-01"), 2, "--split-files uses no history"),
        (("--since", "2099-01-01"), 1, "no commit since 2099-01-01"),
        (("--html", "no/such/folder/page.html"), 1, "there is no folder no/such/folder to write page.html into"),
        (("--fit-gate", "--windows", "1"), 1, "with one window there is no newer one"),
        (("--fit-gate",), 1, "too few"),
    ],
)
def test_mistakes_are_one_sentence(repository, tmp_path, options, code, said):
    done = commit_histories.evaluate(repository, tmp_path / "data", *options)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return commit_histories.growing(tmp_path_factory.mktemp("m") / "r", 2)


def test_help_has_an_example_and_loads_nothing_heavy(tmp_path):
    done = console.run("eval", "--help")
    assert "Example: ondol eval ~/product" in done.stdout
    assert done.returncode == 0
