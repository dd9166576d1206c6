// The window's server: found, started, watched, restarted, given up. One server serves all folders of the window; it keeps an
// index for each. Tells the controller of each change of state.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as vscode from 'vscode';
import { installCommand, interpreterPath, locate, type Located } from './locate';
import type { Notices } from './notices';
import { Restarts } from './restarts';
import { serverArguments, type Choices } from './settings';
import type { ConnectOptions, Connection, Exit, ServerStatus } from './types';
import { OLDEST_SERVER, tooOld } from './versions';

const t = vscode.l10n.t;
const SILENCE_MS = 2000;

export interface Host {
  readonly output: vscode.LogOutputChannel;
  readonly notices: Notices;
  choices(): Choices;
  changed(): void;
  /** A folder of the extension's own, where the server and its helpers run: never the user's repository. */
  readonly ownFolder: string;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The interpreter that the workspace is set up with: what the Python extension says, else the setting that it reads. */
function interpreterOf(folder: vscode.WorkspaceFolder | undefined): string | undefined {
  try {
    const extension = vscode.extensions.getExtension('ms-python.python');
    const api = extension?.isActive === true ? extension.exports : undefined;
    const active: unknown = api?.environments?.getActiveEnvironmentPath?.(folder?.uri)?.path;
    if (typeof active === 'string' && /[/\\]/.test(active)) {
      return active;
    }
  } catch {
    /* another version of that extension; its setting is read instead */
  }
  const value = vscode.workspace.getConfiguration('python', folder).get('defaultInterpreterPath');
  return interpreterPath(typeof value === 'string' ? value : '', folder?.uri.fsPath, os.homedir(), process.platform);
}

export class Server {
  status: ServerStatus = { state: 'starting', message: '' };
  connection: Connection | undefined;
  /** Milliseconds until the language client was loaded and until the server had answered, at the last start. */
  readonly took = { client: 0, server: 0 };
  private readonly restarts = new Restarts();
  private timer: NodeJS.Timeout | undefined;
  private attempt = 0;
  private wanted = false;
  private spoke = false;

  constructor(private readonly host: Host) {}

  get version(): string | undefined {
    return this.connection?.version;
  }

  /** Whether it is to run, even if it does not at this moment. */
  get isWanted(): boolean {
    return this.wanted;
  }

  /** Starts the server, as if for the first time. Never rejects. */
  async start(): Promise<void> {
    this.wanted = true;
    this.restarts.reset();
    await this.launch();
  }

  async restart(): Promise<void> {
    this.wanted = true;
    await this.halt();
    if (this.wanted) {
      await this.start();
    }
  }

  /** Tells a running server of changed settings. */
  configure(): void {
    this.connection?.notify('workspace/didChangeConfiguration', { settings: { ondol: this.host.choices().options } });
  }

  /** Stops the server; it stays stopped until `start`. */
  async stop(): Promise<void> {
    this.wanted = false;
    await this.halt();
  }

  private async halt(): Promise<void> {
    this.attempt++;
    clearTimeout(this.timer);
    const connection = this.connection;
    this.connection = undefined;
    this.set({ state: 'starting', message: '' });
    await connection?.stop();
  }

  locate(): { located: Located; interpreter: string | undefined } {
    const interpreter = interpreterOf(vscode.workspace.workspaceFolders?.[0]);
    const located = locate({
      setting: this.host.choices().serverPath,
      pathVariable: process.env['PATH'] ?? process.env['Path'] ?? '',
      interpreter,
      home: os.homedir(),
      platform: process.platform,
      folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      isExecutable,
    });
    return { located, interpreter };
  }

  /** The environment of every process that is started. */
  environment(): NodeJS.ProcessEnv {
    const { dataDirectory } = this.host.choices();
    // PYTHONSAFEPATH: nothing is ever imported from the working directory, which is the user's repository.
    return {
      ...process.env,
      PYTHONSAFEPATH: '1',
      PYTHONIOENCODING: 'utf-8',
      ...(dataDirectory === '' ? {} : { ONDOL_DATA_DIR: dataDirectory }),
    };
  }

