// The next edit: the server proposes to repeat what the user changed, at another place. This module asks for it, shows
// it, goes to its place, applies it or refuses it. It waits while a suggestion at the cursor is visible or expected.
import * as vscode from 'vscode';
import { EditDecorations } from './editDecorations';
import { endOf, hunkOf, isAtPlace, startOf, type Hunk } from './editDiff';
import { shortName } from './shortName';
import type { Connection, ProtocolEdit } from './types';

const t = vscode.l10n.t;
const REQUEST = 'textDocument/copilotInlineEdit';
const SHOWN = 'textDocument/didShowInlineEdit';
const REFUSED_COMMAND = 'ondol.editDismissed';
const INVOKED = 1;
const AUTOMATIC = 2;
// After the cursor reached another line. The server learns from it that the edit of the former line is complete.
const ASK_AFTER_MS = 100;

/** What this module needs to know from the extension. */
export interface NextEditHost {
  connectionFor(document: vscode.TextDocument): Connection | undefined;
  readonly wantsNextEdits: boolean;
  /** Counts an edit that was shown or accepted, for the status bar. */
  countEdit(kind: 'offered' | 'accepted'): void;
  /** Names the place of the edit that is shown elsewhere in the status bar: the hint may stand beyond a long line. */
  namePlace(place: string | undefined): void;
}

/** Tells whether a suggestion at the cursor is requested and whether one may be visible. */
export interface SuggestionActivity {
  readonly isPending: boolean;
  readonly isVisible: boolean;
  /** Whether the editor's completion list was open at this cursor when it last asked for a suggestion. */
  isListOpenAt(document: vscode.TextDocument, position: vscode.Position): boolean;
  readonly onDidChangeActivity: vscode.Event<void>;
}

/** A document and the version for which an edit is valid. */
interface Text {
  document: vscode.TextDocument;
  version: number;
}

interface Offer {
  connection: Connection;
  edit: ProtocolEdit;
  uri: vscode.Uri;
  /** The document of the request, while its text matters. */
  source: Text | undefined;
  /** The document of the place and the lines that change, once the document is open. */
  place: (Text & { hunk: Hunk }) | undefined;
  /** Whether the user went to the place. */
  reached: boolean;
  reported: boolean;
}

const isCurrent = (text: Text | undefined): boolean =>
  text === undefined || (!text.document.isClosed && text.document.version === text.version);
const isValid = ({ source, place }: Offer): boolean => isCurrent(source) && isCurrent(place);
const isSame = (one: Offer, other: Offer): boolean =>
  one.uri.toString() === other.uri.toString() &&
  one.edit.text === other.edit.text &&
  JSON.stringify(one.edit.range) === JSON.stringify(other.edit.range);
const openDocument = (uri: string): vscode.TextDocument | undefined =>
  vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri);
const lineKey = (document: vscode.TextDocument, line: number): string => `${document.uri.toString()}:${line}`;
const linesOf = (document: vscode.TextDocument): string[] =>
  Array.from({ length: document.lineCount }, (_, line) => document.lineAt(line).text);

/** Shows the next edit and acts on it. No method rejects or shows an error for a key. */
export class NextEdits implements vscode.Disposable {
  private offer: Offer | undefined;
  private readonly decorations = new EditDecorations();
  /** The server that has something to repeat. It is asked in every document: the next place may be in any of them. */
  private live: Connection | undefined;
  private readonly subscriptions: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;
  private ticket = 0;
  private asked = '';
  private isVisible = false;
  private contexts = '';

  constructor(
    private readonly host: NextEditHost,
    private readonly suggestions: SuggestionActivity,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.subscriptions = vscode.Disposable.from(
      this.decorations,
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.onChange(document)),
      vscode.window.onDidChangeTextEditorSelection((event) => this.onMove(event.textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.onMove(editor)),
      suggestions.onDidChangeActivity(() => this.show()),
    );
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.subscriptions.dispose();
  }

  /** Handles the server's message that it has a next edit for a document. */
  onReady(uri: string): void {
    const document = openDocument(vscode.Uri.parse(uri).toString());
    this.live = document && this.host.connectionFor(document);
    const editor = vscode.window.activeTextEditor;
    if (editor !== undefined && editor.document === document) {
      void this.ask(editor, AUTOMATIC);
    }
  }

  /** Goes to the place of the edit, or applies it if the cursor is there. Asks for one if none is shown. */
  async act(): Promise<void> {
    const offer = this.offer;
    const editor = vscode.window.activeTextEditor;
    try {
      if (offer !== undefined && this.isVisible && isValid(offer)) {
        await (this.isAtPlace(offer) ? this.apply(offer) : this.goToPlace(offer));
      } else if (editor !== undefined) {
        await this.ask(editor, INVOKED);
        if (this.offer === undefined) {
          vscode.window.setStatusBarMessage(t('Ondol: there is no edit to repeat here.'), 4000);
        }
      }
    } catch (error) {
      this.output.warn(`the next edit was not applied: ${String(error)}`);
      this.forget();
    }
  }

