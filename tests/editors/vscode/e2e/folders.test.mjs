// Workspaces of several folders and folders without git, with the real server.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { FAMILY, family, head, REST, shop, START, trait } from './repository.mjs';

describe('workspaces of ten folders, and without git', () => {
  let bench, wire, window;
  const it = testsWith(() => ({ window, wire }));
  before(
    async () => {
      bench = await Workbench.start({ settings: { 'ondol.precision': 0.4 } });
      const server = bench.realServer();
      wire = server.wire;
      bench.writeSettings({}, { 'ondol.server.path': server.file });
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('one server completes each of ten folders from its own code', async () => {
    const folder = path.join(bench.folder, 'family');
    window = await bench.open(family(folder));
    await window.ready();
    for (const name of [FAMILY[0], FAMILY.at(-1)]) {
      const [typed, rest] = trait(name);
      await window.openFile(`${name}/${name}_work.py`);
      await window.insert('def work(context):\n    ');
      await window.type(typed);
      const ghost = await window.ghostAppears(rest);
      await window.key('Tab');
      assert.ok((await window.saved(path.join(folder, name, `${name}_work.py`))).endsWith(typed + ghost));
    }
    assert.equal(wire.starts().length, 1);
    await window.insert('\n    ');
    await window.type('gamma_client.');
    await window.pause(1200);
    assert.ok(!(await window.ghost()).includes('send_gamma'), 'one folder was completed from another');
    await window.close();
  });

  it('a folder that is no repository is completed', async () => {
    const folder = shop(path.join(bench.folder, 'plain'), { git: false });
    bench.index(folder);
    window = await bench.open(folder);
    await window.ready();
    await window.openFile('work.py');
    await window.insert(`\n\n${head('plain')}`);
    await window.type(START);
    await window.ghostAppears(REST);
    await window.close();
  });
});
