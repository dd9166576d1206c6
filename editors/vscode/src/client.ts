// The language client: one server process and its LSP connection. It is a bundle of its own, which is loaded when the
// first server starts. Restarts, messages and the status bar are the task of other modules.
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
import type { ConnectOptions, Connection, Exit, ServerStatus, ProtocolItem } from './types';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;
const WARNING = 2; // of LSP's MessageType: 1 error, 2 warning, 3 information, 4 log

// Features of the library that are not registered. The extension's own provider requests inline completions, because it
// needs the items as the server sent them and no notification for a failed request. The extension registers the
// commands itself, because their ids equal the server's.
const UNUSED_FEATURES = new Set([
  'workspace/executeCommand',
  'textDocument/inlineCompletion',
  'textDocument/completion',
]);

/** A language client that writes errors to the log and never shows a notification. */
class QuietClient extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    const method = (feature as Partial<DynamicFeature<unknown>>).registrationType?.method;
    if (method !== undefined && UNUSED_FEATURES.has(method)) {
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
    // Notebooks are not listed: the server registers them with notebookDocumentSync.
    documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
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
        /* the status bar item shows progress, from ondol/status */
      },
      workspace: {
        configuration: (params) => params.items.map((item) => (item.section === 'ondol' ? options.settings() : null)),
        didChangeConfiguration: async () => {
          /* Server.configure sends only what the user set */
        },
      },
    },
  };
}

/** Announces the client's support for inline completion, since the library's own feature is not used. */
const inlineCompletionCapability: StaticFeature = {
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

function timeout(ms: number, message: string): { promise: Promise<never>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
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

  hasCommand(command: string): boolean {
    return this.client.initializeResult?.capabilities.executeCommandProvider?.commands.includes(command) ?? false;
  }

  async complete(...[params, token]: Parameters<Connection['complete']>): Promise<ProtocolItem[]> {
    type Answer = { items?: unknown } | unknown[] | null;
    const answer = await this.client.sendRequest<Answer>(InlineCompletionRequest.method, params, token);
    const items = Array.isArray(answer) ? answer : answer?.items;
    return Array.isArray(items) ? (items as ProtocolItem[]) : [];
  }

  request<T>(method: string, params: unknown): Promise<T> {
    return this.client.sendRequest<T>(method, params);
  }

  notify(method: string, params: unknown): void {
    if (this.client.isRunning()) {
      this.client.sendNotification(method, params).catch(() => {
        /* the server is stopping */
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

/** Ends a process: sends a termination signal, and a kill signal one second later. */
function end(child: ChildProcessWithoutNullStreams): void {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  child.stdin.destroy();
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000);
  child.once('exit', () => clearTimeout(timer));
}

/**
 * Starts the server and waits for its answer to `initialize`.
 * Rejects if the server cannot be started, ends, or does not answer in time.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const child = await start(options);
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  child.stdin.on('error', () => {
    /* the server ended during a write; `exit` follows */
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
  client.registerFeature(inlineCompletionCapability);
  // Only warnings and errors become notifications. The status bar shows the rest.
  client.onNotification('window/showMessage', ({ type, message }: { type: number; message: string }) => {
    options.output.info(`server message: ${message}`);
    if (type <= WARNING) {
      options.onWarning(message);
    }
  });
  client.onNotification('ondol/nextEditReady', ({ uri }: { uri: string }) => options.onNextEdit(uri));
  client.onNotification('ondol/completionReady', ({ uri }: { uri: string }) => options.onLateAnswer(uri));
  client.onNotification('ondol/status', (status: ServerStatus) => options.onStatus(status));
  const deadline = timeout(START_TIMEOUT_MS, `no answer to initialize within ${START_TIMEOUT_MS / 1000} s`);
  const died = exited.then((exit) => {
    throw new Error(`the server ended while starting (${exit.signal ?? `exit code ${exit.code}`})`);
  });
  died.catch(() => {
    /* handled by the race below, or later by onClosed */
  });
  try {
    await Promise.race([client.start(), died, deadline.promise]);
  } catch (error) {
    await client.dispose(100).catch(() => {
      /* it was not running */
    });
    end(child);
    throw error;
  } finally {
    deadline.clear();
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
