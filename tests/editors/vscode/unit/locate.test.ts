import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installCommand, interpreterPath, locate, type Surroundings } from '../../../../editors/vscode/src/locate';

const around = (files: string[], rest: Partial<Surroundings> = {}): Surroundings => ({
  setting: '',
  pathVariable: '/usr/bin:/opt/tools',
  interpreter: undefined,
  home: '/home/sun',
  platform: 'linux',
  folders: ['/home/sun/repo'],
  isExecutable: (file) => files.includes(file),
  ...rest,
});

test('setting, then PATH, then the interpreter, then the home folder', () => {
  const files = ['/srv/ondol', '/opt/tools/ondol', '/home/sun/env/bin/ondol', '/home/sun/.local/bin/ondol'];
  const interpreter = '/home/sun/env/bin/python';
  assert.deepEqual(locate(around(files, { setting: '/srv/ondol', interpreter })), {
    kind: 'found',
    file: '/srv/ondol',
    origin: 'setting',
  });
  assert.deepEqual(locate(around(files, { interpreter })), { kind: 'found', file: '/opt/tools/ondol', origin: 'PATH' });
  assert.deepEqual(locate(around(files.slice(2), { interpreter })), {
    kind: 'found',
    file: '/home/sun/env/bin/ondol',
    origin: 'interpreter',
  });
  assert.deepEqual(locate(around(files.slice(2))), {
    kind: 'found',
    file: '/home/sun/.local/bin/ondol',
    origin: 'home',
  });
  assert.deepEqual(locate(around([])), { kind: 'missing' });
});

test('a setting that names nothing runnable is said, not passed over', () => {
  assert.deepEqual(locate(around(['/usr/bin/ondol'], { setting: '/gone/ondol' })), {
    kind: 'bad-setting',
    file: '/gone/ondol',
  });
  assert.deepEqual(locate(around(['bin/ondol'], { setting: 'bin/ondol' })), { kind: 'bad-setting', file: 'bin/ondol' });
  assert.deepEqual(locate(around(['/home/sun/x/ondol'], { setting: '~/x/ondol' })), {
    kind: 'found',
    file: '/home/sun/x/ondol',
    origin: 'setting',
  });
});

test('a repository that brings a program of that name, or stands on the PATH, is not run', () => {
  const files = ['/home/sun/repo/bin/ondol', '/home/sun/repo/ondol', './ondol', 'ondol'];
  assert.deepEqual(locate(around(files, { pathVariable: '.::bin:/home/sun/repo/bin:/home/sun/repo' })), {
    kind: 'missing',
  });
  assert.equal(
    locate(around(['/home/sun/repository/bin/ondol'], { pathVariable: '/home/sun/repository/bin' })).kind,
    'found',
  );
});

test('Windows', () => {
  const windows: Partial<Surroundings> = {
    platform: 'win32',
    pathVariable: 'C:\\Tools;D:\\x',
    home: 'C:\\Users\\sun',
    folders: ['C:\\repo'],
  };
  assert.deepEqual(locate(around(['D:\\x\\ondol.exe'], windows)), {
    kind: 'found',
    file: 'D:\\x\\ondol.exe',
    origin: 'PATH',
  });
  assert.deepEqual(locate(around(['C:\\py\\Scripts\\ondol.exe'], { ...windows, interpreter: 'C:\\py\\python.exe' })), {
    kind: 'found',
    file: 'C:\\py\\Scripts\\ondol.exe',
    origin: 'interpreter',
  });
});

test('the commands to paste', () => {
  assert.equal(installCommand(undefined), 'pipx install ondol');
  assert.equal(installCommand('/home/sun/my env/bin/python'), '"/home/sun/my env/bin/python" -m pip install ondol');
  assert.equal(installCommand(undefined, '/home/sun/.local/pipx/venvs/ondol/bin/ondol'), 'pipx upgrade ondol');
  assert.equal(installCommand(undefined, '/home/sun/.local/share/uv/tools/ondol/bin/ondol'), 'uv tool upgrade ondol');
  assert.equal(installCommand(undefined, '/opt/venv/bin/ondol'), '/opt/venv/bin/python -m pip install --upgrade ondol');
});

test('the interpreter setting of the workspace', () => {
  const path = (value: string) => interpreterPath(value, '/home/sun/repo', '/home/sun', 'linux');
  assert.equal(path('${workspaceFolder}/.venv/bin/python'), '/home/sun/repo/.venv/bin/python');
  assert.equal(path('~/env/bin/python'), '/home/sun/env/bin/python');
  assert.equal(path('.venv/bin/python'), '/home/sun/repo/.venv/bin/python');
  assert.equal(path('/usr/bin/python3'), '/usr/bin/python3');
  for (const nothing of ['', 'python', '${command:something}/python']) {
    assert.equal(path(nothing), undefined);
  }
});
