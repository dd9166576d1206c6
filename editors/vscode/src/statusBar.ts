// The content of the status bar item as plain data. Pure: the caller passes the translation function `t`.
import type { OffReason } from './enablement';
import type { ServerStatus } from './types';

/** Translates a message and fills in its arguments. */
export type Translate = (message: string, ...args: (string | number)[]) => string;

/** The status bar item: icon, text, tooltip sentence, warning colour. */
export interface StatusBarView {
  icon: string;
  label: string;
  sentence: string;
  warning: boolean;
}

function offSentence(reason: OffReason, language: string, t: Translate): string {
  switch (reason) {
    case 'everywhere':
      return t('Ondol is switched off.');
    case 'snooze':
      return t('Ondol is snoozed: it suggests nothing for up to ten minutes.');
    case 'workspace':
      return t('Ondol is switched off in this workspace.');
    case 'language':
      return t('Ondol is switched off for {0}.', language);
    case 'document':
      return t('Ondol does not support this kind of document.');
    case 'untrusted':
      return t('Ondol does not start in Restricted Mode. Trust this workspace to use it.');
    case 'server':
      return t('The settings of the Ondol server switch it off here.');
    case 'editor':
      return t('Inline suggestions are switched off in the editor (setting editor.inlineSuggest.enabled).');
  }
}

/** The status bar item. `off` hides the server's state, except that an unsupported document hides no problem. */
export function statusBarView(
  status: ServerStatus,
  off: OffReason | undefined,
  language: string,
  t: Translate,
): StatusBarView {
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
        sentence: t('Ondol is loading the model. Until then, suggestions come from the index.'),
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
