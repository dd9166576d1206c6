import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayBeComposing } from '../../../../editors/vscode/src/composition';

test('Hangul, kana and Bopomofo may be part of a composition; a space, a bracket, Latin, Han and emoji are not', () => {
  for (const text of ['# 주석', '# ㅎ', 'x = "すし', 'カ', '# ㄅ']) {
    assert.equal(mayBeComposing(text), true, text);
  }
  for (const text of ['', '# 주석 ', 'f("주석")', 'name', '漢字', '😀']) {
    assert.equal(mayBeComposing(text), false, text);
  }
});
