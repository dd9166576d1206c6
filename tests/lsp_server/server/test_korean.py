"""Korean over the wire: a comment that an input method composes, a repository of CP949 files, particles behind names."""

from pathlib import Path

import pytest

from tests.support import console, repositories
from tests.support.lsp_client import Client, edit, real

pytestmark = pytest.mark.slow
COMMENT = "값이 범위를 벗어나면 예외를 던진다"
CODE = "".join(
    f"def step_{number}(store):\n    # {name} {COMMENT}\n    return store.step({number})\n\n\n"
    for number, name in enumerate("재고 주문 고객 상품 배송 결제 계정 센서".split())
)
REST = COMMENT.removeprefix("값이 ")
STATES = ("ㅂ", "버", "범", "범ㅇ", "범우", "범위", "범위ㄹ", "범위르", "범위를", "범위를 ", "범위를 ㅂ", "범위를 버")


def compose(client: Client, uri: str, line: int, before: str, states: tuple[str, ...]) -> list[dict]:
    """The first item after each state of the text behind ``before`` on a line; {} for none."""
    found, shown, version = [], "", 1
    for state in states:
        version += 1
        client.change(uri, version, edit(line, len(before), state, end=(line, len(before) + len(shown))))
        shown = state
        items = client.complete(uri, line, len(before) + len(state), automatic=True)
        found.append(items[0] if items else {})
    return found


def test_nothing_flickers_while_a_syllable_is_composed(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"steps.py": CODE})
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        uri, before = (root / "new.py").as_uri(), "    # 채널 값이 "
        client.open(uri, f"def step_9(store):\n{before}\n    return store.step(9)\n")
        (first, *_) = client.complete(uri, 1, len(before), automatic=True)
        assert first["insertText"] == REST
        found = compose(client, uri, 1, before, STATES)
        assert all(found), found
        for state, item in zip(STATES, found, strict=True):
            start, end = (item["range"][side]["character"] - len(before) for side in ("start", "end"))
            assert (state[:start] + item["insertText"] + state[end:]) == REST, (state, item)
        assert len({item["command"]["arguments"][0]["id"] for item in found}) == 1, "it is one item to the editor"
        other = compose(client, uri, 1, before, ("ㄴ", "나", "나ㅁ"))
        assert not any(item and REST in item["insertText"] for item in other)


def test_a_cp949_repository_is_searched_and_completed(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "repo", {"steps.py": "x = 1\n"})
    (root / "steps.py").write_bytes(CODE.encode("cp949"))
    repositories.git(root, "add", "-A")
    assert console.run("index", root, data=tmp_path / "data").returncode == 0
    for words in ("범위 예외", "범위를 벗어나면", "재고의 값"):
        found = console.run("search", words, "--repo", root, data=tmp_path / "data").stdout
        assert "steps.py" in found and "벗어나면" in found, words
    with real(tmp_path) as client:
        client.initialize([root])
        client.wait_state("ready")
        uri, before = (root / "new.py").as_uri(), "    # 채널 값이 "
        client.open(uri, f"def step_9(store):\n{before}\n    return store.step(9)\n")
        (item, *_) = client.complete(uri, 1, len(before))
        assert item["insertText"].startswith(REST)


@pytest.mark.parametrize("query", ["read_header", "read_header가", "헤더", "헤더를 읽는"])
def test_particles_hide_no_name_in_search(tmp_path: Path, query: str) -> None:
    text = "# read_header는 헤더의 길이를 먼저 읽는다. read_header에서 오류가 나면 다시 읽는다\ndef use(stream):\n    return 1\n"
    root = repositories.repository(tmp_path / "repo", {"notes.py": text, "other.py": "def other():\n    return 2\n"})
    assert console.run("index", root, data=tmp_path / "data").returncode == 0
    found = console.run("search", query, "--repo", root, "--limit", "1", data=tmp_path / "data").stdout
    assert found.startswith("notes.py")
