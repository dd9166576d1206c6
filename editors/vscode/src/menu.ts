// The menu of the status bar item. Lists every command, named by its effect in the active document.
import * as vscode from 'vscode';
import type { Controller } from './controller';

const t = vscode.l10n.t;

interface Entry extends vscode.QuickPickItem {
  run?: string;
}

function entries(controller: Controller): Entry[] {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const settings = controller.settings();
  const separator = (label: string): Entry => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const list: Entry[] = [
    {
      label: settings.enabled ? t('Switch Ondol off') : t('Switch Ondol on'),
      iconPath: new vscode.ThemeIcon(settings.enabled ? 'circle-slash' : 'flame'),
      run: 'ondol.toggle',
    },
  ];
  if (language !== undefined) {
    const off = settings.disabledLanguages.includes(language);
    list.push({
      label: off ? t('Switch on for {0}', language) : t('Switch off for {0}', language),
      iconPath: new vscode.ThemeIcon('code'),
      run: 'ondol.toggleLanguage',
    });
  }
  list.push({
    label: controller.workspaceOff ? t('Switch on in this workspace') : t('Switch off in this workspace'),
    iconPath: new vscode.ThemeIcon('root-folder'),
    run: 'ondol.toggleWorkspace',
  });
  list.push({
    label: controller.isSnoozed ? t('End the snooze') : t('Snooze for ten minutes'),
    iconPath: new vscode.ThemeIcon('bell-slash'),
    run: 'ondol.snooze',
  });
  list.push(
    separator(t('Suggestions')),
    {
      label: t('Suggest here now'),
      iconPath: new vscode.ThemeIcon('lightbulb'),
      run: 'editor.action.inlineSuggest.trigger',
    },
    {
      label: t('Repeat this edit everywhere'),
      iconPath: new vscode.ThemeIcon('edit-session'),
      run: 'ondol.repeatEdit',
    },
    { label: t('Recently dismissed'), iconPath: new vscode.ThemeIcon('history'), run: 'ondol.recentlyDismissed' },
    { label: t('Explain the last suggestion'), iconPath: new vscode.ThemeIcon('question'), run: 'ondol.explain' },
    separator(t('Index and server')),
    { label: t('Index now'), iconPath: new vscode.ThemeIcon('sync'), run: 'ondol.index' },
    { label: t('Doctor'), iconPath: new vscode.ThemeIcon('pulse'), run: 'ondol.doctor' },
    { label: t('Restart the server'), iconPath: new vscode.ThemeIcon('debug-restart'), run: 'ondol.restart' },
    { label: t('Show output'), iconPath: new vscode.ThemeIcon('output'), run: 'ondol.showOutput' },
    separator(t('More')),
    { label: t('Settings'), iconPath: new vscode.ThemeIcon('gear'), run: 'ondol.internal.settings' },
    { label: t('Getting started'), iconPath: new vscode.ThemeIcon('book'), run: 'ondol.walkthrough' },
  );
  return list;
}

/** Shows the menu and runs the chosen command. */
export async function showMenu(controller: Controller): Promise<void> {
  const choice = await vscode.window.showQuickPick(entries(controller), { placeHolder: controller.sentence });
  if (choice?.run !== undefined) {
    await vscode.commands.executeCommand(choice.run);
  }
}

/** Lists the texts that were dismissed in this window; the chosen one is inserted at the cursor. */
export async function showDismissed(texts: readonly string[]): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (texts.length === 0 || editor === undefined) {
    void vscode.window.showInformationMessage(t('Ondol: no suggestion was dismissed in this window yet.'));
    return;
  }
  const picks = texts.map((text) => {
    const [first = '', ...more] = text.trim().split('\n');
    return { label: first, ...(more.length > 0 ? { description: t('{0} more lines', more.length) } : {}), text };
  });
  const choice = await vscode.window.showQuickPick(picks, { placeHolder: t('Insert a dismissed suggestion') });
  if (choice !== undefined) {
    await editor.edit((edit) => edit.insert(editor.selection.active, choice.text));
  }
}
