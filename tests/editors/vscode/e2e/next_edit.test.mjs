// The next edit: shown at its place, reached with Tab, applied with Tab, refused with Escape, off by a setting.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { until } from './until.mjs';

const CODE = 'new = 1\nfirst(old_name, 1)\nplain = 2\nsecond(old_name)\n';
const EDITED = 'new_name = 1';

describe('next edits', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));
  const text = () => window.saved(path.join(repo, 'a.py'));
  /** Replaces the file and makes the edit that can be repeated. The cursor stays at the end of the first line. */
  const change = async (code = CODE) => {
    await window.key('Control+a');
    await window.insert(code);
    await window.key('Control+Home', 'Control+Delete');
    await window.type('new_name');
  };

  before(
    async () => {
      bench = await Workbench.start({ settings: { 'editor.wordBasedSuggestions': 'currentDocument' } });
      const files = { 'a.py': '', 'lib/other.py': 'before = 1\nthird(old_name)\nfourth(old_name)\n' };
      const env = (folder) => ({ FAKE_OTHER: path.join(folder, 'lib/other.py') });
      ({ repo, window, wire } = await bench.openWithFakeServer(files, env));
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('Tab goes to the place, Tab applies the edit, undo takes it back in one step', async () => {
    await change();
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    await window.drawnLineIs(EDITED, `${EDITED}[Tab: next edit, line 2]`);
    await window.shot('next-edit');
    assert.equal(await text(), CODE.replace('new', 'new_name'), 'nothing is applied without being asked');
    await window.key('Tab');
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)[Tab: accept]');
    assert.equal(wire.commands('ondol.editAccepted').length, 0);
    await window.key('Tab');
    await window.drawnLineIs('second(', 'second(~old_name~[new_name])');
    assert.equal((await text()).split('\n')[1], 'first(new_name, 1)');
    await until(() => wire.commands('ondol.editAccepted').length === 1, 'the report');
    const shown = wire.sent('textDocument/didShowInlineEdit').map(({ params }) => params.item.command.arguments);
    assert.ok(shown.length >= 2);
    await window.statusIs((status) => / 1\/2 → line 4$/.test(status.text), 'the counts and the place');
    await window.key('Tab', 'Tab');
    await until(async () => (await text()).includes('second(new_name)'), 'the second edit');
    await window.key('Control+z');
    await until(async () => (await text()).includes('second(old_name)'), 'the text without the second edit');
    assert.ok((await text()).includes('first(new_name, 1)'));
    const last = wire.sent('textDocument/didChange').at(-1).params.contentChanges[0];
    assert.match(last.text, /old/, 'the server hears of the undo');
  });

  it('Escape refuses it, and keeps its other uses', async () => {
    await change('new = 1\nthis(old_name)\n');
    await window.drawnLineIs('this(', 'this(~old_name~[new_name])');
    await window.key('Control+f');
    await window.page.waitForSelector('.find-widget.visible');
    await window.key('Escape');
    await window.page.waitForSelector('.find-widget:not(.visible)', { state: 'attached' });
    assert.equal(wire.commands('ondol.editDismissed').length, 0);
    await window.drawnLineIs('this(', 'this(~old_name~[new_name])');
    await window.key('Escape');
    await window.drawnLineIs('this(', 'this(old_name)');
    await until(() => wire.commands('ondol.editDismissed').length === 1, 'the report');
    const shown = wire.sent('textDocument/didShowInlineEdit').at(-1).params.item.command.arguments;
    assert.deepEqual(wire.commands('ondol.editDismissed')[0].params.arguments, shown);
  });

  it('a suggestion at the cursor goes first', async () => {
    await change();
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    await window.key('Control+End');
    await window.type('def add(');
    await window.ghostIs('a, b):\n    return a + b');
    await window.pause(600);
    assert.equal(await window.drawnLine('first('), 'first(old_name, 1)');
    await window.key('Tab');
    await window.drawnLineIs('second(', 'second(~old_name~[new_name])');
    assert.ok((await text()).endsWith('def add(a, b):\n    return a + b'));
    await window.key('Tab', 'Tab');
    await until(async () => (await text()).includes('second(new_name)'), 'the edit');
  });

  it('it appears when a suggestion that was there is no longer made', async () => {
    await change();
    await window.key('Control+End');
    await window.type('quit(');
    await window.ghostIs('now)');
    await window.type('n');
    await window.ghostIs('');
    await window.drawnLineIs('second(', 'second(~old_name~[new_name])');
  });

  it('the hint does not name Tab while the completion list has it', async () => {
    await change('new = 1\nnew_name_of_all = 1\nfirst(old_name, 1)\nnew');
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    await window.key('Control+End', 'Control+Space');
    await window.page.waitForSelector('.suggest-widget.visible .monaco-list-row:has-text("new_name_of_all")');
    await window.type('_n');
    await window.drawnLineIs('new_n[', 'new_n[next edit: line 3]');
    await window.key('Escape');
    await window.page.waitForSelector('.suggest-widget.visible', { state: 'detached' });
    await window.key('ArrowLeft', 'End');
    await window.drawnLineIs('new_n[', 'new_n[Tab: next edit, line 3]');
  });

  it('it waits while there are several cursors', async () => {
    await change();
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    await window.key('Shift+Alt+ArrowDown');
    await window.drawnLineIs('first(', 'first(old_name, 1)');
    await window.drawnLineIs(EDITED, EDITED);
    await window.key('Escape');
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    assert.equal(await text(), CODE.replace('new', 'new_name'));
  });

  it('Tab indents where the cursor is in the indentation', async () => {
    await change();
    await window.key('Control+End');
    await window.drawnLineIs('next edit: line 4', '[next edit: line 4]');
    await window.key('Tab');
    assert.ok((await text()).endsWith('second(old_name)\n    '));
  });

  it('lines that come and go', async () => {
    await change('new = 1\n    split_me\nplain\nremove_me\nplain\n');
    await window.drawnLineIs('split_me', '    ~split_me~[first = 1 ⏎     second = 2]');
    await window.key('Tab');
    await window.drawnLineIs('split_me', '    ~split_me~[first = 1 ⏎     second = 2][Tab: accept]');
    await window.key('Tab');
    await window.drawnLineIs('remove_me', '~remove_me~');
    assert.ok((await text()).startsWith('new_name = 1\n    first = 1\n    second = 2\nplain\n'));
    await window.key('Tab', 'Tab');
    await until(async () => !(await text()).includes('remove_me'), 'the text without the line');
    assert.ok((await text()).endsWith('\nplain\nplain\n'));
  });

  it('an edit in another file', async () => {
    await change('new = 1\n');
    await window.drawnLineIs(EDITED, `${EDITED}[Tab: next edit, other.py:2]`);
    await window.statusIs((status) => / → other\.py:2$/.test(status.text), 'the place');
    await window.key('Tab');
    await window.page.waitForSelector('.tab.active[data-resource-name="other.py"]');
    await window.drawnLineIs('third(', 'third(~old_name~[new_name])[Tab: accept]');
    await window.key('Tab');
    await window.drawnLineIs('third(', 'third(new_name)[Tab: next edit, line 3]');
    assert.ok(fs.readFileSync(path.join(repo, 'lib/other.py'), 'utf8').includes('third(old_name)'), 'not saved');
    await window.key('Control+z');
    await window.drawnLineIs('third(', 'third(old_name)');
    await window.saved(path.join(repo, 'lib/other.py'));
  });

  it('repeat everywhere: places with check marks, one undo step per file', async () => {
    await window.openFile('a.py');
    await change();
    await window.key('F10');
    const list = window.page.locator('.quick-input-list');
    await list.locator('.monaco-list-row:has-text("fourth(old_name)")').waitFor();
    await window.pause(300);
    await window.shot('repeat-edit');
    // Line 3 of other.py is ticked at first; the other places are less probable.
    await list.locator('.monaco-list-row:has-text("first(old_name, 1)")').click();
    await window.key('Enter');
    assert.match(await window.notification(/Places changed/), /Places changed: 2\. Files: 2\./);
    assert.equal(await text(), CODE.replace('new', 'new_name').replace('first(old_name', 'first(new_name'));
    await window.key('Control+z');
    assert.equal(await text(), CODE.replace('new', 'new_name'));
    await window.openFile('lib/other.py');
    const there = await window.saved(path.join(repo, 'lib/other.py'));
    assert.ok(there.includes('fourth(new_name)') && there.includes('third(old_name)'));
    await window.clearNotifications();
  });

  it('the list says where new lines would come', async () => {
    await window.openFile('a.py');
    await change('new = 1\n\n# grow_me\n');
    await window.key('F10');
    const row = window.page.locator('.quick-input-list .monaco-list-row:has-text("+ grown = 1")');
    await row.waitFor();
    assert.match(await row.getAttribute('aria-label'), /^# grow_me, line 4, /);
    await window.key('Escape');
  });

  it('each line that the cursor reaches is asked for, in other files too', async () => {
    const asked = () =>
      wire
        .sent('textDocument/copilotInlineEdit')
        .map(({ params }) => `${path.basename(params.textDocument.uri)}:${params.position.line}`);
    fs.writeFileSync(path.join(repo, 'c.py'), 'one = 1\ntwo = 2\nthree = 3\n');
    await window.openFile('a.py');
    await change('new = 1\nplain = 2\nplain = 3\n');
    await window.key('ArrowDown');
    await until(() => asked().includes('a.py:1'), 'a request for the next line');
    await window.openFile('c.py');
    await until(() => asked().includes('c.py:3'), 'a request in the other file');
    await window.key('ArrowUp', 'ArrowUp');
    await until(() => asked().includes('c.py:1'), 'a request for a line of it');
  });

  it('an answer that does not fit, or is for an older version, is dropped', async () => {
    for (const fault of ['bad-edit', 'old-edit']) {
      const faulty = bench.fakeServer(fault);
      bench.writeSettings({}, { 'ondol.server.path': faulty.file });
      await until(() => faulty.wire.starts().length > 0, 'the faulty server');
      await window.ready();
      await window.openFile('a.py');
      await change();
      await until(() => faulty.wire.count('textDocument/copilotInlineEdit') > 0, 'a request');
      await window.pause(500);
      assert.equal(await window.drawnLine('first('), 'first(old_name, 1)');
    }
    assert.deepEqual(await window.notifications(), []);
  });

  it('it stays on screen while a suggestion is only requested', async () => {
    const slow = bench.fakeServer('late');
    bench.writeSettings({}, { 'ondol.server.path': slow.file });
    await until(() => slow.wire.starts().length > 0, 'the slow server');
    await window.ready();
    await window.openFile('a.py');
    await change();
    await window.drawnLineIs('first(', 'first(~old_name~[new_name], 1)');
    await until(() => slow.wire.unanswered('textDocument/inlineCompletion') === 0, 'an answer for the typed text');
    await window.key('F6');
    await until(() => slow.wire.unanswered('textDocument/inlineCompletion') > 0, 'a further request');
    assert.equal(await window.drawnLine('first('), 'first(~old_name~[new_name], 1)');
    await window.key('Tab', 'Tab');
    await until(async () => (await text()).includes('first(new_name, 1)'), 'the edit');
  });

  it('off by the setting, and with a server that has no next edits', async () => {
    for (const [fault, setting] of [
      ['', false],
      ['early', true],
    ]) {
      const next = bench.fakeServer(fault);
      bench.writeSettings({ 'ondol.nextEdits': setting }, { 'ondol.server.path': next.file });
      await window.reload();
      await until(() => next.wire.starts().length > 0, 'the server');
      await window.ready();
      const options = () => next.wire.sent('initialize').at(-1)?.params.initializationOptions;
      await until(() => options()?.nextEdits === setting, 'the setting');
      await window.ready();
      await window.openFile('a.py');
      await change();
      await window.key('ArrowDown', 'ArrowDown');
      await window.pause(600);
      assert.equal(next.wire.count('textDocument/copilotInlineEdit'), 0);
      assert.equal(await window.drawnLine('first('), 'first(old_name, 1)');
    }
  });
});
