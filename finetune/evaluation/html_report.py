"""The report as one HTML page: plots, tables, the worst cases with their text, and how it was measured.

The page holds all it needs: no script, no font, no address; a policy in its head forbids the rest. Unlike the JSON
report it shows code, so it stays where the code may be. All text from the repository is escaped.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from finetune.evaluation import svg_plots
from finetune.evaluation.metrics import ScoredAnswer
from finetune.evaluation.replay import ReplayResult
from finetune.evaluation.report import meanings, percent, remarks
from finetune.evaluation.summary import MEASURES
from indexer.text.lines import lines_of

WORST: Final = 8
"""Cases shown of each sort."""

_KEY: Final = "<p class=key><span class=author>the author</span> <span class=ours>suggested</span></p>"
_LINES_ABOVE: Final = 4
_BARS: Final = 14
_LONGEST_LINE: Final = 200
_TILES: Final = (
    ("exact_start", "exact at line start"),
    ("exact_within", "exact within the line"),
    ("coverage", "shown unasked"),
    ("precision", "right of those shown"),
    ("dismissed", "shown and of no use"),
    ("saved", "characters saved"),
)


def page(report: dict[str, Any], result: ReplayResult) -> str:
    """The whole page."""
    name = next(iter(report["systems"]))
    arm = report["systems"][name]
    title = f"Commit replay of {report['repository']}"
    body = [
        f"<header><p class=brand>Ondol · commit replay</p><h1>{escape(_text(report['repository']))}</h1>"
        f"<p class=lead>{escape(_lead(report))}</p></header>",
        _tiles(arm["overall"]),
        '<div class="plots">',
        _figure("Precision against coverage", _trade_off(report), _trade_off_note(report)),
        _figure("Calibration of the gate", _calibration(arm), _calibration_note(arm)),
        _figure("Exact rest of line, by language", _bars(arm["groups"]["language"]), "Numbers of cursors in grey."),
        _figure(
            "Exact rest of line, by cursor and line",
            _bars(_sorts(arm)),
            "“Stands elsewhere”: the line is, word by word, in another indexed file or elsewhere in the document.",
        ),
        "</div>",
        _section("All figures", f"<div class=two><div>{_overall(report)}</div>{_legend()}</div>"),
        _section("By directory", _groups(arm["groups"]["directory"])),
        _cases(result, name),
        _section("How it was measured", _measured(report)),
    ]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(_text(title))}</title><style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _lead(report: dict[str, Any]) -> str:
    stages = report["stages"]
    where = f"{report['cases']:,} cursors in {report['files']:,} files"
    if stages and "from" in stages[0]:
        commits = sum(stage["commits"] for stage in stages)
        when = f"of {commits:,} commits, {stages[0]['from']} to {stages[-1]['to']}"
        return f"{where} {when}. At each cursor, what the engine suggests is compared with what the author then wrote."
    return f"{where} that were held out of the index and typed from the top."


def _tiles(figures: dict[str, Any]) -> str:
    tiles = []
    for key, label in _TILES:
        one = figures[key]
        value = "–" if one["value"] is None else f"{100 * one['value']:.1f}<small>%</small>"
        interval = "" if one["value"] is None else f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %"
        tiles.append(f"<div class=tile><b>{value}</b><span>{label}</span><i>{interval}</i></div>")
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _trade_off(report: dict[str, Any]) -> str:
    curves = [(name, arm["curve"]) for name, arm in report["systems"].items()]
    marks = []
    for name, arm in report["systems"].items():
        shown, right = (arm["overall"][key]["value"] for key in ("coverage", "precision"))
        if right is not None:
            marks.append((name if len(report["systems"]) > 1 else "as set", (shown, right)))
    return svg_plots.line_plot(
        curves,
        marks,
        title="Precision against coverage",
        across="share of cursors at which something is shown",
        up="share of those that is right",
        level=("wanted precision", report["settings"]["precision"]),
    )


def _trade_off_note(report: dict[str, Any]) -> str:
    at = next(iter(report["systems"].values()))["precision_at_coverage"]
    if at["precision"] is None:
        return "Fewer than 30 % of the cursors had any suggestion."
    return (
        f"Were the most probable {100 * at['coverage']:.0f} % shown, {100 * at['precision']:.1f} % of them would be"
        " right. The dot is what is shown unasked as it is set, manners included."
    )


def _calibration(arm: dict[str, Any]) -> str:
    rows = [(row["said"], row["happened"], row["low"], row["high"], int(row["count"])) for row in arm["calibration"]]
    return svg_plots.calibration_plot(rows, title="Calibration of the gate")


def _calibration_note(arm: dict[str, Any]) -> str:
    return (
        f"Expected calibration error {arm['calibration_error']:.3f} over ten bins; larger dots hold more suggestions."
    )


def _bars(groups: dict[str, Any]) -> str:
    rows = []
    for name, figures in list(groups.items())[:_BARS]:
        one = figures["exact"]
        rows.append((_text(name), one["value"], one["low"], one["high"], f"{figures['cases']:,}"))
    return svg_plots.bar_plot(rows, title="Exact rest of line")


def _sorts(arm: dict[str, Any]) -> dict[str, Any]:
    groups = arm["groups"]
    return {**groups["kind"], **groups["novelty"], **groups["place"]}


def _overall(report: dict[str, Any]) -> str:
    arms = report["systems"]
    rows = []
    for key, measure in MEASURES.items():
        rows.append([escape(measure.label), *(percent(arm["overall"][key]) for arm in arms.values())])
    rows.append(["calibration error of the gate", *(f"{arm['calibration_error']:.3f}" for arm in arms.values())])
    for which, label in (("first", "ms at a new line, median (p95)"), ("again", "ms at the next key there")):
        rows.append([label, *(_milliseconds(arm["latency_ms"][which]) for arm in arms.values())])
    moved = [percent(arm["moved"]["exact"]) for arm in arms.values()]
    if report["moved"]:
        rows.append([f"apart: {report['moved']} moved lines, exact", *moved])
    table = _table(["", *map(escape, arms)], rows)
    for difference in report["differences"]:
        changed = [[escape(m.label), percent(difference[key], signed=True)] for key, m in MEASURES.items()]
        table += _table([escape(f"{difference['to']} minus {difference['from']}"), "points"], changed)
    return table


def _milliseconds(one: dict[str, Any]) -> str:
    return "–" if one["p50"] is None else f"{one['p50']:.1f} ({one['p95']:.1f})"


def _legend() -> str:
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in meanings().items())
    return f"<dl class=legend>{rows}</dl>"


def _groups(groups: dict[str, Any]) -> str:
    keys = ("exact", "similarity", "coverage", "precision", "dismissed", "saved")
    rows = []
    for name, figures in groups.items():
        cells = (percent(figures[key], interval=key == "exact") for key in keys)
        rows.append([f"<code>{escape(_text(name))}</code>", f"{figures['cases']:,}", *cells])
    return _table(["directory", "cursors", *(MEASURES[key].label for key in keys)], rows)


def _cases(result: ReplayResult, arm: str) -> str:
    """Cases one learns from: shown and wrong, surest first; lines that stand elsewhere and were missed; good ones."""
    outcomes = [one for one in result.systems[arm] if not one.moved]
    wrong = sorted((one for one in outcomes if one.shown and not one.right), key=lambda one: -one.probability)
    missed = sorted(
        (one for one in outcomes if one.verbatim and not one.among and not one.shown), key=lambda one: -one.characters
    )
    right = sorted((one for one in outcomes if one.whole), key=lambda one: -(one.saved + one.saved_below))
    parts = [
        _section("Worst: shown and wrong, the surest first", _listed(result, wrong)),
        _section("Missed: the line stands elsewhere, and nothing was shown", _listed(result, missed)),
        _section("Best: shown and right to the last line, the longest first", _listed(result, right)),
    ]
    return "".join(parts)


def _listed(result: ReplayResult, outcomes: Sequence[ScoredAnswer]) -> str:
    if not outcomes:
        return "<p class=quiet>None.</p>"
    return _KEY + "".join(_case(result, one) for one in _one_per_file(outcomes))


def _one_per_file(outcomes: Iterable[ScoredAnswer]) -> list[ScoredAnswer]:
    seen: set[str] = set()
    kept = [one for one in outcomes if one.path not in seen and not seen.add(one.path)]  # type: ignore[func-returns-value]
    return kept[:WORST]


def _case(result: ReplayResult, one: ScoredAnswer) -> str:
    case = result.cases[one.case]
    lines = lines_of(case.text)
    above = lines[max(0, case.line - _LINES_ABOVE) : case.line]
    start = case.text.rfind("\n", 0, case.offset) + 1
    typed = case.text[start : case.offset]
    suggested = lines_of(one.shown or one.best)
    author = [case.rest, *case.following[: len(suggested) - 1]]
    code = "".join(f"<span class=above>{_code(line)}</span>\n" for line in above)
    texts = [("the author", "author", author), ("suggested", "ours", suggested)]
    for label, sort, written in texts[:1] if one.whole else texts:
        if not written[0] and len(written) == 1:
            code += f"<span class=quiet>{_code(typed)}‸ nothing suggested</span>\n"
            continue
        first, *below = written
        code += f"{_code(typed)}<span class={sort} title={label}>{_code(first)}</span>\n"
        code += "".join(f"<span class={sort} title={label}>{_code(line)}</span>\n" for line in below)
    place = f"{_text(one.path)}:{one.line + 1}"
    facts = f"{one.kind} · {one.language} · {one.probability:.0%} · {one.commit[:10]}"
    return f"<article><h3><code>{escape(place)}</code><span>{escape(facts)}</span></h3><pre>{code}</pre></article>"


def _code(line: str) -> str:
    return escape(_text(line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " …"))


def _measured(report: dict[str, Any]) -> str:
    asked, machine = report["asked"], report["machine"]
    windows = []
    for stage in report["stages"]:
        base = stage.get("indexed_commit", "")[:12] or f"{stage.get('held_out', 0)} files held out"
        period = f"{stage['from']} – {stage['to']}" if "from" in stage else ""
        windows.append(
            [
                f"<code>{escape(base)}</code>",
                str(stage.get("commits", "")),
                period,
                f"{stage['cases']:,}",
                f"{stage['files']:,}",
                f"{stage['lines']:,}",
                str(stage["generation"]),
                f"{stage['index_seconds']:.1f}",
            ]
        )
    engines = "; ".join(
        f"{name} ({', '.join(f'{k}: {v}' for k, v in about.items())})" for name, about in report["engines"].items()
    )
    facts = {
        "HEAD": report["head"] or "no git",
        "seed": asked["seed"],
        "commits": asked["commits"],
        "since": asked["since"] or "–",
        "wanted precision": report["settings"]["precision"],
        "engines": engines,
        "Ondol": report["ondol"],
        "made": report["made"],
        "took": f"{report['seconds']:.0f} s, indexes included",
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']},"
        f" Python {machine['python']}",
    }
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(_text(str(value)))}</dd>" for key, value in facts.items())
    heads = ["indexed commit", "commits", "from – to", "cursors", "files", "lines", "generation", "seconds"]
    notes = "".join(f"<li>{escape(_text(line))}</li>" for line in remarks(report))
    return (
        "<p>Each window of commits is replayed against an index of the tree from before its oldest commit, so nothing"
        " that is predicted, and nothing later, can be copied.</p>"
        f"{_table(heads, windows)}<dl>{listed}</dl><ul>{notes}</ul>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _figure(title: str, svg: str, note: str) -> str:
    return f"<figure><h2>{escape(title)}</h2>{svg}<figcaption>{escape(note)}</figcaption></figure>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _text(text: str) -> str:
    """Text that UTF-8 can hold: names of files need not be."""
    return text.encode("utf-8", "replace").decode("utf-8")


_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2127;--soft:#6a7280;--line:#e3e6ea;--paper:#fff;--ground:#f5f3ef;
--warm:#c2501a;
--warm-soft:#f3ddd0;--cool:#2f6f8f;--good:#1f7a4d;--good-soft:#dff2e7;--bad:#b3261e;--bad-soft:#fbe3e1}
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e3;--soft:#9aa1ab;--line:#343a42;--paper:#1d2126;--ground:#14171a;
--warm:#f0874f;--warm-soft:#4a2c1c;--cool:#7cb9d6;--good:#6fd3a0;--good-soft:#17382a;--bad:#ff8f86;--bad-soft:#43201e}
}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK KR",sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 80px}
header{margin-bottom:28px}h1{font-size:34px;line-height:1.2;margin:2px 0 8px;letter-spacing:-.02em}
.brand{margin:0;color:var(--warm);font-weight:600;letter-spacing:.02em}
.lead{margin:0;color:var(--soft);max-width:70ch}
h2{font-size:17px;margin:0 0 12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin-bottom:16px}
.tile,figure,section{background:var(--paper);border:1px solid var(--line);border-radius:12px}
.tile{padding:16px 18px}.tile b{display:block;font-size:30px;line-height:1.15;font-weight:650;letter-spacing:-.02em}
.tile small{font-size:17px;font-weight:500;margin-left:2px}.tile span{display:block;font-size:14px}
.tile i{color:var(--soft);font-size:13px;font-style:normal}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:16px;margin-bottom:16px}
figure{margin:0;padding:20px}figcaption{color:var(--soft);font-size:13px;margin-top:10px}
svg{width:100%;height:auto;display:block}
section{padding:20px;margin-bottom:16px}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;margin-bottom:12px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 14px 5px 0;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
code,pre{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK KR",monospace}
article{border-top:1px solid var(--line);padding:12px 0}article:first-of-type{border-top:0;padding-top:0}
h3{display:flex;justify-content:space-between;gap:16px;font-size:13px;font-weight:500;margin:0 0 6px;flex-wrap:wrap}
h3 span{color:var(--soft)}
pre{margin:0;padding:10px 12px;background:var(--ground);border-radius:8px;overflow-x:auto;tab-size:4}
.above,.quiet{color:var(--soft)}.author{background:var(--good-soft);color:var(--good)}
.ours{background:var(--bad-soft);color:var(--bad)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:14px;margin:8px 0}dt{color:var(--soft)}
dd{margin:0}
summary{cursor:pointer;color:var(--soft);font-size:14px}ul{padding-left:18px;color:var(--soft);font-size:14px}
text{fill:var(--soft);font-size:12px}text.label{fill:var(--ink);font-size:13px}
text.value{fill:var(--ink);font-size:13px;font-weight:600}
.grid{stroke:var(--line)}.level{stroke:var(--soft);stroke-dasharray:4 4}.whisker{stroke:var(--soft);stroke-width:1.5}
.curve{fill:none;stroke-width:2.5;stroke-linejoin:round}.bar{fill:var(--warm-soft);stroke:var(--warm)}
.curve.c0{stroke:var(--warm)}.mark.c0{fill:var(--warm)}.curve.c1{stroke:var(--cool)}.mark.c1{fill:var(--cool)}
.curve.c2{stroke:var(--good)}.mark.c2{fill:var(--good)}.curve.c3{stroke:var(--bad)}.mark.c3{fill:var(--bad)}
.mark{stroke:var(--paper);stroke-width:2}
.two{display:grid;grid-template-columns:minmax(0,max-content) minmax(240px,1fr);gap:48px;align-items:start}
@media(max-width:820px){.two{grid-template-columns:minmax(0,1fr)}}
.legend{grid-template-columns:1fr;gap:0;margin:30px 0 0}.legend dd{margin:0 0 12px}.legend dt{color:var(--ink)}
.key{margin:-4px 0 12px;font-size:13px}.key span{padding:1px 6px;border-radius:4px}
@media print{body{background:#fff}section,figure,.tile{break-inside:avoid}}
"""
