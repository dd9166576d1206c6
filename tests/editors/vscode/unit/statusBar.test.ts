import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusBarView } from '../../../../editors/vscode/src/statusBar';

const translate = (message: string, ...args: (string | number)[]) =>
  message.replace(/\{(\d)\}/g, (_, i) => String(args[Number(i)]));

test('the status bar shows the state of the server, or why Ondol is off', () => {
  const text = (...args: Parameters<typeof statusBarView>) => {
    const shown = statusBarView(...args);
    return `${shown.icon} ${shown.label}`;
  };
  assert.equal(
    text({ state: 'indexing', message: '', percent: 41.9 }, undefined, '', translate),
    '$(sync~spin) Ondol: indexing 41 %',
  );
  assert.equal(
    text({ state: 'indexing', message: '', percent: 250 }, undefined, '', translate),
    '$(sync~spin) Ondol: indexing 100 %',
  );
  assert.equal(text({ state: 'indexing', message: '' }, undefined, '', translate), '$(sync~spin) Ondol: indexing');
  assert.equal(text({ state: 'ready', message: '' }, undefined, '', translate), '$(flame) Ondol');
  assert.equal(text({ state: 'ready', message: '' }, 'language', 'markdown', translate), '$(circle-slash) Ondol');
  assert.equal(
    statusBarView({ state: 'ready', message: '', documents: 83 }, undefined, '', translate).sentence,
    'Ondol is ready. Files indexed: 83.',
  );
  assert.deepEqual(statusBarView({ state: 'problem', message: 'No server.' }, 'document', '', translate), {
    icon: '$(warning)',
    label: 'Ondol',
    sentence: 'No server.',
    warning: true,
  });
  assert.equal(statusBarView({ state: 'problem', message: 'No server.' }, 'everywhere', '', translate).warning, false);
});
