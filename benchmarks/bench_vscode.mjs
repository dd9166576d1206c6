// Measures the extension in the real VS Code: the time from a key press to ghost text on screen and the server's share
// of it, the extension's share of the editor's start, its size, and the time to the first ghost text in an unindexed
// repository.
//
//   tests/editors/vscode/run.sh --bench [--samples 60] [--out FILE]
//
// The measurement starts with the browser's keydown event and ends with the frame after the ghost text entered the
// page. The server's share is the time between the editor's request and the answer. Prints JSON.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { Workbench } from '../tests/editors/vscode/e2e/harness.mjs';
import { head, shop, standardLibrary, START } from '../tests/editors/vscode/e2e/repository.mjs';
import { until } from '../tests/editors/vscode/e2e/until.mjs';

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { samples: { type: 'string', default: '60' }, out: { type: 'string' } } });
const samples = Number(values.samples);
const ACTIVATIONS = 12;
const EMPTY = 'Empty extension';
const KEY_DELAY_MS = 140; // some 85 words a minute

const quantile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0
    ? null
    : Math.round(10 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]) / 10;
};
const summary = (numbers) => ({
  n: numbers.length,
  p10: quantile(numbers, 0.1),
  median: quantile(numbers, 0.5),
  p90: quantile(numbers, 0.9),
  p99: quantile(numbers, 0.99),
  max: quantile(numbers, 1),
});
const git = (...args) =>
  execFileSync('git', ['-C', root, ...args])
    .toString()
    .trim();

/** Records the times of key presses and of frames with new ghost text, in milliseconds of the epoch. */
function watch() {
  window.ondolKeys = [];
  window.ondolFrames = [];
  const now = () => performance.timeOrigin + performance.now();
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key.length === 1) {
        window.ondolKeys.push({ at: now(), key: event.key });
      }
    },
    true,
  );
  let last = '';
  new MutationObserver(() => {
    const text = [
      ...document.querySelectorAll('.editor-instance .ghost-text-decoration, .editor-instance .suggest-preview-text'),
    ]
      .map((element) => element.textContent)
      .join('');
    if (text !== '' && last === '') {
      requestAnimationFrame(() => requestAnimationFrame(() => window.ondolFrames.push({ at: now(), text })));
    }
    last = text;
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}

/** Splits the time of each ghost text: from the key press to the request, to the answer, to the frame. */
function waits(keys, frames, entries) {
  const asked = new Map();
  const answered = [];
  for (const { at, from, message } of entries) {
    if (from === 'editor' && message?.method === 'textDocument/inlineCompletion') {
      asked.set(message.id, at);
    }
    if (
      from === 'server' &&
      asked.has(message?.id) &&
      message.method === undefined &&
      message.result?.items?.length > 0
    ) {
      answered.push({ request: asked.get(message.id), answer: at });
    }
  }
  return frames.flatMap((frame) => {
    const { request, answer } = answered.filter((one) => one.answer <= frame.at).at(-1) ?? {};
    const key = keys.filter((one) => one.at <= (request ?? 0)).at(-1);
    return key === undefined || frame.at - answer > 1000
      ? []
      : [{ total: frame.at - key.at, before: request - key.at, server: answer - request, after: frame.at - answer }];
  });
}

async function keyToScreen(window, wire, file) {
  await window.page.evaluate(watch);
  const whole = fs.readFileSync(file, 'utf8');
  const all = [];
  let missing = 0;
  for (let i = 0; i < samples; i++) {
    await window.key('Escape', 'Control+A');
    // Replaces the whole text. Otherwise the unfinished line of the last sample would be suggested.
    await window.insert(`${whole}\n\n\n${head(`parcels_${i}`)}`);
    await window.pause(500);
    await window.key('Escape'); // dismiss any suggestion that followed the insertion
    await window.page.evaluate(() => {
      window.ondolKeys.length = 0;
      window.ondolFrames.length = 0;
    });
    await window.type(START, KEY_DELAY_MS);
    // On a busy machine the server may miss its deadline and suggest nothing. This is counted.
    await window.ghostAppears('', 5000).catch(() => {
      missing++;
    });
    const { keys, frames } = await window.page.evaluate(() => ({ keys: window.ondolKeys, frames: window.ondolFrames }));
    all.push(...waits(keys, frames, wire.entries()));
  }
  const pick = (name) => summary(all.map((one) => one[name]));
  return {
    key_delay_ms: KEY_DELAY_MS,
    without_ghost_text: missing,
    key_to_screen_ms: pick('total'),
    of_which: {
      editor_before_request_ms: pick('before'),
      server_ms: pick('server'),
      editor_after_answer_ms: pick('after'),
    },
    requests: wire.count('textDocument/inlineCompletion'),
  };
}

/**
 * Packages an extension that does nothing and starts on the same event, for comparison. VS Code loads the extensions of
 * one event one after another, and the activation time of each includes time spent on others.
 */
async function emptyExtension(folder) {
  const { engines, activationEvents } = JSON.parse(
    fs.readFileSync(path.join(root, 'editors/vscode/package.json'), 'utf8'),
  );
  fs.writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({
      name: 'empty',
      displayName: EMPTY,
      publisher: 'bench',
      version: '1.0.0',
      engines,
      activationEvents,
      main: './main.js',
    }),
  );
  fs.writeFileSync(path.join(folder, 'main.js'), 'exports.activate = () => {};\n');
  const { createVSIX } = createRequire(path.join(root, 'editors/vscode/package.json'))('@vscode/vsce');
  const packagePath = path.join(folder, 'empty.vsix');
  await createVSIX({ cwd: folder, packagePath, allowMissingRepository: true, skipLicense: true });
  return packagePath;
}

