import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  choices,
  installCommand,
  interpreterPath,
  locateServer,
  type Environment,
} from '../../../../editors/vscode/src/locateServer';

const environment = (files: string[], rest: Partial<Environment> = {}): Environment => ({
  setting: '',
  pathVariable: '/usr/bin:/opt/tools',
  interpreter: undefined,
  home: '/home/sun',
  platform: 'linux',
  folders: ['/home/sun/repo'],
  isExecutable: (file) => files.includes(file),
  ...rest,
});

test('the search order is the setting, PATH, the interpreter, the home folder', () => {
  const files = ['/srv/ondol', '/opt/tools/ondol', '/home/sun/env/bin/ondol', '/home/sun/.local/bin/ondol'];
  const interpreter = '/home/sun/env/bin/python';
  assert.deepEqual(locateServer(environment(files, { setting: '/srv/ondol', interpreter })), {
    kind: 'found',
    file: '/srv/ondol',
    foundBy: 'setting',
  });
  assert.deepEqual(locateServer(environment(files, { interpreter })), {
    kind: 'found',
    file: '/opt/tools/ondol',
    foundBy: 'PATH',
  });
  assert.deepEqual(locateServer(environment(files.slice(2), { interpreter })), {
    kind: 'found',
    file: '/home/sun/env/bin/ondol',
    foundBy: 'interpreter',
  });
  assert.deepEqual(locateServer(environment(files.slice(2))), {
    kind: 'found',
    file: '/home/sun/.local/bin/ondol',
    foundBy: 'home',
  });
  assert.deepEqual(locateServer(environment([])), { kind: 'missing' });
});

test('a setting that names no executable file is an error', () => {
  assert.deepEqual(locateServer(environment(['/usr/bin/ondol'], { setting: '/gone/ondol' })), {
    kind: 'bad-setting',
    file: '/gone/ondol',
  });
  assert.deepEqual(locateServer(environment(['bin/ondol'], { setting: 'bin/ondol' })), {
    kind: 'bad-setting',
    file: 'bin/ondol',
  });
  assert.deepEqual(locateServer(environment(['/home/sun/x/ondol'], { setting: '~/x/ondol' })), {
    kind: 'found',
    file: '/home/sun/x/ondol',
    foundBy: 'setting',
  });
});

test('a program inside the workspace is never used, even if its folder is on PATH', () => {
  const files = ['/home/sun/repo/bin/ondol', '/home/sun/repo/ondol', './ondol', 'ondol'];
  assert.deepEqual(locateServer(environment(files, { pathVariable: '.::bin:/home/sun/repo/bin:/home/sun/repo' })), {
    kind: 'missing',
  });
  assert.equal(
    locateServer(environment(['/home/sun/repository/bin/ondol'], { pathVariable: '/home/sun/repository/bin' })).kind,
    'found',
  );
});

test('the search on Windows', () => {
  const windows: Partial<Environment> = {
    platform: 'win32',
    pathVariable: 'C:\\Tools;D:\\x',
    home: 'C:\\Users\\sun',
    folders: ['C:\\repo'],
  };
  assert.deepEqual(locateServer(environment(['D:\\x\\ondol.exe'], windows)), {
    kind: 'found',
    file: 'D:\\x\\ondol.exe',
    foundBy: 'PATH',
  });
  assert.deepEqual(
    locateServer(environment(['C:\\py\\Scripts\\ondol.exe'], { ...windows, interpreter: 'C:\\py\\python.exe' })),
    {
      kind: 'found',
      file: 'C:\\py\\Scripts\\ondol.exe',
      foundBy: 'interpreter',
    },
  );
});

test('the commands that install and update Ondol name a wheel and never a bare name', () => {
  const wheel = './ondol-0.2.0-py3-none-any.whl';
  const command = (interpreter?: string, file?: string) => installCommand('0.2.0', interpreter, file);
  assert.equal(command(), `pipx install ${wheel}`);
  assert.equal(command('/home/sun/my env/bin/python'), `"/home/sun/my env/bin/python" -m pip install ${wheel}`);
  assert.equal(command(undefined, '/home/sun/.local/pipx/venvs/ondol/bin/ondol'), `pipx install --force ${wheel}`);
  assert.equal(
    command(undefined, '/home/sun/.local/share/uv/tools/ondol/bin/ondol'),
    `uv tool install --force ${wheel}`,
  );
  assert.equal(command(undefined, '/opt/venv/bin/ondol'), `/opt/venv/bin/python -m pip install ${wheel}`);
});

test('programs of pipx, uv and conda are found without PATH', () => {
  for (const [file, foundBy] of [
    ['/home/sun/.local/share/pipx/venvs/ondol/bin/ondol', 'home'],
    ['/home/sun/.local/share/uv/tools/ondol/bin/ondol', 'home'],
    ['/opt/conda/envs/work/bin/ondol', 'conda'],
    ['/home/sun/miniforge3/bin/ondol', 'conda'],
    ['/home/sun/miniconda3/envs/ondol/bin/ondol', 'conda'],
  ] as const) {
    const found = locateServer(environment([file], { conda: '/opt/conda/envs/work' }));
    assert.deepEqual(found, { kind: 'found', file, foundBy });
  }
});

test('an environment inside the workspace is offered and never started by itself', () => {
  const files = ['/home/sun/repo/.venv/bin/ondol', '/home/sun/.local/bin/ondol'];
  assert.deepEqual(locateServer(environment(files.slice(0, 1))), { kind: 'missing' });
  assert.deepEqual(choices(environment(files)), [
    ['/home/sun/.local/bin/ondol', 'home'],
    ['/home/sun/repo/.venv/bin/ondol', 'workspace'],
  ]);
});

test('the path in the interpreter setting of the workspace', () => {
  const path = (value: string) => interpreterPath(value, '/home/sun/repo', '/home/sun', 'linux');
  assert.equal(path('${workspaceFolder}/.venv/bin/python'), '/home/sun/repo/.venv/bin/python');
  assert.equal(path('~/env/bin/python'), '/home/sun/env/bin/python');
  assert.equal(path('.venv/bin/python'), '/home/sun/repo/.venv/bin/python');
  assert.equal(path('/usr/bin/python3'), '/usr/bin/python3');
  for (const nothing of ['', 'python', '${command:something}/python']) {
    assert.equal(path(nothing), undefined);
  }
});
