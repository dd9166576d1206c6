"""The data set: what it holds, what it leaves out, and that its prompts are those of the server."""

import json
import random
import re
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tree_sitter import Node

from finetune.commits.stages import ProgressReporter, index_of
from finetune.commits.windows import SkipReport, divided, edits
from finetune.dataset.build import Manifest, build, path_key
from finetune.dataset.commit_range import DatasetOptions
from finetune.dataset.filters import HOLDS_SECRET, Filter, NearDuplicates, author, capped
from finetune.dataset.prompts import Prompts
from finetune.dataset.samples import RawSample, added_spans, older, typed
from finetune.dataset.shards import TRAIN, VALIDATION, read
from finetune.dataset.spans import LONGEST, Spans
from indexer.config import Settings
from indexer.errors import UserError
from indexer.languages.grammars import parser
from indexer.prompt.renderer import PromptInput, Renderer
from indexer.prompt.tokenizer import Vocabulary
from indexer.repository import history
from indexer.secrets.cover import PLACEHOLDER
from lsp_server.backends.base import RESERVE, Generation
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.model.prompt_context import IndexSource, PromptContext, PromptContextBuilder
from lsp_server.model.runner import ModelRequest, ModelRunner
from lsp_server.types import Document
from lsp_server.weights.base_model import ModelFolder
from tests.support import repositories
from tests.support.adapters import tiny_base
from tests.support.commit_histories import commit, function, growing

SEPARATOR = "<|file_sep|>"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return growing(tmp_path_factory.mktemp("work") / "repository", 24)


@pytest.fixture(scope="module")
def built(repository: Path, base: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, Path]:
    out = tmp_path_factory.mktemp("out") / "set"
    return build(repository, Settings(), base.path, out, DatasetOptions(max_samples=400, until="HEAD~4")), out


def samples(built: tuple[Manifest, Path], split: str = TRAIN) -> list[dict]:
    manifest, out = built
    return list(read(out, manifest.files, split))


class Recording:
    """A backend that writes nothing and remembers the prompts it is asked with."""

    name = "recording"
    about = {"base": "tiny", "format": "", "runs_on": "", "adapter": ""}

    def __init__(self, base: ModelFolder) -> None:
        context = min(base.context, PROMPT_TOKENS + RESERVE)
        self.folder = base
        self.renderer = Renderer(base.spec, base.vocabulary, context - RESERVE)
        self.prompts: list[tuple[int, ...]] = []

    speed = None  # then prompts are as large as those of the data set

    def cached(self, prompt) -> int:
        return 0

    def render(self, parts: PromptInput, size=None):
        made = self.renderer.render(parts, size)
        self.prompts.append(made.ids)
        return made

    def generate(self, *args, **more) -> Generation:
        return Generation("x", "end", 0, 0, 1, 0, 0, 0.0)

    def close(self) -> None:
        pass


class Patient(PromptContextBuilder):
    """The server's packer; only its time limit is lifted, so that a busy machine cannot change the outcome."""

    def build(self, document: Document, offset: int, seconds: float | None = None) -> PromptContext:
        return super().build(document, offset, None)


CURSORS_PER_KIND = 12


