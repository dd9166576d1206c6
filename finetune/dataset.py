"""The fine-tuning set of a repository: samples from its commits and its older code, in shards with a manifest.

What a sample is made of stands in ``samples`` and ``spans``, what is left out in ``dataset_filters``, what its prompt
holds in ``dataset_prompts``. This module puts them together and writes the result; it needs no torch and trains nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.errors import UserError

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What goes into a set.

    :param since: commits after this one; None for the whole history, up to ``max_commits``.
    :param until: the newest commit that may be seen; nothing after it is in any sample or context.
    :param replay_share: part of the samples that comes from code older than the commits, so that it is not forgotten.
    :param fim_share: part of the samples that fill a middle; the rest are left-to-right documents.
    :param distractor_share: part of the samples whose context is empty or of places that do not fit (half each).
    :param max_tokens: longest sample; by default what a server's longest prompt and its answer take.
    :param author_share, directory_share: largest part of the samples from one author, or from one directory.
    :param validation_share: part of the samples, those of the newest commits, that is kept apart to measure a loss on.
    """

    since: str | None = None
    until: str = "HEAD"
    replay_share: float = 0.25
    fim_share: float = 0.5
    distractor_share: float = 0.25
    max_samples: int = 20_000
    max_tokens: int = 2176
    max_commits: int = 2000
    author_share: float = 0.5
    directory_share: float = 0.5
    validation_share: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a set is and what it saw.

    :param commits: how many commits gave samples, or could have.
    :param samples, tokens: of the training shards; the validation shards have their own count.
    :param left_out: reason -> how many files, commits or candidates.
    :param languages: language -> samples.
    :param sha256: of the set: the hashes of its shards in their order.
    :param paths: ``path_key(path)`` -> blob ids of that file which any sample or context was taken from.
    :param since, until: full commit ids; ``since`` is None where the history's beginning is.
    :param base: identity of the base model whose tokenizer and prompt format made the token ids.
    """

    commits: int
    samples: int
    tokens: int
    left_out: Mapping[str, int]
    languages: Mapping[str, int]
    sha256: str
    paths: Mapping[str, tuple[str, ...]]
    until: str
    since: str | None = None
    base: str = ""
    prompt: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    validation: int = 0
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As written to ``manifest.json``."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_file(cls, path: Path) -> "Manifest":
        """Reads a manifest: the file, or the folder that holds it.

        :raises UserError: it is missing, damaged or of another format.
        """
        path = path / MANIFEST if path.is_dir() else path
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise UserError(f"{path} was written by another version of Ondol", "build the set again")
            known = {name: raw[name] for name in raw.keys() & {one.name for one in fields(cls)}}
            paths = {key: tuple(blobs) for key, blobs in known.pop("paths").items()}
            notes = tuple(known.pop("notes", ()))
            return cls(**known, paths=paths, notes=notes)
        except FileNotFoundError:
            raise UserError(f"there is no set at {path.parent}", "build it first (ondol finetune)") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__})", "build the set again") from error


def path_key(path: str) -> str:
    """The key under which a manifest lists a path: tells whether a file was seen without naming it."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def build(
    root: Path,
    settings: Settings,
    base: Path,
    out: Path,
    options: DatasetOptions,
    progress: Callable[[str, int, int], None] | None = None,
) -> Manifest:
    """Builds the set of a repository into ``out`` (made if missing; an earlier set there is replaced).

    :param base: folder of the base model, for its tokenizer and prompt format.
    :param progress: called with what is being done, how much of it is done, and how much there is.
    :raises UserError: no history, no such commit, or no usable base.
    """
    raise NotImplementedError
