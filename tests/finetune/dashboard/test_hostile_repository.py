"""The dashboard of a repository that was made to do harm: its pages show it as text, and read nothing outside."""

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="starlette is not installed: the web page is NOT tested")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: the web page is NOT tested")

from tests.support import indexes
from tests.support.dashboard import PAGES, Served, serving
from tests.support.repositories import git, repository, write

pytestmark = pytest.mark.model

OUTSIDE = "the_neighbours_drawer"
TAG = "<img src=x onerror=alert(1)>"
NAME = f"{TAG[:-1].replace('/', '')} a=\"b' .py"
TURNED = "a\u202egnp.py"
BYTES = os.fsdecode(b"src/\xff\xfe.py")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "outside.py").write_text(f"{OUTSIDE} = 1\n")
    root = folder / f"{TAG.replace('/', '')}\u202e"
    content = f"# {TAG} {{{{ 7 * 191 }}}} </pre><script>alert(2)</script>\nfor_all_to_see = '\x1b[2J\u202e'\n"
    repository(root, {"src/plain.py": content, f"src/{NAME}": content, f"src/{TURNED}": content})
    write(root, {BYTES: content, "private/kept.py": f"{OUTSIDE} = 2\n", ".ondolignore": "private/\n"})
    write(root, {"id_rsa": f"{OUTSIDE} = 3\n", ".env": f"API_TOKEN={OUTSIDE}_9a8b7c6d5e4f\n"})
    (root / "src/link.py").symlink_to(folder / "outside.py")
    (root / "linked").symlink_to(folder)
    os.mkfifo(root / "src/pipe.py")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", TAG)
    indexes.updated(root, folder / "data")
    with serving(root, folder / "data") as served:
        yield served, folder


def shown(served: Served, path: str) -> str:
    """A page that holds no markup and no hidden character of the repository."""
    text = served.page(path)
    assert not re.search(r"<img|<script|\x1b|[\u202a-\u202e\u2066-\u2069]|1337", text)
    assert all(re.fullmatch(r"/?[\w./?=&;%+:#-]*", unescape(link)) for link in re.findall(r'href="([^"]*)"', text))
    return text


@pytest.mark.parametrize("path", [*PAGES, "/search?text=for_all_to_see"])
def test_names_and_contents_are_text(hostile: tuple[Served, Path], path: str) -> None:
    shown(hostile[0], path)


@pytest.mark.parametrize("name", ["plain.py", NAME, TURNED], ids=["plain", "markup", "turned"])
def test_files_with_hostile_names_are_shown(hostile: tuple[Served, Path], name: str) -> None:
    assert "for_all_to_see" in shown(hostile[0], f"/playground?file={quote('src/' + name)}&line=2&column=1")


def test_queries_are_text(hostile: tuple[Served, Path]) -> None:
    served, _ = hostile
    for query in (TAG, '"><script>alert(1)</script>', "{{ 7 * 191 }}", "\x1b[2J\u202e", "\ud83d", "a" * 5_000, "\0"):
        asked = quote(query, errors="surrogatepass")
        shown(served, f"/search?text={asked}")
        for page in (f"file={asked}", f"file=src/plain.py&line={asked}", f"file=src/plain.py&line=1&column={asked}"):
            shown(served, f"/playground?{page}")
    for number in ("-1", "0", "999999999", "9" * 400, "\u0661", "1e9", "0x10"):
        shown(served, f"/playground?file=src/plain.py&line={quote(number)}&column={quote(number)}")


def test_nothing_outside_the_rules_is_read(hostile: tuple[Served, Path]) -> None:
    served, folder = hostile
    inside = ["src/link.py", "linked/outside.py", "private/kept.py", "id_rsa", ".env", ".git/config", "src/pipe.py"]
    outside = ["../outside.py", "src/../../outside.py", str(folder / "outside.py"), "//" + str(folder / "outside.py")]
    places = [*inside, *outside, f"file://{folder}/outside.py", "/dev/zero", "/proc/self/environ", "src", "", "."]
    for place in places:
        text = shown(served, f"/playground?file={quote(place)}&line=1")
        assert OUTSIDE not in text and "repositoryformatversion" not in text, place
    for raw in ("/../outside.py", "/%2e%2e/outside.py", "/style.css/../../outside.py", "//outside.py", "/style.css%00"):
        status, _, text = served.get(raw, Cookie=f"ondol-{served.port}={served.token}")
        assert status in (400, 404) and OUTSIDE not in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "ondol-{port}=\xff\xfe"},
        {"Cookie": "ondol-{port}={token}; ondol-{port}=wrong"},
        {"Cookie": "other={token}"},
        {"Authorization": "Bearer {token}"},
        {"X-Forwarded-Host": "127.0.0.1:{port}", "Host": "evil.example", "Cookie": "ondol-{port}={token}"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Cookie": "ondol-{port}={token}"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Cookie": "ondol-{port}={token}"},
        {"Referer": "http://evil.example/", "Sec-Fetch-Site": "cross-site", "Cookie": "ondol-{port}={token}"},
    ],
)
def test_requests_that_another_page_makes_get_nothing(hostile: tuple[Served, Path], headers: dict[str, str]) -> None:
    served, _ = hostile
    filled = {name: value.format(port=served.port, token=served.token) for name, value in headers.items()}
    status, fields, text = served.get("/search?text=for_all_to_see", **filled)
    assert status in (400, 403, 421) and "for_all_to_see" not in text and "set-cookie" not in fields
