import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WireItem } from '../../../../editors/vscode/src/types';
import { flaw } from '../../../../editors/vscode/src/validate';

const line = '    total = compu';
const cursor = { line: 7, character: line.length };
const item = (insertText: unknown, from = 12, to = line.length, fromLine = 7, toLine = 7): WireItem =>
  ({
    insertText,
    range: { start: { line: fromLine, character: from }, end: { line: toLine, character: to } },
  }) as WireItem;

test('what fits the line is shown', () => {
  assert.equal(flaw(item('compute(x)'), cursor, line), undefined);
  assert.equal(flaw({ insertText: 'te(x)' }, cursor, line), undefined);
  assert.equal(flaw(item('te(x)', line.length), cursor, line), undefined);
  assert.equal(flaw(item('x)', 4, 5), { line: 7, character: 4 }, '    )'), undefined);
});

test('what does not fit is left out with a reason', () => {
  const cases: [unknown, RegExp][] = [
    [null, /not an object/],
    [item(''), /empty/],
    [item({ kind: 'snippet', value: 'x' }), /plain text/],
    [item('compute\u0000'), /NUL/],
    [item('compute(x)', 12, line.length, 6, 7), /line of the cursor/],
    [item('compute(x)', 12, line.length, 7, 8), /line of the cursor/],
    [item('compute(x)', 12, 99), /outside the line/],
    [item('compute(x)', -1), /outside the line/],
    [item('compute(x)', 3, 2), /outside the line/],
    [item('compute(x)', 0, 5), /hold the cursor/],
    [item('other(x)'), /begin with what is typed/],
    [item('compu'), /changes nothing/],
    [item('compute(x)', Number.NaN), /numbers/],
    [{ insertText: 'x', range: {} }, /numbers/],
  ];
  for (const [wrong, reason] of cases) {
    assert.match(flaw(wrong as WireItem, cursor, line) ?? 'accepted', reason, JSON.stringify(wrong));
  }
});
