// Follows ghost text through the edits of its document, to detect what was typed and what was accepted in part.
//
// VS Code reports only a full acceptance to an extension, by running the item's command. An accepted word or line
// arrives as an ordinary edit: the next characters of the suggestion, inserted at the cursor. Typing looks the same, so
// an insertion of one character counts as typed and a longer one as accepted. Pure functions.
import type { Position } from './types';

/** A suggestion on screen. Its text begins at `start`; the document already contains its first `taken` UTF-16 units. */
export interface GhostText {
  text: string;
  start: Position;
  taken: number;
}

/** An edit: `text` replaces the range [start, end). */
export interface Edit {
  start: Position;
  end: Position;
  text: string;
}

/** The effect of one document change on a ghost text. */
export type Step =
  | { kind: 'typed'; ghost: GhostText }
  | { kind: 'partial'; ghost: GhostText; acceptedLength: number }
  | { kind: 'whole' }
  | { kind: 'gone' };

const same = (a: Position, b: Position): boolean => a.line === b.line && a.character === b.character;
const plain = (text: string): string => text.replace(/\r\n?/g, '\n');

/** The position in the document where the taken part ends. */
export function caret(ghost: GhostText): Position {
  const lines = ghost.text.slice(0, ghost.taken).split('\n');
  const last = lines[lines.length - 1] ?? '';
  return lines.length === 1
    ? { line: ghost.start.line, character: ghost.start.character + last.length }
    : { line: ghost.start.line + lines.length - 1, character: last.length };
}

/** The effect of one document change, given as its `edits`. Several edits at once, as from two cursors, end it. */
export function follow(ghost: GhostText, edits: readonly Edit[]): Step {
  const edit = edits[0];
  if (edit === undefined) {
    return { kind: 'typed', ghost };
  }
  const text = plain(edit.text);
  const rest = ghost.text.slice(ghost.taken);
  if (edits.length !== 1 || text === '' || !same(edit.start, caret(ghost)) || !rest.startsWith(text)) {
    return { kind: 'gone' };
  }
  if (text.length === rest.length) {
    return { kind: 'whole' };
  }
  if (edit.start.line !== edit.end.line) {
    return { kind: 'gone' };
  }
  const next = { ...ghost, taken: ghost.taken + text.length };
  return text.length === 1
    ? { kind: 'typed', ghost: next }
    : { kind: 'partial', ghost: next, acceptedLength: next.taken };
}
