"""A model's tokenizer in two parts: one that encodes text, and a few control tokens.

Text is encoded by a copy of the tokenizer without control tokens, so a file that holds
``<|fim_middle|>`` becomes the characters of that string and never the token. Control tokens are placed by id only.
"""

import json
import re
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from indexer.errors import UserError

_LONG: Final = 512
"""Characters of a text that is encoded without the interpreter's lock: the call that does so costs 3 us more."""

_REMEMBERED: Final = 16
"""Texts whose first tokens are remembered; a blank may be followed by half of all tokens."""

HTML_TAG: Final = re.compile(
    r"(?!</s>)</?(?:table|caption|thead|tbody|tfoot|tr|th|td|h[1-6]"
    r"|blockquote|strong|em|b|i|u|s|sub|sup|code|p|ul|ol|li|br)>"
)
"""Tags that Gemma has as tokens of their own, and that are text. ``</s>`` ends a text for llama.cpp in any model."""

_MARKUP = set("<>[]|｜")
_MAX_TOKENIZER_BYTES = 64_000_000


def _is_control(token: dict[str, Any], ends: Collection[str]) -> bool:
    """Whether an added token steers the model. Qwen marks its FIM tokens as not special, so its shape counts too.

    :param ends: tokens with which texts begin or end; other tags of HTML are text.
    """
    content = token["content"]
    marked = len(content) > 1 and not content.isspace() and bool(_MARKUP & set(content))
    return bool(token.get("special")) or (marked and (content in ends or not HTML_TAG.fullmatch(content)))


def _name_in(settings: Mapping[str, Any], key: str) -> str | None:
    """The name of a token in ``tokenizer_config.json``."""
    name = settings.get(key)
    if isinstance(name, dict):
        name = name.get("content")
    return name if isinstance(name, str) else None


def _without_dummy_space(part: Any) -> Any:
    """Drop SentencePiece's dummy leading space from a normalizer or pre-tokenizer: prompts state their spaces."""
    if not isinstance(part, dict):
        return part
    if part.get("type") == "Sequence":
        key = "normalizers" if "normalizers" in part else "pretokenizers"
        kept = [_without_dummy_space(p) for p in part[key] if p.get("type") != "Prepend"]
        return {**part, key: kept} if kept else None
    if part.get("type") == "Prepend":
        return None
    if part.get("type") == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    return part


def _without_strip(decoder: Any) -> Any:
    """Drop the decoder's removal of a leading space: a middle may begin with one."""
    if isinstance(decoder, dict) and decoder.get("type") == "Sequence":
        kept = [d for d in decoder["decoders"] if not (d.get("type") == "Strip" and d.get("content") == " ")]
        return {**decoder, "decoders": kept}
    if isinstance(decoder, dict) and decoder.get("type") == "Metaspace":
        return {**decoder, "prepend_scheme": "never"}
    return decoder


def _first_of_a_text(data: Mapping[str, Any]) -> int | None:
    """What a tokenizer itself puts before every text (its BOS), from its post-processor."""
    if not data.get("post_processor"):
        return None
    full = Tokenizer.from_str(json.dumps(data, ensure_ascii=False))
    with_special: list[int] = full.encode("a", add_special_tokens=True).ids
    extra = len(with_special) - len(full.encode("a", add_special_tokens=False).ids)
    return with_special[0] if extra > 0 else None


