import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changes,
  endOf,
  forList,
  hunkOf,
  isAtPlace,
  startOf,
  type Hunk,
} from '../../../../editors/vscode/src/editDiff';

const range = (a: number, b: number, c: number, d: number) => ({
  start: { line: a, character: b },
  end: { line: c, character: d },
});
const lines = ['one(a)', 'two(b)', '', 'four()'];
const hunk = (...[span, text]: [ReturnType<typeof range>, string]): Hunk => {
  const found = hunkOf(lines, span, text);
  assert.ok(typeof found !== 'string');
  return found;
};
/** Applies changed parts to a line. */
const applied = (line: string, parts: ReturnType<typeof changes>) =>
  [...parts]
    .reverse()
    .reduce((text, { start, end, text: come }) => text.slice(0, start) + come + text.slice(end), line);

test('whole words change, and what stays between them stays', () => {
  assert.deepEqual(changes('call(old_name, 1)', 'call(new_name, 1)'), [{ start: 5, end: 13, text: 'new_name' }]);
  assert.deepEqual(changes('f(a)', 'f(a, b)'), [{ start: 3, end: 3, text: ', b' }]);
  assert.deepEqual(changes('f(a, b)', 'f(a)'), [{ start: 3, end: 6, text: '' }]);
  assert.deepEqual(changes('x = 이름(a)', 'y = 이름(b)'), [
    { start: 0, end: 1, text: 'y' },
    { start: 7, end: 8, text: 'b' },
  ]);
  assert.deepEqual(changes('same', 'same'), []);
});

test('many changed parts become one', () => {
  const parts = changes('a.b.c.d.e.f.', 'b.c.d.e.f.g!');
  assert.equal(applied('a.b.c.d.e.f.', parts), 'b.c.d.e.f.g!');
  assert.deepEqual(changes('a 1 b 1 c 1 d 1 e 1', 'v 1 w 1 x 1 y 1 z 1'), [
    { start: 0, end: 17, text: 'v 1 w 1 x 1 y 1 z' },
  ]);
});

test('applied to the old line, the changes of two random lines give the new line', () => {
  const seed = Date.now() % 100_000;
  let state = seed;
  const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below;
  const word = () => ['a', 'bb', ' ', '(', ')', ', ', '이름', '😀'][random(8)];
  const line = () => Array.from({ length: random(12) }, word).join('');
  for (let round = 0; round < 2000; round++) {
    const [before, after] = [line(), line()];
    assert.equal(applied(before, changes(before, after)), after, `seed ${seed}: ${JSON.stringify([before, after])}`);
  }
});

test('a very long line is compared without delay', () => {
  const before = 'a,'.repeat(5000);
  assert.deepEqual(changes(before, before.replace(/,$/, ';')), [{ start: 9999, end: 10_000, text: ';' }]);
});

test('a range becomes whole lines without those that stay', () => {
  assert.deepEqual(hunk(range(0, 4, 0, 5), 'x'), { line: 0, before: ['one(a)'], after: ['one(x)'] });
  assert.deepEqual(hunk(range(1, 0, 2, 0), ''), { line: 1, before: ['two(b)'], after: [] });
  assert.deepEqual(hunk(range(1, 0, 1, 0), 'new\n'), { line: 1, before: [], after: ['new'] });
  assert.deepEqual(hunk(range(1, 6, 1, 6), '\r\nnew'), { line: 2, before: [], after: ['new'] });
  assert.deepEqual(hunk(range(0, 0, 1, 6), 'x\ntwo(b)'), { line: 0, before: ['one(a)'], after: ['x'] });
});

test('a range that does not fit gives the reason', () => {
  for (const wrong of [range(0, 0, 9, 0), range(0, 0, 0, 99), range(-1, 0, 0, 0), range(0, 0.5, 0, 1)]) {
    assert.equal(hunkOf(lines, wrong, 'x'), 'its range is outside the document');
  }
  assert.equal(hunkOf(lines, range(1, 0, 0, 0), 'x'), 'its range is reversed');
  assert.equal(hunkOf(lines, range(0, 0, 0, 6), 'one(a)'), 'it changes nothing');
});

test('where the cursor belongs', () => {
  const replaced = hunk(range(0, 4, 0, 5), 'xyz');
  assert.deepEqual(
    [startOf(replaced), endOf(replaced)],
    [
      { line: 0, character: 4 },
      { line: 0, character: 7 },
    ],
  );
  const removed = hunk(range(1, 0, 2, 0), '');
  assert.deepEqual(
    [startOf(removed), endOf(removed)],
    [
      { line: 1, character: 0 },
      { line: 1, character: 0 },
    ],
  );
  assert.deepEqual(endOf(hunk(range(1, 6, 1, 6), '\nlonger')), { line: 2, character: 6 });
  assert.ok(isAtPlace(replaced, 0) && !isAtPlace(replaced, 1));
  const inserted = hunk(range(1, 6, 1, 6), '\nnew');
  assert.deepEqual(
    [0, 1, 2, 3].map((line) => isAtPlace(inserted, line)),
    [false, true, true, false],
  );
});

test('a row of a list shows what changes in a long line', () => {
  const far = `  const value = ${'first + '.repeat(9)}`;
  const long = { line: 3, before: [`${far}old;`], after: [`${far}new;`] };
  const { before, after } = forList(long);
  assert.deepEqual([before, after], [['…t + first + first + old;'], ['…t + first + first + new;']]);
  const near = { line: 3, before: ['    f(old)', '    g'], after: ['    f(new)'] };
  assert.deepEqual(forList(near), { line: 3, before: ['f(old)', 'g'], after: ['f(new)'] });
});
