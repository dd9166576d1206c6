import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProtocolItem } from '../../../../editors/vscode/src/types';
import { invalidReason } from '../../../../editors/vscode/src/itemCheck';

const line = '    total = compu';
const cursor = { line: 7, character: line.length };
const item = (insertText: unknown, from = 12, to = line.length, fromLine = 7, toLine = 7): ProtocolItem =>
  ({
    insertText,
    range: { start: { line: fromLine, character: from }, end: { line: toLine, character: to } },
  }) as ProtocolItem;

test('items that fit the line are accepted', () => {
  assert.equal(invalidReason(item('compute(x)'), cursor, line), undefined);
  assert.equal(invalidReason({ insertText: 'te(x)' }, cursor, line), undefined);
  assert.equal(invalidReason(item('te(x)', line.length), cursor, line), undefined);
  assert.equal(invalidReason(item('x)', 4, 5), { line: 7, character: 4 }, '    )'), undefined);
});

test('items that do not fit are rejected with a reason', () => {
  const cases: [unknown, RegExp][] = [
    [null, /not an object/],
    [item(''), /empty/],
    [item({ kind: 'snippet', value: 'x' }), /plain text/],
    [item('compute\u0000'), /NUL/],
    [item('compute(x)', 12, line.length, 6, 7), /line of the cursor/],
    [item('compute(x)', 12, line.length, 7, 8), /line of the cursor/],
    [item('compute(x)', 12, 99), /is outside the line/],
    [item('compute(x)', -1), /is outside the line/],
    [item('compute(x)', 3, 2), /is outside the line/],
    [item('compute(x)', 0, 5), /contain the cursor/],
    [item('other(x)'), /begin with the typed text/],
    [item('compu'), /changes nothing/],
    [item('compute(x)', Number.NaN), /whole numbers/],
    [{ insertText: 'x', range: {} }, /whole numbers/],
  ];
  for (const [wrong, reason] of cases) {
    assert.match(invalidReason(wrong as ProtocolItem, cursor, line) ?? 'accepted', reason, JSON.stringify(wrong));
  }
});
