// What a developer sees while editing, with the real workbench, extension, server and repository.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { REPEATED, head, REST, shop, START } from './repository.mjs';
import { until } from './until.mjs';

describe('editing', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));
  const file = (name) => path.join(repo, name);
  /** Replaces the text of the active file with a new function, so that the tests do not affect each other. */
  const startFunction = async (noun, rest = '') => {
    await window.key('Escape', 'Control+a');
    await window.insert(`# Work in progress.\n\n\n${head(noun)}${rest}`);
  };

  before(
    async () => {
      bench = await Workbench.start({
        settings: { 'files.readonlyInclude': { '**/frozen.py': true }, 'ondol.precision': 0.1 },
      });
      repo = shop(path.join(bench.folder, 'shop'));
      const server = bench.realServer();
      wire = server.wire;
      bench.writeSettings({}, { 'ondol.server.path': server.file });
      bench.index(repo);
      window = await bench.open(repo);
      await window.ready();
      await window.openFile('work.py');
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('ghost text appears, is not in the file, and is accepted with Tab', async () => {
    await startFunction('orders');
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.shot('ghost-text');
    assert.ok((await window.saved(file('work.py'))).endsWith(START));
    await until(() => wire.count('textDocument/didShowCompletion') > 0, 'the report that it was shown');
    await window.key('Tab');
    assert.ok((await window.saved(file('work.py'))).endsWith(START + ghost));
    await until(() => wire.commands('ondol.accepted').length === 1, 'the report that it was accepted');
    const shown = wire.sent('textDocument/didShowCompletion').at(-1).params.item;
    assert.deepEqual(wire.commands('ondol.accepted')[0].params.arguments, shown.command.arguments);
  });

  it('undo removes an accepted suggestion in one step', async () => {
    await startFunction('undone');
    await window.type(START);
    await window.ghostAppears(REST);
    const original = await window.saved(file('work.py'));
    await window.key('Tab');
    assert.notEqual(await window.saved(file('work.py')), original);
    await window.key('Control+z');
    assert.equal(await window.saved(file('work.py')), original);
  });

  it("the editor's own key accepts a word", async () => {
    await startFunction('words');
    await window.type(START);
    const ghost = await window.ghostAppears();
    const parts = wire.count('textDocument/didPartiallyAcceptCompletion');
    await window.key('Control+ArrowRight');
    await until(async () => {
      const now = await window.ghost();
      return now !== ghost && now !== '' && ghost.endsWith(now);
    }, 'a shorter ghost text');
    const rest = await window.ghost();
    const word = ghost.slice(0, ghost.length - rest.length);
    assert.match(word, /^open_?\w*\(?$/);
    assert.ok((await window.saved(file('work.py'))).endsWith(START + word));
    await until(
      () => wire.count('textDocument/didPartiallyAcceptCompletion') > parts,
      'the report of the partial acceptance',
    );
    const report = wire.sent('textDocument/didPartiallyAcceptCompletion').at(-1).params;
    assert.ok(report.item.insertText.slice(0, report.acceptedLength).endsWith(word), JSON.stringify(report));
  });

  it('a line can be accepted', async () => {
    await startFunction('lines');
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.key('F9');
    await until(
      async () => (await window.saved(file('work.py'))).includes(`${head('lines')}${START}${ghost.split('\n')[0]}`),
      'the line in the file',
    );
  });

  it('Escape dismisses the suggestion', async () => {
    await startFunction('dismissed');
    await window.type(START);
    await window.ghostAppears(REST);
    await window.key('Escape');
    await window.noGhost(400);
    assert.ok((await window.saved(file('work.py'))).endsWith(START));
  });

  it('typing the suggestion keeps the rest, typing something else removes it', async () => {
    await startFunction('typed');
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    for (let i = 1; i <= 6; i++) {
      await window.type(ghost[i - 1]);
      await window.ghostIs(ghost.slice(i));
    }
    await window.type('Q');
    await until(async () => (await window.ghost()) !== ghost.slice(6), 'the end of the old ghost text');
    assert.ok((await window.saved(file('work.py'))).endsWith(`${START}${ghost.slice(0, 6)}Q`));
  });

  it('text after the cursor is neither removed nor repeated', async () => {
    await startFunction('middle', `${START}open_connection(settings.)`);
    await window.key('ArrowLeft');
    await window.key('F6');
    await window.ghostAppears('address');
    await window.shot('mid-line');
    await window.key('Tab');
    const line = (await window.saved(file('work.py'))).split(head('middle'))[1].split('\n')[0];
    assert.equal(line, REPEATED[0]);
  });

  it('a CRLF file keeps its line ends', async () => {
    await window.openFile('windows.py');
    const original = fs.readFileSync(file('windows.py'), 'utf8');
    await window.insert(head('windows'));
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.key('Tab');
    const text = await window.saved(file('windows.py'));
    assert.ok(!/[^\r]\n/.test(text), 'a bare line feed');
    assert.ok(text.startsWith(original));
    assert.ok(text.endsWith(`${START}${ghost.replaceAll('\n', '\r\n')}`));
  });

  it('a file with tabs is completed with tabs', async () => {
    await window.openFile('tabs.py');
    await window.insert(head('tabs', '\t'));
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.key('Tab');
    const text = (await window.saved(file('tabs.py'))).split('def load_tabs')[1];
    assert.ok(text.includes(`\t${START}${ghost.split('\n')[0]}`));
    assert.ok(!text.includes('\n    '), 'indented with spaces');
  });

  it('there may be Korean text and emoji before the cursor', async () => {
    await window.openFile('korean.py');
    await window.insert(`${head('korean')}이름 = "한글 😀 é"; `);
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.shot('korean');
    await window.key('Tab');
    assert.ok((await window.saved(file('korean.py'))).endsWith(`이름 = "한글 😀 é"; ${START}${ghost}`));
  });

  it('no ghost text appears during the composition of an input method', async () => {
    const cdp = await bench.browser.newCDPSession(window.page);
    await startFunction('composed');
    await window.type('connection = regist', 60);
    await window.ghostAppears('ry');
    await window.key('Escape');
    const compose = (text) =>
      cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
    for (const text of ['r', 'ry', 'ry.']) {
      await compose(text);
      await window.pause(500);
      assert.equal(await window.ghost(), '', `while ${text} is composed`);
    }
    await cdp.send('Input.insertText', { text: 'ry.' });
    await window.noGhost(600); // Escape on the line's ghost text: it gets nothing automatic any more
    await window.key('Escape'); // closes the completion list
    await window.type('\n    # ');
    for (const text of ['ㅎ', '하', '한']) {
      await compose(text);
      await window.pause(300);
      assert.equal(await window.ghost(), '');
    }
    await cdp.send('Input.insertText', { text: '한' });
    assert.ok((await window.saved(file('korean.py'))).endsWith('# 한'));
  });

  it('a file of 100,000 lines is completed', async () => {
    await window.openFile('big.py');
    await window.insert(head('big'));
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.key('Tab');
    assert.ok((await window.saved(file('big.py'))).endsWith(START + ghost));
    await window.page.click('.tab.active .codicon-close, .tab.active .codicon-close-small');
  });

  it('cells of a notebook are completed', async () => {
    await window.page.dblclick('.explorer-folders-view .monaco-list-row[aria-label="book.ipynb"]');
    await window.page.waitForSelector('.notebookOverlay .cell.code .view-lines', { timeout: 120_000 });
    await window.page.locator('.notebookOverlay .cell.code .view-lines').last().click();
    await window.key('Control+End');
    await window.insert(`\n${head('book')}`);
    await window.type(START);
    await window.ghostAppears(REST);
    await window.shot('notebook');
    await window.key('Tab');
    assert.ok(
      JSON.stringify(JSON.parse(await window.saved(file('book.ipynb'))).cells.at(-1).source).includes(
        REST.slice(0, 30),
      ),
    );
    assert.equal((await window.notifications()).length, 0);
  });

  it('an untitled document is completed, a read-only one is not', async () => {
    await window.palette('New Untitled Text File');
    await window.page.waitForSelector('.tab.active[data-resource-name^="Untitled"]');
    const answers = () =>
      wire
        .entries()
        .filter(
          (entry) =>
            entry.from === 'server' &&
            entry.message.id !== undefined &&
            entry.message.error !== undefined &&
            ![-32800, -32801].includes(entry.message.error.code),
        ).length;
    const errors = answers();
    await window.type(START);
    await until(
      () =>
        wire
          .sent('textDocument/inlineCompletion')
          .some((message) => message.params.textDocument.uri.startsWith('untitled:')),
      'a request for the untitled document',
    );
    await window.pause(500);
    assert.equal(answers(), errors);
    await window.key('Escape');
    for (let i = 0; i < START.length; i++) {
      await window.key('Backspace');
    }
    await window.openFile('frozen.py');
    const asked = wire.count('textDocument/inlineCompletion');
    await window.type('connection');
    await window.noGhost(600);
    assert.equal(wire.count('textDocument/inlineCompletion'), asked);
    await window.key('Escape');
    assert.equal(fs.readFileSync(file('frozen.py'), 'utf8'), 'frozen = True\n');
  });

  it('the server restarts after it was killed', async () => {
    await window.openFile('work.py');
    const starts = wire.starts().length;
    process.kill(wire.starts().at(-1).pid, 'SIGKILL');
    await until(() => wire.starts().length > starts, 'a new server');
    await window.ready();
    await startFunction('revived');
    await window.type(START);
    const ghost = await window.ghostAppears(REST);
    await window.key('Tab');
    assert.ok((await window.saved(file('work.py'))).endsWith(START + ghost));
    assert.deepEqual(await window.notifications(), []);
  });

  it('nothing is requested when Ondol is off for a language, in the workspace or everywhere', async () => {
    const expectNothing = async (why) => {
      await startFunction('switched_off');
      const asked = wire.count('textDocument/inlineCompletion');
      await window.type(START);
      await window.noGhost();
      assert.equal(wire.count('textDocument/inlineCompletion'), asked, why);
    };
    const expectSuggestion = async () => {
      await window.ready();
      await startFunction('switched_on');
      await window.type(START);
      await window.ghostAppears(REST);
      await window.key('Escape');
    };
    const off = (label) =>
      window.statusIs((status) => status.icon === 'circle-slash' && label.test(status.label), `off, ${label}`);
    const ended = () => wire.entries().filter((entry) => entry.event === 'ended').length;
    const endedAtFirst = ended();
    await window.palette('Ondol: Switch On or Off for This Language');
    await off(/python/);
    await expectNothing('the language is off');
    await window.shot('off');
    await window.palette('Ondol: Switch On or Off for This Language');
    await expectSuggestion();
    assert.equal(ended(), endedAtFirst, 'the server goes on, and knows the edits of the session');
    for (const [title, label] of [
      ['Ondol: Switch On or Off in This Workspace', /workspace/],
      ['Ondol: Switch On or Off Everywhere', /switched off\.$/],
    ]) {
      const endedBefore = ended();
      await window.palette(title);
      await off(label);
      await until(() => ended() > endedBefore, 'the end of the server');
      await expectNothing(title);
      await window.palette(title);
      await expectSuggestion();
    }
    assert.ok(!fs.existsSync(file('.vscode')), 'something was written into the repository');
  });

  it('with the trigger manual, suggestions appear only on request', async () => {
    bench.writeSettings({ 'ondol.trigger': 'manual' });
    await window.reload();
    await window.ready();
    await window.openFile('work.py');
    await startFunction('manual');
    const asked = wire.count('textDocument/inlineCompletion');
    await window.type(START);
    await window.noGhost();
    assert.equal(wire.count('textDocument/inlineCompletion'), asked);
    await window.key('F6');
    await window.ghostAppears(REST);
    assert.equal(wire.sent('textDocument/inlineCompletion').at(-1).params.context.triggerKind, 1);
    await window.key('Escape');
    delete bench.settings['ondol.trigger'];
    bench.writeSettings();
  });

  it('the menu, the explanation, the doctor and the output open', async () => {
    await window.page.click('#ondol\\.ondol\\.ondol\\.status');
    await window.page.waitForSelector('.quick-input-list .monaco-list-row:has-text("Explain the last suggestion")');
    await window.pause(500);
    await window.shot('menu');
    await window.key('Escape');
    await window.palette('Ondol: Explain the Last Suggestion');
    await window.page.waitForSelector('.tab.active:has-text("Explanation")');
    await window.pause(1500);
    await window.shot('explain');
    await window.palette('Ondol: Doctor');
    await window.page.waitForSelector('.tab.active:has-text("Ondol Doctor")', { timeout: 120_000 });
    await window.page.waitForSelector('.editor-instance .view-line:has-text("State:")');
    await window.shot('doctor');
    await window.palette('Ondol: Index Now');
    await window.palette('Ondol: Show Output');
    await window.page.waitForSelector('.output-view-container, .panel .pane-body, .panel .output-view', {
      timeout: 90_000,
    });
    assert.deepEqual([...bench.foreignRequests], [], 'the page sent a request to another host');
  });
});