class Vocabulary:
    """Text to ids and back without control tokens, and control tokens by name.

    :param tokenizer: the contents of ``tokenizer.json``, as text or as read from it.
    :param settings: the contents of ``tokenizer_config.json``, or nothing.
    :param control_ids: ids of the control tokens, where they are known; otherwise the marks of added tokens decide.
    :raises UserError: the tokenizer cannot be read.
    """

    def __init__(
        self,
        tokenizer: str | Mapping[str, Any],
        settings: dict[str, Any] | None = None,
        control_ids: Collection[int] | None = None,
    ) -> None:
        settings = settings or {}
        try:
            data = json.loads(tokenizer) if isinstance(tokenizer, str) else dict(tokenizer)
            added = data.get("added_tokens") or []
            ends = {name for key in ("bos_token", "eos_token") if (name := _name_in(settings, key))}
            known = control_ids if control_ids is not None else {t["id"] for t in added if _is_control(t, ends)}
            self.controls: dict[str, int] = {t["content"]: int(t["id"]) for t in added if t["id"] in known}
            leading = None if isinstance(settings.get("add_bos_token"), bool) else _first_of_a_text(data)
            data["added_tokens"] = [t for t in added if t["id"] not in known]
            for key in ("normalizer", "pre_tokenizer"):
                data[key] = _without_dummy_space(data.get(key))
            data["decoder"] = _without_strip(data.get("decoder"))
            data["truncation"] = data["padding"] = data["post_processor"] = None
            self._plain = Tokenizer.from_str(json.dumps(data, ensure_ascii=False))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise UserError(f"the tokenizer cannot be read ({error})", "check or fetch tokenizer.json again") from error
        self._sorted: list[tuple[str, int]] = []
        self._first: OrderedDict[str, list[int]] = OrderedDict()
        apart = sum(self._plain.token_to_id(name) is None for name in self.controls)
        self.size: int = self._plain.get_vocab_size(with_added_tokens=True) + apart
        self._control_ids = frozenset(self.controls.values())
        self.eos = self._named(settings, "eos_token")
        bos = self._named(settings, "bos_token") if settings.get("add_bos_token") else leading
        self.bos: tuple[int, ...] = () if bos is None or bos not in self._control_ids else (bos,)

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Read ``tokenizer.json`` and, where it is there, ``tokenizer_config.json`` of a model's folder."""
        path = folder / "tokenizer.json"
        try:
            if path.stat().st_size > _MAX_TOKENIZER_BYTES:
                raise UserError(f"{path} is larger than any tokenizer", "check or fetch it again")
            text = path.read_text(encoding="utf-8")
            config = folder / "tokenizer_config.json"
            settings = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        except FileNotFoundError as error:
            raise UserError(f"{folder} has no tokenizer.json", "fetch the whole model folder") from error
        except (OSError, ValueError) as error:
            raise UserError(f"the tokenizer of {folder} cannot be read ({error})", "fetch it again") from error
        return cls(text, settings if isinstance(settings, dict) else {})

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that no text can produce and that end a generation when the model writes one."""
        return self._control_ids

    def control(self, name: str) -> int | None:
        """The id of a control token, or None when the tokenizer does not have it as one token."""
        found = self.controls.get(name)
        return found if found is not None else self._plain.token_to_id(name)

    def reserve(self, ids: Iterable[int]) -> None:
        """Count these ids as control tokens as well (some tokenizers keep them in the ordinary vocabulary)."""
        self._control_ids = self._control_ids | frozenset(ids)
        self._sorted = []
        self._first.clear()

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, never a control token, without anything added before or after."""
        return self.encode_with_offsets(text)[0]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids, and for each the code points of ``text`` it came from."""
        try:
            encoding = self._encoded(text)
        except (UnicodeEncodeError, TypeError):  # lone surrogates, from file names that are not UTF-8
            encoding = self._encoded(text.encode("utf-8", "replace").decode("utf-8"))
        ids, offsets = list(encoding.ids), list(encoding.offsets)
        if self._control_ids.isdisjoint(ids):
            return ids, offsets
        return self._spelled(text, ids, offsets)

    def _encoded(self, text: str) -> Any:
        """What the library makes of a text.

        It keeps the interpreter's lock while it encodes one text, 20 ms for 24,000 characters, and a key of another
        thread waits; for a list of texts it gives the lock up.
        """
        if len(text) < _LONG:
            return self._plain.encode(text, add_special_tokens=False)
        return self._plain.encode_batch([text], add_special_tokens=False)[0]

    def _spelled(
        self, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Replace control ids that the ordinary vocabulary gave for text by the ids of the single characters."""
        out: list[int] = []
        where: list[tuple[int, int]] = []
        for token, (start, end) in zip(ids, offsets, strict=True):
            if token not in self._control_ids:
                out.append(token)
                where.append((start, end))
                continue
            for at in range(start, end):
                single = self._plain.encode(text[at], add_special_tokens=False).ids
                single = [i for i in single if i not in self._control_ids]
                out.extend(single)
                where.extend([(at, at + 1)] * len(single))
        return out, where

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; control tokens have none. An unfinished UTF-8 sequence ends in U+FFFD."""
        text = [i for i in ids if i not in self._control_ids]
        return str(self._plain.decode(text, skip_special_tokens=False))

    @cached_property
    def joins_line_breaks(self) -> bool:
        """Whether marks and the line break behind them can be one token, as Llama 3's tokenizer has it."""
        return any(len(self.encode(text)) == 1 for text in (")\n", ";\n", ":\n", "{\n"))

    def writing(self, text: str) -> list[int]:
        """The ids that may come first where ``text`` is to be written: of its beginnings and of what begins with it."""
        found = self._first.get(text)
        if found is None:
            found = self._first[text] = self._writing(text)
            if len(self._first) > _REMEMBERED:
                self._first.popitem(last=False)
        self._first.move_to_end(text)
        return found

    def _writing(self, text: str) -> list[int]:
        if not self._sorted:
            spelled = self._plain.decode_batch([[i] for i in range(self.size)], skip_special_tokens=False)
            self._sorted = sorted((text, i) for i, text in enumerate(spelled) if text and i not in self._control_ids)
        first = bisect_left(self._sorted, (text, 0))
        last = bisect_left(self._sorted, (text + chr(0x10FFFF), 0), first)
        found = [i for _, i in self._sorted[first:last]]
        for size in range(1, len(text)):
            at = bisect_left(self._sorted, (text[:size], 0))
            while at < len(self._sorted) and self._sorted[at][0] == text[:size]:
                found.append(self._sorted[at][1])
                at += 1
        return found

    def _named(self, settings: dict[str, Any], key: str) -> int | None:
        name = _name_in(settings, key)
        return None if name is None else self.control(name)
