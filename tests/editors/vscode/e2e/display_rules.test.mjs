// Display rules, with the editor's default settings: brackets close automatically, lines are indented, the completion
// list opens while typing.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { REPEATED, head, REST, shop, START } from './repository.mjs';
import { until } from './until.mjs';

const DEFAULT_SETTINGS = Object.fromEntries(
  [
    'quickSuggestions',
    'suggestOnTriggerCharacters',
    'wordBasedSuggestions',
    'autoClosingBrackets',
    'autoClosingQuotes',
    'autoIndent',
  ].map((name) => [`editor.${name}`, undefined]),
);

/** Records for each frame from now on whether it shows ghost text. */
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

describe('display rules', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));
  const text = () => window.saved(path.join(repo, 'work.py'));
  const definition = (noun) => head(noun).trimEnd();
  /** Types a new function into an empty file, as a user does. The editor indents. */
  const startFunction = async (noun) => {
    await window.key('Escape', 'Control+a', 'Delete');
    for (const line of definition(noun).split('\n')) {
      await window.type(line.trimStart(), 5);
      await window.key('Escape', 'Enter'); // Escape closes the completion list, since Enter would accept its entry
    }
  };

  before(
    async () => {
      bench = await Workbench.start({ settings: { ...DEFAULT_SETTINGS, 'ondol.precision': 0.4 } });
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
    await startFunction('brackets');
    await window.type(`${START}open_connection(`);
    await window.ghostAppears('settings.address');
    assert.ok((await text()).endsWith(`${START}open_connection()`), 'the editor has closed the bracket');
    await window.key('Tab');
    assert.equal((await text()).split(head('brackets'))[1].split('\n')[0], REPEATED[0]);
  });

  it('several lines are indented as in the repository', async () => {
    await startFunction('lines');
    await window.type(START);
    await window.ghostAppears(REST.slice(0, 15));
    await window.palette('Trigger Inline Suggestion'); // automatically it shows only the lines that are sure
    await until(
      async () => (await window.ghost()).split('\n').length >= REPEATED.length,
      'ghost text of several lines',
    );
    await window.shot('several-lines');
    await window.key('Tab');
    assert.ok((await text()).endsWith(REPEATED.join('\n    ')));
  });

  it('ghost text is visible in every frame while it is typed', async () => {
    await startFunction('frames');
    await window.type(START);
    await window.ghostAppears(REST);
    await window.page.evaluate(watchFrames);
    await window.type(REST.slice(0, 20), 60);
    const frames = await window.page.evaluate(() => window.ondolFrames);
    assert.ok(frames.length > 10, `${frames.length} frames were seen`);
    assert.deepEqual(
      frames.filter((shown) => !shown),
      [],
      'the ghost text flickered',
    );
  });

  it('Tab accepts from the completion list while it is open', async () => {
    await startFunction('popup');
    await window.type('regis');
    await window.page.waitForSelector('.suggest-widget.visible .monaco-list-row.focused[aria-label^="registry"]');
    await window.pause(500); // ghost text may preview the entry, but Tab still accepts from the list
    await window.shot('completion-list');
    await window.key('Tab');
    assert.equal((await text()).split(head('popup'))[1], 'registry');
  });

  it('Tab indents an empty line', async () => {
    await startFunction('indent');
    const asked = wire.count('textDocument/inlineCompletion');
    await window.key('Shift+Tab');
    await until(() => wire.count('textDocument/inlineCompletion') > asked, 'the request at the start of the line');
    await window.noGhost(600);
    await window.key('Tab');
    assert.equal((await text()).split(definition('indent'))[1], '\n    ');
  });
});
