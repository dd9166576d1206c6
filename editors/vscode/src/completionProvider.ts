// Requests suggestions from the server and passes them to the editor. Reports which suggestions were shown, accepted in
// part and dismissed. No method throws or shows a message, because a key press must never produce an error.
import * as vscode from 'vscode';
import { mayBeComposing } from './composition';
import { caret, follow, type GhostText } from './ghostText';
import { invalidReason } from './itemCheck';
import type { SuggestionActivity } from './nextEdit';
import type { CompletionParams, Connection, Position, ProtocolItem } from './types';

// Later answers are discarded. An answer to an automatic request would distract by then.
const AUTOMATIC_TIMEOUT_MS = 3000;
const INVOKED_TIMEOUT_MS = 30_000;
// VS Code draws within a frame or two of the answer. A suggestion that is still valid after this time counts as shown.
const SHOWN_AFTER_MS = 40;
// VS Code draws nothing during the composition of an input method and does not report it. After this time it is over.
const SHOWN_AFTER_COMPOSITION_MS = 800;

const plainPosition = ({ line, character }: Position): Position => ({ line, character });

/** The id of the internal command that the editor runs when a suggestion is accepted. */
export const ACCEPTED_COMMAND = 'ondol.internal.accepted';

/** The context key that is set while a suggestion of this provider may be visible. The key bindings use it. */
const SUGGESTION_CONTEXT = 'ondol.suggestionVisible';
const DISMISSED_COMMAND = 'ondol.dismissed';
const DISMISSED_KEPT = 10;

const sameDocument = (editor: vscode.TextEditor | undefined, offer: Offer): boolean =>
  editor?.document === offer.document;

/** The id of an item, which is an argument of its command. */
function idOf(item: ProtocolItem): string | undefined {
  const first = item.command?.arguments?.[0] as { id?: unknown } | undefined;
  return typeof first?.id === 'string' ? first.id : undefined;
}

/** What the provider needs to know from the extension. */
export interface ProviderHost {
  /** The server for this document, or undefined when Ondol is off here or no server runs. */
  connectionFor(document: vscode.TextDocument): Connection | undefined;
  readonly isManual: boolean;
}

/** The suggestions that were passed to the editor last. */
interface Offer {
  document: vscode.TextDocument;
  connection: Connection;
  candidates: { item: ProtocolItem; ghost: GhostText }[];
  /** Whether the last change accepted a part of it. */
  isPartial: boolean;
}

function completionParams(
  document: vscode.TextDocument,
  position: vscode.Position,
  context: vscode.InlineCompletionContext,
): CompletionParams {
  const selected = context.selectedCompletionInfo;
  return {
    textDocument: { uri: document.uri.toString() },
    position: plainPosition(position),
    context: {
      triggerKind: context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke ? 1 : 2,
      ...(selected === undefined
        ? {}
        : {
            selectedCompletionInfo: {
              text: selected.text,
              range: { start: plainPosition(selected.range.start), end: plainPosition(selected.range.end) },
            },
          }),
    },
  };
}

/** Provides the server's suggestions as VS Code inline completions. */
export class CompletionProvider implements vscode.InlineCompletionItemProvider, SuggestionActivity, vscode.Disposable {
  private pending = 0;
  private readonly activity = new vscode.EventEmitter<void>();
  /** Fires when a suggestion is requested, appears or disappears. */
  readonly onDidChangeActivity = this.activity.event;
  private currentOffer: Offer | undefined;
  private lastReported = '';
  private readonly dismissed: string[] = [];
  private again: { uri: string; version: number } | undefined;
  private list: { document: vscode.TextDocument; version: number; position: vscode.Position } | undefined;
  private readonly subscriptions: vscode.Disposable;