/**
 * The activation times of Ondol and of the empty extension as VS Code reports them (Developer: Show Running
 * Extensions), and Ondol's own measurement.
 */
async function activation(bench, repo) {
  const editor = [];
  const empty = [];
  const own = [];
  for (let i = 0; i < ACTIVATIONS; i++) {
    const window = await bench.open(repo);
    await window.ready();
    await window.palette('Developer: Show Running Extensions');
    const list = window.page.locator('.runtime-extensions-editor .monaco-list');
    const rows = new Map();
    await until(async () => {
      const texts = await window.page.$$eval('.runtime-extensions-editor .monaco-list-row', (elements) =>
        elements.map((element) => element.textContent),
      );
      for (const text of texts) {
        for (const name of ['Ondol', EMPTY]) {
          if (text.startsWith(name)) {
            rows.set(name, Number(/Activation: *(\d+)/.exec(text)[1]));
          }
        }
      }
      if (texts.length > 0) {
        await list.hover();
        await window.page.mouse.wheel(0, 150);
      }
      return rows.size === 2;
    }, 'the rows of the extensions');
    editor.push(rows.get('Ondol'));
    empty.push(rows.get(EMPTY));
    await window.key('Escape');
    await window.palette('Ondol: Doctor');
    const said = await until(
      () =>
        window.page.evaluate(() =>
          /extension (\d+) ms, language client (\d+) ms, server (\d+) ms/
            .exec(
              [...document.querySelectorAll('.editor-instance .view-line')]
                .map((line) => line.textContent.replaceAll('\u00a0', ' '))
                .join('\n'),
            )
            ?.slice(1)
            .map(Number),
        ),
      'the doctor',
      120_000,
    );
    own.push(said);
    await window.close();
  }
  return {
    by_editor_ms: summary(editor),
    empty_extension_by_editor_ms: summary(empty),
    more_than_empty_ms: summary(editor.map((one, i) => one - empty[i])),
    own_code_ms: summary(own.map((one) => one[0])),
    client_bundle_loaded_ms: summary(own.map((one) => one[1])),
    server_answered_ms: summary(own.map((one) => one[2])),
  };
}

async function firstMinute() {
  const bench = await Workbench.start();
  try {
    const server = bench.realServer();
    bench.writeSettings({}, { 'ondol.server.path': server.file });
    const repo = shop(path.join(bench.folder, 'large'), { git: false });
    const lines = standardLibrary(path.join(repo, 'library'));
    const began = Date.now();
    const window = await bench.open(repo);
    const workbench = Date.now() - began;
    const progress = [];
    await until(
      async () => {
        const status = await window.status();
        if (status && progress.at(-1) !== status.text) {
          progress.push(status.text);
        }
        return (
          status?.icon === 'flame' &&
          server.wire.received('ondol/status').some((one) => one.params.state === 'indexing')
        );
      },
      'the index',
      600_000,
    );
    const indexed = Date.now() - began;
    await window.openFile('work.py');
    await window.insert(`\n\n${head('first')}`);
    await window.type(START, KEY_DELAY_MS);
    await window.ghostAppears();
    return {
      lines,
      workbench_s: workbench / 1000,
      indexed_s: indexed / 1000,
      ghost_text_s: (Date.now() - began) / 1000,
      progress_seen: progress.filter((text) => /%/.test(text)).length,
    };
  } finally {
    await bench.stop();
  }
}

async function main() {
  assert.ok(samples > 0);
  const load = os.loadavg()[0];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ondol-bench-'));
  const bench = await Workbench.start({ extensions: [await emptyExtension(folder)] });
  let warm, started;
  try {
    const server = bench.realServer();
    bench.writeSettings({}, { 'ondol.server.path': server.file });
    const repo = shop(path.join(bench.folder, 'shop'), { git: false });
    standardLibrary(path.join(repo, 'library'));
    bench.index(repo);
    const window = await bench.open(repo);
    await window.ready();
    await window.openFile('work.py');
    warm = await keyToScreen(window, server.wire, path.join(repo, 'work.py'));
    console.error(JSON.stringify(warm));
    await window.close();
    started = await activation(bench, repo);
    console.error(JSON.stringify(started));
  } finally {
    await bench.stop();
    fs.rmSync(folder, { recursive: true });
  }
  const result = {
    benchmark: 'vscode',
    commit: git('rev-parse', 'HEAD'),
    modified: git('status', '--porcelain', '--', 'editors/vscode', 'lsp_server', 'indexer') !== '',
    date: new Date().toISOString(),
    hardware: {
      cpu: os.cpus()[0].model,
      cores: os.cpus().length,
      memory_gib: Math.round(os.totalmem() / 2 ** 30),
      load_before: load,
      priority: os.getPriority(),
    },
    editor: 'VS Code 1.139.1 (code-server 4.139.1), headless Chromium',
    backend: 'retrieval',
    ...warm,
    activation: started,
    vsix_kb: Math.round(
      fs.statSync(process.env.ONDOL_VSIX ?? path.join(root, 'editors/vscode/ondol.vsix')).size / 1024,
    ),
    first_minute: await firstMinute(),
  };
  const text = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(text);
  if (values.out !== undefined) {
    fs.writeFileSync(values.out, text);
  }
}

await main();
