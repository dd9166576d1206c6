"""The real server with an engine whose behaviour a test chooses.

Started as a process of its own: ``double_server.py BEHAVIOUR``. Words of the behaviour:
``sleep=S`` seconds per answer in steps that look at the cancel flag; ``deaf`` never looks at it; ``raise=P`` raises
with this probability; ``print`` writes to stdout in every way; ``no-index``, ``damaged`` and ``index-fails`` say what
opening the index and running the indexer do; ``lines=S`` loads a model that writes what is drafted
for a line after S seconds, with ``disagrees`` another text. What it was asked goes to the file ``$DOUBLE_LOG``, if that is set.

It suggests: after ``def add(`` the text ``a, b):`` and a body; after ``emoji(`` the text ``😀)``; after ``mid(`` before
other text, the same text replacing the rest; after ``three`` four items; after ``version `` the document's version;
after the first letters of ``continued``, at least three, the rest of it and another word;
after ``find `` the lines of documents it was given that start with ``needle``; after ``late `` the text ``at last``,
half a second after a request that is worth a tenth of a second, and at once from then on; after ``patient `` nothing,
though the request is worth a minute; else nothing.
"""

import json
import os
import random
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from indexer.errors import IndexDamaged, IndexMissing
from lsp_server.model.line_questions import ChangedLine, LineJob, LineQuestion
from lsp_server.reasons import Reason
from lsp_server.server.factories import Factories
from lsp_server.server.main import serve
from lsp_server.types import Answer, ModelPhase, ModelState, Provenance, Suggestion

WORDS = dict(word.partition("=")[::2] for word in (sys.argv[1] if len(sys.argv) > 1 else "").split())


def log(**fact: Any) -> None:
    if "DOUBLE_LOG" in os.environ:
        with open(os.environ["DOUBLE_LOG"], "a") as file:
            file.write(json.dumps(fact) + "\n")


class DoubleLater:
    """What a model adds at a point in time."""

    def __init__(self, there: float, answer: Answer, seconds: float = 0.1) -> None:
        self.there, self.answer, self.seconds = there, answer, seconds

    def when_there(self, call: Any) -> None:
        timer = threading.Timer(self.there - time.monotonic(), call)
        timer.daemon = True
        timer.start()

    def finish(self, *, late: bool = False) -> Answer:
        return Answer((), Reason.GATE, {"model_in_time": False}) if late else self.answer


