// Checks a suggestion from the server before the editor sees it. A server may be wrong, late or of another version: what does
// not fit the document is left out, with a reason for the log, and never reaches the screen. Pure.
import type { Place, WireItem } from './types';

/** Why an item cannot be shown at `cursor` on a line that reads `line`; undefined if it can. */
export function flaw(item: WireItem, cursor: Place, line: string): string | undefined {
  if (typeof item !== 'object' || item === null) {
    return 'it is not an object';
  }
  const text = item.insertText;
  if (typeof text !== 'string') {
    return 'its text is not plain text';
  }
  if (text === '') {
    return 'its text is empty';
  }
  if (text.includes('\u0000')) {
    return 'its text holds a NUL character';
  }
  const range = item.range;
  if (range === undefined || range === null) {
    return undefined;
  }
  for (const place of [range.start, range.end]) {
    if (!Number.isInteger(place?.line) || !Number.isInteger(place?.character)) {
      return 'its range is not made of numbers';
    }
  }
  const { start, end } = range;
  if (start.line !== cursor.line || end.line !== cursor.line) {
    return 'its range is not on the line of the cursor';
  }
  if (start.character < 0 || end.character > line.length || start.character > end.character) {
    return 'its range lies outside the line';
  }
  if (cursor.character < start.character || cursor.character > end.character) {
    return 'its range does not hold the cursor';
  }
  if (!text.startsWith(line.slice(start.character, cursor.character))) {
    return 'its text does not begin with what is typed';
  }
  if (text === line.slice(start.character, end.character)) {
    return 'it changes nothing';
  }
  return undefined;
}
