// Repeats an edit at all places: lists them with check marks and applies those that stay ticked, one undo step per
// file.
import * as vscode from 'vscode';
import { forList, hunkOf, type Hunk } from './editDiff';
import type { Connection, RepeatedEdits } from './types';

const t = vscode.l10n.t;
const COMMAND = 'ondol.repeatEdit';
// A place that is less probable is not ticked at first.
const TICKED_FROM = 0.5;
const LINE_SIGN = ' ⏎ ';

interface PlaceItem extends vscode.QuickPickItem {
  /** `lines` and `text`: the whole lines that the edit touches, and their text as it was listed. */
  place?: { uri: vscode.Uri; range: vscode.Range; newText: string; lines: vscode.Range; text: string };
}

/** What goes, or for new lines the line that they stand next to. */
function labelOf({ line, before }: Hunk, lines: readonly string[]): string {
  if (before.length > 0) {
    return `− ${before.join(LINE_SIGN)}`;
  }
  return ([lines[line - 1], lines[line]].find((one) => one !== undefined && one.trim() !== '') ?? '').trim();
}

async function itemsOf(files: RepeatedEdits['files']): Promise<PlaceItem[]> {
  const items: PlaceItem[] = [];
  for (const file of files) {
    const uri = vscode.Uri.parse(file.uri);
    const document = await vscode.workspace.openTextDocument(uri);
    const lines = document.getText().split(/\r\n|\r|\n/);
    items.push({ label: file.path, kind: vscode.QuickPickItemKind.Separator });
    for (const { range, newText, probability } of file.edits) {
      const hunk = hunkOf(lines, range, newText);
      if (typeof hunk === 'string') {
        continue;
      }
      const row = forList(hunk);
      const span = new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character);
      const whole = new vscode.Range(span.start.with({ character: 0 }), document.lineAt(span.end.line).range.end);
      items.push({
        label: labelOf(row, lines),
        description: t('line {0}, {1} %', hunk.line + 1, Math.round(100 * probability)),
        detail: row.after.length > 0 ? `+ ${row.after.join(LINE_SIGN)}` : undefined,
        picked: probability >= TICKED_FROM,
        place: { uri, range: span, newText, lines: whole, text: document.getText(whole) },
      });
    }
  }
  return items;
}

/** Applies the places of one file as one undo step. Returns how many were applied. */
async function applyToFile(places: NonNullable<PlaceItem['place']>[]): Promise<number> {
  const document = await vscode.workspace.openTextDocument(places[0].uri);
  const unchanged = places.filter(({ lines, text }) => document.getText(lines) === text);
  const edit = new vscode.WorkspaceEdit();
  for (const { uri, range, newText } of unchanged) {
    edit.replace(uri, range, newText);
  }
  return unchanged.length > 0 && (await vscode.workspace.applyEdit(edit)) ? unchanged.length : 0;
}

/** Lists all places of the last edit that can be repeated, and applies what the user leaves ticked. */
export async function repeatEdit(connection: Connection, editor: vscode.TextEditor): Promise<void> {
  if (!connection.hasCommand(COMMAND)) {
    void vscode.window.showInformationMessage(t('The Ondol server is too old for this. Update it.'));
    return;
  }
  const { line, character } = editor.selection.active;
  const place = { uri: editor.document.uri.toString(), position: { line, character } };
  const answer = await connection.request<RepeatedEdits | null>('workspace/executeCommand', {
    command: COMMAND,
    arguments: [place],
  });
  const items = await itemsOf(answer?.files ?? []);
  if (!items.some((item) => item.place !== undefined)) {
    void vscode.window.showInformationMessage(t('There is no edit that can be repeated elsewhere.'));
    return;
  }
  const chosen = await vscode.window.showQuickPick(items, {
    canPickMany: true,
    matchOnDetail: true,
    title: t('Repeat: {0}', answer?.title ?? ''),
    placeHolder: t('Only the ticked places are changed'),
  });
  const places = (chosen ?? []).flatMap((item) => item.place ?? []);
  const byFile = new Map<string, typeof places>();
  for (const one of places) {
    byFile.set(one.uri.toString(), [...(byFile.get(one.uri.toString()) ?? []), one]);
  }
  if (places.length > 0) {
    await applyAll([...byFile.values()], places.length);
  }
}

async function applyAll(files: NonNullable<PlaceItem['place']>[][], wanted: number): Promise<void> {
  let applied = 0;
  for (const file of files) {
    applied += await applyToFile(file);
  }
  const saveAll = t('Save All');
  const message =
    applied === wanted
      ? t('Places changed: {0}. Files: {1}. They are not saved yet.', applied, files.length)
      : t('Places changed: {0}. Left out because their text changed meanwhile: {1}.', applied, wanted - applied);
  const choice = await vscode.window.showInformationMessage(message, saveAll);
  if (choice === saveAll) {
    await vscode.commands.executeCommand('workbench.action.files.saveFiles');
  }
}
