// The types that several modules share. No code and no imports at run time.
import type { CancellationToken, LogOutputChannel } from 'vscode';

/** The states that the server reports. */
export type ServerState = 'starting' | 'indexing' | 'ready' | 'model-loading' | 'off' | 'problem';

/** The content of an `ondol/status` notification. `percent` is between 0 and 100. */
export interface ServerStatus {
  state: ServerState;
  message: string;
  percent?: number;
  documents?: number;
  generation?: number;
}

/** A position in a document, from 0. `character` counts UTF-16 units, as in LSP and VS Code. */
export interface Position {
  line: number;
  character: number;
}
/** A range in a document; `end` is exclusive. */
export interface Range {
  start: Position;
  end: Position;
}

/** A suggestion as the server sent it. It is sent back unchanged when it is shown or accepted. */
export interface ProtocolItem {
  insertText: string | { kind: string; value: string };
  filterText?: string;
  range?: Range;
  command?: { title: string; command: string; arguments?: unknown[] };
}

/** The parameters of `textDocument/inlineCompletion`. triggerKind 1 is Invoked, 2 is Automatic. */
export interface CompletionParams {
  textDocument: { uri: string };
  position: Position;
  context: { triggerKind: 1 | 2; selectedCompletionInfo?: { text: string; range: Range } };
}

/** The next edit as the server sent it. The command is run when the edit is accepted; its arguments identify it. */
export interface ProtocolEdit {
  text: string;
  range: Range;
  textDocument?: { uri: string; version?: number | null };
  command?: { title: string; command: string; arguments?: unknown[] };
}

/** All places at which an edit can be repeated. */
export interface RepeatedEdits {
  title: string;
  files: {
    uri: string;
    path: string;
    edits: { range: Range; newText: string; oldText: string; probability: number }[];
  }[];
}

/** How a process ended: with an exit code or by a signal. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

/** What is needed to start a server and to connect to it. */
export interface ConnectOptions {
  command: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  output: LogOutputChannel;
  /** The settings that are sent as initializationOptions and after every change. */
  settings: () => Record<string, unknown>;
  onStatus: (status: ServerStatus) => void;
  /** The server has a next edit for the document with this URI. */
  onNextEdit: (uri: string) => void;
  /** The server has an answer for this document that came after its request. */
  onLateAnswer: (uri: string) => void;
  /** The server sent a warning or an error for the user. */
  onWarning: (message: string) => void;
  onClosed: (exit: Exit) => void;
}

/** A running server. Requests reject when it ends. No method shows a message to the user. */
export interface Connection {
  readonly version: string | undefined;
  readonly pid: number | undefined;
  /** Whether the server has this command. A server of another version may lack it. */
  hasCommand(command: string): boolean;
  complete(params: CompletionParams, token: CancellationToken): Promise<ProtocolItem[]>;
  request<T>(method: string, params: unknown): Promise<T>;
  notify(method: string, params: unknown): void;
  stop(): Promise<void>;
}
