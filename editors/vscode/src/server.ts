// Runs the window's server: finds it, starts it, restarts it after a crash, and gives up after too many crashes. One
// server handles all folders of the window, with one index per folder. Reports each change of state to the controller.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as vscode from 'vscode';
import { choices, installCommand, interpreterPath, locateServer, type Environment, type Located } from './locateServer';
import type { Notifications } from './notifications';
import { RestartPolicy } from './restartPolicy';
import { serverArguments, type Settings } from './settings';
import type { ConnectOptions, Connection, Exit, ServerStatus } from './types';
import { OLDEST_SERVER, isTooOld } from './versions';

const t = vscode.l10n.t;
// A server that sent no status by then counts as ready.
const STATUS_TIMEOUT_MS = 2000;

/** What the server needs from the extension. */
export interface ServerHost {
  readonly output: vscode.LogOutputChannel;
  readonly notifications: Notifications;
  settings(): Settings;
  /** Called after each change of the server's state. */
  changed(): void;
  /** The server has a next edit for the document with this URI. */
  onNextEdit(uri: string): void;
  /** The server has an answer for the document with this URI that came after its request. */
  onLateAnswer(uri: string): void;
  /** The extension's own folder. It is the working directory of the server, which is never the user's repository. */
  readonly ownFolder: string;
  /** The extension's version, which is that of the wheel it was released with. */
  readonly version: string;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments?: { getActiveEnvironmentPath?: (resource?: vscode.Uri) => { path?: unknown } | undefined };
}

/** The Python interpreter of the workspace, from the Python extension or else from the setting that it reads. */
function interpreterOf(folder: vscode.WorkspaceFolder | undefined): string | undefined {
  try {
    const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
    const api = extension?.isActive === true ? extension.exports : undefined;
    const active = api?.environments?.getActiveEnvironmentPath?.(folder?.uri)?.path;
    if (typeof active === 'string' && /[/\\]/.test(active)) {
      return active;
    }
  } catch {
    /* an unknown version of that extension: use its setting */
  }
  const value = vscode.workspace.getConfiguration('python', folder).get('defaultInterpreterPath');
  return interpreterPath(typeof value === 'string' ? value : '', folder?.uri.fsPath, os.homedir(), process.platform);
}

/** The server process of one window. */
export class Server {
  status: ServerStatus = { state: 'starting', message: '' };
  connection: Connection | undefined;
  /** Milliseconds until the language client was loaded and until the server answered, at the last start. */
  readonly startTimes = { client: 0, server: 0 };
  private readonly restartPolicy = new RestartPolicy();
  private timer: NodeJS.Timeout | undefined;
  private attempt = 0;
  private wanted = false;
  private hasStatus = false;

  constructor(private readonly host: ServerHost) {}

  get version(): string | undefined {
    return this.connection?.version;
  }

  /** Whether the server should run, even if it does not run at this moment. */
  get isWanted(): boolean {
    return this.wanted;
  }

  /** Starts the server and forgets earlier crashes. Never rejects. */
  async start(): Promise<void> {
    this.wanted = true;
    this.restartPolicy.reset();
    await this.launch();
  }

  /** Stops the server and starts it again. */
  async restart(): Promise<void> {
    this.wanted = true;
    await this.halt();
    if (this.wanted) {
      await this.start();
    }
  }

  /** Sends changed settings to a running server. */
  configure(options: Record<string, unknown>): void {
    this.connection?.notify('workspace/didChangeConfiguration', { settings: { ondol: options } });
  }

  /** Stops the server until the next `start`. */
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

  /** Searches for the server program. */
  locate(): { located: Located; interpreter: string | undefined } {
    const environment = this.searchedEnvironment();
    return { located: locateServer(environment), interpreter: environment.interpreter };
  }

  /** Lets the user choose the server program; the choice is stored in the setting `ondol.server.path`. */
  async choose(): Promise<void> {
    const browse = { label: t('Choose a file…'), file: '' };
    const found = choices(this.searchedEnvironment()).map(([file, by]) => ({
      label: file,
      description: by === 'workspace' ? t('inside this workspace') : by,
      file,
    }));
    const choice = await vscode.window.showQuickPick([...found, browse], {
      placeHolder: t('Which program ondol should this editor run?'),
    });
    let file = choice?.file;
    if (choice === browse) {
      file = (await vscode.window.showOpenDialog({ title: t('The program ondol') }))?.[0]?.fsPath;
    }
    if (file !== undefined && file !== '') {
      const configuration = vscode.workspace.getConfiguration('ondol');
      await configuration.update('server.path', file, vscode.ConfigurationTarget.Global);
    }
  }

  private searchedEnvironment(): Environment {
    return {
      setting: this.host.settings().serverPath,
      pathVariable: process.env['PATH'] ?? process.env['Path'] ?? '',
      interpreter: interpreterOf(vscode.workspace.workspaceFolders?.[0]),
      home: os.homedir(),
      conda: process.env['CONDA_PREFIX'],
      platform: process.platform,
      folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      isExecutable,
    };
  }

