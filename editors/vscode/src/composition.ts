// Detects whether an input method may still be composing the character before the cursor.
//
// VS Code draws no ghost text during a composition and does not report compositions to extensions. A Hangul syllable, a
// kana or a Bopomofo letter is composed in place, directly before the cursor. A suggestion that arrives there may be
// invisible, so it is not reported as shown at once. Pure functions.

const RANGES: readonly (readonly [number, number])[] = [
  [0x1100, 0x11ff],
  [0x3130, 0x318f],
  [0xa960, 0xa97f],
  [0xac00, 0xd7ff], // Hangul
  [0x3040, 0x30ff],
  [0x31f0, 0x31ff],
  [0xff65, 0xff9f], // kana
  [0x02ea, 0x02eb],
  [0x3100, 0x312f],
  [0x31a0, 0x31bf], // Bopomofo
];

/** Whether the last character of `before`, the line up to the cursor, may be part of a composition. */
export function mayBeComposing(before: string): boolean {
  const code = before.codePointAt(before.length - 1);
  return code !== undefined && RANGES.some(([first, last]) => first <= code && code <= last);
}
