// Holds the window's server and the switches: decides whether the server runs, whether Ondol suggests in a document, and what the
// status bar says.
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Notices } from './notices';
import type { Gate } from './provider';
import { Server, type Host } from './server';
import { choices, restartKey, type Choices } from './settings';
import { view, type OffReason, type View } from './status';
import { offReason, SCHEMES } from './switches';
import type { Connection } from './types';

const t = vscode.l10n.t;
const WORKSPACE_OFF = 'ondol.workspaceOff';

export class Controller implements Host, Gate, vscode.Disposable {
  readonly notices = new Notices();
  readonly server = new Server(this);
  private restartKey = '';
  private current: Choices | undefined;
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: vscode.Disposable[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    readonly output: vscode.LogOutputChannel,
  ) {
    this.item = vscode.window.createStatusBarItem('ondol.status', vscode.StatusBarAlignment.Right, 100);
    this.item.name = 'Ondol';
    this.item.command = 'ondol.menu';
    this.subscriptions.push(
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => this.refresh()),
      vscode.workspace.onDidOpenTextDocument(() => this.apply()),
      vscode.workspace.onDidChangeConfiguration((event) => this.configured(event)),
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.apply()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.apply()),
    );
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  get ownFolder(): string {
    return this.context.globalStorageUri.fsPath;
  }

  // --- the switches ---

  /** The settings as they are now; read anew only after a change, since every key press asks for them. */
  choices(): Choices {
    if (this.current === undefined) {
      const configuration = vscode.workspace.getConfiguration('ondol');
      this.current = choices((key) => configuration.inspect(key));
    }
    return this.current;
  }

  get isManual(): boolean {
    return this.choices().manual;
  }

  get workspaceOff(): boolean {
    return this.context.workspaceState.get(WORKSPACE_OFF, false);
  }

  /** Why nothing is suggested in `document`; without one, why nothing is suggested at all. */
  offReason(document: vscode.TextDocument | undefined): OffReason | undefined {
    const choice = this.choices();
    const reason = offReason({
      trusted: vscode.workspace.isTrusted,
      enabled: choice.enabled,
      workspaceOff: this.workspaceOff,
      disabledLanguages: choice.disabledLanguages,
      languageId: document?.languageId,
      scheme: document?.uri.scheme,
    });
    if (
      reason !== undefined ||
      vscode.workspace.getConfiguration('editor', document).get('inlineSuggest.enabled') !== false
    ) {
      return reason;
    }
    return 'editor';
  }

  connectionFor(document: vscode.TextDocument): Connection | undefined {
    const reason = this.offReason(document);
    return reason === undefined || reason === 'editor' ? this.server.connection : undefined;
  }

  private get mayRun(): boolean {
    const wide = offReason({
      trusted: vscode.workspace.isTrusted,
      enabled: this.choices().enabled,
      workspaceOff: this.workspaceOff,
      disabledLanguages: [],
      languageId: undefined,
      scheme: undefined,
    });
    return wide === undefined;
  }

  /** Whether there is anything to complete: a folder on the disk, or a document of a kind that Ondol suggests in. */
  private get hasWork(): boolean {
    return (
      (vscode.workspace.workspaceFolders ?? []).some((folder) => folder.uri.scheme === 'file') ||
      vscode.workspace.textDocuments.some((document) => SCHEMES.includes(document.uri.scheme))
    );
  }

  /** Starts or stops the server, whichever the switches say. */
  apply(): void {
    if (!this.mayRun) {
      if (this.server.isWanted) {
        void this.server.stop();
      }
    } else if (!this.server.isWanted && this.hasWork) {
      this.restartKey = restartKey(this.choices());
      void this.server.start();
    }
    this.refresh();
  }

  async restart(): Promise<void> {
    this.notices.reset();
    if (this.mayRun) {
      await this.server.restart();
    }
  }

  async toggleEverywhere(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration('ondol');
    const on = configuration.inspect<boolean>('enabled')?.globalValue !== false;
    await configuration.update('enabled', on ? false : undefined, vscode.ConfigurationTarget.Global);
  }

  async toggleLanguage(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    if (language === undefined) {
      void vscode.window.showInformationMessage(t('Open a file first: its language is the one to switch.'));
      return;
    }
    const configuration = vscode.workspace.getConfiguration('ondol');
    const now = configuration.inspect<string[]>('disabledLanguages')?.globalValue ?? [];
    const next = now.includes(language) ? now.filter((one) => one !== language) : [...now, language];
    await configuration.update(
      'disabledLanguages',
      next.length === 0 ? undefined : next,
      vscode.ConfigurationTarget.Global,
    );
  }

  /** Kept in the editor's own storage: nothing is written into the repository. */
  async toggleWorkspace(): Promise<void> {
    await this.context.workspaceState.update(WORKSPACE_OFF, !this.workspaceOff);
    this.apply();
  }

  private configured(event: vscode.ConfigurationChangeEvent): void {
    if (
      event.affectsConfiguration('python.defaultInterpreterPath') &&
      this.server.isWanted &&
      this.server.status.state === 'problem'
    ) {
      void this.server.restart();
    }
    if (event.affectsConfiguration('ondol')) {
      const before = Object.keys(this.choices().options);
      this.current = undefined;
      const next = restartKey(this.choices());
      // A setting that was taken back gets the server's own value again, which a fresh server knows.
      const takenBack = before.some((key) => !(key in this.choices().options));
      if (this.server.isWanted && this.mayRun && (takenBack || next !== this.restartKey)) {
        this.restartKey = next;
        void this.restart();
      } else {
        this.server.configure();
      }
      this.apply();
    } else if (event.affectsConfiguration('editor.inlineSuggest.enabled')) {
      this.refresh();
    }
  }

  // --- what people read ---

  changed(): void {
    if (this.server.status.state === 'ready') {
      void vscode.commands.executeCommand('setContext', 'ondol.ready', true);
    }
    this.refresh();
  }

  private get view(): View {
    const document = vscode.window.activeTextEditor?.document;
    return view(this.server.status, this.offReason(document), document?.languageId ?? '', t);
  }

  /** The sentence of the status bar, for the menu and the doctor. */
  get sentence(): string {
    return this.view.sentence;
  }

  refresh(): void {
    const shown = this.view;
    this.item.text = `${shown.icon} ${shown.label}`;
    this.item.accessibilityInformation = { label: shown.sentence };
    this.item.backgroundColor = shown.warning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    this.item.tooltip = this.tooltip(shown.sentence);
    this.item.show();
  }

  private tooltip(sentence: string): vscode.MarkdownString {
    const tip = new vscode.MarkdownString();
    tip.appendText(sentence);
    const { status, version } = this.server;
    if (status.state !== 'problem' && status.message !== '') {
      tip.appendMarkdown('\n\n').appendText(status.message);
    }
    if (version !== undefined) {
      tip.appendMarkdown('\n\n').appendText(t('Server {0}', version));
    }
    tip.appendMarkdown('\n\n').appendText(t('Click for the menu.'));
    return tip;
  }

  /** The folder the doctor looks at: that of the document in front, else the first, else the home folder. */
  get folderInFront(): string {
    const document = vscode.window.activeTextEditor?.document;
    const folder =
      (document && vscode.workspace.getWorkspaceFolder(document.uri)) ?? vscode.workspace.workspaceFolders?.[0];
    return folder?.uri.fsPath ?? (document?.uri.scheme === 'file' ? path.dirname(document.uri.fsPath) : os.homedir());
  }
}
