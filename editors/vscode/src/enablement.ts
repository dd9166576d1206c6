// Decides whether Ondol suggests in a document, from the settings for everything, the workspace and the language. Pure.

/** Why nothing is suggested. */
export type OffReason =
  'everywhere' | 'snooze' | 'workspace' | 'language' | 'document' | 'untrusted' | 'server' | 'editor';

/** Everything that the decision depends on. */
export interface EnablementContext {
  trusted: boolean;
  enabled: boolean;
  workspaceOff: boolean;
  snoozed: boolean;
  disabledLanguages: readonly string[];
  languageId: string | undefined;
  scheme: string | undefined;
}

/** The URI schemes of supported documents. */
export const SCHEMES: readonly string[] = ['file', 'untitled', 'vscode-notebook-cell'];

/** Why Ondol is off, or undefined if it is on. Without a document only the trust and the wider settings count. */
export function offReason(context: EnablementContext): OffReason | undefined {
  if (!context.trusted) {
    return 'untrusted';
  }
  if (!context.enabled) {
    return 'everywhere';
  }
  if (context.workspaceOff) {
    return 'workspace';
  }
  if (context.snoozed) {
    return 'snooze';
  }
  if (context.scheme !== undefined && !SCHEMES.includes(context.scheme)) {
    return 'document';
  }
  if (context.languageId !== undefined && context.disabledLanguages.includes(context.languageId)) {
    return 'language';
  }
  return undefined;
}
