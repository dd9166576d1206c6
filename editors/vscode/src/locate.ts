// Finds the console script `ondol`: the machine's setting, then PATH, then the environment of the interpreter that is
// configured for the workspace, then ~/.local/bin. What the user installed comes before what a workspace brings along, and a
// folder of PATH inside a workspace is passed over. Never `python -m`: the workspace may hold a package of the same name.
// Pure: the file system is given.
import * as path from 'node:path';

export interface Surroundings {
  setting: string;
  pathVariable: string;
  interpreter: string | undefined;
  home: string;
  platform: NodeJS.Platform;
  folders: readonly string[];
  isExecutable: (file: string) => boolean;
}

export type Origin = 'setting' | 'PATH' | 'interpreter' | 'home';
export type Located =
  { kind: 'found'; file: string; origin: Origin } | { kind: 'missing' } | { kind: 'bad-setting'; file: string };

export function scriptName(platform: NodeJS.Platform): string {
  return platform === 'win32' ? 'ondol.exe' : 'ondol';
}

const flavour = (platform: NodeJS.Platform): path.PlatformPath => (platform === 'win32' ? path.win32 : path.posix);

function inside(folder: string, file: string, platform: NodeJS.Platform): boolean {
  const relative = flavour(platform).relative(folder, file);
  return relative === '' || (!relative.startsWith('..') && !flavour(platform).isAbsolute(relative));
}

export function locate(around: Surroundings): Located {
  const p = flavour(around.platform),
    name = scriptName(around.platform);
  const expanded = around.setting.trim().replace(/^~(?=$|[/\\])/, around.home);
  if (expanded !== '') {
    return p.isAbsolute(expanded) && around.isExecutable(expanded)
      ? { kind: 'found', file: expanded, origin: 'setting' }
      : { kind: 'bad-setting', file: expanded };
  }
  const candidates: [string, Origin][] = around.pathVariable
    .split(p.delimiter)
    .filter(
      (folder) =>
        p.isAbsolute(folder) && !around.folders.some((workspace) => inside(workspace, folder, around.platform)),
    )
    .map((folder) => [p.join(folder, name), 'PATH']);
  if (around.interpreter !== undefined && p.isAbsolute(around.interpreter)) {
    const folder = p.dirname(around.interpreter);
    candidates.push([p.join(folder, name), 'interpreter']);
    if (around.platform === 'win32') {
      candidates.push([p.join(folder, 'Scripts', name), 'interpreter']);
    }
  }
  candidates.push([p.join(around.home, '.local', 'bin', name), 'home']);
  const hit = candidates.find(([file]) => around.isExecutable(file));
  return hit === undefined ? { kind: 'missing' } : { kind: 'found', file: hit[0], origin: hit[1] };
}

/** The command a user can paste into a terminal to install Ondol, or with `file` to bring that installation up to date. */
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

/** The value of `python.defaultInterpreterPath` as a path, or undefined when it names none. */
export function interpreterPath(
  value: string,
  folder: string | undefined,
  home: string,
  platform: NodeJS.Platform,
): string | undefined {
  const p = flavour(platform);
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