  /** Refuses the edit that is shown. Says so if none is. */
  dismiss(): void {
    const offer = this.offer;
    if (offer === undefined) {
      vscode.window.setStatusBarMessage(t('Ondol: no next edit is shown.'), 4000);
      return;
    }
    this.forget();
    this.run(offer.connection, REFUSED_COMMAND, offer.edit.command?.arguments ?? []);
  }

  /** Removes the edit, for example when the setting or the server changed. */
  forget(): void {
    this.offer = undefined;
    this.decorations.clear();
    this.tell(false, undefined, false);
  }

  private isEnabled(connection: Connection | undefined): connection is Connection {
    return connection !== undefined && this.host.wantsNextEdits && connection.hasCommand(REFUSED_COMMAND);
  }

  private isAtPlace({ place }: Offer): boolean {
    const editor = vscode.window.activeTextEditor;
    return (
      place !== undefined && editor?.document === place.document && isAtPlace(place.hunk, editor.selection.active.line)
    );
  }

  private run(connection: Connection, command: string, args: unknown[]): void {
    if (connection.hasCommand(command)) {
      connection
        .request('workspace/executeCommand', { command, arguments: args })
        .catch((error) => this.output.debug(`${command} failed: ${String(error)}`));
    }
  }

  // --- Asking ---

  private onMove(editor: vscode.TextEditor | undefined): void {
    this.show();
    if (editor === undefined || editor !== vscode.window.activeTextEditor) {
      return;
    }
    const isAsked = lineKey(editor.document, editor.selection.active.line) === this.asked;
    if (isAsked || this.live === undefined || this.host.connectionFor(editor.document) !== this.live) {
      return;
    }
    this.askSoon();
  }

