// The two reports: the explanation of the last suggestion, and the doctor's findings. Both open as read-only documents.
import { execFile } from 'node:child_process';
import * as vscode from 'vscode';
import type { Server } from './server';
import type { Connection } from './types';

const t = vscode.l10n.t;
const SCHEME = 'ondol';
const DOCTOR_TIMEOUT_MS = 120_000;

/** Creates the reports and provides their text to the editor. */
export class Reports implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly pages = new Map<string, string>();
  private readonly change = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.change.event;
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  dispose(): void {
    this.registration.dispose();
    this.change.dispose();
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.pages.get(uri.path) ?? '';
  }

  async explain(connection: Connection): Promise<void> {
    const answer = await connection.request<unknown>('workspace/executeCommand', {
      command: 'ondol.explain',
      arguments: [{}],
    });
    const text = typeof answer === 'string' && answer !== '' ? answer : t('There has been no suggestion yet.');
    const uri = this.put(`${t('Explanation')}.md`, text);
    try {
      await vscode.commands.executeCommand('markdown.showPreview', uri);
    } catch {
      await vscode.window.showTextDocument(uri, { preview: true });
    }
  }

  async doctor(server: Server, folder: string, facts: string[]): Promise<void> {
    const body = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: t('Ondol: doctor') },
      () => this.runDoctor(server, folder),
    );
    const uri = this.put('Ondol Doctor', [...facts, '', body].join('\n'));
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  private async runDoctor(server: Server, folder: string): Promise<string> {
    const { located } = server.locate();
    if (located.kind !== 'found') {
      return server.status.message;
    }
    return new Promise((resolve) => {
      execFile(
        located.file,
        ['doctor'],
        { cwd: folder, env: { ...server.environment(), NO_COLOR: '1' }, timeout: DOCTOR_TIMEOUT_MS, encoding: 'utf8' },
        (error, stdout, stderr) =>
          resolve(
            [
              `$ ${located.file} doctor`,
              stdout.trimEnd(),
              stderr.trimEnd(),
              error?.killed === true ? t('The doctor did not finish in time.') : '',
            ]
              .filter((part) => part !== '')
              .join('\n'),
          ),
      );
    });
  }

  private put(name: string, text: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: name });
    this.pages.set(uri.path, text);
    this.change.fire(uri);
    return uri;
  }
}
