// Draws an edit in the editor: what goes is struck through, what comes follows it as ghost text, and a hint at the
// end of the cursor's line says what Tab does.
//
// The stable API has no ghost text of several lines. New lines therefore follow after a line sign, and the hover shows
// all of them.
import * as vscode from 'vscode';
import { changes, type Hunk } from './editDiff';

const LINE_SIGN = '⏎';
const MOST_NEW_LINES = 3;

/** Blanks at the ends of a decoration would not be visible otherwise. */
const visible = (text: string, tabSize: number): string =>
  text.replaceAll('\t', ' '.repeat(tabSize)).replaceAll(' ', '\u00a0');

function hover({ before, after }: Hunk): vscode.MarkdownString {
  const lines = [...before.map((line) => `- ${line}`), ...after.map((line) => `+ ${line}`)];
  return new vscode.MarkdownString().appendCodeblock(lines.join('\n'), 'diff');
}

/** The parts of the old lines that go. */
function goneParts({ line, before, after }: Hunk): { line: number; start: number; end: number }[] {
  return before.flatMap((old, index) => {
    const parts = index < after.length ? changes(old, after[index]) : [{ start: 0, end: old.length }];
    return parts.map(({ start, end }) => ({ line: line + index, start, end }));
  });
}

/** The texts that come, each with its place in the old lines. */
function comingParts({ line, before, after }: Hunk): { line: number; column: number; text: string }[] {
  const paired = Math.min(before.length, after.length);
  const found = before.slice(0, paired).flatMap((old, index) =>
    changes(old, after[index])
      .filter(({ text }) => text !== '')
      .map(({ end, text }) => ({ line: line + index, column: end, text })),
  );
  const rest = after.slice(paired);
  if (rest.length > 0) {
    const shown = rest.slice(0, MOST_NEW_LINES).map((one) => `${LINE_SIGN} ${one}`);
    const more = rest.length > MOST_NEW_LINES ? [`… +${rest.length - MOST_NEW_LINES}`] : [];
    const text = [...shown, ...more].join(' ');
    const row = line + paired - 1;
    const last = found.at(-1);
    // Two decorations at one position have no order, so they become one.
    if (last !== undefined && last.line === row && last.column === before[paired - 1].length) {
      last.text += ` ${text}`;
    } else {
      found.push({ line: Math.max(row, 0), column: row < 0 ? 0 : Number.MAX_SAFE_INTEGER, text });
    }
  }
  return found;
}

/** The decorations of one edit at a time. */
export class EditDecorations implements vscode.Disposable {
  private readonly gone = vscode.window.createTextEditorDecorationType({
    textDecoration: 'line-through',
    backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.modifiedForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  // `before`, so that a text that comes at the end of the cursor's line stands before the hint there.
  private readonly come = vscode.window.createTextEditorDecorationType({
    before: {
      color: new vscode.ThemeColor('editor.foreground'),
      backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'),
    },
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  private readonly note = vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor('editorCodeLens.foreground'), fontStyle: 'italic', margin: '0 0 0 2em' },
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });

  dispose(): void {
    vscode.Disposable.from(this.gone, this.come, this.note).dispose();
  }

  /** Removes everything from all visible editors. */
  clear(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      this.draw(editor, undefined, undefined);
    }
  }

  /** Draws what an edit removes and adds, and a hint at the end of the cursor's line. Replaces an earlier drawing. */
  draw(editor: vscode.TextEditor, hunk: Hunk | undefined, hint: string | undefined): void {
    const gone: vscode.DecorationOptions[] = [];
    const come: vscode.DecorationOptions[] = [];
    const note: vscode.DecorationOptions[] = [];
    if (hunk !== undefined) {
      const hoverMessage = hover(hunk);
      const tabSize = typeof editor.options.tabSize === 'number' ? editor.options.tabSize : 4;
      for (const { line, start, end } of goneParts(hunk)) {
        gone.push({ range: new vscode.Range(line, start, line, end), hoverMessage });
      }
      for (const { line, column, text } of comingParts(hunk)) {
        const at = editor.document.validatePosition(new vscode.Position(line, column));
        const renderOptions = { before: { contentText: visible(text, tabSize) } };
        come.push({ range: new vscode.Range(at, at), renderOptions, hoverMessage });
      }
    }
    if (hint !== undefined) {
      const { end } = editor.document.lineAt(editor.selection.active.line).range;
      note.push({ range: new vscode.Range(end, end), renderOptions: { after: { contentText: hint } } });
    }
    editor.setDecorations(this.gone, gone);
    editor.setDecorations(this.come, come);
    editor.setDecorations(this.note, note);
  }
}
