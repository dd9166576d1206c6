// Compares the lines that an edit replaces with its new lines. Pure functions.
import type { Position, Range } from './types';

// More changed parts of one line are hard to read, so they become one.
const MOST_PARTS = 4;
// A longer line is not compared word by word, because that takes quadratic time.
const MOST_WORDS = 400;
// A row of a list may end before a change that stands behind more characters than this.
const FAR = 40;
// Characters in front of such a change that the row keeps.
const KEPT = 20;

/** Whole lines that change: `before` stand from `line` on and become `after`. */
export interface Hunk {
  line: number;
  before: string[];
  after: string[];
}

/** A changed part of one line: the columns [start, end) become `text`. */
export interface Change {
  start: number;
  end: number;
  text: string;
}

/** The words of a line: names and numbers, runs of blanks, single other characters. */
const words = (line: string): string[] => line.match(/[\p{L}\p{N}_]+|[ \t]+|[\s\S]/gu) ?? [];

/** The part between the common beginning and the common end of two lines. */
function middle(before: string, after: string): Change {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start++;
  }
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) {
    end++;
  }
  return { start, end: before.length - end, text: after.slice(start, after.length - end) };
}

/** For each pair of positions, the length of the longest common subsequence of what follows. */
function commonLengths(a: string[], b: string[]): number[][] {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

/** The changed parts of a line, word by word. */
export function changes(before: string, after: string): Change[] {
  if (before === after) {
    return [];
  }
  const [a, b] = [words(before), words(after)];
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) {
    return [middle(before, after)];
  }
  const common = commonLengths(a, b);
  const found: Change[] = [];
  let [i, j, column] = [0, 0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && a[i] === b[j]) {
      column += a[i].length;
      i++;
      j++;
      continue;
    }
    const change = { start: column, end: column, text: '' };
    while ((i < a.length || j < b.length) && !(i < a.length && a[i] === b[j])) {
      if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) {
        column += a[i++].length;
      } else {
        change.text += b[j++];
      }
    }
    found.push({ ...change, end: column });
  }
  return found.length > MOST_PARTS ? [middle(before, after)] : found;
}

/** The lines that an edit changes, or the reason why it does not fit. `lines` are all lines of the document. */
export function hunkOf(lines: readonly string[], range: Range, text: string): Hunk | string {
  const { start, end } = range;
  const inside = ({ line, character }: Position): boolean =>
    Number.isInteger(line) &&
    Number.isInteger(character) &&
    line >= 0 &&
    line < lines.length &&
    character >= 0 &&
    character <= lines[line].length;
  if (!inside(start) || !inside(end)) {
    return 'its range is outside the document';
  }
  if (start.line > end.line || (start.line === end.line && start.character > end.character)) {
    return 'its range is reversed';
  }
  const before = lines.slice(start.line, end.line + 1);
  const whole = lines[start.line].slice(0, start.character) + text + lines[end.line].slice(end.character);
  const after = whole.split(/\r\n|\r|\n/);
  let line = start.line;
  while (before.length > 0 && after.length > 0 && before[0] === after[0]) {
    before.shift();
    after.shift();
    line++;
  }
  while (before.length > 0 && after.length > 0 && before.at(-1) === after.at(-1)) {
    before.pop();
    after.pop();
  }
  return before.length === 0 && after.length === 0 ? 'it changes nothing' : { line, before, after };
}

/** Whether a line is at the place of a hunk. The place of new lines is the line before or after them. */
export function isAtPlace({ line, before }: Hunk, cursorLine: number): boolean {
  return before.length === 0
    ? cursorLine === line || cursorLine === line - 1
    : cursorLine >= line && cursorLine < line + before.length;
}

/** Where the cursor belongs before an edit. */
export function startOf({ line, before, after }: Hunk): Position {
  const [first] = before.length > 0 && after.length > 0 ? changes(before[0], after[0]) : [];
  return { line, character: first?.start ?? 0 };
}

/** The hunk for a narrow list: without indentation, and its first line without what is far in front of the change. */
export function forList(hunk: Hunk): Hunk {
  const { character } = startOf(hunk);
  const cut = character > FAR ? character - KEPT : 0;
  const short = (line: string, index: number): string =>
    index === 0 && cut > 0 ? `…${line.slice(cut).trimEnd()}` : line.trim();
  return { line: hunk.line, before: hunk.before.map(short), after: hunk.after.map(short) };
}

/** Where the cursor belongs after an edit was applied. */
export function endOf({ line, before, after }: Hunk): Position {
  if (after.length === 0) {
    return { line, character: 0 };
  }
  const last = after.length - 1;
  const part = before[last] === undefined ? undefined : changes(before[last], after[last]).at(-1);
  const character = part === undefined ? after[last].length : after[last].length - (before[last].length - part.end);
  return { line: line + last, character };
}
