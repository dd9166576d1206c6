// Asks the server for suggestions and hands them to the editor; reports what was shown and what was accepted in part.
// It never throws and never shows a message: a key press must not produce an error.
import * as vscode from 'vscode';
import { mayBeComposing } from './composing';
import { follow, type Ghost } from './ghost';
import type { Connection, Place, WireItem } from './types';
import { flaw } from './validate';

// An automatic answer later than this is not shown: the eye has moved on.
const LATE_MS = 3000;
const LATE_INVOKED_MS = 30_000;
// VS Code draws within a frame or two of the answer. What is still wanted after this time is counted as shown.
const SHOWN_AFTER_MS = 40;
// While an input method composes, VS Code draws nothing, and does not say so: wait until the composition must be over.
const SHOWN_AFTER_COMPOSING_MS = 800;

const place = ({ line, character }: Place): Place => ({ line, character });

export const ACCEPTED_COMMAND = 'ondol.internal.accepted';

export interface Gate {
  /** The server that may suggest in this document now; undefined when Ondol is off here or has no server. */
  connectionFor(document: vscode.TextDocument): Connection | undefined;
  readonly isManual: boolean;
}

interface Drawn {
  document: vscode.TextDocument;
  connection: Connection;
  candidates: { item: WireItem; ghost: Ghost }[];
}

export class Provider implements vscode.InlineCompletionItemProvider, vscode.Disposable {
  private drawn: Drawn | undefined;
  private reported = '';
  private readonly events: vscode.Disposable;

  constructor(
    private readonly gate: Gate,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.events = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument((event) => this.changed(event)),
      vscode.commands.registerCommand(ACCEPTED_COMMAND, (connection: Connection, item: WireItem) =>
        this.accepted(connection, item),
      ),
    );
  }

  dispose(): void {
    this.events.dispose();
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    try {
      const connection = this.gate.connectionFor(document);
      if (connection === undefined || !this.isWelcome(document, context)) {
        return [];
      }
      return await this.ask(connection, document, position, context, token);
    } catch (error) {
      this.output.debug(`no suggestions: ${String(error)}`);
      return [];
    }
  }

  /** Whether to ask at all. Asking by key is always welcome. */
  private isWelcome(document: vscode.TextDocument, context: vscode.InlineCompletionContext): boolean {
    if (context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke) {
      return true;
    }
    if (this.gate.isManual) {
      return false;
    }
    const editor = vscode.window.activeTextEditor;
    return editor?.document !== document || editor.selections.length === 1;
  }

  private async ask(
    connection: Connection,
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    const invoked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke,
      version = document.version;
    const limit = new vscode.CancellationTokenSource();
    const link = token.onCancellationRequested(() => limit.cancel());
    const timer = setTimeout(() => limit.cancel(), invoked ? LATE_INVOKED_MS : LATE_MS);
    let answer: WireItem[];
    try {
      const popup = context.selectedCompletionInfo;
      answer = await connection.complete(
        {
          textDocument: { uri: document.uri.toString() },
          position: place(position),
          context: {
            triggerKind: invoked ? 1 : 2,
            ...(popup === undefined
              ? {}
              : {
                  selectedCompletionInfo: {
                    text: popup.text,
                    range: { start: place(popup.range.start), end: place(popup.range.end) },
                  },
                }),
          },
        },
        limit.token,
      );
    } finally {
      clearTimeout(timer);
      link.dispose();
    }
    // Late, or for a text that is no longer there: not shown.
    if (limit.token.isCancellationRequested || document.version !== version) {
      return [];
    }
    const line = document.lineAt(position.line).text,
      candidates: Drawn['candidates'] = [],
      items: vscode.InlineCompletionItem[] = [];
    for (const item of answer) {
      const why = flaw(item, position, line);
      if (why !== undefined) {
        this.output.warn(`a suggestion of the server was left out: ${why}`);
        continue;
      }
      const start = item.range?.start ?? position,
        end = item.range?.end ?? position,
        text = item.insertText as string;
      candidates.push({ item, ghost: { text, start: place(start), taken: position.character - start.character } });
      items.push(
        new vscode.InlineCompletionItem(text, new vscode.Range(start.line, start.character, end.line, end.character), {
          title: 'Ondol',
          command: ACCEPTED_COMMAND,
          arguments: [connection, item],
        }),
      );
    }
    this.draw({ document, connection, candidates }, position, token);
    return items;
  }

  private draw(drawn: Drawn, position: vscode.Position, token: vscode.CancellationToken): void {
    const first = drawn.candidates[0];
    // An answer without items leaves an older grey text standing that is being typed or accepted by parts.
    if (first === undefined) {
      return;
    }
    this.drawn = drawn;
    const { document } = drawn,
      { version } = document;
    const composing = mayBeComposing(document.lineAt(position.line).text.slice(0, position.character));
    setTimeout(
      () => {
        // Typing on through the suggestion keeps it on screen; any other change has taken it away before it was seen.
        const kept =
          (this.drawn === drawn && !composing) || (document.version === version && !token.isCancellationRequested);
        if (kept) {
          this.report(drawn.connection, first.item);
        }
      },
      composing ? SHOWN_AFTER_COMPOSING_MS : SHOWN_AFTER_MS,
    );
  }

  /** Says that an item was shown, once; what is left of an item while it is typed or accepted by parts is the same item. */
  private report(connection: Connection, item: WireItem): void {
    const identity = JSON.stringify(item.command?.arguments ?? item.insertText);
    if (identity === this.reported) {
      return;
    }
    this.reported = identity;
    connection.notify('textDocument/didShowCompletion', { item });
  }

  private changed(event: vscode.TextDocumentChangeEvent): void {
    const drawn = this.drawn;
    if (drawn === undefined || event.document !== drawn.document || event.contentChanges.length === 0) {
      return;
    }
    const edits = event.contentChanges.map((change) => ({
      start: change.range.start,
      end: change.range.end,
      text: change.text,
    }));
    const undone = event.reason !== undefined;
    const candidates: Drawn['candidates'] = [];
    let partial: { item: WireItem; acceptedLength: number } | undefined;
    for (const { item, ghost } of drawn.candidates) {
      const step = undone ? { kind: 'gone' as const } : follow(ghost, edits);
      if (step.kind === 'typed' || step.kind === 'partial') {
        candidates.push({ item, ghost: step.ghost });
      }
      if (step.kind === 'partial') {
        partial ??= { item, acceptedLength: step.acceptedLength };
      }
    }
    drawn.candidates = candidates;
    if (candidates.length === 0) {
      this.drawn = undefined;
    }
    if (partial !== undefined) {
      drawn.connection.notify('textDocument/didPartiallyAcceptCompletion', partial);
    }
  }

  private accepted(connection: Connection, item: WireItem): void {
    this.drawn = undefined;
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
