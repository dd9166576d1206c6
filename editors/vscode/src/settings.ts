// Reads the editor's settings.
//
// A workspace may only restrict Ondol: switch it off, disable more languages, exclude more files. The server receives
// only the settings that the user changed, so ondol.toml still decides the others. Pure: the caller passes VS Code's
// `inspect`.

/** The values of one setting per level, as VS Code's `inspect` returns them. */
export interface SettingLevels {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}
/** Returns the values of one setting of the section `ondol`. */
export type Inspect = (key: string) => SettingLevels | undefined;

/** The settings that apply in this window. */
export interface Settings {
  enabled: boolean;
  disabledLanguages: string[];
  manual: boolean;
  nextEdits: boolean;
  serverPath: string;
  serverArguments: string[];
  dataDirectory: string;
  backend: string;
  /** The initializationOptions: the server's option names in camel case. */
  options: Record<string, unknown>;
}

const USER_OPTIONS = [
  'precision',
  'multiLine',
  'maxLines',
  'deadlineMs',
  'workers',
  'baseModel',
  'baseBits',
  'remoteUrl',
  'remoteModel',
  'traceText',
] as const;
const BACKENDS = ['retrieval', 'local', 'remote'];

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

function union(levels: SettingLevels | undefined): string[] {
  const all = [levels?.globalValue, levels?.workspaceValue, levels?.workspaceFolderValue].flatMap(strings);
  return [...new Set(all.map((item) => item.trim()).filter((item) => item !== ''))];
}

/** Combines the levels of all settings. Values of a wrong type are ignored. */
export function readSettings(inspect: Inspect): Settings {
  const user = (key: string): unknown => inspect(key)?.globalValue;
  const enabled = inspect('enabled');
  const options: Record<string, unknown> = {};
  for (const key of USER_OPTIONS) {
    const value = user(key);
    if (value !== undefined && value !== null && value !== '' && !(key === 'workers' && value === 0)) {
      options[key] = value;
    }
  }
  const disabledLanguages = union(inspect('disabledLanguages'));
  const exclude = union(inspect('exclude'));
  if (disabledLanguages.length > 0) {
    options['disabledLanguages'] = disabledLanguages;
  }
  if (exclude.length > 0) {
    options['exclude'] = exclude;
  }
  const nextEdits = user('nextEdits') !== false;
  options['nextEdits'] = nextEdits; // the server announces next edits only to clients that ask for it
  options['completionReady'] = true; // and late answers only to clients that request them again
  const backend = text(user('backend'));
  return {
    enabled: ![enabled?.globalValue, enabled?.workspaceValue, enabled?.workspaceFolderValue].includes(false),
    disabledLanguages,
    manual: user('trigger') === 'manual',
    nextEdits,
    serverPath: text(user('server.path')),
    serverArguments: strings(user('server.arguments')),
    dataDirectory: text(user('dataDirectory')),
    backend: BACKENDS.includes(backend) ? backend : '',
    options,
  };
}

/** The command line arguments of the server process. */
export function serverArguments(settings: Settings): string[] {
  return [
    'serve',
    '--stdio',
    ...(settings.backend === '' ? [] : ['--backend', settings.backend]),
    ...settings.serverArguments,
  ];
}

/** What is sent to a running server: the settings, and null for those that are not set any more. */
export function changedOptions(before: object, settings: Settings): Record<string, unknown> {
  const removed = Object.keys(before).filter((key) => !(key in settings.options));
  return { ...settings.options, ...Object.fromEntries(removed.map((key) => [key, null])) };
}

/** A key that changes when the server must be restarted. Other settings are sent to the running server. */
export function restartKey(settings: Settings): string {
  const { baseModel, baseBits, remoteUrl, remoteModel, workers, nextEdits } = settings.options;
  return JSON.stringify([
    settings.serverPath,
    settings.serverArguments,
    settings.dataDirectory,
    settings.backend,
    baseModel,
    baseBits,
    remoteUrl,
    remoteModel,
    workers,
    nextEdits,
  ]);
}
