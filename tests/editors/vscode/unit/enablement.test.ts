import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offReason, type EnablementContext } from '../../../../editors/vscode/src/enablement';

const enabledContext: EnablementContext = {
  trusted: true,
  enabled: true,
  workspaceOff: false,
  snoozed: false,
  disabledLanguages: ['markdown'],
  languageId: 'python',
  scheme: 'file',
};

test('the reason why Ondol is off', () => {
  assert.equal(offReason(enabledContext), undefined);
  assert.equal(offReason({ ...enabledContext, languageId: undefined, scheme: undefined }), undefined);
  assert.equal(offReason({ ...enabledContext, trusted: false, enabled: false }), 'untrusted');
  assert.equal(offReason({ ...enabledContext, enabled: false, workspaceOff: true }), 'everywhere');
  assert.equal(offReason({ ...enabledContext, workspaceOff: true }), 'workspace');
  assert.equal(offReason({ ...enabledContext, workspaceOff: true, snoozed: true }), 'workspace');
  assert.equal(offReason({ ...enabledContext, snoozed: true }), 'snooze');
  assert.equal(offReason({ ...enabledContext, languageId: 'markdown' }), 'language');
  for (const scheme of ['output', 'git', 'vscode-userdata']) {
    assert.equal(offReason({ ...enabledContext, scheme }), 'document', scheme);
  }
  for (const scheme of ['untitled', 'vscode-notebook-cell']) {
    assert.equal(offReason({ ...enabledContext, scheme }), undefined, scheme);
  }
});
