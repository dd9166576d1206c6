// Changes the lines of files in the real VS Code as commits did: see bench_vscode_edits.py, which starts it.
//
//   tests/editors/vscode/run.sh --script benchmarks/bench_vscode_edits.mjs CASES ROWS [SHOTS]
//
// CASES names for each commit the folder, the file and the changes. ROWS gets the counts of each, a line of JSON. SHOTS
// gets a picture of each offer that is not the commit's, and its text is printed.
import fs from 'node:fs';
import path from 'node:path';
import { Workbench } from '../tests/editors/vscode/e2e/harness.mjs';
import { until } from '../tests/editors/vscode/e2e/until.mjs';

const OFFER_MS = 700; // the server looks for an offer within half a second after an edit
const TAKEN_MS = 15_000;
const KEY_MS = 25;
const METHOD = 'textDocument/copilotInlineEdit';

const [casesFile, rowsFile, shots] = process.argv.slice(2);
const linesOf = (text) => text.split(/\r?\n/);

/** The editor's last question for a next edit, with its answer. */
function lastAnswer(wire) {
  const asked = new Map();
  let last;
  for (const { from, message } of wire.entries()) {
    if (from === 'editor' && message?.method === METHOD) {
      asked.set(message.id, message.params);
    } else if (from === 'server' && asked.has(message?.id) && message.method === undefined) {
      last = { asked: asked.get(message.id), edit: message.result?.edits?.[0] };
    }
  }
  return last;
}

/** Goes to a line and a column, from 0. */
async function goTo(window, line, column) {
  await window.key('Control+g');
  await window.page.waitForSelector('.quick-input-widget input.input');
  await window.insert(`${line + 1}:${column + 1}`);
  await window.key('Enter');
  await window.page.waitForSelector('.quick-input-widget', { state: 'hidden' });
}

/** Opens a file by its path. */
async function openFile(window, file) {
  const base = path.basename(file);
  await window.key('Control+p');
  await window.page.waitForSelector('.quick-input-widget input.input');
  await window.insert(file);
  const first = window.page.locator('.quick-input-widget .monaco-list-row').first();
  await first.locator('.label-name', { hasText: base }).waitFor();
  await first.click();
  await window.page.waitForSelector(`.tab.active[data-resource-name="${base}"]`);
  await window.focusEditor();
}

/** How a line becomes another one: the column, the number of characters that go, and those that come. */
function change(before, after) {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) {
    start++;
  }
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) {
    end++;
  }
  return { start, gone: before.length - start - end, comes: after.slice(start, after.length - end) };
}

/** Somebody who makes the changes of a commit in one file. */
class Author {
  constructor(window, wire, { commit, folder, file, changes }) {
    Object.assign(this, { window, wire, commit, folder, changes, target: path.join(folder, file) });
    this.own = changes[file];
    this.height = linesOf(fs.readFileSync(this.target, 'utf8')).length;
    this.counts = { lines: this.own.length, typed: 0, taken: 0, other_files: 0, not_wanted: 0, not_applied: 0 };
    this.passed = '';
  }

  /** The file's lines, saved. The number of lines stays the same; fewer are there while the file is being written. */
  current() {
    return until(async () => {
      const lines = linesOf(await this.window.saved(this.target));
      return lines.length === this.height && lines;
    }, 'the saved file');
  }

  /** The offer that is drawn: its file, its first line from 0, the lines that it makes, and the cursor's line. */
  async offered(lines) {
    await this.window.pause(OFFER_MS);
    await until(() => this.wire.unanswered(METHOD) === 0, 'the answer about next edits');
    const { asked, edit } = lastAnswer(this.wire) ?? {};
    if (!edit || (await this.window.drawnLine('[Tab: ')) === undefined) {
      return undefined;
    }
    const file = decodeURIComponent(new URL(edit.textDocument.uri).pathname);
    const text = file === this.target ? lines : linesOf(fs.readFileSync(file, 'utf8'));
    const { start, end } = edit.range;
    const made = text[start.line].slice(0, start.character) + edit.text + (text[end.line] ?? '').slice(end.character);
    return { file, line: start.line, made: linesOf(made), cursor: asked.position.line };
  }

