// The first use, in English and Korean: an unindexed repository, its progress, the first ghost text, the walkthrough,
// the menu.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { testsWith, Workbench } from './harness.mjs';
import { head, REST, shop, standardLibrary, START } from './repository.mjs';
import { until } from './until.mjs';

describe('the first use', () => {
  let bench, wire, window, repo;
  const it = testsWith(() => ({ window, wire }));
  before(
    async () => {
      bench = await Workbench.start();
      const server = bench.realServer();
      wire = server.wire;
      bench.writeSettings({}, { 'ondol.server.path': server.file });
      repo = shop(path.join(bench.folder, 'large'), { git: false });
      assert.ok(standardLibrary(path.join(repo, 'library')) >= 100_000);
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('the status bar shows the progress of a large index, then ghost text appears', async () => {
    window = await bench.open(repo);
    const seen = new Set();
    await until(
      async () => {
        const status = await window.status();
        if (status) {
          seen.add(status.text);
        }
        return (
          status?.icon === 'flame' &&
          wire.received('ondol/status').some((message) => message.params.state === 'indexing')
        );
      },
      'the end of indexing',
      600_000,
    );
    assert.ok(
      [...seen].some((text) => /indexing \d+ %/.test(text)),
      [...seen].join(', '),
    );
    await window.openFile('work.py');
    await window.insert(`\n\n${head('first')}`);
    await window.type(START);
    await window.ghostAppears(REST);
    await window.key('Escape');
    const inside = fs.readdirSync(repo).filter((name) => name.startsWith('.'));
    assert.deepEqual(inside, [], 'something was written into the repository');
  });

  it('the walkthrough opens with its first steps completed', async () => {
    await window.palette('Ondol: Getting Started');
    await window.page.waitForSelector('.gettingStartedContainer .step-title:has-text("Install the server")', {
      timeout: 120_000,
    });
    for (const title of ['Install the server', 'Index your repository']) {
      await window.page.waitForSelector(
        `.getting-started-step:has(.step-title:has-text(${JSON.stringify(title)})) .codicon.complete`,
        { timeout: 90_000 },
      );
    }
    await window.shot('walkthrough');
    assert.deepEqual(await window.notifications(), []);
  });
});

describe('the Korean texts', () => {
  let bench, wire, window;
  const it = testsWith(() => ({ window, wire }));
  before(
    async () => {
      bench = await Workbench.start({ locale: 'ko-KR' });
      const server = bench.realServer();
      wire = server.wire;
      bench.writeSettings({}, { 'ondol.server.path': server.file });
      const repo = shop(path.join(bench.folder, 'shop'));
      bench.index(repo);
      window = await bench.open(repo);
      await window.ready();
    },
    { timeout: 600_000 },
  );
  after(() => bench?.stop());

  it('status, menu, commands and walkthrough are in Korean', async () => {
    assert.match((await window.status()).label, /준비되었습니다/);
    await window.page.click('#ondol\\.ondol\\.ondol\\.status');
    await window.page.waitForSelector('.quick-input-list .monaco-list-row:has-text("마지막 제안 설명")');
    await window.pause(500);
    await window.shot('menu-korean');
    await window.key('Escape');
    await window.palette('Ondol: 시작하기');
    await window.page.waitForSelector('.gettingStartedContainer .step-title:has-text("서버 설치")', {
      timeout: 120_000,
    });
    await window.page.click('.getting-started-step:has(.step-title:has-text("고스트 텍스트"))');
    await window.pause(2000);
    await window.shot('walkthrough-korean');
  });
});
