// Escape on ghost text: it is hidden and reported. Every other use of Escape is unchanged.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { until } from './until.mjs';

const GHOST = 'a, b):\n    return a + b';

describe('dismissing', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));
  const text = () => window.saved(path.join(repo, 'a.py'));
  const refused = () => wire.commands('ondol.dismissed').map((message) => message.params.arguments);
  const line = async (typed) => {
    await window.key('Escape', 'Control+End');
    await window.type(`\n${typed}`);
  };

  before(
    async () => {
      bench = await Workbench.start();
      const files = { 'a.py': '# hello\n', 'long_word.py': 'add = 1\naddition = 2\n' };
      ({ repo, window, wire } = await bench.openWithFakeServer(files));
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('Escape hides the suggestion and reports the item that was shown', async () => {
    await line('def add(');
    await window.ghostIs(GHOST);
    await until(() => wire.count('textDocument/didShowCompletion') > 0, 'the report that it was shown');
    await window.key('Escape');
    await window.noGhost(300);
    const shown = wire.sent('textDocument/didShowCompletion').at(-1).params.item;
    await until(() => refused().length === 1, 'the report that it was refused');
    assert.deepEqual(refused(), [[shown.command.arguments[0].id]]);
    assert.ok((await text()).endsWith('\ndef add('));
  });

  it('a dismissed suggestion is in the list of the recent ones and is inserted from there', async () => {
    await window.palette('Ondol: Recently Dismissed Suggestions', { list: true });
    await window.page.waitForSelector('.quick-input-list .monaco-list-row:has-text("a, b):")');
    await window.key('Enter');
    await until(async () => (await text()).endsWith(`\ndef add(${GHOST}`), 'the inserted text');
  });

  it('a snooze pauses suggestions, and the same command ends it', async () => {
    await window.palette('Ondol: Snooze for Ten Minutes, or End the Snooze');
    await line('def add(');
    await window.noGhost(600);
    await window.palette('Ondol: Snooze for Ten Minutes, or End the Snooze');
    await line('def add(');
    await window.ghostIs(GHOST);
    await window.key('Escape');
  });

  it('the rest of a typed suggestion is refused as well', async () => {
    await line('def add(');
    await window.ghostIs(GHOST);
    await window.type('a, ');
    await window.ghostIs(GHOST.slice(3));
    const count = refused().length;
    await window.key('Escape');
    await until(() => refused().length > count, 'the report');
  });

  it('a suggestion that the cursor left is not refused', async () => {
    await line('def add(');
    await window.ghostIs(GHOST);
    const count = refused().length;
    await window.key('ArrowUp');
    await window.noGhost(300);
    await window.key('Escape');
    await window.pause(300);
    assert.equal(refused().length, count);
  });

  it('with an open completion list, Escape closes the list', async () => {
    await line('add');
    await window.key('Control+Space');
    await window.page.waitForSelector('.suggest-widget.visible');
    const count = refused().length;
    await window.key('Escape');
    await window.page.waitForSelector('.suggest-widget.visible', { state: 'detached' });
    assert.equal(refused().length, count);
  });

  it('without a suggestion, Escape keeps its functions', async () => {
    await line('first second');
    await window.key('Shift+Home', 'Escape');
    await window.type('!');
    assert.ok((await text()).endsWith('\n!first second'), 'Escape did not end the selection');
    await window.key('Control+f');
    await window.page.waitForSelector('.find-widget.visible');
    await window.key('Escape');
    await window.page.waitForSelector('.find-widget:not(.visible)', { state: 'attached' });
  });

  it('a server without the command gets no report', async () => {
    const server = bench.fakeServer('early');
    bench.writeSettings({}, { 'ondol.server.path': server.file });
    await until(() => server.wire.starts().length > 0, 'the other server');
    await window.ready();
    await line('def add(');
    await window.ghostIs(GHOST);
    await window.key('Escape');
    await window.noGhost(500);
    assert.equal(server.wire.count('workspace/executeCommand'), 0);
    assert.deepEqual(await window.notifications(), []);
  });
});
