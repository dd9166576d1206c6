"""The corpus of the small LLaMA: permissively licensed Python found on this machine, and training samples from it.

Takes the standard library and every installed package whose own metadata declare a permissive licence. Leaves out
packages that Ondol is judged on, vendored copies, tables, and files that repeat held-out ones. Samples are rendered by
``indexer.prompt.renderer``, so a training prompt is a serving prompt. Imports no torch.
"""

import hashlib
import importlib.metadata
import math
import random
import re
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer.prompt.renderer import ContextPiece, PromptInput, Renderer
from indexer.prompt.tokenizer import Vocabulary

PERMISSIVE = {
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "BSD-2-CLAUSE",
    "BSD-3-CLAUSE",
    "BSD",
    "APACHE-2.0",
    "ISC",
    "PSF-2.0",
    "PYTHON-2.0",
    "0BSD",
    "UNLICENSE",
    "ZLIB",
    "HPND",
    "CC0-1.0",
}
CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: BSD License": "BSD",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
WORDS = {
    "mit": "MIT",
    "mit license": "MIT",
    "bsd": "BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "new bsd": "BSD-3-Clause",
}
JUDGED = {"flask", "httpx", "httpx2", "httpcore", "httpcore2", "celery", "click", "requests", "pip", "setuptools"}
"""Packages that Ondol's benchmarks replay, and pip and setuptools, which vendor some of them."""

SKIPPED_PARTS = {
    "_vendor",
    "vendor",
    "site-packages",
    "__pycache__",
    "idlelib",
    "turtledemo",
    "pydoc_data",
    "lib2to3",
    "ensurepip",
    "encodings",
    "distutils",
}
CAPS = {"python-stdlib": 14_000_000, "python-stdlib-tests": 4_500_000}
"""Characters taken from a package at most; 1.5 million from any other."""
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,}")
LIMITS = (160, 224, 320, 448, 512, 640)
"""Prompt sizes of the samples; the last three where there is context."""

LONG = (512, 640, 768, 896)
"""Prompt sizes of the samples that copy."""

ROW, LONG_ROW = 768, 1024
_LEAST_LINE, _MOST_COPIES = 12, 40


@dataclass
class File:
    """One source file; ``name`` is what a prompt shows as its path."""

    package: str
    name: str
    text: str


@dataclass
class Corpus:
    """Training files, held-out files, and the content of corpus.json."""

    train: list[File] = field(default_factory=list)
    held_out: list[File] = field(default_factory=list)
    record: dict[str, object] = field(default_factory=dict)


def licence_of(distribution: importlib.metadata.Distribution) -> str | None:
    """The permissive licence a distribution declares, or None. All parts of an AND must be permissive."""
    meta = distribution.metadata
    expression = meta.get("License-Expression")
    if expression:
        parts = re.split(r"\s+AND\s+", expression.replace("(", "").replace(")", ""))
        fine = all(any(o.strip().upper() in PERMISSIVE for o in p.split(" OR ")) for p in parts)
        return expression if fine else None
    found = [c for c in meta.get_all("Classifier") or [] if c.startswith("License ::")]
    if found:
        names = [CLASSIFIERS.get(c) for c in found if c != "License :: OSI Approved"]
        return " AND ".join(str(n) for n in names) if names and all(names) else None
    return WORDS.get((meta.get("License") or "").strip().lower())


def usable(text: str) -> bool:
    """Return whether a text is ordinary source: no table, not generated, not too short."""
    lines = text.splitlines()
    if not 12 <= len(lines) <= 6000 or max(map(len, lines)) > 400 or len(text) / len(lines) > 80:
        return False
    letters = sum(map(str.isalpha, text))
    return letters > 0.4 * len(text) and "@generated" not in text[:2000]


def read_tree(package: str, root: Path, files: list[Path]) -> list[File]:
    """The usable files of a package, named relative to ``root``."""
    out = []
    for path in sorted(files):
        if SKIPPED_PARTS & set(path.relative_to(root).parts) or path.stat().st_size > 200_000:
            continue
        try:
            text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError):
            continue
        if usable(text):
            out.append(File(package, path.relative_to(root).as_posix(), text))
    return out


