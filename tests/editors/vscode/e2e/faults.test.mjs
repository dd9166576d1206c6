// Faults: a server that is missing, old, crashing, late or wrong, and a workspace that is not trusted. A key press must
// never produce a notification. Every fault produces exactly one, which says what to do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { head, shop, START, write } from './repository.mjs';
import { until } from './until.mjs';

describe('faults', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));

  before(
    async () => {
      bench = await Workbench.start();
      repo = path.join(bench.folder, 'repo');
      write(repo, { 'a.py': '# hello\n' });
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  const use = async (fault) => {
    const server = bench.fakeServer(fault);
    wire = server.wire;
    bench.writeSettings({}, { 'ondol.server.path': server.file });
    await until(() => wire.starts().length > 0, `the server with the fault ${fault}`);
  };
  const line = async (text) => {
    await window.key('Escape');
    await window.key('Control+End');
    await window.type('\n');
    await window.pause(150);
    await window.type(text);
  };

  it('not installed: one notification with the exact command', async () => {
    window = await bench.open(repo);
    const message = await window.notification(/not installed/);
    assert.match(message, /run: pipx install \.\/ondol-\d+\.\d+\.\d+-py3-none-any\.whl$/);
    const status = await window.statusIs((one) => one.icon === 'warning', 'a warning');
    assert.ok(status.warning);
    await window.shot('not-installed');
    await window.openFile('a.py');
    await line('def add(');
    await window.noGhost(600);
    assert.equal((await window.notifications()).length, 1);
    await window.palette('Notifications: Show Notifications');
    await window.page.click('.notifications-center a:has-text("Copy Command")');
    await until(
      async () => message.endsWith(`run: ${await window.page.evaluate(() => navigator.clipboard.readText())}`),
      'the command in the clipboard',
    );
    await window.clearNotifications();
  });

  it("installed later: found automatically, here in the environment of the workspace's interpreter", async () => {
    const environment = path.join(bench.folder, 'environment');
    const server = bench.fakeServer();
    wire = server.wire;
    write(environment, { 'bin/python': '' });
    fs.copyFileSync(server.file, path.join(environment, 'bin/ondol'));
    fs.chmodSync(path.join(environment, 'bin/ondol'), 0o755);
    bench.writeSettings({}, { 'python.defaultInterpreterPath': path.join(environment, 'bin/python') });
    await window.ready();
    await line('def add(');
    await window.ghostIs('a, b):\n    return a + b');
    await window.key('Escape');
  });

  it('a setting that names no program: one notification', async () => {
    bench.writeSettings({}, { 'ondol.server.path': '/nowhere/ondol' });
    assert.match(await window.notification(/ondol\.server\.path/), /\/nowhere\/ondol/);
    await window.clearNotifications();
  });

  it('a workspace cannot choose the program', async () => {
    const evil = path.join(bench.folder, 'evil-ran');
    write(repo, {
      '.vscode/settings.json': JSON.stringify({
        'ondol.server.path': path.join(repo, 'ondol'),
        'ondol.server.arguments': ['--evil'],
      }),
      ondol: `#!/bin/sh\ntouch '${evil}'\n`,
    });
    fs.chmodSync(path.join(repo, 'ondol'), 0o755);
    await use('');
    await window.ready();
    assert.ok(!fs.existsSync(evil));
    assert.ok(!wire.starts().at(-1).args.includes('--evil'));
    fs.rmSync(path.join(repo, '.vscode'), { recursive: true });
  });

  it('too old: one notification with the update command', async () => {
    await use('old');
    assert.match(
      await window.notification(/too old/),
      /0\.0\.1 is too old .* needs 0\.1\.0 or later\. In the folder .* run: .* -m pip install \.\/ondol-.*\.whl$/,
    );
    await window.statusIs((one) => one.icon === 'warning', 'a warning');
    await window.clearNotifications();
  });

  for (const fault of ['crash-at-start', 'crash-loop']) {
    it(`${fault}: five starts, then one notification`, async () => {
      await use(fault);
      await window.notification(/stopped 5 times/);
      assert.equal(wire.starts().length, 5);
      assert.equal((await window.notifications()).length, 1);
      await window.shot(fault);
      await line('def add(');
      await window.noGhost(2500);
      assert.equal(wire.starts().length, 5, 'it was started again');
      assert.equal((await window.notifications()).length, 1);
      await window.clearNotifications();
    });
  }

  it('an answer in time is shown, a late one is not', async () => {
    await use('slow');
    await window.ready();
    await line('def add(');
    await window.ghostIs('a, b):\n    return a + b');
    await use('late');
    await window.ready();
    await line('def add(');
    await until(() => wire.count('$/cancelRequest') > 0, 'the cancellation of the request', 10_000);
    await window.noGhost(2000);
    assert.deepEqual(await window.notifications(), []);
  });

  it('an answer for an older text is not shown', async () => {
    await use('slow');
    await window.ready();
    await line('def add(');
    await until(() => wire.sent('textDocument/inlineCompletion').length > 0, 'a request');
    await window.type('zz');
    await window.noGhost(1500);
    assert.ok(wire.count('$/cancelRequest') > 0);
  });

  it('items that do not fit are discarded without a notification', async () => {
    await use('ranges');
    await window.ready();
    await line('def add(');
    await until(
      () =>
        wire
          .entries()
          .some(
            (entry) =>
              entry.from === 'server' &&
              Array.isArray(entry.message.result?.items) &&
              entry.message.result.items.length > 5,
          ),
      'the wrong items',
    );
    await window.noGhost(800);
    assert.deepEqual(await window.notifications(), []);
    assert.equal(wire.count('textDocument/didShowCompletion'), 0);
  });

  for (const [fault, answer] of [
    ['error', 'errors'],
    ['deaf', 'nothing'],
  ]) {
    it(`a server that answers ${answer}: no notification for a key press`, async () => {
      await use(fault);
      await window.ready();
      await line('def add(a');
      await window.noGhost(800);
      assert.ok(wire.count('textDocument/inlineCompletion') > 0);
      assert.deepEqual(await window.notifications(), []);
    });
  }

  it('the status bar follows the states of the server', async () => {
    await use('states');
    await window.statusIs((one) => /indexing 7 %/.test(one.text) && one.icon === 'sync', '7 %');
    await window.shot('indexing');
    await window.statusIs((one) => /64 %/.test(one.text), '64 %');
    await window.statusIs((one) => /loading model/.test(one.text), 'the model');
    await window.statusIs((one) => one.warning && /free some space/.test(one.label), 'the problem');
    await window.statusIs((one) => one.icon === 'circle-slash', 'off');
    await window.statusIs((one) => one.icon === 'flame' && /indexed: 12/.test(one.label), 'ready');
    await window.close();
  });

  it('a data directory that cannot be created: one notification, and suggestions from open files', async () => {
    write(bench.folder, { 'a-file': '' });
    const server = bench.realServer();
    wire = server.wire;
    const own = shop(path.join(bench.folder, 'shop'), { git: false });
    bench.writeSettings(
      {},
      { 'ondol.server.path': server.file, 'ondol.dataDirectory': path.join(bench.folder, 'a-file', 'data') },
    );
    window = await bench.open(own);
    const status = await window.statusIs((one) => one.warning, 'a warning');
    assert.match(status.label, /a-file/);
    await window.shot('data-directory');
    await window.openFile('tabs.py');
    await window.insert(head('copied', '\t'));
    await window.type(START);
    await window.ghostAppears('open_connection'); // how much of the line is shown depends on what is indexed
    assert.equal((await window.notifications()).length, 1, JSON.stringify(await window.notifications()));
    await window.close();
    bench.writeSettings({}, { 'ondol.dataDirectory': '' });
  });

  it('Restricted Mode: nothing is started', async () => {
    const server = bench.fakeServer();
    wire = server.wire;
    bench.writeSettings(
      {
        'security.workspace.trust.enabled': true,
        'security.workspace.trust.startupPrompt': 'never',
        'security.workspace.trust.banner': 'never',
      },
      { 'ondol.server.path': server.file },
    );
    const untrusted = path.join(bench.folder, 'untrusted');
    write(untrusted, { 'a.py': '# hello\n' });
    window = await bench.open(untrusted);
    await window.statusIs(
      (one) => one.icon === 'circle-slash' && /Restricted Mode/.test(one.label),
      'off in Restricted Mode',
    );
    await window.openFile('a.py');
    await line('def add(');
    await window.noGhost(1500);
    assert.equal(wire.starts().length, 0, 'a server was started');
    await window.shot('restricted');
    await window.close();
    bench.writeSettings({ 'security.workspace.trust.enabled': false });
  });
});
