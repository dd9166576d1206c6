"""The n-gram baseline: what followed the same tokens in document and repository, alone and in a replay."""

import pytest

from finetune.evaluation.ngram_baseline import Ngram
from indexer.building.build import build
from indexer.storage.reader import Index
from lsp_server.types import Document, Request
from tests.support import commit_histories, indexes, repositories

FILES = {
    "a.py": "def load(path):\n    with open(path) as file:\n        return file.read()\n",
    "b.py": "def save(path, text):\n    with open(path) as file:\n        return file.write(text)\n",
    "c.py": "def keep(path):\n    with open(path) as file:\n        return file.read()\n",
}


@pytest.fixture
def baseline(tmp_path):
    root, data = repositories.repository(tmp_path / "repo", FILES), tmp_path / "data"
    settings = indexes.settings(data)
    build(root, settings)
    ngram = Ngram()
    ngram.set_index(Index.open(indexes.directory(root, data)))
    return ngram


def rest(ngram, text):
    document = Document("file:///new.py", "new.py", "python", 1, text + "\n")
    answer = ngram.complete(Request(document, len(text), automatic=False), lambda: False)
    return answer.suggestions[0].text if answer.suggestions else None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("def fetch(path):\n    ", "with open(path) as file:"),
        ("def fetch(path):\n    with open(path) ", "as file:"),
        ("def fetch(path):\n    with op", "en(path) as file:"),
        ("def fetch(path):\n    with open(path) as file:\n        return file.", "read()"),  # twice, against once
        ("zebra", None),
    ],
)
def test_the_rest_is_what_followed_most_often(baseline, typed, expected):
    assert rest(baseline, typed) == expected


def test_the_document_counts_too(baseline):
    typed = "x = file.seek(0)\ny = file.seek(0)\nz = file.seek(0)\nreturn file."
    assert rest(baseline, typed) == "seek(0)"


def test_it_answers_no_automatic_request(baseline):
    text = "def fetch(path):\n    with "
    document = Document("file:///new.py", "new.py", "python", 1, text)
    assert baseline.complete(Request(document, len(text), automatic=True), lambda: False).suggestions == ()


@pytest.mark.slow
def test_a_replay_compares_it_with_retrieval(tmp_path):
    root = commit_histories.growing(tmp_path / "shop", 16)
    report = commit_histories.report(
        root, tmp_path / "data", "--cases", "60", "--system", "retrieval", "--system", "ngram"
    )
    systems = report["systems"]
    assert systems["ngram"]["overall"]["exact_within"]["value"] > 0
    assert systems["ngram"]["overall"]["coverage"]["value"] == 0
    assert [(one["from"], one["to"]) for one in report["differences"]] == [("retrieval", "ngram")]
