import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choices, restartKey, serverArguments, type Levels } from '../../../../editors/vscode/src/settings';

const from = (levels: Record<string, Levels>) => choices((key) => levels[key]);

test('nothing set: on, automatic, and nothing is sent to the server', () => {
  const choice = from({});
  assert.deepEqual(choice.options, {});
  assert.equal(choice.enabled, true);
  assert.equal(choice.manual, false);
  assert.deepEqual(serverArguments(choice), ['serve', '--stdio']);
});

test('a workspace narrows and never widens', () => {
  assert.equal(
    from({ enabled: { globalValue: false, workspaceValue: true, workspaceFolderValue: true } }).enabled,
    false,
  );
  assert.equal(from({ enabled: { workspaceValue: false } }).enabled, false);
  const languages = from({ disabledLanguages: { globalValue: ['markdown'], workspaceFolderValue: [] } });
  assert.deepEqual(languages.options['disabledLanguages'], ['markdown']);
  assert.deepEqual(from({ exclude: { globalValue: ['a/'], workspaceValue: ['b/', 'a/'] } }).options['exclude'], [
    'a/',
    'b/',
  ]);
});

test('a workspace sets no path, command, model or address', () => {
  const evil = { workspaceValue: '/repo/evil', workspaceFolderValue: '/repo/evil' };
  const choice = from({
    'server.path': evil,
    'server.arguments': { workspaceValue: ['--evil'] },
    dataDirectory: evil,
    backend: { workspaceValue: 'remote' },
    baseModel: evil,
    remoteUrl: evil,
    remoteModel: evil,
    workers: { workspaceValue: 64 },
    traceText: { workspaceValue: true },
    precision: { workspaceValue: 0 },
  });
  assert.deepEqual({ ...choice }, { ...from({}) });
});

test('what the user set is sent under the names of the server', () => {
  const choice = from({
    precision: { globalValue: 0.8 },
    multiLine: { globalValue: false },
    workers: { globalValue: 0 },
    remoteUrl: { globalValue: '' },
    backend: { globalValue: 'local' },
    baseModel: { globalValue: '/models/a' },
  });
  assert.deepEqual(choice.options, { precision: 0.8, multiLine: false, baseModel: '/models/a' });
  assert.deepEqual(serverArguments(choice), ['serve', '--stdio', '--backend', 'local']);
});

test('values of a wrong kind are passed over', () => {
  const choice = from({
    disabledLanguages: { globalValue: 'python' },
    exclude: { globalValue: [1, '  ', 'x'] },
    'server.path': { globalValue: 7 },
    backend: { globalValue: 'rm -rf' },
  });
  assert.deepEqual(choice.options, { exclude: ['x'] });
  assert.equal(choice.serverPath, '');
  assert.equal(choice.backend, '');
});

test('only what the process is made of restarts it', () => {
  assert.equal(
    restartKey(from({})),
    restartKey(from({ precision: { globalValue: 0.9 }, disabledLanguages: { globalValue: ['c'] } })),
  );
  assert.notEqual(restartKey(from({})), restartKey(from({ remoteUrl: { globalValue: 'http://127.0.0.1:8000' } })));
});
