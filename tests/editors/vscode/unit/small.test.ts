import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayBeComposing } from '../../../../editors/vscode/src/composing';
import { Restarts } from '../../../../editors/vscode/src/restarts';
import { view } from '../../../../editors/vscode/src/status';
import { offReason, type Place } from '../../../../editors/vscode/src/switches';
import { tooOld } from '../../../../editors/vscode/src/versions';

test('a server is restarted four times, later each time, then no more; after a quiet time again', () => {
  const restarts = new Restarts();
  const delays = [0, 1, 2, 3, 4, 5].map((second) => restarts.next(second * 1000));
  assert.deepEqual(delays, [250, 1000, 3000, 6000, undefined, undefined]);
  assert.equal(restarts.count, 6);
  assert.equal(restarts.next(400_000), 250);
  restarts.reset();
  assert.equal(restarts.next(400_001), 250);
});

test('versions', () => {
  for (const old of ['0.0.9', '0.0.1.dev3', '0']) {
    assert.equal(tooOld(old, '0.1.0'), true, old);
  }
  for (const good of ['0.1.0', '0.1', '0.1.0.dev1+g12', '0.10.0', '1.0', 'v2', 'unknown', undefined]) {
    assert.equal(tooOld(good, '0.1.0'), false, String(good));
  }
});

test('Hangul, kana and Bopomofo may be composing; a space, a bracket, Latin, Han or an emoji are not', () => {
  for (const text of ['# 주석', '# ㅎ', 'x = "すし', 'カ', '# ㄅ']) {
    assert.equal(mayBeComposing(text), true, text);
  }
  for (const text of ['', '# 주석 ', 'f("주석")', 'name', '漢字', '😀']) {
    assert.equal(mayBeComposing(text), false, text);
  }
});

const here: Place = {
  trusted: true,
  enabled: true,
  workspaceOff: false,
  disabledLanguages: ['markdown'],
  languageId: 'python',
  scheme: 'file',
};

test('off, and why', () => {
  assert.equal(offReason(here), undefined);
  assert.equal(offReason({ ...here, languageId: undefined, scheme: undefined }), undefined);
  assert.equal(offReason({ ...here, trusted: false, enabled: false }), 'untrusted');
  assert.equal(offReason({ ...here, enabled: false, workspaceOff: true }), 'everywhere');
  assert.equal(offReason({ ...here, workspaceOff: true }), 'workspace');
  assert.equal(offReason({ ...here, languageId: 'markdown' }), 'language');
  for (const scheme of ['output', 'git', 'vscode-userdata']) {
    assert.equal(offReason({ ...here, scheme }), 'document', scheme);
  }
  for (const scheme of ['untitled', 'vscode-notebook-cell']) {
    assert.equal(offReason({ ...here, scheme }), undefined, scheme);
  }
});

const plain = (message: string, ...args: (string | number)[]) =>
  message.replace(/\{(\d)\}/g, (_, i) => String(args[Number(i)]));

test('what the status bar says', () => {
  const text = (...args: Parameters<typeof view>) => {
    const shown = view(...args);
    return `${shown.icon} ${shown.label}`;
  };
  assert.equal(
    text({ state: 'indexing', message: '', percent: 41.9 }, undefined, '', plain),
    '$(sync~spin) Ondol: indexing 41 %',
  );
  assert.equal(
    text({ state: 'indexing', message: '', percent: 250 }, undefined, '', plain),
    '$(sync~spin) Ondol: indexing 100 %',
  );
  assert.equal(text({ state: 'indexing', message: '' }, undefined, '', plain), '$(sync~spin) Ondol: indexing');
  assert.equal(text({ state: 'ready', message: '' }, undefined, '', plain), '$(flame) Ondol');
  assert.equal(text({ state: 'ready', message: '' }, 'language', 'markdown', plain), '$(circle-slash) Ondol');
  assert.equal(
    view({ state: 'ready', message: '', documents: 83 }, undefined, '', plain).sentence,
    'Ondol is ready. Files indexed: 83.',
  );
  assert.deepEqual(view({ state: 'problem', message: 'No server.' }, 'document', '', plain), {
    icon: '$(warning)',
    label: 'Ondol',
    sentence: 'No server.',
    warning: true,
  });
  assert.equal(view({ state: 'problem', message: 'No server.' }, 'everywhere', '', plain).warning, false);
});