class DoubleEngine:
    def __init__(self, settings: Any, index: Any) -> None:
        self.settings = settings
        self.index = index
        self.documents: dict[str, str] = {}
        self.random = random.Random(7)
        log(event="engine", index=getattr(index, "generation", None))

    def set_index(self, index: Any) -> None:
        self.index = index
        log(event="index", generation=index.generation)

    def update(self, document: Any) -> None:
        self.documents[document.uri] = document.text

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)

    state = None

    def accepted(self, document: Any, offset: int) -> None: ...

    def stop(self) -> None: ...

    def complete(self, request: Any, cancelled: Any) -> Answer:
        document, at = request.document, request.offset
        log(event="ask", version=document.version, path=document.path, language=document.language, uri=document.uri)
        self.print()
        if self.random.random() < float(WORDS.get("raise", 0)):
            raise RuntimeError("SECRET_SOURCE_TEXT " + document.text[:50])
        until = time.monotonic() + float(WORDS.get("sleep", 0))
        while time.monotonic() < until:
            if cancelled() and "deaf" not in WORDS:
                log(event="stopped", version=document.version)
                return Answer((), Reason.CANCELLED)
            time.sleep(0.005)
        return self.answer(document, at, request)

    def answer(self, document: Any, at: int, request: Any) -> Answer:
        before = document.text[document.text.rfind("\n", 0, at) + 1 : at]
        end = document.text.find("\n", at)
        rest = document.text[at : end if end >= 0 else len(document.text)]
        texts: list[tuple[str, int]] = []
        if before.endswith("def add("):
            texts = [("a, b):\n    return a + b", at)]
        elif before.endswith("emoji("):
            texts = [("😀)", at)]
        elif before.endswith("mid("):
            texts = [("1, 2" + rest, at + len(rest))]
        elif before.endswith("three"):
            texts = [("_1", at), ("_2", at), ("_3", at), ("_4", at)]
        elif before.endswith("find "):
            for text in self.documents.values():
                texts += [(line[6:], at) for line in text.split("\n") if line.startswith("needle")]
        elif (word := before.rpartition(" ")[2]) and len(word) > 2 and "continued".startswith(word):
            texts = [("continued word"[len(word) :], at)]
        elif before.endswith("version "):
            texts = [(f"v{document.version}", at)]
        if request.popup is not None:
            start, end = request.popup.start, request.popup.end
            whole = Suggestion(request.popup.text + "_more", start, end, 0.9, "double")
            return Answer((whole,), Reason.SHOWN)
        if before.endswith("patient "):
            return Answer((), Reason.GATE, later=DoubleLater(time.monotonic() + 90, Answer((), Reason.GATE), 60))
        if before.endswith("late "):
            self.asked_late = getattr(self, "asked_late", None) or time.monotonic()
            answer = Answer((Suggestion("at last", at, at, 0.8, "model"),), Reason.SHOWN, {"model_in_time": True})
            there = self.asked_late + 0.5
            return answer if time.monotonic() >= there else Answer((), Reason.GATE, later=DoubleLater(there, answer))
        found = [Suggestion(text, at, end, 0.8, "double", (Provenance("lib.py", 3, "copy"),)) for text, end in texts]
        return Answer(tuple(found), Reason.SHOWN if found else Reason.NO_MATCH, {"stages": {"copy_ms": 0.1}})

    @staticmethod
    def print() -> None:
        if "print" in WORDS:
            print("stray print")
            sys.stdout.write("stray write\n")
            os.write(1, b"stray descriptor\n")
            os.system("echo stray child")
            warnings.warn("stray warning", stacklevel=1)


class LineEngine(DoubleEngine):
    """An engine with a model that says what becomes of lines."""

    state = ModelState(ModelPhase.READY, "double")

    def ask_line(self, question: LineQuestion) -> LineJob:
        log(event="line", line=question.line, pairs=question.pairs)
        job = LineJob(question)
        made = "pass" if "disagrees" in WORDS else question.drafts[0]
        answer = ChangedLine(made, "line", {"model": "double", "prompt_tokens": 7, "changes": 1})
        timer = threading.Timer(float(WORDS["lines"]), job.end, [answer])
        timer.daemon = True
        timer.start()
        return job


class DoubleRun:
    """An indexer that ends at once."""

    def __init__(self, root: Any, settings: Any, report: Any, *, full: bool = False) -> None:
        import asyncio

        from lsp_server.server.index_process import IndexOutcome, IndexProgress

        log(event="run", full=full, root=str(root))
        loop = asyncio.get_running_loop()
        self.outcome = loop.create_future()
        loop.call_later(0.05, report, IndexProgress("read", 50))
        code = 1 if "index-fails" in WORDS else 0
        OPENED["missing"] = False

        def end() -> None:
            log(event="ran", root=str(root))
            self.outcome.set_result(IndexOutcome(code, "no space left on /data; free some"))

        loop.call_later(0.2, end)

    def stop(self) -> None: ...

    def kill(self) -> None: ...


OPENED = {"missing": "no-index" in WORDS or "index-fails" in WORDS, "damaged": "damaged" in WORDS}


class DoubleIndex(SimpleNamespace):
    """Like the real one, it can be referred to weakly."""


def open_double(settings: Any, root: Path) -> Any:
    if OPENED["missing"]:
        raise IndexMissing("there is no index", "run `ondol index`")
    if OPENED.pop("damaged", False):
        raise IndexDamaged("a file does not match its hash", "rebuild it")
    return DoubleIndex(
        documents={"a.py": 1}, generation=1, problem=None, leave_out=lambda unwanted: 0, forget_texts=lambda: None
    )


if __name__ == "__main__":
    engine = LineEngine if "lines" in WORDS else DoubleEngine
    serve({}, Factories(engine, open_double, lambda settings, root: Path(root), DoubleRun))
