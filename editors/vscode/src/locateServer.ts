// Finds the console script `ondol`: in the machine's setting, on PATH, in the environment of the workspace's Python
// interpreter, in ~/.local/bin. PATH comes before the workspace's environment, and folders of PATH inside the workspace
// are skipped. `python -m` is never used, because the workspace may contain a package of the same name. Pure functions:
// the caller passes the file system check.
import * as path from 'node:path';

/** Everything that the search depends on. */
export interface Environment {
  setting: string;
  pathVariable: string;
  interpreter: string | undefined;
  home: string;
  platform: NodeJS.Platform;
  folders: readonly string[];
  isExecutable: (file: string) => boolean;
}

/** The place where the program was found. */
export type FoundBy = 'setting' | 'PATH' | 'interpreter' | 'home';
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

/** Finds the console script. A setting that names no executable file is an error and is not skipped. */
export function locateServer(environment: Environment): Located {
  const p = pathModule(environment.platform);
  const name = scriptName(environment.platform);
  const expanded = environment.setting.trim().replace(/^~(?=$|[/\\])/, environment.home);
  if (expanded !== '') {
    return p.isAbsolute(expanded) && environment.isExecutable(expanded)
      ? { kind: 'found', file: expanded, foundBy: 'setting' }
      : { kind: 'bad-setting', file: expanded };
  }
  const candidates: [string, FoundBy][] = environment.pathVariable
    .split(p.delimiter)
    .filter(
      (folder) =>
        p.isAbsolute(folder) &&
        !environment.folders.some((workspace) => isInside(workspace, folder, environment.platform)),
    )
    .map((folder) => [p.join(folder, name), 'PATH']);
  if (environment.interpreter !== undefined && p.isAbsolute(environment.interpreter)) {
    const folder = p.dirname(environment.interpreter);
    candidates.push([p.join(folder, name), 'interpreter']);
    if (environment.platform === 'win32') {
      candidates.push([p.join(folder, 'Scripts', name), 'interpreter']);
    }
  }
  candidates.push([p.join(environment.home, '.local', 'bin', name), 'home']);
  const hit = candidates.find(([file]) => environment.isExecutable(file));
  return hit === undefined ? { kind: 'missing' } : { kind: 'found', file: hit[0], foundBy: hit[1] };
}

/** The terminal command that installs Ondol, or that updates the installation which contains `file`. */
export function installCommand(interpreter: string | undefined, file?: string): string {
  const quote = (text: string): string => (/^[\w./\\:~-]+$/.test(text) ? text : `"${text}"`);
  if (file === undefined) {
    return interpreter === undefined ? 'pipx install ondol' : `${quote(interpreter)} -m pip install ondol`;
  }
  if (/[/\\]pipx[/\\]/.test(file)) {
    return 'pipx upgrade ondol';
  }
  if (/[/\\]uv[/\\]tools[/\\]/.test(file)) {
    return 'uv tool upgrade ondol';
  }
  const p = file.includes('\\') ? path.win32 : path.posix;
  return `${quote(p.join(p.dirname(file), p === path.win32 ? 'python.exe' : 'python'))} -m pip install --upgrade ondol`;
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