def test_every_kind_of_cursor_has_the_token_ids_that_the_server_sends(
    repository: Path, base: ModelFolder, tmp_path: Path
) -> None:
    """Send cursors through the server and through the data set, and compare the token ids.

    Both use the same context builder and the same renderer, so a difference can only come from what they hand to them:
    text, cursor, path, language, context, prompt length, and the part of a word that the prompt leaves to the model.
    None of these depends on a single cursor, but they depend on the kind of sample. So up to twelve of each kind are
    compared: typed cursors, nodes, siblings, random characters and empty middles, from commits and from older code. The
    last assertions show that both forms of context and cursors within a word are among them.
    """
    settings = Settings()
    commits = [one for one in history.commits(repository) if one.parent]
    window = divided(repository, commits[:12], 1)[0]
    index, _ = index_of(repository, settings, tmp_path, ProgressReporter())
    found = list(edits(repository, window, settings, SkipReport()))
    candidates = list(typed(found, 60, 1))
    for seed in range(6):  # one span in twenty is an empty middle, and the commits' ids, new in each run, decide which
        candidates += [*added_spans(found, seed), *older(index, 200, 0, 1, seed, lambda text: True)]
    random.Random(7).shuffle(candidates)
    prompts = Prompts(base, repository.name, 4096, 0.0, 1)
    prompts.set_index(index)
    backend = Recording(base)
    source = ModelRunner(lambda: backend, Patient(IndexSource(index), repository.name))
    kinds, contexts, sources, healed = Counter[str](), Counter[str](), Counter[bool](), 0
    try:
        until = time.monotonic() + 60
        while source.state == "loading" and time.monotonic() < until:
            time.sleep(0.01)
        for number, raw in enumerate(candidates):
            if kinds[raw.kind] == CURSORS_PER_KIND:
                continue
            sample = prompts.sample(raw)
            assert not isinstance(sample, str), sample
            room = min(4096, base.context)
            if len(raw.middle.encode()) > RESERVE - 60:  # its prompt is shortened: one token for each byte is a lot
                assert len(sample.ids) <= room
                assert base.vocabulary.decode(sample.ids[sample.weights[0][0] :]).endswith(raw.middle)
                continue
            document = Document(f"file:///{number}", raw.path, raw.language, 1, raw.prefix + raw.suffix)
            before = len(backend.prompts)
            source.ask(ModelRequest(document, len(raw.prefix), True)).wait(time.monotonic() + 60)
            assert len(backend.prompts) == before + 1
            target = sample.weights[0][0]
            assert sample.ids[:target] == backend.prompts[-1], raw
            target_text = base.vocabulary.decode(sample.ids[target:])
            rest = target_text.removesuffix(raw.middle)  # the start of the word, which the model writes again
            assert target_text == rest + raw.middle and raw.prefix.endswith(rest) and len(rest) < 50
            assert sample.ids[-1] == base.vocabulary.control(base.spec.end)
            kinds[raw.kind] += 1
            contexts[sample.context] += 1
            sources[bool(raw.commit)] += 1
            healed += bool(rest)
    finally:
        source.close()
    assert set(kinds) == {"typed", "node", "siblings", "characters", "empty"}
    assert min(kinds.values()) >= 5 and kinds.total() >= 50
    assert contexts["found"] > 30 and min(sources[True], sources[False]) > 10 and healed > 5


def test_data_set_and_local_backends_leave_the_same_room_for_the_answer() -> None:
    folder = Path(__file__).parents[3]
    for module in ("finetune/dataset/prompts.py", "lsp_server/backends/local_backend.py"):
        text = (folder / module).read_text()
        assert re.search(r"from lsp_server\.backends\.base import .*\bRESERVE\b", text) and "- RESERVE" in text
    for module in ("torch_backend.py", "llamacpp_backend.py"):
        assert "context_of(" in (folder / "lsp_server/backends" / module).read_text()


def whole_nodes(text: str, language: str) -> set[tuple[int, int]]:
    """Every node, and every run of neighbouring named children, as bytes."""
    made = parser(language)
    assert made is not None
    tree = made.parse(text.encode())
    found: set[tuple[int, int]] = set()

    def visit(node: Node) -> None:
        found.add((node.start_byte, node.end_byte))
        children = node.named_children
        for first in range(len(children)):
            for last in range(first, min(len(children), first + 60)):
                found.add((children[first].start_byte, children[last].end_byte))
        for child in children:
            visit(child)

    visit(tree.root_node)
    return found


def test_most_spans_are_whole_syntax_nodes_or_siblings_and_the_rest_are_not() -> None:
    rng = random.Random(3)
    text = '"""왜가리와 바다코끼리."""\n' + "".join(function(rng, number) for number in range(30))
    nodes = whole_nodes(text, "python")
    spans = Spans(text, "python")
    drawn = [span for _ in range(2000) if (span := spans.draw(rng, 0, len(text)))]
    kinds = Counter(span.kind for span in drawn)
    syntax = [span for span in drawn if span.kind in ("node", "siblings")]
    for span in syntax:
        assert (len(text[: span.start].encode()), len(text[: span.end].encode())) in nodes, text[span.start : span.end]
    assert 0.7 <= len(syntax) / len(drawn) <= 0.9
    assert min(kinds[kind] for kind in ("node", "siblings", "characters", "empty")) > 20
    assert max(span.end - span.start for span in drawn) <= LONGEST
    assert all((span.start == span.end) == (span.kind == "empty") for span in drawn)
    random_ones = [span for span in drawn if span.kind == "characters"]
    inside = [s for s in random_ones if text[s.start - 1 : s.start].isalnum() and text[s.start].isalnum()]
    within_lines = [s for s in random_ones if text[s.start - 1] != "\n"]
    assert len(inside) > len(random_ones) // 5 and len(within_lines) > len(random_ones) // 2


