// What the status bar says, as plain data: icon, text, sentence, whether it is a warning. Pure: `t` translates.
import type { ServerStatus } from './types';

export type Translate = (message: string, ...args: (string | number)[]) => string;

/** Why nothing is suggested at this place. */
export type OffReason = 'everywhere' | 'workspace' | 'language' | 'document' | 'untrusted' | 'server' | 'editor';

export interface View {
  icon: string;
  label: string;
  sentence: string;
  warning: boolean;
}

function offSentence(reason: OffReason, language: string, t: Translate): string {
  switch (reason) {
    case 'everywhere':
      return t('Ondol is switched off.');
    case 'workspace':
      return t('Ondol is switched off in this workspace.');
    case 'language':
      return t('Ondol is switched off for {0}.', language);
    case 'document':
      return t('Ondol does not suggest in this kind of document.');
    case 'untrusted':
      return t('Ondol starts nothing in Restricted Mode. Trust this workspace to use it.');
    case 'server':
      return t('Ondol is switched off here by its own settings.');
    case 'editor':
      return t('The editor itself shows no inline suggestions (setting editor.inlineSuggest.enabled).');
  }
}

/** What the status bar shows. `off` wins over the server's state, except that a problem is never hidden by an off document. */
export function view(status: ServerStatus, off: OffReason | undefined, language: string, t: Translate): View {
  if (off !== undefined && !(status.state === 'problem' && (off === 'document' || off === 'editor'))) {
    return { icon: '$(circle-slash)', label: 'Ondol', sentence: offSentence(off, language, t), warning: false };
  }
  switch (status.state) {
    case 'starting':
      return { icon: '$(loading~spin)', label: 'Ondol', sentence: t('Ondol is starting.'), warning: false };
    case 'indexing': {
      const percent = status.percent === undefined ? undefined : Math.max(0, Math.min(100, Math.floor(status.percent)));
      return percent === undefined
        ? {
            icon: '$(sync~spin)',
            label: t('Ondol: indexing'),
            sentence: t('Ondol is indexing this repository.'),
            warning: false,
          }
        : {
            icon: '$(sync~spin)',
            label: t('Ondol: indexing {0} %', percent),
            sentence: t('Ondol is indexing this repository: {0} % done.', percent),
            warning: false,
          };
    }
    case 'model-loading':
      return {
        icon: '$(loading~spin)',
        label: t('Ondol: loading model'),
        sentence: t('Ondol is loading the model; suggestions come from the index meanwhile.'),
        warning: false,
      };
    case 'off':
      return { icon: '$(circle-slash)', label: 'Ondol', sentence: offSentence('server', language, t), warning: false };
    case 'problem':
      return {
        icon: '$(warning)',
        label: 'Ondol',
        sentence: status.message === '' ? t('Ondol has a problem.') : status.message,
        warning: true,
      };
    case 'ready': {
      const sentence =
        status.documents === undefined
          ? t('Ondol is ready.')
          : t('Ondol is ready. Files indexed: {0}.', status.documents);
      return { icon: '$(flame)', label: 'Ondol', sentence, warning: false };
    }
    default:
      return { icon: '$(flame)', label: 'Ondol', sentence: String(status.message), warning: false };
  }
}
