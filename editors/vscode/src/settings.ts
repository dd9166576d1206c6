// Turns the editor's settings into what the extension and the server act on.
//
// A workspace may narrow and never widen: it can switch Ondol off, add languages and patterns to leave out, and nothing else.
// The server is sent only what somebody set, so that ondol.toml keeps its say over the rest. Pure: values come by `inspect`.

/** The values of one setting by the level they were set on, as VS Code's `inspect` gives them. */
export interface Levels {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}
export type Inspect = (key: string) => Levels | undefined;

export interface Choices {
  enabled: boolean;
  disabledLanguages: string[];
  manual: boolean;
  serverPath: string;
  serverArguments: string[];
  dataDirectory: string;
  backend: string;
  /** initializationOptions, by the server's names in camel case. */
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

function union(levels: Levels | undefined): string[] {
  const all = [levels?.globalValue, levels?.workspaceValue, levels?.workspaceFolderValue].flatMap(strings);
  return [...new Set(all.map((item) => item.trim()).filter((item) => item !== ''))];
}

export function choices(inspect: Inspect): Choices {
  const user = (key: string): unknown => inspect(key)?.globalValue;
  const enabled = inspect('enabled');
  const options: Record<string, unknown> = {};
  for (const key of USER_OPTIONS) {
    const value = user(key);
    if (value !== undefined && value !== null && value !== '' && !(key === 'workers' && value === 0)) {
      options[key] = value;
    }
  }
  const disabledLanguages = union(inspect('disabledLanguages')),
    exclude = union(inspect('exclude'));
  if (disabledLanguages.length > 0) {
    options['disabledLanguages'] = disabledLanguages;
  }
  if (exclude.length > 0) {
    options['exclude'] = exclude;
  }
  const backend = text(user('backend'));
  return {
    enabled: ![enabled?.globalValue, enabled?.workspaceValue, enabled?.workspaceFolderValue].includes(false),
    disabledLanguages,
    manual: user('trigger') === 'manual',
    serverPath: text(user('server.path')),
    serverArguments: strings(user('server.arguments')),
    dataDirectory: text(user('dataDirectory')),
    backend: BACKENDS.includes(backend) ? backend : '',
    options,
  };
}

/** The arguments of the server process. */
export function serverArguments(choice: Choices): string[] {
  return [
    'serve',
    '--stdio',
    ...(choice.backend === '' ? [] : ['--backend', choice.backend]),
    ...choice.serverArguments,
  ];
}

/** What a change of must restart the server; everything else it is told while it runs. */
export function restartKey(choice: Choices): string {
  const { baseModel, baseBits, remoteUrl, remoteModel, workers } = choice.options;
  return JSON.stringify([
    choice.serverPath,
    choice.serverArguments,
    choice.dataDirectory,
    choice.backend,
    baseModel,
    baseBits,
    remoteUrl,
    remoteModel,
    workers,
  ]);
}