def test_a_language_without_a_grammar_has_spans_of_characters_only() -> None:
    text = "proc feed {fish} {\n    return [expr {$fish * 2}]\n}\n" * 20
    spans = Spans(text, "tcl")
    drawn = [spans.draw(random.Random(seed), 0, len(text)) for seed in range(100)]
    assert {span.kind for span in drawn if span} == {"characters", "empty"}


def test_a_span_stays_within_what_was_added() -> None:
    text = "".join(function(random.Random(1), number) for number in range(10))
    low, high = text.index("def", 400), text.index("def", 700)
    for seed in range(200):
        span = Spans(text, "python").draw(random.Random(seed), low, high)
        assert span is None or low <= span.start <= span.end <= high


def test_nothing_of_a_later_commit_is_in_the_set_nor_of_the_window_in_a_context(
    built: tuple[Manifest, Path], repository: Path, base: ModelFolder
) -> None:
    manifest, _ = built
    numbers = {
        repositories.git(repository, "rev-parse", f"HEAD~{back}").strip(): 24 - back for back in range(25)
    }  # functions are numbered by their commit
    last = numbers[manifest.until]
    assert last == 20
    separator = base.vocabulary.control(SEPARATOR)
    seen = Counter()
    for sample in [*samples(built), *samples(built, VALIDATION)]:
        ids = sample["ids"]
        text = base.vocabulary.decode(ids)
        assert max(map(int, re.findall(r"_(\d+)\b", text)), default=0) <= last
        if sample["commit"] and sample["kind"] != "document":
            marks = [place for place, token in enumerate(ids) if token == separator]
            pieces = [base.vocabulary.decode(ids[here + 1 : end]) for here, end in pairwise(marks)]
            others = "\0".join(piece for piece in pieces if piece.split("\n")[0] != sample["path"])
            # One window: its index is of the first commit, whose functions are numbered 0. Files have numbers too.
            # Far parts of the open file, which are as old as the file itself, are held to the last line below.
            stated = re.findall(r"\bdef \w+_(\d+)\(", others)
            assert set(stated) <= {"0"}, others
            seen[bool(stated)] += 1
            own = numbers[sample["commit"]]
            assert max(map(int, re.findall(r"\bdef \w+_(\d+)\(", text)), default=0) <= own
    assert seen[True] > 20


def test_the_kinds_and_shares_are_those_that_were_asked_for(built: tuple[Manifest, Path]) -> None:
    manifest, _ = built
    found = samples(built)
    assert len(found) == manifest.samples > 150
    assert sum(len(sample["ids"]) for sample in found) == manifest.tokens
    assert Counter(sample["kind"] for sample in found) == manifest.kinds
    assert {"typed", "node", "siblings", "characters", "document"} <= set(manifest.kinds)
    of_commits = [sample for sample in found if sample["commit"]]
    total = len(of_commits) + manifest.validation
    assert 0.15 <= 1 - total / (len(found) + manifest.validation) <= 0.35
    contexts = Counter(sample["context"] for sample in found if sample["kind"] != "document")
    assert (
        dict(contexts) == manifest.prompt["contexts"] | {}
        and 0.15 <= (contexts["none"] + contexts["other"]) / contexts.total() <= 0.35
    )
    for sample in found:
        assert sum(count for count, _ in sample["weights"]) == len(sample["ids"])
        weights = [weight for _, weight in sample["weights"]]
        assert weights == ([0.1] if sample["kind"] == "document" else [0.0, 1.0])


