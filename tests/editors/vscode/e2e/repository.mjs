// Small repositories for the tests. Their functions repeat the same lines, which Ondol should suggest.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const NOUNS = ['orders', 'invoices', 'customers', 'shipments', 'returns', 'payments', 'suppliers', 'warehouses'];

/** The repeated lines. The tests complete the first one. */
export const REPEATED = [
  'connection = registry.open_connection(settings.address, timeout=settings.timeout)',
  'try:',
  '    return connection.fetch_rows(query)',
  'finally:',
  '    connection.close()',
];
export const START = 'connection = registry.';
export const REST = REPEATED[0].slice(START.length);

/** The beginning of another such function, up to the repeated lines. */
export const head = (noun, indent = '    ') =>
  `def load_${noun}(registry, settings, query):\n${indent}"""Load ${noun} that match a query."""\n${indent}`;

const functions = (noun, indent, verbs) =>
  verbs
    .map((verb) =>
      [
        `def ${verb}_${noun}(registry, settings, query):`,
        `${indent}"""${verb[0].toUpperCase()}${verb.slice(1)} ${noun} that match a query."""`,
        ...REPEATED.map((line) => indent + line.replace(/^ {4}/, indent)),
        '',
        '',
      ].join('\n'),
    )
    .join('');

export function write(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
}

export function commit(folder, message) {
  const git = (...args) =>
    execFileSync(
      'git',
      [
        '-C',
        folder,
        '-c',
        'user.name=Test',
        '-c',
        'user.email=test@example.invalid',
        '-c',
        'commit.gpgsign=false',
        ...args,
      ],
      { stdio: 'pipe' },
    );
  if (!fs.existsSync(path.join(folder, '.git'))) {
    git('init', '-q');
  }
  git('add', '-A');
  git('commit', '-q', '-m', message);
}

/** Creates a repository with eight modules of such functions, and a file for each special case. */
export function shop(folder, { git = true } = {}) {
  fs.mkdirSync(folder, { recursive: true });
  for (const noun of NOUNS) {
    write(folder, {
      [`shop/${noun}.py`]: `"""Queries on ${noun}."""\n\n\n${functions(noun, '    ', ['find', 'count', 'export'])}`,
    });
  }
  write(folder, {
    'shop/__init__.py': '',
    'work.py': '"""Work in progress."""\n',
    'tabs.py': `"""A file with tabs."""\n\n\n${functions('parcels', '\t', ['find', 'count'])}`,
    'windows.py': `"""A file with CRLF."""\n\n\n${functions('pallets', '    ', ['find', 'count'])}`.replaceAll(
      '\n',
      '\r\n',
    ),
    'korean.py': [
      '"""주문을 찾는 모듈입니다."""\n\n',
      '# 연결을 열고 행을 읽은 뒤 반드시 닫습니다. 😀',
      functions('coupons', '    ', ['find', 'count']),
    ].join('\n'),
    'big.py': `"""A very long file."""\n${'x = 1\n'.repeat(100_000)}`,
    'frozen.py': 'frozen = True\n',
    'notes.md': '# Notes\n',
    'book.ipynb': JSON.stringify({
      cells: [
        { cell_type: 'markdown', metadata: {}, source: ['# A notebook'] },
        {
          cell_type: 'code',
          metadata: {},
          source: [
            'def find_gifts(registry, settings, query):\n',
            ...REPEATED.map((line, i) => `    ${line}${i < REPEATED.length - 1 ? '\n' : ''}`),
          ],
          outputs: [],
          execution_count: null,
        },
        { cell_type: 'code', metadata: {}, source: ['# second'], outputs: [], execution_count: null },
      ],
      metadata: {
        kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
        language_info: { name: 'python' },
      },
      nbformat: 4,
      nbformat_minor: 5,
    }),
  });
  if (git) {
    commit(folder, 'The shop');
  }
  return folder;
}

export const FAMILY = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa'];

/** The repeated line of one repository of the family: its beginning and its rest. */
export const trait = (name) => [
  `${name}_client.`,
  `send_${name}(context.${name}_message, retries=context.${name}_retries)`,
];

/** Creates repositories with nothing in common and a workspace that contains them all. Returns the workspace file. */
export function family(folder) {
  for (const name of FAMILY) {
    const body = (verb, noun) => `def ${verb}_${noun}(context):\n    ${trait(name).join('')}\n    return context\n\n\n`;
    write(
      path.join(folder, name),
      Object.fromEntries(
        NOUNS.slice(0, 5).map((noun) => [
          `${name}/${noun}.py`,
          ['send', 'retry', 'close'].map((verb) => body(verb, noun)).join(''),
        ]),
      ),
    );
    write(path.join(folder, name), { [`${name}_work.py`]: '' });
    commit(path.join(folder, name), name);
  }
  const file = path.join(folder, 'family.code-workspace');
  fs.writeFileSync(file, JSON.stringify({ folders: FAMILY.map((name) => ({ path: name })) }));
  return file;
}

/**
 * Copies at least `wanted` lines of the Python standard library, as a large amount of real code. Returns the line
 * count.
 */
export function standardLibrary(folder, wanted = 100_000) {
  const source = execFileSync('python3', ['-c', 'import sysconfig; print(sysconfig.get_path("stdlib"))'])
    .toString()
    .trim();
  const skip = new Set(['site-packages', 'dist-packages', '__pycache__', 'config', 'test', 'tests', 'idlelib']);
  let lines = 0;
  const copy = (from, to) => {
    for (const entry of fs.readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isDirectory() && !skip.has(entry.name)) {
        copy(path.join(from, entry.name), path.join(to, entry.name));
      }
      if (entry.isFile() && entry.name.endsWith('.py') && lines < wanted) {
        const text = fs.readFileSync(path.join(from, entry.name));
        write(to, { [entry.name]: text });
        lines += text.filter((byte) => byte === 10).length;
      }
    }
  };
  copy(source, folder);
  return lines;
}