  /** The environment variables of every process that the extension starts. */
  environment(): NodeJS.ProcessEnv {
    const { dataDirectory } = this.host.settings();
    // PYTHONSAFEPATH keeps Python from importing modules out of the working directory. PYTHONPATH may name a
    // repository, whose sitecustomize.py Python would run before Ondol could prevent it.
    return {
      ...process.env,
      PYTHONSAFEPATH: '1',
      PYTHONPATH: '',
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
    this.hasStatus = false;
    this.set({ state: 'starting', message: '' });
    const { located, interpreter } = this.locate();
    if (located.kind !== 'found') {
      this.notFound(located, interpreter);
      return;
    }
    void vscode.commands.executeCommand('setContext', 'ondol.found', true);
    const startedAt = performance.now();
    const options = this.options(located.file, attempt);
    this.host.output.info(`starting ${located.file} ${options.args.join(' ')} (found by ${located.foundBy})`);
    try {
      await vscode.workspace.fs.createDirectory(vscode.Uri.file(this.host.ownFolder));
      // The language client is loaded on first use, so that it does not delay the start of the editor.
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- the bundle stays a file of its own
      const { connect } = require('./client.js') as typeof import('./client');
      this.startTimes.client = Math.round(performance.now() - startedAt);
      const connection = await connect(options);
      if (attempt !== this.attempt) {
        await connection.stop();
        return;
      }
      this.startTimes.server = Math.round(performance.now() - startedAt);
      this.host.output.info(
        `server ${connection.version ?? '?'} answered after ${this.startTimes.server} ms, process ${connection.pid}`,
      );
      this.accept(connection, located.file);
    } catch (error) {
      if (attempt === this.attempt) {
        this.onEnd(String(error instanceof Error ? error.message : error));
      }
    }
  }

  private options(command: string, attempt: number): ConnectOptions {
    return {
      command,
      args: serverArguments(this.host.settings()),
      cwd: this.host.ownFolder,
      env: this.environment(),
      output: this.host.output,
      settings: () => this.host.settings().options,
      onStatus: (status) => {
        if (attempt === this.attempt) {
          this.hasStatus = true;
          this.set(status);
        }
      },
      onNextEdit: (uri) => this.host.onNextEdit(uri),
      onLateAnswer: (uri) => this.host.onLateAnswer(uri),
      onWarning: (message) => this.host.notifications.serverWarning(message),
      onClosed: (exit) => {
        if (attempt === this.attempt) {
          this.onEnd(describe(exit));
        }
      },
    };
  }

  private accept(connection: Connection, file: string): void {
    if (isTooOld(connection.version)) {
      this.attempt++;
      void connection.stop();
      const command = installCommand(this.host.version, undefined, file);
      const message = t(
        'Ondol {0} is too old for this extension, which needs {1} or later. In the folder with its wheel, run: {2}',
        connection.version ?? '?',
        OLDEST_SERVER,
        command,
      );
      this.set({ state: 'problem', message });
      this.host.notifications.tooOld(message, command);
      return;
    }
    this.connection = connection;
    this.host.changed();
    this.timer = setTimeout(() => {
      if (this.connection === connection && !this.hasStatus) {
        this.set({ state: 'ready', message: '' });
      }
    }, STATUS_TIMEOUT_MS);
  }

  private notFound(located: Located, interpreter: string | undefined): void {
    if (located.kind === 'bad-setting') {
      const message = t('The setting ondol.server.path names {0}, which is not an executable program.', located.file);
      this.set({ state: 'problem', message });
      this.host.notifications.badSetting(message);
      return;
    }
    const command = installCommand(this.host.version, interpreter);
    const message = t('Ondol is not installed on this machine. In the folder with its wheel, run: {0}', command);
    this.set({ state: 'problem', message });
    this.host.notifications.notInstalled(message, command);
  }

  private onEnd(reason: string): void {
    clearTimeout(this.timer);
    this.connection = undefined;
    const delay = this.restartPolicy.nextDelay(Date.now());
    if (delay === undefined) {
      const message = t(
        'The Ondol server stopped {0} times in three minutes and will not be restarted automatically.',
        this.restartPolicy.count,
      );
      this.host.output.error(`${reason}; giving up`);
      this.set({ state: 'problem', message });
      this.host.notifications.gaveUp(message);
      return;
    }
    this.host.output.warn(`${reason}; restarting in ${delay} ms`);
    this.set({ state: 'starting', message: '' });
    this.timer = setTimeout(() => void this.launch(), delay);
  }
}

function describe(exit: Exit): string {
  return exit.signal === null
    ? `the server ended with exit code ${exit.code}`
    : `the server was ended by the signal ${exit.signal}`;
}