def test_the_newest_commits_are_kept_apart(built: tuple[Manifest, Path], repository: Path) -> None:
    manifest, _ = built
    apart = {sample["commit"] for sample in samples(built, VALIDATION)}
    assert apart == {manifest.until} and manifest.validation > 0  # one of twenty
    assert not apart & {sample["commit"] for sample in samples(built)}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_set(
    built: tuple[Manifest, Path], repository: Path, base: ModelFolder, tmp_path: Path
) -> None:
    options = DatasetOptions(max_samples=400, until="HEAD~4")
    said = []
    reporter = ProgressReporter(phase=lambda *phase: said.append(phase))
    again = build(repository, Settings(), base.path, tmp_path / "set", options, reporter)
    assert replace(again, seconds=0, options={}) == replace(built[0], seconds=0, options={})
    assert any(phrase == "writing samples" and 0 < done <= total == 400 for phrase, done, total in said)
    assert Manifest.from_file(tmp_path / "set") == again
    other = build(repository, Settings(), base.path, tmp_path / "set", replace(options, seed=1))
    assert other.sha256 != again.sha256
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "manifest.json",
        "train-00000.jsonl",
        "validation-00000.jsonl",
    ]


def test_a_damaged_shard_or_manifest_is_refused(built: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest, out = built
    for path in out.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "train-00000.jsonl"
    shard.write_bytes(shard.read_bytes().replace(b'"kind":"typed"', b'"kind":"Typed"', 1))
    with pytest.raises(UserError, match="differs from its manifest"):
        list(read(tmp_path, manifest.files, TRAIN))
    shard.unlink()
    with pytest.raises(UserError, match="missing"):
        list(read(tmp_path, manifest.files, TRAIN))
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="build the data set again"):
        Manifest.from_file(tmp_path)
    with pytest.raises(UserError, match="no data set"):
        Manifest.from_file(tmp_path / "nowhere")


def test_a_file_that_was_seen_is_found_by_its_path_and_blob(built: tuple[Manifest, Path], repository: Path) -> None:
    manifest, _ = built
    tree = repositories.git(repository, "ls-tree", "-r", manifest.until).splitlines()
    now = {line.split("\t")[1]: line.split()[2] for line in tree}
    seen = [path for path in now if path_key(path) in manifest.paths]
    assert seen == [path for path in now if path.endswith(".py")]
    history_of = repositories.git(repository, "log", "--format=", "--raw", "--no-abbrev", "--", seen[0])
    assert set(manifest.paths[path_key(seen[0])]) <= set(re.findall(r"\b[0-9a-f]{40}\b", history_of))
    assert path_key("src/never.py") not in manifest.paths
    assert seen[0] not in json.dumps(manifest.to_json())


SECRET = "ghp_" + "a8Kd02mXq7RtYw5ZbN3vLc9HsJf4GpTe6UiO"


def test_secrets_and_what_the_policy_leaves_out_are_not_in_the_set(base: ModelFolder, tmp_path: Path) -> None:
    root = growing(tmp_path / "repository", 3)
    rng = random.Random(2)
    body = function(rng, 9)
    commit(
        root,
        {
            "src/keys.py": f'def connect(store):\n    token = "{SECRET}"\n    return store.open(token, retries=3)\n{body}',
            "src/latin.py": b"name = '\xe9\xff\x00\x01'\n",
            "private/plan.py": f"WALNUT = 1\n{function(rng, 8)}",
        },
    )
    settings = replace(Settings(), exclude=("private/",))
    manifest = build(root, settings, base.path, tmp_path / "set", DatasetOptions(max_samples=300))
    everything = "".join(base.vocabulary.decode(one["ids"]) for one in samples((manifest, tmp_path / "set")))
    assert SECRET not in everything and "connect(store)" in everything
    assert "WALNUT" not in everything and path_key("private/plan.py") not in manifest.paths
    assert any("binary" in reason or "encoding" in reason for reason in manifest.left_out), manifest.left_out
    middles = [one for one in samples((manifest, tmp_path / "set")) if one["kind"] != "document"]
    for one in middles:
        assert PLACEHOLDER not in base.vocabulary.decode(one["ids"][one["weights"][0][0] :])


def test_copies_are_left_out_and_counted(base: ModelFolder, tmp_path: Path) -> None:
    root = growing(tmp_path / "repository", 2)
    rng = random.Random(5)
    code = "".join(function(rng, number) for number in range(8))
    commit(root, {"src/first.py": code})
    commit(root, {"copies/first.py": code.replace("return len(found)", "return  len(found)", 1)})
    manifest = build(root, Settings(), base.path, tmp_path / "set", DatasetOptions(max_samples=300))
    assert manifest.left_out["edit: near-duplicate of another"] == 1
    assert "copies/first.py" not in {one["path"] for one in samples((manifest, tmp_path / "set"))}


