// Finds the console script `ondol`: in the machine's setting, on PATH, in the environment of the workspace's Python
// interpreter, and where pip, pipx, uv and conda put it in the home folder. PATH comes before the workspace's
// environment, and folders of PATH inside the workspace are skipped. An environment inside the workspace (.venv) is
// only offered: opening a repository runs nothing from it. `python -m` is never used, because the workspace may contain
// a package of the same name. Pure functions: the caller passes the file system check.
import * as path from 'node:path';

/** Everything that the search depends on. */
export interface Environment {
  setting: string;
  pathVariable: string;
  interpreter: string | undefined;
  home: string;
  /** The active conda environment (CONDA_PREFIX), if there is one. */
  conda?: string | undefined;
  platform: NodeJS.Platform;
  folders: readonly string[];
  isExecutable: (file: string) => boolean;
}

/** The place where the program was found. */
export type FoundBy = 'setting' | 'PATH' | 'interpreter' | 'home' | 'conda' | 'workspace';
/** The result of the search. */
export type Located =
  { kind: 'found'; file: string; foundBy: FoundBy } | { kind: 'missing' } | { kind: 'bad-setting'; file: string };

/** The file name of the console script. */
export function scriptName(platform: NodeJS.Platform): string {
  return platform === 'win32' ? 'ondol.exe' : 'ondol';
}

const pathModule = (platform: NodeJS.Platform): path.PlatformPath => (platform === 'win32' ? path.win32 : path.posix);

function isInside(folder: string, file: string, platform: NodeJS.Platform): boolean {
  const relative = pathModule(platform).relative(folder, file);
  return relative === '' || (!relative.startsWith('..') && !pathModule(platform).isAbsolute(relative));
}

/** The folder of an environment that holds its programs. */
const programs = (p: path.PlatformPath, environment: string): string =>
  p.join(environment, p === path.win32 ? 'Scripts' : 'bin');

/** The folders that are searched, in order. */
function searched(environment: Environment): [string, FoundBy][] {
  const p = pathModule(environment.platform);
  const { conda, home, interpreter } = environment;
  const folders: [string, FoundBy][] = environment.pathVariable
    .split(p.delimiter)
    .filter(
      (folder) =>
        p.isAbsolute(folder) &&
        !environment.folders.some((workspace) => isInside(workspace, folder, environment.platform)),
    )
    .map((folder) => [folder, 'PATH']);
  if (interpreter !== undefined && p.isAbsolute(interpreter)) {
    folders.push([p.dirname(interpreter), 'interpreter'], [programs(p, p.dirname(interpreter)), 'interpreter']);
  }
  folders.push([p.join(home, '.local', 'bin'), 'home']);
  for (const tool of ['.local/share/pipx/venvs/ondol', '.local/pipx/venvs/ondol', '.local/share/uv/tools/ondol']) {
    folders.push([programs(p, p.join(home, ...tool.split('/'))), 'home']);
  }
  const bases = ['miniconda3', 'anaconda3', 'miniforge3', 'mambaforge', 'micromamba'].map((name) => p.join(home, name));
  for (const base of conda === undefined ? bases : [conda, ...bases]) {
    folders.push([programs(p, base), 'conda'], [programs(p, p.join(base, 'envs', 'ondol')), 'conda']);
  }
  return folders;
}

/** Finds the console script. A setting that names no executable file is an error and is not skipped. */
export function locateServer(environment: Environment): Located {
  const p = pathModule(environment.platform);
  const expanded = environment.setting.trim().replace(/^~(?=$|[/\\])/, environment.home);
  if (expanded !== '') {
    return p.isAbsolute(expanded) && environment.isExecutable(expanded)
      ? { kind: 'found', file: expanded, foundBy: 'setting' }
      : { kind: 'bad-setting', file: expanded };
  }
  const hit = scripts(environment, searched(environment))[0];
  return hit === undefined ? { kind: 'missing' } : { kind: 'found', file: hit[0], foundBy: hit[1] };
}

/** Every console script that the user may choose, also those in the workspace's own environments. */
export function choices(environment: Environment): [string, FoundBy][] {
  const p = pathModule(environment.platform);
  const own = environment.folders.flatMap((folder) =>
    ['.venv', 'venv', 'env'].map((name): [string, FoundBy] => [programs(p, p.join(folder, name)), 'workspace']),
  );
  return scripts(environment, [...searched(environment), ...own]);
}

/** The console scripts in `folders`, each once. */
function scripts(environment: Environment, folders: [string, FoundBy][]): [string, FoundBy][] {
  const name = scriptName(environment.platform);
  const found = new Map<string, FoundBy>();
  for (const [folder, by] of folders) {
    const file = pathModule(environment.platform).join(folder, name);
    if (!found.has(file) && environment.isExecutable(file)) {
      found.set(file, by);
    }
  }
  return [...found];
}

/**
 * The terminal command that installs the wheel of `version`, or that puts it in the place of the installation which
 * contains `file`. It runs in the folder that holds the wheel. A bare name would be looked up in a public index.
 */
export function installCommand(version: string, interpreter: string | undefined, file?: string): string {
  const quote = (text: string): string => (/^[\w./\\:~-]+$/.test(text) ? text : `"${text}"`);
  const wheel = `./ondol-${version}-py3-none-any.whl`;
  if (file === undefined) {
    return interpreter === undefined ? `pipx install ${wheel}` : `${quote(interpreter)} -m pip install ${wheel}`;
  }
  if (/[/\\]pipx[/\\]/.test(file)) {
    return `pipx install --force ${wheel}`;
  }
  if (/[/\\]uv[/\\]tools[/\\]/.test(file)) {
    return `uv tool install --force ${wheel}`;
  }
  const p = file.includes('\\') ? path.win32 : path.posix;
  return `${quote(p.join(p.dirname(file), p === path.win32 ? 'python.exe' : 'python'))} -m pip install ${wheel}`;
}

/** The path in the setting `python.defaultInterpreterPath`, or undefined if it contains none. */
export function interpreterPath(
  value: string,
  folder: string | undefined,
  home: string,
  platform: NodeJS.Platform,
): string | undefined {
  const p = pathModule(platform);
  let text = value.trim();
  if (folder !== undefined) {
    text = text.replace(/\$\{workspaceFolder\}|\$\{workspaceRoot\}/g, () => folder);
  }
  text = text
    .replace(/^~(?=$|[/\\])/, home)
    .replace(/^\$\{userHome\}/, home)
    .replace(/^\$\{env:HOME\}/, home);
  if (text === '' || text.includes('${') || !/[/\\]/.test(text)) {
    return undefined;
  }
  if (p.isAbsolute(text)) {
    return p.normalize(text);
  }
  return folder === undefined ? undefined : p.join(folder, text);
}
