import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changedOptions,
  readSettings,
  restartKey,
  serverArguments,
  type SettingLevels,
} from '../../../../editors/vscode/src/settings';

const from = (levels: Record<string, SettingLevels>) => readSettings((key) => levels[key]);

test('the defaults are on and automatic, and the server learns only what this client can show', () => {
  const settings = from({});
  assert.deepEqual(settings.options, { nextEdits: true, completionReady: true });
  assert.equal(settings.enabled, true);
  assert.equal(settings.manual, false);
  assert.deepEqual(serverArguments(settings), ['serve', '--stdio']);
});

test('a workspace can only restrict', () => {
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

test('a workspace cannot set a path, a command, a model or an address', () => {
  const evil = { workspaceValue: '/repo/evil', workspaceFolderValue: '/repo/evil' };
  const settings = from({
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
  assert.deepEqual({ ...settings }, { ...from({}) });
});

test('the settings of the user are sent under the names of the server', () => {
  const settings = from({
    precision: { globalValue: 0.8 },
    multiLine: { globalValue: false },
    workers: { globalValue: 0 },
    remoteUrl: { globalValue: '' },
    backend: { globalValue: 'local' },
    baseModel: { globalValue: '/models/a' },
  });
  assert.deepEqual(settings.options, {
    precision: 0.8,
    multiLine: false,
    baseModel: '/models/a',
    nextEdits: true,
    completionReady: true,
  });
  assert.deepEqual(serverArguments(settings), ['serve', '--stdio', '--backend', 'local']);
});

test('next edits are on unless the user switches them off', () => {
  assert.equal(from({ nextEdits: { globalValue: false } }).nextEdits, false);
  assert.equal(from({ nextEdits: { globalValue: false } }).options['nextEdits'], false);
  assert.equal(from({ nextEdits: { workspaceValue: false } }).nextEdits, true);
  assert.notEqual(restartKey(from({ nextEdits: { globalValue: false } })), restartKey(from({})));
});

test('values of a wrong type are ignored', () => {
  const settings = from({
    disabledLanguages: { globalValue: 'python' },
    exclude: { globalValue: [1, '  ', 'x'] },
    'server.path': { globalValue: 7 },
    backend: { globalValue: 'rm -rf' },
  });
  assert.deepEqual(settings.options, { exclude: ['x'], nextEdits: true, completionReady: true });
  assert.equal(settings.serverPath, '');
  assert.equal(settings.backend, '');
});

test('a setting that is not set any more is sent as null, so the server takes its own value without a restart', () => {
  const before = from({ disabledLanguages: { globalValue: ['c'] }, precision: { globalValue: 0.9 } });
  const after = from({ precision: { globalValue: 0.8 } });
  assert.equal(restartKey(before), restartKey(after));
  assert.deepEqual(changedOptions(before.options, after), { ...after.options, disabledLanguages: null });
});

test('only settings that a running server cannot change restart it', () => {
  assert.equal(
    restartKey(from({})),
    restartKey(from({ precision: { globalValue: 0.9 }, disabledLanguages: { globalValue: ['c'] } })),
  );
  assert.notEqual(restartKey(from({})), restartKey(from({ remoteUrl: { globalValue: 'http://127.0.0.1:8000' } })));
});