def test_near_duplicates_are_told_from_different_texts() -> None:
    rng = random.Random(1)
    texts = ["".join(function(rng, number) for number in range(start, start + 6)) for start in range(0, 60, 6)]
    known = NearDuplicates()
    assert [known.seen(text) for text in texts] == [False] * 10
    assert [known.seen(text.replace("limit=limit", "limit=9", 1)) for text in texts] == [True] * 10
    assert not known.seen("return 0") and not known.seen("return 0")


@pytest.mark.parametrize("at", ["RED", "REDACTED", 'REDACTED"', "token ="])
def test_no_middle_makes_a_model_write_a_masked_secret(at: str) -> None:
    """The prompt holds back what is typed of a word and its mark, so the middle is not all that is learnt."""
    text = 'first = 1\ntoken = "REDACTED", retries\nlast = 2\n'
    start = text.index(at) + len(at)
    spans = [(start, start + 3), (start, text.index("\nlast"))]
    assert [Filter().refuses(RawSample("span", "a.py", text, *span)) for span in spans] == [HOLDS_SECRET] * 2
    assert Filter().refuses(RawSample("span", "a.py", text, 6, 9)) is None


def draft(name: str, path: str) -> RawSample:
    return RawSample("typed", path, "", 0, 0, "x", "c", name)


def test_one_author_does_not_make_the_set() -> None:
    drafts = [draft("busy", "a/x.py")] * 900 + [draft("other", "a/y.py")] * 60 + [draft("third", "b/z.py")] * 40
    kept, over = capped(drafts, author, 0.5, floor=200)
    assert (len(kept), over) == (600, 400)
    assert Counter(one.author for one in kept) == {"busy": 500, "other": 60, "third": 40}
    assert capped(drafts[:900], author, 0.5)[1] == 0  # the only author there is
    assert capped([draft("busy", "a")] * 150 + [draft("x", "a")], author, 0.5)[1] == 0  # few anyway


def test_bad_ranges_and_folders_are_one_sentence(repository: Path, base: ModelFolder, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(UserError, match="no commit deadbeef.*rewritten"):
        build(repository, Settings(), base.path, out, DatasetOptions(since="deadbeef"))
    with pytest.raises(UserError, match="no commit --all"):
        build(repository, Settings(), base.path, out, DatasetOptions(until="--all"))
    with pytest.raises(UserError, match="no history"):
        build(tmp_path, Settings(), base.path, out, DatasetOptions())
    with pytest.raises(UserError, match="there is no model"):
        build(repository, Settings(), tmp_path / "nothing", out, DatasetOptions())
    assert not out.exists()


def test_nothing_new_is_an_empty_set(repository: Path, base: ModelFolder, tmp_path: Path) -> None:
    manifest = build(repository, Settings(), base.path, tmp_path / "set", DatasetOptions(since="HEAD"))
    assert (manifest.commits, manifest.samples, dict(manifest.files)) == (0, 0, {})


def test_a_repository_of_one_commit_is_learnt_as_it_stands(base: ModelFolder, tmp_path: Path) -> None:
    root = growing(tmp_path / "repository", 0)
    manifest = build(root, Settings(), base.path, tmp_path / "set", DatasetOptions(max_samples=40))
    assert manifest.commits == 0 and manifest.samples > 10
    assert any("one commit" in note for note in manifest.notes)


def test_a_base_without_fim_tokens_is_taught_left_to_right(repository: Path, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "plain")
    tokenizer = (base.path / "tokenizer.json").read_text()
    for name in ("prefix", "suffix", "middle"):
        tokenizer = tokenizer.replace(f"<|fim_{name}|>", f"<|other_{name}|>")
    (base.path / "tokenizer.json").write_text(tokenizer)
    config = json.loads((base.path / "config.json").read_text())
    del config["ondol_prompt_spec"]
    (base.path / "config.json").write_text(json.dumps(config))
    manifest = build(repository, Settings(), base.path, tmp_path / "set", DatasetOptions(max_samples=60))
    assert manifest.prompt["spec"] == "left-to-right"
    vocabulary = Vocabulary.load(base.path)
    controls = set(vocabulary.control_ids) - {vocabulary.eos}
    assert not any(controls & set(one["ids"]) for one in samples((manifest, tmp_path / "set")))
