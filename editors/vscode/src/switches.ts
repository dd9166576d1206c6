// Whether Ondol suggests at a document: the switch for everything, for the workspace, for the language. Pure.
import type { OffReason } from './status';

export interface Place {
  trusted: boolean;
  enabled: boolean;
  workspaceOff: boolean;
  disabledLanguages: readonly string[];
  languageId: string | undefined;
  scheme: string | undefined;
}

/** The kinds of documents Ondol suggests in. */
export const SCHEMES: readonly string[] = ['file', 'untitled', 'vscode-notebook-cell'];

/** Why Ondol is off here, or undefined: it is on. Without a document only the wide switches count. */
export function offReason(place: Place): OffReason | undefined {
  if (!place.trusted) {
    return 'untrusted';
  }
  if (!place.enabled) {
    return 'everywhere';
  }
  if (place.workspaceOff) {
    return 'workspace';
  }
  if (place.scheme !== undefined && !SCHEMES.includes(place.scheme)) {
    return 'document';
  }
  if (place.languageId !== undefined && place.disabledLanguages.includes(place.languageId)) {
    return 'language';
  }
  return undefined;
}