  private askSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const editor = vscode.window.activeTextEditor;
      if (editor !== undefined) {
        void this.ask(editor, AUTOMATIC);
      }
    }, ASK_AFTER_MS);
  }

  private async ask(editor: vscode.TextEditor, triggerKind: number): Promise<void> {
    clearTimeout(this.timer);
    const { document } = editor;
    const connection = this.host.connectionFor(document);
    if (!this.isEnabled(connection)) {
      return;
    }
    const ticket = ++this.ticket;
    const { version } = document;
    const { line, character } = editor.selection.active;
    this.asked = lineKey(document, line);
    const uri = document.uri.toString();
    const params = { textDocument: { uri, version }, position: { line, character }, context: { triggerKind } };
    try {
      const answer = await connection.request<{ edits?: ProtocolEdit[] } | null>(REQUEST, params);
      const same = ticket === this.ticket && document.version === version;
      if (same && vscode.window.activeTextEditor?.document === document) {
        this.onAnswer(answer?.edits?.[0], connection, { document, version });
      }
    } catch (error) {
      this.output.debug(`no next edit: ${String(error)}`);
    }
  }

  private onAnswer(edit: ProtocolEdit | undefined, connection: Connection, source: Text): void {
    const former = this.offer;
    if (edit === undefined) {
      // An edit to whose place the user went stays there, although the server may have nothing to add.
      if (former !== undefined && !(former.reached && isValid(former) && this.isAtPlace(former))) {
        this.forget();
      }
      return;
    }
    const offer = this.check(edit, connection, source);
    if (typeof offer === 'string') {
      this.output.warn(`discarded an edit of the server: ${offer}`);
      return;
    }
    // The server gives each answer a new id.
    offer.reported = former !== undefined && isSame(former, offer) && former.reported;
    this.live = connection;
    this.offer = offer;
    this.show();
  }

  /** The offer of an answer, or the reason why it cannot be shown. */
  private check(edit: ProtocolEdit, connection: Connection, source: Text): Offer | string {
    if (typeof edit.text !== 'string' || typeof edit.range?.start?.line !== 'number') {
      return 'it is incomplete';
    }
    const uri = vscode.Uri.parse(edit.textDocument?.uri ?? source.document.uri.toString());
    const offer: Offer = { connection, edit, uri, source, place: undefined, reached: false, reported: false };
    const document = openDocument(uri.toString());
    if (document !== undefined) {
      const version = edit.textDocument?.version;
      if (typeof version === 'number' && version !== document.version) {
        return 'it is for another version of the document';
      }
      const hunk = hunkOf(linesOf(document), edit.range, edit.text);
      if (typeof hunk === 'string') {
        return hunk;
      }
      offer.place = { document, version: document.version, hunk };
    }
    return offer;
  }

  // --- Showing ---

  private onChange(document: vscode.TextDocument): void {
    if (document === this.offer?.source?.document || document === this.offer?.place?.document) {
      this.show();
    }
  }

  /** Draws the edit, or removes the drawing while the edit waits. */
  private show(): void {
    const offer = this.offer;
    if (offer === undefined) {
      return;
    }
    if (!isValid(offer)) {
      this.forget();
      return;
    }
    const editor = vscode.window.activeTextEditor;
    // An edit that is on screen stays there while a suggestion is only requested. Otherwise it blinks at each request,
    // and a Tab within the blink indents the line.
    const { isPending, isVisible } = this.suggestions;
    const waits = isVisible || (isPending && !this.isVisible);
    // A page of settings, the output or a report is no place for a hint. With several cursors or a selection Tab is the
    // editor's own.
    const isServed = editor !== undefined && this.host.connectionFor(editor.document) !== undefined;
    if (waits || !isServed || editor.selections.length > 1 || !editor.selection.isEmpty) {
      this.decorations.clear();
      this.tell(false, undefined, false);
      return;
    }
    const elsewhere = !this.isAtPlace(offer);
    const { active } = editor.selection;
    const before = editor.document.lineAt(active.line).text.slice(0, active.character);
    const keepsTab = elsewhere && before.trim() === '';
    const isTabFree = !keepsTab && !this.suggestions.isListOpenAt(editor.document, active);
    const place = elsewhere ? this.placeOf(offer, editor.document) : undefined;
    const hint = this.hintOf(place, isTabFree);
    // The workbench takes these in order: a key that follows the drawing at once has to find its context.
    this.tell(true, place, keepsTab);
    for (const one of vscode.window.visibleTextEditors) {
      const hunk = one.document === offer.place?.document ? offer.place.hunk : undefined;
      this.decorations.draw(one, hunk, one === editor ? hint : undefined);
    }
    if (!offer.reported) {
      offer.reported = true;
      this.host.countEdit('offered');
      offer.connection.notify(SHOWN, { item: { command: offer.edit.command } });
    }
  }

  /** The hint at the end of the cursor's line. It names Tab only where Tab is not the editor's own. */
  private hintOf(place: string | undefined, isTabFree: boolean): string | undefined {
    if (place === undefined) {
      return isTabFree ? t('Tab: accept') : undefined;
    }
    return isTabFree ? t('Tab: next edit, {0}', place) : t('next edit: {0}', place);
  }

  /** The place of an edit for the hint, as short as it is clear: seen from the active document. */
  private placeOf({ edit, uri, place }: Offer, active: vscode.TextDocument): string {
    const line = 1 + (place?.hunk.line ?? edit.range.start.line);
    return place?.document === active ? t('line {0}', line) : `${shortName(uri.path, active.uri.path)}:${line}`;
  }

  /** Tells the key bindings and the status bar what is shown; `place` is where it is, if that is not at the cursor. */
  private tell(isVisible: boolean, place: string | undefined, keepsTab: boolean): void {
    this.isVisible = isVisible;
    this.host.namePlace(place);
    const elsewhere = place !== undefined;
    const values = {
      'ondol.nextEditVisible': isVisible,
      'ondol.nextEditElsewhere': isVisible && elsewhere,
      'ondol.nextEditKeepsTab': isVisible && keepsTab,
    };
    const key = JSON.stringify(values);
    if (key !== this.contexts) {
      this.contexts = key;
      for (const [name, value] of Object.entries(values)) {
        void vscode.commands.executeCommand('setContext', name, value);
      }
    }
  }

  // --- Acting ---

  private async goToPlace(offer: Offer): Promise<void> {
    offer.source = undefined;
    offer.reached = true;
    if (offer.place === undefined) {
      const document = await vscode.workspace.openTextDocument(offer.uri);
      const hunk = document.isDirty
        ? 'its file was changed'
        : hunkOf(linesOf(document), offer.edit.range, offer.edit.text);
      if (typeof hunk === 'string') {
        this.forget();
        vscode.window.setStatusBarMessage(t('Ondol: the next edit no longer fits its file.'), 4000);
        this.output.info(`the next edit no longer fits: ${hunk}`);
        return;
      }
      offer.place = { document, version: document.version, hunk };
    }
    const { document, hunk } = offer.place;
    const start = startOf(hunk);
    const at = document.validatePosition(new vscode.Position(start.line, start.character));
    this.asked = lineKey(document, at.line);
    const editor =
      vscode.window.activeTextEditor?.document === document
        ? vscode.window.activeTextEditor
        : await vscode.window.showTextDocument(document);
    editor.selection = new vscode.Selection(at, at);
    editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    this.show();
  }

  private async apply(offer: Offer): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const { edit, place, connection } = offer;
    if (editor === undefined || place === undefined) {
      return;
    }
    const { start, end } = edit.range;
    const range = new vscode.Range(start.line, start.character, end.line, end.character);
    this.forget();
    const applied = await editor.edit((builder) => builder.replace(range, edit.text), {
      undoStopBefore: true,
      undoStopAfter: true,
    });
    if (!applied) {
      return;
    }
    const stop = endOf(place.hunk);
    const at = editor.document.validatePosition(new vscode.Position(stop.line, stop.character));
    editor.selection = new vscode.Selection(at, at);
    this.host.countEdit('accepted');
    if (edit.command !== undefined) {
      this.run(connection, edit.command.command, edit.command.arguments ?? []);
    }
    this.askSoon();
  }
}
