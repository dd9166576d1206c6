import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caret, follow, type GhostText } from '../../../../editors/vscode/src/ghostText';

const at = (line: number, character: number) => ({ line, character });
const insert = (line: number, character: number, text: string) => [
  { start: at(line, character), end: at(line, character), text },
];
// "def add(" begins in column 4, and the suggestion replaces it.
const ghost: GhostText = { text: 'def add(a, b):\n    return a + b', start: at(3, 4), taken: 8 };

test('the caret is at the end of the taken text, also on a later line', () => {
  assert.deepEqual(caret(ghost), at(3, 12));
  assert.deepEqual(caret({ ...ghost, taken: 15 }), at(4, 0));
  assert.deepEqual(caret({ ...ghost, taken: 19 }), at(4, 4));
});

test('one character counts as typed, several as a partial acceptance, all of the rest as a full acceptance', () => {
  const typed = follow(ghost, insert(3, 12, 'a'));
  assert.equal(typed.kind, 'typed');
  const word = follow(ghost, insert(3, 12, 'a,'));
  assert.deepEqual(word, { kind: 'partial', acceptedLength: 10, ghost: { ...ghost, taken: 10 } });
  assert.equal(follow(ghost, insert(3, 12, 'a, b):\n    return a + b')).kind, 'whole');
});

test('a line can be accepted in a CRLF document', () => {
  const step = follow(ghost, insert(3, 12, 'a, b):\r\n'));
  assert.equal(step.kind, 'partial');
  assert.equal(step.kind === 'partial' && step.acceptedLength, 15);
  assert.equal(step.kind === 'partial' && follow(step.ghost, insert(4, 0, '    ret')).kind, 'partial');
});

test('the ghost text ends with other text, another position, a deletion or two edits at once', () => {
  assert.equal(follow(ghost, insert(3, 12, 'x')).kind, 'gone');
  assert.equal(follow(ghost, insert(3, 11, 'a')).kind, 'gone');
  assert.equal(follow(ghost, [{ start: at(3, 11), end: at(3, 12), text: '' }]).kind, 'gone');
  assert.equal(follow(ghost, [...insert(3, 12, 'a'), ...insert(9, 0, 'a')]).kind, 'gone');
  assert.equal(follow(ghost, [{ start: at(3, 12), end: at(5, 0), text: 'a' }]).kind, 'gone');
});

test('lengths count UTF-16 units', () => {
  const step = follow({ text: 'print("한글 😀", x)', start: at(0, 0), taken: 0 }, insert(0, 0, 'print("한글 😀'));
  assert.equal(step.kind === 'partial' && step.acceptedLength, 12);
});
