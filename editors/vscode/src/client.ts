// The language client: one server process and the LSP connection to it. Built into its own bundle and loaded when a server is
// first started. It decides nothing about restarting, shows no messages, and knows nothing of the status bar.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import * as readline from 'node:readline';
import {
  CloseAction,
  ErrorAction,
  InlineCompletionRequest,
  LanguageClient,
  RevealOutputChannelOn,
  type DynamicFeature,
  type LanguageClientOptions,
  type StaticFeature,
} from 'vscode-languageclient/node';
import type { ConnectOptions, Connection, Exit, ServerStatus, WireItem } from './types';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;
const WARNING = 2; // of LSP's MessageType: 1 error, 2 warning, 3 information, 4 log

// The features that are left out: Ondol's own provider asks for inline completions (it needs the items as they came over the
// wire, and wants no toast for a failed request), and its own commands call the server's, whose ids are the same.
const LEFT_OUT = new Set(['workspace/executeCommand', 'textDocument/inlineCompletion', 'textDocument/completion']);

/** A language client that writes errors to the log and never to a toast. */
class QuietClient extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    const method = (feature as Partial<DynamicFeature<unknown>>).registrationType?.method;
    if (method !== undefined && LEFT_OUT.has(method)) {
      return;
    }
    super.registerFeature(feature);
  }
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
  }
  override info(message: string, data?: unknown): void {
    super.info(message, data, false);
  }
}

function clientOptions(options: ConnectOptions): LanguageClientOptions {
  return {
    documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }], // notebooks come by the server's own notebookDocumentSync
    outputChannel: options.output,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: options.settings,
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
    middleware: {
      handleWorkDoneProgress: () => {
        /* shown in Ondol's own status bar item, from ondol/status */
      },
      workspace: {
        configuration: (params) => params.items.map((item) => (item.section === 'ondol' ? options.settings() : null)),
        didChangeConfiguration: async () => {
          /* sent by the server's keeper, and only what somebody set */
        },
      },
    },
  };
}

const announced: StaticFeature = {
  getState: () => ({ kind: 'static' }),
  fillClientCapabilities: (capabilities) => {
    capabilities.textDocument = { ...capabilities.textDocument, inlineCompletion: { dynamicRegistration: false } };
  },
  initialize: () => {},
  clear: () => {},
};

function start(options: ConnectOptions): Promise<ChildProcessWithoutNullStreams> {
  return new Promise((resolve, reject) => {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env,
      stdio: 'pipe',
      windowsHide: true,
    });
    child.once('error', reject);
    child.once('spawn', () => {
      child.off('error', reject);
      child.on('error', (error) => options.output.error(String(error)));
      resolve(child);
    });
  });
}

function timeout(ms: number, what: string): { promise: Promise<never>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), ms);
  });
  return { promise, clear: () => clearTimeout(timer) };
}

class ClientConnection implements Connection {
  private stopping = false;

  constructor(
    private readonly client: QuietClient,
    private readonly child: ChildProcessWithoutNullStreams,
    readonly version: string | undefined,
  ) {}

  get pid(): number | undefined {
    return this.child.pid;
  }
  get isStopping(): boolean {
    return this.stopping;
  }

  async complete(...[params, token]: Parameters<Connection['complete']>): Promise<WireItem[]> {
    const answer = (await this.client.sendRequest(InlineCompletionRequest.method, params, token)) as
      { items?: unknown } | unknown[] | null;
    const items = Array.isArray(answer) ? answer : answer?.items;
    return Array.isArray(items) ? (items as WireItem[]) : [];
  }

  request<T>(method: string, params: unknown): Promise<T> {
    return this.client.sendRequest<T>(method, params);
  }

  notify(method: string, params: unknown): void {
    if (this.client.isRunning()) {
      this.client.sendNotification(method, params).catch(() => {
        /* the server is going down */
      });
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.client.dispose(STOP_TIMEOUT_MS).catch(() => {
      /* it was not running */
    });
    end(this.child);
  }
}

/** Ends a process that did not end by itself: asks, and a second later insists. */
function end(child: ChildProcessWithoutNullStreams): void {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  child.stdin.destroy();
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000);
  child.once('exit', () => clearTimeout(timer));
}

/** Starts the server and waits until it answered `initialize`. Rejects if it cannot be started, ends, or does not answer. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const child = await start(options);
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  child.stdin.on('error', () => {
    /* the server died while it was written to; `exit` follows */
  });
  readline
    .createInterface({ input: child.stderr, crlfDelay: Infinity })
    .on('line', (line) => options.output.appendLine(line));
  const client = new QuietClient(
    'ondol',
    'Ondol',
    () => Promise.resolve({ reader: child.stdout, writer: child.stdin }),
    clientOptions(options),
  );
  client.registerFeature(announced);
  // Of what the server tells, only troubles interrupt; the rest stands in the status bar already.
  client.onNotification('window/showMessage', ({ type, message }: { type: number; message: string }) => {
    options.output.info(`told: ${message}`);
    if (type <= WARNING) {
      options.onTrouble(message);
    }
  });
  client.onNotification('ondol/status', (status: ServerStatus) => options.onStatus(status));
  const late = timeout(START_TIMEOUT_MS, `no answer to initialize within ${START_TIMEOUT_MS / 1000} s`);
  const died = exited.then((exit) => {
    throw new Error(`the server ended while starting (${exit.signal ?? `exit code ${exit.code}`})`);
  });
  died.catch(() => {
    /* told by the race below, or later by onClosed */
  });
  try {
    await Promise.race([client.start(), died, late.promise]);
  } catch (error) {
    await client.dispose(100).catch(() => {
      /* it never ran */
    });
    end(child);
    throw error;
  } finally {
    late.clear();
  }
  const connection = new ClientConnection(client, child, client.initializeResult?.serverInfo?.version);
  void exited.then((exit) => {
    if (!connection.isStopping) {
      connection
        .stop()
        .catch(() => {})
        .finally(() => options.onClosed(exit));
    }
  });
  return connection;
}
