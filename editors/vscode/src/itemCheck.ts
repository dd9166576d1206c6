// Checks a suggestion from the server before it reaches the editor. The server may be faulty, late or of another
// version, so suggestions that do not fit the document are discarded with a reason for the log. Pure.
import type { Position, ProtocolItem } from './types';

/** Why `item` cannot be shown at `cursor` in the text `line`, or undefined if it can. */
export function invalidReason(item: ProtocolItem, cursor: Position, line: string): string | undefined {
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
    return 'its text contains a NUL character';
  }
  const range = item.range;
  if (range === undefined || range === null) {
    return undefined;
  }
  for (const position of [range.start, range.end]) {
    if (!Number.isInteger(position?.line) || !Number.isInteger(position?.character)) {
      return 'its range does not consist of whole numbers';
    }
  }
  const { start, end } = range;
  if (start.line !== cursor.line || end.line !== cursor.line) {
    return 'its range is not on the line of the cursor';
  }
  if (start.character < 0 || end.character > line.length || start.character > end.character) {
    return 'its range is outside the line';
  }
  if (cursor.character < start.character || cursor.character > end.character) {
    return 'its range does not contain the cursor';
  }
  if (!text.startsWith(line.slice(start.character, cursor.character))) {
    return 'its text does not begin with the typed text';
  }
  if (text === line.slice(start.character, end.character)) {
    return 'it changes nothing';
  }
  return undefined;
}