  private set(status: ServerStatus): void {
    this.status = status;
    this.host.changed();
  }

  private async launch(): Promise<void> {
    const attempt = ++this.attempt;
    this.spoke = false;
    this.set({ state: 'starting', message: '' });
    const { located, interpreter } = this.locate();
    if (located.kind !== 'found') {
      this.notFound(located, interpreter);
      return;
    }
    void vscode.commands.executeCommand('setContext', 'ondol.found', true);
    const began = performance.now();
    const options = this.options(located.file, attempt);
    this.host.output.info(`starting ${located.file} ${options.args.join(' ')} (found by ${located.origin})`);
    try {
      await vscode.workspace.fs.createDirectory(vscode.Uri.file(this.host.ownFolder));
      // The bundle with the language client is loaded here, on first use, and not at the editor's start.
      const { connect } = require('./client.js') as typeof import('./client');
      this.took.client = Math.round(performance.now() - began);
      const connection = await connect(options);
      if (attempt !== this.attempt) {
        await connection.stop();
        return;
      }
      this.took.server = Math.round(performance.now() - began);
      this.host.output.info(
        `server ${connection.version ?? '?'} answered after ${this.took.server} ms, process ${connection.pid}`,
      );
      this.accept(connection, located.file);
    } catch (error) {
      if (attempt === this.attempt) {
        this.ended(String(error instanceof Error ? error.message : error));
      }
    }
  }

  private options(command: string, attempt: number): ConnectOptions {
    return {
      command,
      args: serverArguments(this.host.choices()),
      cwd: this.host.ownFolder,
      env: this.environment(),
      output: this.host.output,
      settings: () => this.host.choices().options,
      onStatus: (status) => {
        if (attempt === this.attempt) {
          this.spoke = true;
          this.set(status);
        }
      },
      onTrouble: (message) => this.host.notices.trouble(message),
      onClosed: (exit) => {
        if (attempt === this.attempt) {
          this.ended(describe(exit));
        }
      },
    };
  }

  private accept(connection: Connection, file: string): void {
    if (tooOld(connection.version)) {
      this.attempt++;
      void connection.stop();
      const command = installCommand(undefined, file);
      const message = t(
        'Ondol {0} is too old for this extension, which needs {1} or later. Run: {2}',
        connection.version ?? '?',
        OLDEST_SERVER,
        command,
      );
      this.set({ state: 'problem', message });
      this.host.notices.tooOld(message, command);
      return;
    }
    this.connection = connection;
    this.host.changed();
    // A server that says nothing of its state is taken to be ready.
    this.timer = setTimeout(() => {
      if (this.connection === connection && !this.spoke) {
        this.set({ state: 'ready', message: '' });
      }
    }, SILENCE_MS);
  }

  private notFound(located: Located, interpreter: string | undefined): void {
    if (located.kind === 'bad-setting') {
      const message = t(
        'The setting ondol.server.path names {0}, which is not a program that can be run.',
        located.file,
      );
      this.set({ state: 'problem', message });
      this.host.notices.badSetting(message);
      return;
    }
    const command = installCommand(interpreter);
    const message = t('Ondol is not installed on this machine. Run: {0}', command);
    this.set({ state: 'problem', message });
    this.host.notices.notInstalled(message, command);
  }

  private ended(how: string): void {
    clearTimeout(this.timer);
    this.connection = undefined;
    const delay = this.restarts.next(Date.now());
    if (delay === undefined) {
      const message = t(
        'The Ondol server stopped {0} times in three minutes and is not started again by itself.',
        this.restarts.count,
      );
      this.host.output.error(`${how}; giving up`);
      this.set({ state: 'problem', message });
      this.host.notices.gaveUp(message);
      return;
    }
    this.host.output.warn(`${how}; starting again in ${delay} ms`);
    this.set({ state: 'starting', message: '' });
    this.timer = setTimeout(() => void this.launch(), delay);
  }
}

function describe(exit: Exit): string {
  return exit.signal === null
    ? `the server ended with exit code ${exit.code}`
    : `the server was ended by ${exit.signal}`;
}