def collect(sites: list[Path], seed: int, only: set[str] | None = None) -> Corpus:
    """Find the corpus: the running interpreter's standard library and the packages of ``sites``.

    :param only: names of packages; others are skipped, so that the corpus stays the same when more are installed.
    """
    rng = random.Random(seed)
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    every = read_tree("python-stdlib", stdlib, [p for p in stdlib.rglob("*.py") if "site-packages" not in p.parts])
    tests = [f for f in every if re.search(r"(^|/)tests?(/|_)", f.name)]
    library = [f for f in every if f not in tests]
    candidates = sorted((f for f in library if 4_000 <= len(f.text) <= 60_000), key=lambda f: f.name)
    held = rng.sample(candidates, 40)
    packages: dict[str, tuple[str, list[File]]] = {
        "python-stdlib": ("PSF-2.0", [f for f in library if f not in held]),
        "python-stdlib-tests": ("PSF-2.0", [File("python-stdlib-tests", f.name, f.text) for f in tests]),
    }
    left_out: dict[str, str] = {}
    for site in sites:
        for dist in importlib.metadata.distributions(path=[str(site)]):
            name = re.sub(r"[-_.]+", "-", dist.metadata["Name"]).lower()
            if name in packages or name in left_out or (only is not None and name not in only):
                continue
            licence = licence_of(dist)
            if name in JUDGED or licence is None:
                left_out[name] = "benchmarked or vendoring" if name in JUDGED else "licence not known as permissive"
                continue
            paths = [site / str(f) for f in dist.files or [] if str(f).endswith(".py") and ".." not in str(f)]
            files = read_tree(name, site, [p for p in paths if p.is_file()])
            if files:
                packages[name] = (f"{licence} ({dist.version})", files)
    return _balanced(packages, held, left_out, rng)


def _balanced(
    packages: dict[str, tuple[str, list[File]]], held: list[File], left_out: dict[str, str], rng: random.Random
) -> Corpus:
    """Cap each package, drop copies of held-out lines and of each other, and write the record."""
    known = {line.strip() for f in held for line in f.text.splitlines() if len(line.strip()) > 25}
    corpus = Corpus(held_out=held)
    seen: set[str] = set()
    rows = []
    for name, (licence, files) in sorted(packages.items()):
        cap = CAPS.get(name, 1_500_000)
        rng.shuffle(files)
        total, digest, kept = 0, hashlib.sha256(), 0
        for file in files:
            key = hashlib.sha256(file.text.encode()).hexdigest()
            long = [line.strip() for line in file.text.splitlines() if len(line.strip()) > 25]
            copies = sum(line in known for line in long) > 0.2 * max(len(long), 1)
            if key in seen or copies or total + len(file.text) > cap:
                continue
            seen.add(key)
            digest.update(key.encode())
            corpus.train.append(file)
            total, kept = total + len(file.text), kept + 1
        row = {"name": name, "licence": licence, "files": kept, "characters": total, "sha256": digest.hexdigest()}
        rows.append(row)
    corpus.record = {
        "packages": rows,
        "left_out": left_out,
        "held_out": [{"name": f.name, "sha256": hashlib.sha256(f.text.encode()).hexdigest()} for f in held],
    }
    return corpus


class Snippets:
    """Finds 16-line pieces of a package's other files that share rare identifiers with a place (training only)."""

    def __init__(self, files: list[File]) -> None:
        self._pieces: list[tuple[str, str, str]] = []
        self._postings: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._of_package: dict[str, list[int]] = defaultdict(list)
        self._lines: dict[tuple[str, str], list[int]] = defaultdict(list)
        for file in files:
            lines = file.text.splitlines(keepends=True)
            for at in range(0, len(lines), 12):
                text = "".join(lines[at : at + 16])
                number = len(self._pieces)
                self._pieces.append((file.package, file.name, text))
                self._of_package[file.package].append(number)
                for word in set(_IDENTIFIER.findall(text)):
                    self._postings[file.package, word].append(number)
                for line in {line.strip() for line in lines[at : at + 16]}:
                    if len(line) >= _LEAST_LINE:
                        self._lines[file.package, line].append(number)

    def near(self, package: str, name: str, text: str, limit: int) -> list[ContextPiece]:
        """The best pieces for ``text``, most useful first, none from the file itself."""
        scores: dict[int, float] = defaultdict(float)
        words = [w for w in set(_IDENTIFIER.findall(text)) if 0 < len(self._postings.get((package, w), ())) <= 60]
        for word in sorted(words, key=lambda w: (len(self._postings[package, w]), w))[:24]:
            found = self._postings[package, word]
            for number in found:
                scores[number] += math.log(100 / len(found))
        best = sorted((n for n in scores if self._pieces[n][1] != name), key=lambda n: (-scores[n], n))
        return [ContextPiece(self._pieces[n][1], self._pieces[n][2]) for n in best[:limit]]

    def holding(self, package: str, name: str, line: str, rng: random.Random) -> ContextPiece | None:
        """Return a piece of another file that holds the same line; None for a frequent line."""
        found = self._lines.get((package, line.strip()), [])
        numbers = [n for n in found if self._pieces[n][1] != name] if len(found) <= _MOST_COPIES else []
        if not numbers:
            return None
        chosen = rng.choice(numbers)
        return ContextPiece(self._pieces[chosen][1], self._pieces[chosen][2])

    def random(self, package: str, name: str, rng: random.Random, limit: int) -> list[ContextPiece]:
        """Return distractors: unrelated pieces."""
        numbers = rng.choices(self._of_package[package], k=limit) if self._of_package[package] else []
        return [ContextPiece(self._pieces[n][1], self._pieces[n][2]) for n in numbers if self._pieces[n][1] != name]


