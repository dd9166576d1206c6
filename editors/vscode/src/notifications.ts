// The notifications. Each is shown once per cause and window, with the next steps as buttons.
import * as vscode from 'vscode';

const t = vscode.l10n.t;

/** Shows notifications, once per cause. */
export class Notifications {
  private readonly shown = new Set<string>();

  /** Allows every notification to appear again, after the user restarted the server. */
  reset(): void {
    this.shown.clear();
  }

  notInstalled(message: string, command: string): void {
    this.once('not-installed', message, {
      [t('Copy Command')]: () => this.copy(command),
      [t('Choose Program')]: () => this.run('ondol.chooseServer'),
      [t('Try Again')]: () => this.run('ondol.restart'),
      [t('Getting Started')]: () => this.run('ondol.walkthrough'),
    });
  }

  tooOld(message: string, command: string): void {
    this.once('too-old', message, {
      [t('Copy Command')]: () => this.copy(command),
      [t('Try Again')]: () => this.run('ondol.restart'),
    });
  }

  badSetting(message: string): void {
    this.once('bad-setting', message, {
      [t('Choose Program')]: () => this.run('ondol.chooseServer'),
      [t('Open Settings')]: () =>
        void vscode.commands.executeCommand('workbench.action.openSettings', 'ondol.server.path'),
    });
  }

  gaveUp(message: string): void {
    this.once('gave-up', message, {
      [t('Show Output')]: () => this.run('ondol.showOutput'),
      [t('Doctor')]: () => this.run('ondol.doctor'),
      [t('Try Again')]: () => this.run('ondol.restart'),
    });
  }

  /** Shows a warning that the server sent, once per text. */
  serverWarning(message: string): void {
    this.once(message, message, {
      [t('Show Output')]: () => this.run('ondol.showOutput'),
      [t('Doctor')]: () => this.run('ondol.doctor'),
    });
  }

  private run(command: string): void {
    void vscode.commands.executeCommand(command);
  }

  private copy(text: string): void {
    void vscode.env.clipboard.writeText(text);
  }

  private once(cause: string, message: string, actions: Record<string, () => void>): void {
    if (this.shown.has(cause)) {
      return;
    }
    this.shown.add(cause);
    void vscode.window.showWarningMessage(message, ...Object.keys(actions)).then((choice) => {
      if (choice !== undefined) {
        actions[choice]?.();
      }
    });
  }
}
