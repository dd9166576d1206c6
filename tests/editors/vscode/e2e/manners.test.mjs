// The manners that decide whether such a tool stays installed, with the editor's own settings as they are out of the box: brackets
// close by themselves, lines are indented, the list of words opens while one types.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { guarded, until, Workbench } from './harness.mjs';
import { HABIT, head, REST, shop, START } from './repository.mjs';

const OUT_OF_THE_BOX = Object.fromEntries(
  [
    'quickSuggestions',
    'suggestOnTriggerCharacters',
    'wordBasedSuggestions',
    'autoClosingBrackets',
    'autoClosingQuotes',
    'autoIndent',
  ].map((name) => [`editor.${name}`, undefined]),
);

/** Notes what each frame shows of the grey text, from now on. */
function watchFrames() {
  window.ondolFrames = [];
  const look = () => {
    window.ondolFrames.push(
      document.querySelector('.editor-instance .ghost-text-decoration, .editor-instance .suggest-preview-text') !==
        null,
    );
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

describe('manners', () => {
  let bench, wire, window, repo;
  const it = (name, body) =>
    test(
      name,
      guarded(
        () => window,
        () => wire,
        body,
      ),
    );
  const text = () => window.saved(path.join(repo, 'work.py'));
  const definition = (noun) => head(noun).trimEnd();
  /** A new function in an empty file, typed as a user does: the editor indents. */
  const begin = async (noun) => {
    await window.key('Escape', 'Control+a', 'Delete');
    for (const line of definition(noun).split('\n')) {
      await window.type(line.trimStart(), 5);
      await window.key('Escape', 'Enter'); // Escape closes the list of words, which Enter would accept
    }
  };

  before(
    async () => {
      bench = await Workbench.start({ settings: { ...OUT_OF_THE_BOX, 'ondol.precision': 0.4 } });
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

  it('a bracket that the editor closed is not closed again', async () => {
    await begin('brackets');
    await window.type(`${START}open_connection(`);
    await window.ghostAppears('settings.address');
    assert.ok((await text()).endsWith(`${START}open_connection()`), 'the editor has closed the bracket');
    await window.key('Tab');
    assert.equal((await text()).split(head('brackets'))[1].split('\n')[0], HABIT[0]);
  });

  it('several lines are indented as in the repository', async () => {
    await begin('lines');
    await window.type(START);
    await until(async () => (await window.ghost()).split('\n').length >= HABIT.length, 'grey text of several lines');
    await window.shot('several-lines');
    await window.key('Tab');
    assert.ok((await text()).endsWith(HABIT.join('\n    ')));
  });

  it('typing through it shows it in every frame', async () => {
    await begin('frames');
    await window.type(START);
    await window.ghostAppears(REST);
    await window.page.evaluate(watchFrames);
    await window.type(REST.slice(0, 20), 60);
    const frames = await window.page.evaluate(() => window.ondolFrames);
    assert.ok(frames.length > 10, `${frames.length} frames were seen`);
    assert.deepEqual(
      frames.filter((shown) => !shown),
      [],
      'the grey text flickered',
    );
  });

  it('Tab belongs to the list of words while it is open', async () => {
    await begin('popup');
    await window.type('regis');
    await window.page.waitForSelector('.suggest-widget.visible .monaco-list-row.focused[aria-label^="registry"]');
    await window.pause(500); // grey text may join in as a preview of the entry; the key is the list's all the same
    await window.shot('list-of-words');
    await window.key('Tab');
    assert.equal((await text()).split(head('popup'))[1], 'registry');
  });

  it('Tab belongs to the indentation on an empty line', async () => {
    await begin('indent');
    const asked = wire.count('textDocument/inlineCompletion');
    await window.key('Shift+Tab');
    await until(() => wire.count('textDocument/inlineCompletion') > asked, 'the question at the start of the line');
    await window.noGhost(600);
    await window.key('Tab');
    assert.equal((await text()).split(definition('indent'))[1], '\n    ');
  });
});