def cut(text: str, rng: random.Random, focus: bool) -> tuple[int, int]:
    """A middle ``[start, end)``: mostly the rest of a line, else whole lines, random characters, or nothing.

    :param focus: even more rests of lines.
    """
    kind = rng.random() ** (2 if focus else 1)
    line_starts = [m.end() for m in re.finditer("\n", text)][:-1] or [0]
    begin = rng.choice(line_starts)
    end = text.find("\n", begin)
    end = len(text) if end < 0 else end
    body = begin + len(text[begin:end]) - len(text[begin:end].lstrip())
    if kind < 0.50 and end - body > 3:
        return rng.randrange(body + 1, end), end
    if kind < 0.65:
        return body, end
    if kind < 0.82:
        stop = end
        for _ in range(rng.randrange(1, 7)):
            following = text.find("\n", stop + 1)
            if following < 0 or following - body > 600:
                break
            stop = following
        return rng.choice((body, begin, end)), max(stop, end)
    if kind < 0.95:
        start = rng.randrange(0, max(1, len(text) - 2))
        return start, min(len(text), start + rng.randrange(1, 120))
    return end, end


def samples(
    corpus: Corpus, vocabulary: Vocabulary, renderers: list[Renderer], seed: int, focus: bool = False
) -> Iterator[tuple[list[int], int]]:
    """Yield training samples endlessly: (ids, start of the middle); the start is 0 for a left-to-right sample.

    :param focus: short prompts and rests of lines, so that twice as many of the tokens are middles.
    """
    rng = random.Random(seed)
    snippets = Snippets(corpus.train)
    separator, end = vocabulary.controls["<|file_sep|>"], vocabulary.controls["<|endoftext|>"]
    while True:
        order = [
            (f, k)
            for f in corpus.train
            for k in range(max(1, len(f.text) // (500 if f.package == "python-stdlib" else 1000)))
        ]
        rng.shuffle(order)
        for file, _ in order:
            if rng.random() < (0.08 if focus else 0.25):
                start = rng.choice([0, *[m.end() for m in re.finditer("\n", file.text)][:-1]])
                ids = vocabulary.encode(f"{file.name}\n{file.text[start : start + 2600]}")[: ROW - 2]
                yield [separator, *ids, *([end] if start + 2600 > len(file.text) else [])], 0
                continue
            start, stop = cut(file.text, rng, focus)
            prefix, suffix = file.text[max(0, start - 6000) : start], file.text[stop : stop + 2000]
            about = prefix[-500:] + suffix[:200]
            draw = rng.random()
            context = []
            if draw < (0.2 if focus else 0.45):
                context = snippets.near(file.package, file.name, about, rng.randrange(1, 5))
            elif draw < (0.25 if focus else 0.55):
                context = snippets.random(file.package, file.name, rng, rng.randrange(1, 4))
            plain = renderers[:2] if focus else renderers[:4]
            renderer = rng.choice(renderers[3:] if context else plain)
            suffix = "" if rng.random() < 0.08 else suffix
            parts = PromptInput(file.name, prefix, suffix, tuple(context))
            ids, target = renderer.training(parts, file.text[start:stop])
            if len(ids) <= ROW:
                yield ids, target


def copying(
    corpus: Corpus, vocabulary: Vocabulary, renderers: list[Renderer], seed: int
) -> Iterator[tuple[list[int], int]]:
    """Yield samples endlessly whose context is useful: in two of three it holds the missing line.

    :param renderers: of the sizes ``LONG``.
    """
    rng = random.Random(seed)
    snippets = Snippets(corpus.train)
    separator = vocabulary.controls["<|file_sep|>"]
    sizes = [len(file.text) for file in corpus.train]
    while True:
        file = rng.choices(corpus.train, sizes)[0]
        text, draw = file.text, rng.random()
        if draw < 0.08:
            start = rng.choice([0, *[m.end() for m in re.finditer("\n", text)][:-1]])
            ids = vocabulary.encode(f"{file.name}\n{text[start : start + 3400]}")
            yield [separator, *ids[: LONG_ROW - 1]], 0
            continue
        held = None
        for _ in range(30 if draw < 0.7 else 0):
            begin, stop = whole_line(text, rng)
            held = snippets.holding(file.package, file.name, text[begin:stop], rng)
            if held is not None:
                break
        if held is not None:
            body = stop - len(text[begin:stop].lstrip())
            start = body if rng.random() < 0.3 else rng.randrange(body, stop)
        elif draw < 0.7:
            continue
        else:
            start, stop = cut(text, rng, True)
        prefix, suffix = text[max(0, start - 6000) : start], text[stop : stop + 2000]
        context = snippets.near(file.package, file.name, prefix[-500:] + suffix[:200], rng.randrange(0, 5))
        if held is not None and not any(text[begin:stop].strip() in piece.text for piece in context):
            context.insert(rng.randrange(min(len(context), 2) + 1), held)
        parts = PromptInput(file.name, prefix, "" if rng.random() < 0.08 else suffix, tuple(context))
        ids, target = rng.choice(renderers).training(parts, text[start:stop])
        if len(ids) <= LONG_ROW:
            yield ids, target


def whole_line(text: str, rng: random.Random) -> tuple[int, int]:
    """Where a random line begins and ends."""
    at = rng.randrange(len(text))
    end = text.find("\n", at)
    return text.rfind("\n", 0, at) + 1, len(text) if end < 0 else end


def repeats(lines: list[list[int]], vocabulary: int, seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Rows in which each piece stands twice, anywhere: random tokens, or lines out of their order, with weights.

    Only looking back, however far, predicts them; of random tokens only the second occurrence counts.

    :param lines: encoded lines of code. :param vocabulary: how many ids there are; the first six are control tokens.
    """
    rng = random.Random(seed)
    while True:
        of_code, length = rng.random() < 0.5, rng.randrange(6, 60)
        pieces: list[list[int]] = []
        while 2 * sum(map(len, pieces)) < LONG_ROW:
            pieces.append(rng.choice(lines) if of_code else [rng.randrange(6, vocabulary) for _ in range(length)])
        order = [*range(len(pieces))] * 2
        rng.shuffle(order)
        ids: list[int] = []
        weights: list[int] = []
        seen: set[int] = set()
        for number in order:
            again = number in seen
            seen.add(number)
            ids += pieces[number]
            weights += [1 if again or of_code else 0] * len(pieces[number])
            if again and not of_code:
                weights[-len(pieces[number])] = 0  # nothing says which piece comes next
        yield ids[:LONG_ROW], weights[:LONG_ROW]


def rows(stream: Iterator[tuple[list[int], int]], count: int, size: int = ROW) -> Iterator[tuple[list[int], list[int]]]:
    """Pack whole samples into rows of ``size`` tokens with a weight for each token: 0 padding, 1 text, 2 middle.

    What is left of a row is filled with the beginning of a left-to-right document.
    """
    infill: list[tuple[list[int], int]] = []
    plain: list[list[int]] = []
    for _ in range(count):
        ids: list[int] = []
        weights: list[int] = []
        while True:
            while len(infill) < 48 or not plain:
                sample, target = next(stream)
                if target:
                    infill.append((sample, target))
                elif len(plain) < 500:
                    plain.append(sample)
            fitting = [i for i, (s, _) in enumerate(infill) if len(s) <= size - len(ids)]
            if not fitting:
                break
            best = fitting[0] if not ids else max(fitting, key=lambda i: len(infill[i][0]))
            sample, target = infill.pop(best)
            ids += sample
            weights += [1] * target + [2] * (len(sample) - target)
        if size - len(ids) > 16:
            sample = plain.pop(0)[: size - len(ids)]
            ids += sample
            weights += [1] * len(sample)
        padding = size - len(ids)
        yield ids + [0] * padding, weights + [0] * padding
