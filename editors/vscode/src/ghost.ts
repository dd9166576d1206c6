// Follows the grey text through the edits that follow it, to know what was typed and what was accepted in part.
//
// VS Code tells an extension only about a full acceptance (by the item's command). A word or a line that is accepted arrives
// as an ordinary edit: the next characters of the suggestion, inserted at the cursor. Typing the suggestion by hand looks the
// same but for its size, so one character alone counts as typed. Pure: no editor, no server.

export interface Place {
  line: number;
  character: number;
}

/** A suggestion on screen: its text begins at `start`, and its first `taken` UTF-16 units stand in the document already. */
export interface Ghost {
  text: string;
  start: Place;
  taken: number;
}

/** An edit: what stood in [start, end) became `text`. */
export interface Edit {
  start: Place;
  end: Place;
  text: string;
}

export type Step =
  | { kind: 'typed'; ghost: Ghost }
  | { kind: 'partial'; ghost: Ghost; acceptedLength: number }
  | { kind: 'whole' }
  | { kind: 'gone' };

const same = (a: Place, b: Place): boolean => a.line === b.line && a.character === b.character;
const plain = (text: string): string => text.replace(/\r\n?/g, '\n');

/** Where the text that is already taken ends. */
export function caret(ghost: Ghost): Place {
  const lines = ghost.text.slice(0, ghost.taken).split('\n');
  const last = lines[lines.length - 1] ?? '';
  return lines.length === 1
    ? { line: ghost.start.line, character: ghost.start.character + last.length }
    : { line: ghost.start.line + lines.length - 1, character: last.length };
}

/** What one document change did to the grey text. `edits` are the change's parts; several parts (two cursors) end it. */
export function follow(ghost: Ghost, edits: readonly Edit[]): Step {
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
