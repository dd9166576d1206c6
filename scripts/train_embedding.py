"""Train the static embedding that the index ships, and write it to ``indexer/data/``.

    python -m venv .venv-embed && .venv-embed/bin/pip install torch sentence-transformers datasets accelerate numpy
    .venv-embed/bin/python scripts/train_embedding.py --work /tmp/embedding

The corpus is permissively licensed source of many languages, fetched by name with the ordinary clients (pip, npm,
apt-get) into the work folder and unpacked there; nothing of it is installed or run. The list with versions and
licences is written next to the matrix as ``embedding.json``. Packages that the project's evaluations use are not in it.

Training: word parts (``indexer.search.embedding.units``), a byte-level BPE over them, and one row per subword, trained
with sentence-transformers' MultipleNegativesRankingLoss on pairs of neighbours in real files (the lines before a chunk
and the chunk; a comment or signature and the body under it). Then rows are rounded to int8 with one scale per column.
"""

import argparse
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

from indexer.languages.grammars import language_of
from indexer.search.embedding import MATRIX_FILE, TOKENIZER_FILE, units

CARD_FILE = "embedding.json"


@dataclass(frozen=True)
class Package:
    """One source of text: which client fetches it, its name there, its licence, the most that is read of it, and the
    part of a path that a file must have to be read."""

    client: str
    name: str
    licence: str
    megabytes: float = 3.0
    only: str = ""


PYPI = [
    Package("pypi", "django", "BSD-3-Clause", 5),
    Package("pypi", "sympy", "BSD-3-Clause", 3),
    Package("pypi", "scikit-learn", "BSD-3-Clause", 4),
    Package("pypi", "pandas", "BSD-3-Clause", 4),
    Package("pypi", "sqlalchemy", "MIT", 3),
    Package("pypi", "twisted", "MIT", 3),
    Package("pypi", "fastapi", "MIT", 2),
    Package("pypi", "aiohttp", "Apache-2.0", 2),
    Package("pypi", "networkx", "BSD-3-Clause", 2),
    Package("pypi", "transformers", "Apache-2.0", 4),
    Package("pypi", "botocore", "Apache-2.0", 1),
    Package("pypi", "pyuvm", "Apache-2.0", 1),
    Package("pypi", "cocotb", "BSD-3-Clause", 2),
    Package("pypi", "lambdalib", "MIT", 4),
    Package("pypi", "siliconcompiler", "Apache-2.0", 2),
    Package("pypi", "umi", "Apache-2.0", 4),
    Package("pypi", "switchboard-hw", "Apache-2.0", 2),
    Package("pypi", "jupyterlab-language-pack-ko-KR", "BSD-3-Clause", 2),
    Package("pypi", "jupyterlab-language-pack-ja-JP", "BSD-3-Clause", 1),
    Package("pypi", "jupyterlab-language-pack-zh-CN", "BSD-3-Clause", 1),
]
NPM = [
    Package("npm", "date-fns", "MIT", 2),
    Package("npm", "three", "MIT", 3),
    Package("npm", "rxjs", "Apache-2.0", 2),
    Package("npm", "react-native", "MIT", 6),
    Package("npm", "@capacitor/android", "MIT", 2),
    Package("npm", "@capacitor/ios", "MIT", 2),
    Package("npm", "react-native-maps", "MIT", 2),
    Package("npm", "react-native-gesture-handler", "MIT", 2),
    Package("npm", "react-native-reanimated", "MIT", 3),
    Package("npm", "expo-modules-core", "MIT", 3),
    Package("npm", "zod", "MIT", 2),
    Package("npm", "antd", "MIT", 2),
    Package("npm", "webpack", "MIT", 2),
    Package("npm", "eslint", "MIT", 2),
    Package("npm", "bootstrap", "MIT", 1),
    Package("npm", "@angular/core", "MIT", 2),
]
DEBIAN = [
    Package("debian", "yosys", "ISC", 4),
    Package("debian", "libboost1.74-dev", "BSL-1.0", 6),
    Package("debian", "libabsl-dev", "Apache-2.0", 3),
    Package("debian", "nlohmann-json3-dev", "MIT", 2),
    Package("debian", "libcatch2-dev", "BSL-1.0", 1),
    Package("debian", "musl-dev", "MIT", 1),
    Package("debian", "golang-1.19-src", "BSD-3-Clause", 8),
    Package("debian", "golang-github-spf13-cobra-dev", "Apache-2.0", 1),
    Package("debian", "golang-google-grpc-dev", "Apache-2.0", 3),
    Package("debian", "golang-github-prometheus-client-golang-dev", "Apache-2.0", 2),
    Package("debian", "rust-src", "MIT OR Apache-2.0", 8),
    Package("debian", "librust-tokio-dev", "MIT", 3),
    Package("debian", "librust-syn-dev", "MIT OR Apache-2.0", 2),
    Package("debian", "librust-serde-dev", "MIT OR Apache-2.0", 1),
    Package("debian", "php-symfony-console", "MIT", 1),
    Package("debian", "php-symfony-http-kernel", "MIT", 1),
    Package("debian", "php-doctrine-orm", "MIT", 1),
    Package("debian", "ruby-activesupport", "MIT", 2),
    Package("debian", "ruby-activerecord", "MIT", 2),
    Package("debian", "ruby-actionpack", "MIT", 2),
    Package("debian", "lua-penlight", "MIT", 1),
    Package("debian", "ghdl-common", "Apache-2.0", 2, only="ieee2008"),  # the IEEE's own libraries alone
]
PACKAGES = [*PYPI, *NPM, *DEBIAN]

