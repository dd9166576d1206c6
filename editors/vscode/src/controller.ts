// Owns the window's server and the on/off state. Decides whether the server runs, whether Ondol suggests in a document,
// and what the status bar shows.
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Notifications } from './notifications';
import type { ProviderHost } from './completionProvider';
import type { NextEditHost } from './nextEdit';
import { offReason, SCHEMES, type OffReason } from './enablement';
import { Server, type ServerHost } from './server';
import { changedOptions, readSettings, restartKey, type Settings } from './settings';
import { statusBarView, type StatusBarView } from './statusBar';
import type { Connection } from './types';

const t = vscode.l10n.t;
const WORKSPACE_OFF = 'ondol.workspaceOff';
const SNOOZE_MS = 10 * 60 * 1000;

/** The state of the extension in one window. */
export class Controller implements ServerHost, ProviderHost, NextEditHost, vscode.Disposable {
  readonly notifications = new Notifications();
  readonly server = new Server(this);
  /** Called when the server has a next edit for the document with this URI. */
  onNextEdit: (uri: string) => void = () => {};
  onLateAnswer: (uri: string) => void = () => {};
  private readonly editCounts = { offered: 0, accepted: 0 };
  private editPlace: string | undefined;
  private restartKey = '';
  private snooze: NodeJS.Timeout | undefined;
  private cachedSettings: Settings | undefined;
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
      vscode.workspace.onDidChangeConfiguration((event) => this.onConfigurationChange(event)),
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.apply()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.apply()),
    );
  }

  dispose(): void {
    clearTimeout(this.snooze);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  get ownFolder(): string {
    return this.context.globalStorageUri.fsPath;
  }

  get version(): string {
    return (this.context.extension.packageJSON as { version: string }).version;
  }

  // --- On and off ---

  /** The current settings. Cached until they change, because every key press needs them. */
  settings(): Settings {
    if (this.cachedSettings === undefined) {
      const configuration = vscode.workspace.getConfiguration('ondol');
      this.cachedSettings = readSettings((key) => configuration.inspect(key));
    }
    return this.cachedSettings;
  }

  get isManual(): boolean {
    return this.settings().manual;
  }

  get wantsNextEdits(): boolean {
    return this.settings().nextEdits;
  }

  get workspaceOff(): boolean {
    return this.context.workspaceState.get(WORKSPACE_OFF, false);
  }

  /** Whether suggestions pause in this window. */
  get isSnoozed(): boolean {
    return this.snooze !== undefined;
  }

  /** Pauses suggestions in this window for ten minutes, or ends the pause. */
  toggleSnooze(): void {
    const end = () => {
      clearTimeout(this.snooze);
      this.snooze = undefined;
      this.refresh();
    };
    if (this.isSnoozed) {
      end();
    } else {
      this.snooze = setTimeout(end, SNOOZE_MS);
      void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
      this.refresh();
    }
  }

  /** Why nothing is suggested in `document`, or in the whole window if it is undefined. */
  offReason(document: vscode.TextDocument | undefined): OffReason | undefined {
    const settings = this.settings();
    const reason = offReason({
      trusted: vscode.workspace.isTrusted,
      enabled: settings.enabled,
      workspaceOff: this.workspaceOff,
      snoozed: this.isSnoozed,
      disabledLanguages: settings.disabledLanguages,
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

  private get shouldRun(): boolean {
    const reason = offReason({
      trusted: vscode.workspace.isTrusted,
      enabled: this.settings().enabled,
      workspaceOff: this.workspaceOff,
      snoozed: false, // the server goes on, so that nothing has to start again
      disabledLanguages: [],
      languageId: undefined,
      scheme: undefined,
    });
    return reason === undefined;
  }

  /** Whether there is something to complete: a folder on disk, or a document that Ondol supports. */
  private get hasWork(): boolean {
    return (
      (vscode.workspace.workspaceFolders ?? []).some((folder) => folder.uri.scheme === 'file') ||
      vscode.workspace.textDocuments.some((document) => SCHEMES.includes(document.uri.scheme))
    );
  }

  /** Starts or stops the server, as the settings require. */
  apply(): void {
    if (!this.shouldRun) {
      if (this.server.isWanted) {
        void this.server.stop();
      }
    } else if (!this.server.isWanted && this.hasWork) {
      this.restartKey = restartKey(this.settings());
      void this.server.start();
    }
    this.refresh();
  }

  async restart(): Promise<void> {
    this.notifications.reset();
    if (this.shouldRun) {
      await this.server.restart();
    }
  }

  async toggleEverywhere(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration('ondol');
    const on = configuration.inspect<boolean>('enabled')?.globalValue !== false;
    await configuration.update('enabled', on ? false : undefined, vscode.ConfigurationTarget.Global);
  }

  async toggleLanguage(): Promise<void> {
    const language = this.activeDocument?.languageId;
    if (language === undefined) {
      void vscode.window.showInformationMessage(t('Open a file first. The command switches its language on or off.'));
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

  /** Stores the choice in the editor's storage, not in the repository. */
  async toggleWorkspace(): Promise<void> {
    await this.context.workspaceState.update(WORKSPACE_OFF, !this.workspaceOff);
    this.apply();
  }

  private onConfigurationChange(event: vscode.ConfigurationChangeEvent): void {
    if (
      event.affectsConfiguration('python.defaultInterpreterPath') &&
      this.server.isWanted &&
      this.server.status.state === 'problem'
    ) {
      void this.server.restart();
    }
    if (event.affectsConfiguration('ondol')) {
      const before = this.settings().options;
      this.cachedSettings = undefined;
      const next = restartKey(this.settings());
      if (this.server.isWanted && this.shouldRun && next !== this.restartKey) {
        this.restartKey = next;
        void this.restart();
      } else {
        this.server.configure(changedOptions(before, this.settings()));
      }
      this.apply();
    } else if (event.affectsConfiguration('editor.inlineSuggest.enabled')) {
      this.refresh();
    }
  }

  // --- Status bar ---

  changed(): void {
    if (this.server.status.state === 'ready') {
      void vscode.commands.executeCommand('setContext', 'ondol.ready', true);
    }
    this.refresh();
  }

  countEdit(kind: 'offered' | 'accepted'): void {
    this.editCounts[kind]++;
    this.refresh();
  }

  namePlace(place: string | undefined): void {
    if (place !== this.editPlace) {
      this.editPlace = place;
      this.refresh();
    }
  }

  /** The document that the user works on. The output panel counts as an editor, but nothing is asked about it. */
  private get activeDocument(): vscode.TextDocument | undefined {
    const document = vscode.window.activeTextEditor?.document;
    return document?.uri.scheme === 'output' ? undefined : document;
  }

  private get view(): StatusBarView {
    const document = this.activeDocument;
    return statusBarView(this.server.status, this.offReason(document), document?.languageId ?? '', t);
  }

  /** The sentence of the status bar, for the menu and the doctor. */
  get sentence(): string {
    return this.view.sentence;
  }

  refresh(): void {
    const shown = this.view;
    const { offered, accepted } = this.editCounts;
    const counts = offered === 0 ? '' : ` ${accepted}/${offered}`;
    const place = this.editPlace === undefined ? '' : ` → ${this.editPlace}`;
    this.item.text = `${shown.icon} ${shown.label}${counts}${place}`;
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
    const { offered, accepted } = this.editCounts;
    if (offered > 0) {
      tip.appendMarkdown('\n\n').appendText(t('Next edits: {0} accepted of {1} shown.', accepted, offered));
    }
    tip.appendMarkdown('\n\n').appendText(t('Click for the menu.'));
    return tip;
  }

  /** The folder for the doctor: that of the active document, else the first workspace folder, else the home folder. */
  get activeFolder(): string {
    const document = this.activeDocument;
    const folder =
      (document && vscode.workspace.getWorkspaceFolder(document.uri)) ?? vscode.workspace.workspaceFolders?.[0];
    return folder?.uri.fsPath ?? (document?.uri.scheme === 'file' ? path.dirname(document.uri.fsPath) : os.homedir());
  }
}