  constructor(
    private readonly host: ProviderHost,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.subscriptions = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument((event) => this.onChange(event)),
      vscode.window.onDidChangeTextEditorSelection((event) => this.onMove(event.textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.onMove(editor)),
      vscode.commands.registerCommand(ACCEPTED_COMMAND, (connection: Connection, item: ProtocolItem) =>
        this.onAccept(connection, item),
      ),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
    this.activity.dispose();
  }

  get isPending(): boolean {
    return this.pending > 0;
  }
  get isVisible(): boolean {
    return this.currentOffer !== undefined;
  }

  /** See `SuggestionActivity`. No event says that the list was closed, but a moved cursor or another text closes it. */
  isListOpenAt(document: vscode.TextDocument, position: vscode.Position): boolean {
    const { list } = this;
    return list?.document === document && list.version === document.version && list.position.isEqual(position);
  }

  private get offer(): Offer | undefined {
    return this.currentOffer;
  }
  private set offer(offer: Offer | undefined) {
    const changed = (offer === undefined) !== (this.currentOffer === undefined);
    this.currentOffer = offer;
    if (changed) {
      void vscode.commands.executeCommand('setContext', SUGGESTION_CONTEXT, offer !== undefined);
      this.activity.fire();
    }
  }

  /** The texts that the user dismissed in this window, the newest first. They are kept in memory only. */
  get recentlyDismissed(): readonly string[] {
    return this.dismissed;
  }

  /** Hides the visible suggestion and reports that the user refused it. */
  async dismiss(): Promise<void> {
    const offer = this.offer;
    const first = offer?.candidates[0];
    if (first === undefined) {
      vscode.window.setStatusBarMessage(vscode.l10n.t('Ondol: there is no suggestion to dismiss.'), 4000);
    } else {
      const text = first.item.insertText as string;
      this.dismissed.splice(
        0,
        DISMISSED_KEPT,
        ...[text, ...this.dismissed.filter((one) => one !== text)].slice(0, DISMISSED_KEPT),
      );
    }
    this.offer = undefined;
    await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
    const id = first === undefined ? undefined : idOf(first.item);
    if (offer !== undefined && id !== undefined && offer.connection.hasCommand(DISMISSED_COMMAND)) {
      offer.connection
        .request('workspace/executeCommand', { command: DISMISSED_COMMAND, arguments: [id] })
        .catch((error) => this.output.debug(`the refusal was not recorded: ${String(error)}`));
    }
  }

  /** Requests a suggestion again, as after a key: the server has an answer that came after its request. */
  requestAgain(uri: string): void {
    const document = vscode.window.activeTextEditor?.document;
    const here = document?.uri.toString() === vscode.Uri.parse(uri).toString();
    if (document === undefined || !here || this.isPending || this.isVisible || this.host.isManual) {
      return;
    }
    this.again = { uri: document.uri.toString(), version: document.version };
    void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
  }

  /** The context of a request; VS Code counts one that `requestAgain` makes as made by the user. */
  private contextOf(document: vscode.TextDocument, context: vscode.InlineCompletionContext) {
    const again = this.again;
    this.again = undefined;
    const same = again?.uri === document.uri.toString() && again.version === document.version;
    return same ? { ...context, triggerKind: vscode.InlineCompletionTriggerKind.Automatic } : context;
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    given: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    const isListOpen = given.selectedCompletionInfo !== undefined;
    this.list = isListOpen ? { document, version: document.version, position } : undefined;
    const context = this.contextOf(document, given);
    const connection = this.host.connectionFor(document);
    if (connection === undefined || !this.shouldRequest(document, context)) {
      return [];
    }
    this.pending++;
    this.activity.fire();
    try {
      const version = document.version;
      const answer = await this.request(connection, completionParams(document, position, context), token);
      if (answer === undefined || document.version !== version) {
        return [];
      }
      const items = this.validItems(answer, document.lineAt(position.line).text, position);
      this.remember({ document, connection, candidates: items, isPartial: false }, position, token);
      return items.map(({ item, range }) => {
        const command = { title: 'Ondol', command: ACCEPTED_COMMAND, arguments: [connection, item] };
        return new vscode.InlineCompletionItem(item.insertText as string, range, command);
      });
    } catch (error) {
      this.output.debug(`no suggestions: ${String(error)}`);
      return [];
    } finally {
      this.pending--;
      this.activity.fire();
    }
  }

  /** Whether to send a request. Requests by key are always sent; automatic ones depend on the settings and cursors. */
  private shouldRequest(document: vscode.TextDocument, context: vscode.InlineCompletionContext): boolean {
    if (context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke) {
      return true;
    }
    if (this.host.isManual) {
      return false;
    }
    const editor = vscode.window.activeTextEditor;
    return editor?.document !== document || editor.selections.length === 1;
  }

  /** The server's answer, or undefined when the request was cancelled or took too long. */
  private async request(
    connection: Connection,
    params: CompletionParams,
    token: vscode.CancellationToken,
  ): Promise<ProtocolItem[] | undefined> {
    const source = new vscode.CancellationTokenSource();
    const link = token.onCancellationRequested(() => source.cancel());
    const limit = params.context.triggerKind === 1 ? INVOKED_TIMEOUT_MS : AUTOMATIC_TIMEOUT_MS;
    const timer = setTimeout(() => source.cancel(), limit);
    try {
      const answer = await connection.complete(params, source.token);
      return source.token.isCancellationRequested ? undefined : answer;
    } finally {
      clearTimeout(timer);
      link.dispose();
    }
  }

  /** The items that can be shown on `line`, each with its range and its ghost text. Logs why the others cannot. */
  private validItems(answer: ProtocolItem[], line: string, position: vscode.Position) {
    return answer.flatMap((item) => {
      const reason = invalidReason(item, position, line);
      if (reason !== undefined) {
        this.output.warn(`discarded a suggestion of the server: ${reason}`);
        return [];
      }
      const start = item.range?.start ?? position;
      const end = item.range?.end ?? position;
      const taken = position.character - start.character;
      const ghost: GhostText = { text: item.insertText as string, start: plainPosition(start), taken };
      return [{ item, ghost, range: new vscode.Range(start.line, start.character, end.line, end.character) }];
    });
  }

  /** Keeps the offer to follow the next edits, and reports it as shown unless it disappears at once. */
  private remember(offer: Offer, position: vscode.Position, token: vscode.CancellationToken): void {
    const first = offer.candidates[0];
    // An answer without items removes an older ghost text, unless a part of it was just accepted (VS Code 1.139).
    if (first === undefined) {
      if (this.offer?.document === offer.document && !this.offer.isPartial) {
        this.offer = undefined;
      }
      return;
    }
    this.offer = offer;
    const { document } = offer;
    const { version } = document;
    const composing = mayBeComposing(document.lineAt(position.line).text.slice(0, position.character));
    const report = () => {
      // Typing the suggestion keeps it on screen. Any other change removed it before it was seen.
      const unchanged = document.version === version && !token.isCancellationRequested;
      if (unchanged || (this.offer === offer && !composing)) {
        this.reportShown(offer.connection, first.item);
      }
    };
    setTimeout(report, composing ? SHOWN_AFTER_COMPOSITION_MS : SHOWN_AFTER_MS);
  }

  /** Reports an item as shown, once. The rest of a partly typed or accepted item is the same item. */
  private reportShown(connection: Connection, item: ProtocolItem): void {
    const identity = JSON.stringify(item.command?.arguments ?? item.insertText);
    if (identity === this.lastReported) {
      return;
    }
    this.lastReported = identity;
    connection.notify('textDocument/didShowCompletion', { item });
  }

  private onChange(event: vscode.TextDocumentChangeEvent): void {
    const offer = this.offer;
    if (offer === undefined || event.document !== offer.document || event.contentChanges.length === 0) {
      return;
    }
    const edits = event.contentChanges.map(({ range, text }) => ({ start: range.start, end: range.end, text }));
    const isUndoOrRedo = event.reason !== undefined;
    const candidates: Offer['candidates'] = [];
    let partial: { item: ProtocolItem; acceptedLength: number } | undefined;
    for (const { item, ghost } of offer.candidates) {
      const step = isUndoOrRedo ? { kind: 'gone' as const } : follow(ghost, edits);
      if (step.kind === 'typed' || step.kind === 'partial') {
        candidates.push({ item, ghost: step.ghost });
      }
      if (step.kind === 'partial') {
        partial ??= { item, acceptedLength: step.acceptedLength };
      }
    }
    offer.candidates = candidates;
    offer.isPartial = partial !== undefined;
    if (candidates.length === 0) {
      this.offer = undefined;
    }
    if (partial !== undefined) {
      offer.connection.notify('textDocument/didPartiallyAcceptCompletion', partial);
    }
  }

  /** Forgets the offer when the cursor leaves its place, because VS Code then removes the ghost text. */
  private onMove(editor: vscode.TextEditor | undefined): void {
    const offer = this.offer;
    if (offer === undefined || (editor !== undefined && editor !== vscode.window.activeTextEditor)) {
      return;
    }
    const cursor = editor?.selection.active;
    const stays = ({ ghost }: Offer['candidates'][number]): boolean => {
      const { line, character } = caret(ghost);
      return cursor?.line === line && cursor.character === character;
    };
    if (!sameDocument(editor, offer) || !offer.candidates.some(stays)) {
      this.offer = undefined;
    }
  }

  private onAccept(connection: Connection, item: ProtocolItem): void {
    this.offer = undefined;
    void vscode.commands.executeCommand('setContext', 'ondol.accepted', true);
    const command = item.command;
    if (command === undefined) {
      return;
    }
    connection
      .request('workspace/executeCommand', { command: command.command, arguments: command.arguments ?? [] })
      .catch((error) => this.output.debug(`the acceptance was not recorded: ${String(error)}`));
  }
}