# Never trained on: the histories that the project's evaluations replay.
HELD_OUT = ("flask", "httpx", "celery", "gson", "opentitan", "ibex", "click", "requests", "gin", "ripgrep", "redis")

# Translations of messages into Korean, Japanese and Chinese: .po files and JupyterLab's .json catalogues.
PROSE = "prose"
_EAST_ASIAN = re.compile(r"/(?:ko|ja|zh_Hans|ko_KR|ja_JP|zh_CN)/LC_MESSAGES/[^/]+\.(?:po|json)$")
_INSTALLED = "site-packages"

VOCABULARY = 24_576
# Alone, 256 numbers found 1.6 points more at 10; fused with BM25 nothing more (.318 against .322), for twice the bytes
# in every index and twice the time of a query.
WIDTH = 128
# Each file is cut into pairs this many times, at other places, and each pair is seen once: in four passes over the same
# pairs the loss fell from 1.17 to 0.26 and recall did not rise.
PASSES = 2
BATCH = 1024
CONTEXT_LINES = 10
CHUNK_LINES = 20
LARGEST_FILE = 400_000


# --- corpus ----------------------------------------------------------------------------------------------------------


def fetch(package: Package, work: Path) -> Path | None:
    """Fetch and unpack one package below ``work``; None, said aloud, where it cannot be had."""
    target = work / "corpus" / package.client / package.name.replace("/", "+")
    if target.exists():
        return target
    download = work / "download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    commands = {
        "pypi": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(download), package.name],
        "npm": ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(download), package.name],
        "debian": ["apt-get", "download", "-q", package.name],
    }
    done = subprocess.run(commands[package.client], cwd=download, capture_output=True, text=True, timeout=600)
    archives = list(download.iterdir())
    if done.returncode or not archives:
        print(f"left out: {package.client} {package.name}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for archive in archives:
        _unpack(archive, partial)
    (partial / ".fetched").write_text(archives[0].name, encoding="utf-8")
    partial.rename(target)
    return target


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
    elif archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")


def sources(folder: Path, package: Package, seed: int) -> Iterator[tuple[str, str, str]]:
    """(path, language, text) of a folder's source files in random order, up to the package's megabytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    random.Random(seed).shuffle(files)
    room = package.megabytes * 1e6
    for path in files:
        language = language_of(path.name)
        prose = _EAST_ASIAN.search(str(path)) is not None
        skip = language in {"text", "json", "html", "css", "xml", "yaml"} and not prose
        if skip or package.only not in str(path) or path.stat().st_size > LARGEST_FILE:
            continue
        if path.name.endswith((".min.js", ".d.ts.map")) or (package.client == "python" and _INSTALLED in path.parts):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if max(map(len, text.split("\n"))) > 500:
            continue
        room -= len(text)
        if room < 0:
            return
        yield str(path), PROSE if prose else language, text


def corpus(work: Path, packages: list[Package], seed: int) -> tuple[list[tuple[str, str]], list[dict[str, object]]]:
    """All texts as (language, text), and what they come from."""
    texts: list[tuple[str, str]] = []
    card: list[dict[str, object]] = []
    seen: set[str] = set()
    stdlib = Path(os.__file__).parent
    folders: list[tuple[Package, Path | None]] = [(package, fetch(package, work)) for package in packages]
    folders.insert(0, (Package("python", "standard library", "PSF-2.0", 8), stdlib))
    for package, folder in folders:
        if folder is None:
            continue
        languages: dict[str, int] = {}
        for _, language, text in sources(folder, package, seed):
            if text in seen:
                continue
            seen.add(text)
            texts.append((language, text))
            languages[language] = languages.get(language, 0) + len(text)
        marker = folder / ".fetched"
        version = marker.read_text(encoding="utf-8") if marker.exists() else platform.python_version()
        card.append({**asdict(package), "version": version, "characters": languages})
        print(f"{package.client:8} {package.name:45} {languages}", flush=True)
    return texts, card


# --- pairs -----------------------------------------------------------------------------------------------------------


def pairs(texts: list[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """(query, chunk) as word parts joined by spaces; neighbours in one file."""
    rng = random.Random(seed)
    found: list[tuple[str, str]] = []
    for language, text in texts * PASSES:
        lines = [line for line in text.split("\n") if line.strip()]
        if language == PROSE:
            found.extend(_prose_pairs(lines))
            continue
        start = rng.randrange(CHUNK_LINES)
        while start + CONTEXT_LINES + 5 <= len(lines):
            middle = start + CONTEXT_LINES
            before, after = lines[start:middle], lines[middle : middle + CHUNK_LINES]
            draw = rng.random()
            if draw < 0.2:  # a person's query: the first line of a chunk finds the rest of it
                before, after = after[:1], after[1:]
            elif draw < 0.4:  # a cursor inside a chunk finds it
                cut = rng.randrange(3, min(12, len(after)))
                before, after = after[:cut], after[cut:]
            query, chunk = units("\n".join(before)), units("\n".join(after))
            if len(query) >= 3 and len(chunk) >= 8:
                found.append((" ".join(query[-160:]), " ".join(chunk[:320])))
            start += CHUNK_LINES
    rng.shuffle(found)
    return found


def _prose_pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Messages and their translations, and the messages next to them."""
    texts = [line.partition('"')[2].rstrip('",]') for line in lines if line.lstrip().startswith(("msg", '"'))]
    for start in range(0, len(texts) - 8, 8):
        query, chunk = units(" ".join(texts[start : start + 4])), units(" ".join(texts[start + 4 : start + 8]))
        if len(query) >= 3 and len(chunk) >= 3:
            yield " ".join(query[:160]), " ".join(chunk[:320])


# --- training --------------------------------------------------------------------------------------------------------


def train_tokenizer(texts: list[tuple[str, str]], vocabulary: int) -> "Tokenizer":
    """A byte-level BPE over word parts; no part reaches over another."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=24
    )
    # Korean, Chinese and Japanese texts are few: counted ten times, so that their frequent syllables become subwords
    weighted = (text for language, text in texts for _ in range(10 if language == PROSE else 1))
    tokenizer.train_from_iterator((" ".join(units(text)) for text in weighted), trainer)
    return tokenizer


def train_rows(tokenizer: "Tokenizer", found: list[tuple[str, str]], width: int, seed: int) -> np.ndarray:
    """One float row per subword, by contrastive training."""
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(seed)
    module = StaticEmbedding(tokenizer, embedding_dim=width)
    model = SentenceTransformer(modules=[module], device="cpu")
    data = Dataset.from_dict({"query": [a for a, _ in found], "chunk": [b for _, b in found]})
    arguments = SentenceTransformerTrainingArguments(
        output_dir="unused",
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=0.1,
        warmup_steps=10,
        seed=seed,
        save_strategy="no",
        report_to=[],
        logging_steps=25,
        use_cpu=True,
    )
    loss = MultipleNegativesRankingLoss(model, scale=20.0)
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss).train()
    return module.embedding.weight.detach().numpy().astype(np.float32)


def quantize(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 rows and one float scale per column; values beyond 6 standard deviations of a column are clipped."""
    limits = np.maximum(np.minimum(np.abs(rows).max(axis=0), 6 * rows.std(axis=0)), 1e-8)
    scales = (limits / 127).astype(np.float32)
    return np.clip(np.rint(rows / scales), -127, 127).astype(np.int8), scales


def main() -> None:
    """Fetch, train, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, required=True, help="folder for downloads (about 2 GB)")
    options.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "indexer" / "data")
    options.add_argument("--width", type=int, default=WIDTH)
    options.add_argument("--vocabulary", type=int, default=VOCABULARY)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--packages", nargs="*", help="only these names")
    args = options.parse_args()
    chosen = [package for package in PACKAGES if args.packages is None or package.name in args.packages]
    started = time.monotonic()
    texts, card = corpus(args.work, chosen, args.seed)
    found = pairs(texts, args.seed)
    print(f"{sum(len(text) for _, text in texts) / 1e6:.1f} MB, {len(found)} pairs", flush=True)
    tokenizer = train_tokenizer(texts, args.vocabulary)
    fitted = time.monotonic()
    rows = train_rows(tokenizer, found, args.width, args.seed)
    matrix, scales = quantize(rows)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / MATRIX_FILE, matrix=matrix, scales=scales)
    tokenizer.save(str(args.out / TOKENIZER_FILE), pretty=False)
    written = {
        "vocabulary": int(matrix.shape[0]),
        "width": int(matrix.shape[1]),
        "pairs": len(found),
        "seed": args.seed,
        "seconds": {"corpus and tokenizer": round(fitted - started), "training": round(time.monotonic() - fitted)},
        "sources": card,
    }
    (args.out / CARD_FILE).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
