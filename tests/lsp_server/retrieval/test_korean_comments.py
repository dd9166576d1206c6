"""Korean comments go on as English ones do: each is typed syllable by syllable next to ten comments like it."""

import random
from collections.abc import Iterator
from pathlib import Path

from indexer.text import particles
from lsp_server.server.factories import make_engine, open_index
from lsp_server.types import Document, Request, settled
from tests.support import indexes, repositories

KOREAN = (
    "{0} 값이 범위를 벗어나면 예외를 던진다",
    "{0}의 개수를 세어 기록한다",
    "{0}을 초기화한 다음에 연결을 다시 연다",
    "이 함수는 {0} 목록을 정렬해서 돌려준다",
    "잠금을 얻은 뒤에만 {0}을 바꿀 수 있다",
    "시간이 지나면 {0}을 캐시에서 지운다",
    "{0}이 비어 있으면 기본값을 돌려준다",
    "새 {0}을 만들어 저장소에 넣는다",
    "{0}은 한 번만 읽고 나서 닫아야 한다",
    "{0}과 관련된 기록을 모두 삭제한다",
    "{0}으로 보낼 메시지를 큐에 쌓는다",
    "요청을 보내기 전에 {0}이 준비되었는지 확인한다",
)
"""Comments about a thing; the particle behind it takes the form that fits the thing's name."""

ENGLISH = (
    "raise an error if the {0} value is out of range",
    "count the {0} entries and record them",
    "reset the {0} first and open the connection again",
    "this function returns the {0} list in sorted order",
    "only change the {0} after the lock was taken",
    "remove the {0} from the cache after some time",
    "an empty {0} means that the default value is returned",
    "create a new {0} and put it into the store",
    "each {0} is read only once and closed afterwards",
    "all records of the {0} are deleted from the table",
    "messages for the {0} are appended to the queue",
    "before the request is sent make sure that the {0} is ready",
)
WORDS = {
    KOREAN: "재고 주문 고객 상품 배송 결제 계정 센서 채널 버퍼 세션".split(),
    ENGLISH: "stock order customer product parcel payment account sensor channel buffer session".split(),
}
Sentences = tuple[str, ...]


def code(comment: str, number: int) -> str:
    return f"def step_{number}(store):\n    # {comment}\n    return store.step({number})\n\n\n"


def about(sentence: str, thing: str) -> str:
    """The sentence with a thing in it, and the form of the particle behind it."""
    before, behind = sentence.split("{0}")
    return before + thing + (particles.joined(thing, behind) or behind)


def comments(sentences: Sentences, rng: random.Random) -> Iterator[tuple[str, list[str]]]:
    """A comment to type, and ten like it."""
    for sentence in sentences:
        words = rng.sample(WORDS[sentences], 11)
        yield about(sentence, words[0]), [about(sentence, word) for word in words[1:]]


def completed(folder: Path, sentences: Sentences, seed: int) -> tuple[int, int]:
    """In how many of the comments the rest is shown, right to its end, at some syllable of the second word or later.

    Returns that number and the number of comments.
    """
    rng = random.Random(seed)
    print(f"seed {seed}")
    pairs = list(comments(sentences, rng))
    alike = [one for _, others in pairs for one in others]
    rng.shuffle(alike)
    root = repositories.repository(folder / "repo", {"steps.py": "".join(map(code, alike, range(len(alike))))})
    settings = indexes.settings(folder / "data")
    indexes.build(root, settings)
    engine = make_engine(settings, open_index(settings, root))
    hits = 0
    for number, (comment, _) in enumerate(pairs):
        start = f"def other_{number}(store):\n    # "
        words = comment.split(" ")
        first, last = len(words[0]) + 1, len(" ".join(words[:-1]))
        found = False
        for typed in range(first, last):
            text = start + comment[:typed]
            document = Document("file:///new.py", "new.py", "python", typed, text + "\n    return store\n")
            answer = settled(engine.complete(Request(document, len(text), True), lambda: False))
            shown = answer.suggestions[0].text.split("\n")[0] if answer.suggestions else ""
            found = found or bool(shown) and comment[typed:].strip() == shown.strip()
        hits += found
    return hits, len(pairs)


def test_korean_comments_are_completed_in_at_least_half_of_the_cases_that_english_ones_are(tmp_path: Path) -> None:
    korean = english = 0
    for seed in (1, 2):
        one, of = completed(tmp_path / f"ko{seed}", KOREAN, seed)
        two, _ = completed(tmp_path / f"en{seed}", ENGLISH, seed)
        korean, english = korean + one, english + two
        print(f"Korean {one} of {of}, English {two} of {of}")
    assert english >= 12, "the English comments must be completed for the comparison to say anything"
    assert korean >= english / 2
