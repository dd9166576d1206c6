import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTooOld } from '../../../../editors/vscode/src/versions';

test('older versions are recognised, and unknown ones count as new enough', () => {
  for (const old of ['0.0.9', '0.0.1.dev3', '0']) {
    assert.equal(isTooOld(old, '0.1.0'), true, old);
  }
  for (const good of ['0.1.0', '0.1', '0.1.0.dev1+g12', '0.10.0', '1.0', 'v2', 'unknown', undefined]) {
    assert.equal(isTooOld(good, '0.1.0'), false, String(good));
  }
});
