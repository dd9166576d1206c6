// Creates the pictures of the documentation in the real VS Code, and a short animation from screenshots.
//
//   tests/editors/vscode/run.sh --screenshots
//
// Writes into docs/images/: vscode-ghost-text.png, vscode-menu.png, vscode-korean.png, vscode-walkthrough.png and
// vscode.gif (under 1 MB). Needs ImageMagick (Debian's package imagemagick).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Workbench } from '../tests/editors/vscode/e2e/harness.mjs';
import { commit, shop, START, write } from '../tests/editors/vscode/e2e/repository.mjs';

const images = path.resolve(import.meta.dirname, '../docs/images');
const raw = fs.mkdtempSync(path.join(os.tmpdir(), 'ondol-pictures-'));
const GIF_LIMIT = 1_000_000;

const look = {
  'workbench.colorTheme': 'Default Light Modern',
  'editor.fontSize': 14,
  'editor.lineHeight': 1.6,
  'editor.scrollbar.horizontal': 'hidden',
  'editor.renderWhitespace': 'none',
  'editor.renderLineHighlight': 'none',
  'breadcrumbs.enabled': false,
  'workbench.activityBar.location': 'hidden',
  'window.commandCenter': false,
  'editor.guides.indentation': false,
  'editor.scrollbar.vertical': 'hidden',
  'editor.overviewRulerBorder': false,
  'editor.hideCursorInOverviewRuler': true,
  'editor.inlineSuggest.showToolbar': 'never',
  'editor.cursorBlinking': 'solid',
};

function convert(...args) {
  execFileSync('convert', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Reduces the number of colours, which makes the picture five times smaller. */
function optimise(name) {
  fs.mkdirSync(images, { recursive: true });
  convert(
    path.join(raw, `${name}.png`),
    '-strip',
    '-dither',
    'None',
    '-colors',
    '255',
    '-define',
    'png:compression-level=9',
    path.join(images, `${name}.png`),
  );
  console.log(`${name}.png: ${Math.round(fs.statSync(path.join(images, `${name}.png`)).size / 1024)} KiB`);
}

async function windowOn(bench, files = {}) {
  const server = bench.realServer();
  bench.writeSettings({}, { 'ondol.server.path': server.file });
  const repo = shop(path.join(bench.folder, 'shop'));
  for (const name of ['big.py', 'book.ipynb', 'frozen.py', 'windows.py', 'tabs.py']) {
    fs.rmSync(path.join(repo, name));
  }
  write(repo, files);
  commit(repo, 'The file in the picture');
  const window = await bench.open(repo);
  await window.ready();
  await window.clearNotifications();
  return window;
}

const shoot = (window, name) => window.page.screenshot({ path: path.join(raw, `${name}.png`) });

async function stills() {
  const bench = await Workbench.start({ settings: look, size: { width: 1080, height: 480 }, scale: 1.5 });
  try {
    const window = await windowOn(bench, { 'shop/refunds.py': '"""Queries on refunds."""\n\n\n' });
    await window.openFile('shop/refunds.py');
    await window.insert(
      'def find_refunds(registry, settings, query):\n    """Find refunds that match a query."""\n    ',
    );
    await window.type(START, 60);
    await window.ghostAppears();
    await window.pause(400);
    await shoot(window, 'vscode-ghost-text');
    await window.key('Escape');
    await window.page.setViewportSize({ width: 1080, height: 580 });
    await window.page.click('#ondol\\.ondol\\.ondol\\.status');
    await window.pause(700);
    await shoot(window, 'vscode-menu');
    await window.key('Escape');
    await window.key('Control+b');
    await window.palette('Ondol: Getting Started');
    await window.page.waitForSelector('.gettingStartedContainer .step-title');
    await window.page.click('.getting-started-step:has(.step-title:has-text("ghost text"))');
    await window.pause(2500);
    await shoot(window, 'vscode-walkthrough');
  } finally {
    await bench.stop();
  }
}

async function korean() {
  const bench = await Workbench.start({
    settings: look,
    size: { width: 1080, height: 480 },
    scale: 1.5,
    locale: 'ko-KR',
  });
  try {
    const window = await windowOn(bench, { 'shop/refunds.py': '"""환불을 찾는 모듈입니다."""\n\n\n' });
    await window.openFile('shop/refunds.py');
    await window.insert(
      'def find_refunds(registry, settings, query):\n    # 조건에 맞는 환불을 찾습니다. 연결은 반드시 닫습니다.\n    ',
    );
    await window.type(START, 60);
    await window.ghostAppears();
    await window.pause(400);
    await shoot(window, 'vscode-korean');
  } finally {
    await bench.stop();
  }
}

/** Records one frame per step: typing, ghost text, three accepted words, the rest accepted with Tab. */
async function animation() {
  const bench = await Workbench.start({
    settings: { ...look, 'editor.fontSize': 15 },
    size: { width: 900, height: 330 },
    scale: 1,
  });
  try {
    const window = await windowOn(bench, { 'shop/refunds.py': '"""Queries on refunds."""\n\n\n' });
    await window.openFile('shop/refunds.py');
    await window.key('Control+b');
    await window.insert(
      'def find_refunds(registry, settings, query):\n    """Find refunds that match a query."""\n    ',
    );
    await window.pause(800);
    const frames = [];
    const frame = async (centiseconds) => {
      const file = path.join(raw, `frame-${String(frames.length).padStart(3, '0')}.png`);
      await window.page.screenshot({ path: file });
      frames.push('-delay', String(centiseconds), file);
    };
    const step = async (action, centiseconds) => {
      await action();
      await window.pause(450);
      await frame(centiseconds);
    };
    await frame(60);
    for (const letter of START) {
      await step(() => window.type(letter), 9);
    }
    await window.ghostAppears();
    await frame(120);
    for (let i = 0; i < 3; i++) {
      await step(() => window.key('Control+ArrowRight'), 60);
    }
    await frame(60);
    await step(() => window.key('Tab'), 300);
    const gif = path.join(images, 'vscode.gif');
    fs.mkdirSync(images, { recursive: true });
    // All frames share one palette. Otherwise the colours flicker.
    const palette = path.join(raw, 'palette.png');
    convert(
      ...frames.filter((part) => part.endsWith('.png')),
      '-append',
      '-dither',
      'None',
      '-colors',
      '96',
      '-unique-colors',
      palette,
    );
    convert(...frames, '-dither', 'None', '-remap', palette, '-layers', 'OptimizeFrame', '-loop', '0', gif);
    const size = fs.statSync(gif).size;
    console.log(`vscode.gif: ${Math.round(size / 1024)} KiB, ${frames.length / 3} frames`);
    if (size > GIF_LIMIT) {
      throw new Error(`vscode.gif has ${size} bytes, the limit is ${GIF_LIMIT}`);
    }
  } finally {
    await bench.stop();
  }
}

try {
  await stills();
  await korean();
  await animation();
  for (const name of ['vscode-ghost-text', 'vscode-menu', 'vscode-walkthrough', 'vscode-korean']) {
    optimise(name);
  }
} finally {
  fs.rmSync(raw, { recursive: true, force: true });
}
