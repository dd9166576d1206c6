// The entry point: registers the status bar item, the commands and the provider, then starts the server. VS Code loads
// this module at every start, so it imports nothing heavy; the language client is loaded with the first server.
import * as vscode from 'vscode';
import { Controller } from './controller';
import { showDismissed, showMenu } from './menu';
import { CompletionProvider } from './completionProvider';
import { NextEdits } from './nextEdit';
import { repeatEdit } from './repeatEdit';
import { Reports } from './reports';
import type { Connection } from './types';

const t = vscode.l10n.t;
// VS Code creates the steps of a walkthrough shortly after it opens the page.
const WALKTHROUGH_DELAY_MS = 1000;
const SELECTOR: vscode.DocumentSelector = [
  { scheme: 'file' },
  { scheme: 'untitled' },
  { scheme: 'vscode-notebook-cell' },
];

let controller: Controller | undefined;
let activationMs = 0;

/** Runs `action` on the server. Shows the state if no server runs, and the reason if the action fails. */
async function withServer(current: Controller, action: (connection: Connection) => Promise<unknown>): Promise<void> {
  const { connection } = current.server;
  if (connection === undefined) {
    void vscode.window.showInformationMessage(current.sentence);
    return;
  }
  try {
    await action(connection);
  } catch (error) {
    void vscode.window.showErrorMessage(t('Ondol: {0}', error instanceof Error ? error.message : String(error)));
  }
}

/** Asks the server to update its indexes. If nothing has changed it has nothing to report, so this is said here. */
async function indexNow(connection: Connection): Promise<void> {
  await connection.request('workspace/executeCommand', { command: 'ondol.index', arguments: [] });
  vscode.window.setStatusBarMessage(t('Ondol: looking for changed files.'), 4000);
}

async function repeatHere(current: Controller): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage(t('Open a file and change it first. The command repeats the change.'));
    return;
  }
  await withServer(current, (connection) => repeatEdit(connection, editor));
}

function doctor(current: Controller, reports: Reports): Promise<void> {
  const { server, activeFolder } = current;
  return reports.doctor(server, activeFolder, [
    t('Extension {0}, {1} {2}', current.version, vscode.env.appName, vscode.version),
    t('Folder: {0}', activeFolder),
    t('Server: {0}, process {1}', server.version ?? '–', server.connection?.pid ?? '–'),
    t('State: {0}', current.sentence),
    t(
      'Start: extension {0} ms, language client {1} ms, server {2} ms',
      activationMs,
      server.startTimes.client,
      server.startTimes.server,
    ),
  ]);
}

/**
 * Opens the walkthrough and marks the finished steps.
 * A step only notices changes after it was created, so the context keys are reset first and set again afterwards.
 */
async function openWalkthrough(current: Controller, id: string): Promise<void> {
  const done = {
    'ondol.found': current.server.connection !== undefined,
    'ondol.ready': current.server.status.state === 'ready',
  };
  const setContext = (map: (value: boolean) => boolean) =>
    Promise.all(
      Object.entries(done).map(([key, value]) => vscode.commands.executeCommand('setContext', key, map(value))),
    );
  await setContext(() => false);
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', id, false);
  await new Promise((resolve) => setTimeout(resolve, WALKTHROUGH_DELAY_MS));
  await setContext((value) => value);
}

/** Called by VS Code when the extension is activated. */
export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const output = vscode.window.createOutputChannel('Ondol', { log: true });
  const current = (controller = new Controller(context, output));
  const reports = new Reports();
  const provider = new CompletionProvider(current, output);
  const nextEdits = new NextEdits(current, provider, output);
  current.onNextEdit = (uri) => nextEdits.onReady(uri);
  current.onLateAnswer = (uri) => provider.requestAgain(uri);
  const commands: Record<string, () => unknown> = {
    'ondol.menu': () => showMenu(current),
    'ondol.toggle': () => current.toggleEverywhere(),
    'ondol.toggleLanguage': () => current.toggleLanguage(),
    'ondol.toggleWorkspace': () => current.toggleWorkspace(),
    'ondol.index': () => withServer(current, indexNow),
    'ondol.snooze': () => current.toggleSnooze(),
    'ondol.dismiss': () => provider.dismiss(),
    'ondol.recentlyDismissed': () => showDismissed(provider.recentlyDismissed),
    'ondol.nextEdit': () => nextEdits.act(),
    'ondol.dismissNextEdit': () => nextEdits.dismiss(),
    'ondol.repeatEdit': () => repeatHere(current),
    'ondol.explain': () => withServer(current, (connection) => reports.explain(connection)),
    'ondol.showOutput': () => output.show(),
    'ondol.doctor': () => doctor(current, reports),
    'ondol.restart': () => current.restart(),
    'ondol.chooseServer': () => current.server.choose(),
    'ondol.walkthrough': () => openWalkthrough(current, `${context.extension.id}#start`),
    'ondol.internal.settings': () =>
      vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
  };
  context.subscriptions.push(
    output,
    current,
    reports,
    provider,
    nextEdits,
    vscode.languages.registerInlineCompletionItemProvider(SELECTOR, provider),
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
  );
  // Finding the server and loading the language client must not delay the start of the editor.
  const later = setImmediate(() => current.apply());
  context.subscriptions.push({ dispose: () => clearImmediate(later) });
  activationMs = Math.round(performance.now() - began);
}

/** Called by VS Code before the extension is unloaded. */
export async function deactivate(): Promise<void> {
  await controller?.server.stop();
}
