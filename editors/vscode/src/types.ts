// The nouns the parts of the extension share. No behaviour, no imports at run time.
import type { CancellationToken, LogOutputChannel } from 'vscode';

export type ServerState = 'starting' | 'indexing' | 'ready' | 'model-loading' | 'off' | 'problem';

/** What the server says about itself in `ondol/status`; `percent` runs from 0 to 100. */
export interface ServerStatus {
  state: ServerState;
  message: string;
  percent?: number;
  documents?: number;
  generation?: number;
}

/** A place in a document; `character` counts UTF-16 units, as in LSP and in VS Code. */
export interface Place {
  line: number;
  character: number;
}
export interface Span {
  start: Place;
  end: Place;
}

/** One suggestion as it came over the wire; sent back unchanged when it is shown or accepted. */
export interface WireItem {
  insertText: string | { kind: string; value: string };
  filterText?: string;
  range?: Span;
  command?: { title: string; command: string; arguments?: unknown[] };
}

export interface CompletionParams {
  textDocument: { uri: string };
  position: Place;
  context: { triggerKind: 1 | 2; selectedCompletionInfo?: { text: string; range: Span } };
}

/** How a server process ended: by itself with a code, or by a signal. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

export interface ConnectOptions {
  command: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  output: LogOutputChannel;
  /** What is sent as initializationOptions and again with every change of the settings. */
  settings: () => Record<string, unknown>;
  onStatus: (status: ServerStatus) => void;
  /** The server has something to tell that the user should not miss. */
  onTrouble: (message: string) => void;
  onClosed: (exit: Exit) => void;
}

/** A running server. Requests reject when it dies; nothing here shows a message to the user. */
export interface Connection {
  readonly version: string | undefined;
  readonly pid: number | undefined;
  complete(params: CompletionParams, token: CancellationToken): Promise<WireItem[]>;
  request<T>(method: string, params: unknown): Promise<T>;
  notify(method: string, params: unknown): void;
  stop(): Promise<void>;
}