  /** Whether the commit makes an offer, in this file or in another one. */
  wanted({ file, line, made }) {
    const changes = this.changes[path.relative(this.folder, file)] ?? [];
    return changes.some(([number, text]) => number === line && text === made[0]);
  }

  /** Whether there is an offer that the commit makes in this file. */
  right(offer) {
    return offer?.file === this.target && this.wanted(offer);
  }

  /** Goes to an offer and takes it; whether the line has its text then. */
  async take(offer) {
    if (offer.line !== offer.cursor) {
      await this.window.key('Tab');
      await until(
        async () => (await this.window.drawnLine('[Tab: accept]')) !== undefined,
        'the cursor at the place of the edit',
      );
    }
    await this.window.key('Tab');
    const made = async () => (await this.current())[offer.line] === offer.made[0];
    const done = await until(made, 'the edit', TAKEN_MS).catch(() => false);
    this.counts[done ? 'taken' : 'not_applied']++;
    return done;
  }

  /** Leaves an offer alone; the same one counts once. */
  async pass(offer) {
    const text = `${path.relative(this.folder, offer.file)}:${offer.line + 1} ${JSON.stringify(offer.made)}`;
    if (text === this.passed) {
      return;
    }
    this.passed = text;
    this.counts[this.wanted(offer) ? 'other_files' : 'not_wanted']++;
    if (shots && !this.wanted(offer)) {
      console.log(`  not wanted: ${text}`);
      await this.window.screenshot(path.join(shots, `${this.commit.slice(0, 8)}-${this.counts.not_wanted}.png`));
    }
  }

  async type(line, before, after) {
    const { start, gone, comes } = change(before, after);
    await goTo(this.window, line, start);
    for (let i = 0; i < gone; i++) {
      await this.window.key('Delete');
    }
    await this.window.type(comes, KEY_MS);
    const made = (await this.current())[line];
    if (made !== after) {
      throw new Error(`${this.commit}: line ${line + 1} became ${JSON.stringify(made)}`);
    }
    this.counts.typed++;
  }

  /** Makes a line what the commit made of it: takes what is offered for it, or types it. */
  async make(line, after) {
    const before = (await this.current())[line];
    await goTo(this.window, line, change(before, after).start);
    const here = await this.offered(await this.current());
    if (here?.line !== line || !this.right(here) || !(await this.take(here))) {
      await this.type(line, before, after);
    }
  }

  /** Makes the changes from the top down, but follows offers elsewhere that are right. */
  async work() {
    for (const [line, after] of this.own) {
      for (let lines = await this.current(); lines[line] !== after; lines = await this.current()) {
        const elsewhere = await this.offered(lines);
        if (this.right(elsewhere) && (await this.take(elsewhere))) {
          continue;
        }
        if (elsewhere && !this.right(elsewhere)) {
          await this.pass(elsewhere);
        }
        await this.make(line, after);
      }
    }
    return this.counts;
  }
}

const bench = await Workbench.start();
try {
  for (const one of JSON.parse(fs.readFileSync(casesFile, 'utf8'))) {
    bench.index(one.folder);
    const server = bench.realServer();
    bench.writeSettings({}, { 'ondol.server.path': server.file });
    const window = await bench.open(one.folder);
    await window.ready();
    await openFile(window, one.file);
    const { name, commit, file } = one;
    const counts = await new Author(window, server.wire, one).work();
    console.log(name, commit.slice(0, 8), JSON.stringify(counts));
    fs.appendFileSync(rowsFile, `${JSON.stringify({ name, commit, file, ...counts })}\n`);
    await window.close();
  }
} finally {
  await bench.stop();
}
