// The editor's entry: puts the status bar item, the commands and the provider in place, and starts what is wanted. Loaded at
// every start of the editor, so it requires nothing but the editor's own API; the language client comes with the first server.
import * as vscode from 'vscode';
import { Controller } from './controller';
import { showMenu } from './menu';
import { Provider } from './provider';
import { Reports } from './reports';
import type { Connection } from './types';

const t = vscode.l10n.t;
// The editor makes a walkthrough's steps a moment after it opened the page.
const STEPS_EXIST_AFTER_MS = 1000;
const SELECTOR: vscode.DocumentSelector = [
  { scheme: 'file' },
  { scheme: 'untitled' },
  { scheme: 'vscode-notebook-cell' },
];

let controller: Controller | undefined;
let activationMs = 0;

/** Runs `action` on the running server; says the state instead when there is none, and the reason when it fails. */
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

function doctor(current: Controller, reports: Reports, version: string): Promise<void> {
  const { server, folderInFront } = current;
  return reports.doctor(server, folderInFront, [
    t('Extension {0}, {1} {2}', version, vscode.env.appName, vscode.version),
    t('Folder: {0}', folderInFront),
    t('Server: {0}, process {1}', server.version ?? '–', server.connection?.pid ?? '–'),
    t('State: {0}', current.sentence),
    t(
      'Start: extension {0} ms, language client {1} ms, server {2} ms',
      activationMs,
      server.took.client,
      server.took.server,
    ),
  ]);
}

/** Opens the walkthrough, and lets the steps that are done already come true again: they hear only changes that come after they exist. */
async function openWalkthrough(current: Controller, id: string): Promise<void> {
  const done = {
    'ondol.found': current.server.connection !== undefined,
    'ondol.ready': current.server.status.state === 'ready',
  };
  const tell = (holds: (value: boolean) => boolean) =>
    Promise.all(
      Object.entries(done).map(([key, value]) => vscode.commands.executeCommand('setContext', key, holds(value))),
    );
  await tell(() => false);
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', id, false);
  await new Promise((resolve) => setTimeout(resolve, STEPS_EXIST_AFTER_MS));
  await tell((value) => value);
}

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const output = vscode.window.createOutputChannel('Ondol', { log: true });
  const current = (controller = new Controller(context, output)),
    reports = new Reports();
  const provider = new Provider(current, output);
  const version = String(context.extension.packageJSON.version);
  const commands: Record<string, () => unknown> = {
    'ondol.menu': () => showMenu(current),
    'ondol.toggle': () => current.toggleEverywhere(),
    'ondol.toggleLanguage': () => current.toggleLanguage(),
    'ondol.toggleWorkspace': () => current.toggleWorkspace(),
    'ondol.index': () =>
      withServer(current, (connection) =>
        connection.request('workspace/executeCommand', { command: 'ondol.index', arguments: [] }),
      ),
    'ondol.explain': () => withServer(current, (connection) => reports.explain(connection)),
    'ondol.showOutput': () => output.show(),
    'ondol.doctor': () => doctor(current, reports, version),
    'ondol.restart': () => current.restart(),
    'ondol.walkthrough': () => openWalkthrough(current, `${context.extension.id}#start`),
    'ondol.internal.settings': () =>
      vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
  };
  context.subscriptions.push(
    output,
    current,
    reports,
    provider,
    vscode.languages.registerInlineCompletionItemProvider(SELECTOR, provider),
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
  );
  // The rest waits until the editor has gone on: looking for the server and loading the language client are not part of its start.
  const soon = setImmediate(() => current.apply());
  context.subscriptions.push({ dispose: () => clearImmediate(soon) });
  activationMs = Math.round(performance.now() - began);
}

export async function deactivate(): Promise<void> {
  await controller?.server.stop();
}
