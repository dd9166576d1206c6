import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caret, follow, type Ghost } from '../../../../editors/vscode/src/ghost';

const at = (line: number, character: number) => ({ line, character });
const insert = (line: number, character: number, text: string) => [
  { start: at(line, character), end: at(line, character), text },
];
// "def add(" is typed from column 4 on; the suggestion replaces it from there.
const ghost: Ghost = { text: 'def add(a, b):\n    return a + b', start: at(3, 4), taken: 8 };

test('the caret stands behind what is taken, also on a later line', () => {
  assert.deepEqual(caret(ghost), at(3, 12));
  assert.deepEqual(caret({ ...ghost, taken: 15 }), at(4, 0));
  assert.deepEqual(caret({ ...ghost, taken: 19 }), at(4, 4));
});

test('one character is typed, more is accepted in part, the rest is accepted whole', () => {
  const typed = follow(ghost, insert(3, 12, 'a'));
  assert.equal(typed.kind, 'typed');
  const word = follow(ghost, insert(3, 12, 'a,'));
  assert.deepEqual(word, { kind: 'partial', acceptedLength: 10, ghost: { ...ghost, taken: 10 } });
  assert.equal(follow(ghost, insert(3, 12, 'a, b):\n    return a + b')).kind, 'whole');
});

test('a line is accepted in part in a CRLF document, too', () => {
  const step = follow(ghost, insert(3, 12, 'a, b):\r\n'));
  assert.equal(step.kind, 'partial');
  assert.equal(step.kind === 'partial' && step.acceptedLength, 15);
  assert.equal(step.kind === 'partial' && follow(step.ghost, insert(4, 0, '    ret')).kind, 'partial');
});

test('other text, another place, a deletion and two edits at once end it', () => {
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
