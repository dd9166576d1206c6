import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestartPolicy } from '../../../../editors/vscode/src/restartPolicy';

test('a server is restarted four times with growing delays, then not again until three minutes have passed', () => {
  const restartPolicy = new RestartPolicy();
  const delays = [0, 1, 2, 3, 4, 5].map((second) => restartPolicy.nextDelay(second * 1000));
  assert.deepEqual(delays, [250, 1000, 3000, 6000, undefined, undefined]);
  assert.equal(restartPolicy.count, 6);
  assert.equal(restartPolicy.nextDelay(400_000), 250);
  restartPolicy.reset();
  assert.equal(restartPolicy.nextDelay(400_001), 250);
});
