// Small repositories with habits, written by the tests: what the company's code always does is what Ondol is to suggest.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const NOUNS = ['orders', 'invoices', 'customers', 'shipments', 'returns', 'payments', 'suppliers', 'warehouses'];

/** The habit that the tests complete; the first line is long and always the same. */
export const HABIT = [
  'connection = registry.open_connection(settings.address, timeout=settings.timeout)',
  'try:',
  '    return connection.fetch_rows(query)',
  'finally:',
  '    connection.close()',
];
export const START = 'connection = registry.';
export const REST = HABIT[0].slice(START.length);

/** The beginning of one more such function, up to where the habit starts. */
export const head = (noun, indent = '    ') => `def load_${noun}(registry, settings, query):\n${indent}"""Load ${noun} that match a query."""\n${indent}`;

const functions = (noun, indent, verbs) => verbs.map((verb) => [
  `def ${verb}_${noun}(registry, settings, query):`, `${indent}"""${verb[0].toUpperCase()}${verb.slice(1)} ${noun} that match a query."""`,
  ...HABIT.map((line) => indent + line.replace(/^ {4}/, indent)), '', '',
].join('\n')).join('');

export function write(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
}

export function commit(folder, message) {
  const git = (...args) => execFileSync('git', ['-C', folder, '-c', 'user.name=Test', '-c', 'user.email=test@example.invalid', '-c', 'commit.gpgsign=false', ...args], { stdio: 'pipe' });
  if (!fs.existsSync(path.join(folder, '.git'))) { git('init', '-q'); }
  git('add', '-A');
  git('commit', '-q', '-m', message);
}

/** A shop with eight modules of the same habits, and a file for each kind of trouble. */
export function shop(folder, { git = true } = {}) {
  fs.mkdirSync(folder, { recursive: true });
  for (const noun of NOUNS) {
    write(folder, { [`shop/${noun}.py`]: `"""Queries on ${noun}."""\n\n\n${functions(noun, '    ', ['find', 'count', 'export'])}` });
  }
  write(folder, {
    'shop/__init__.py': '', 'work.py': '"""Work in progress."""\n',
    'tabs.py': `"""A file with tabs."""\n\n\n${functions('parcels', '\t', ['find', 'count'])}`,
    'windows.py': `"""A file with CRLF."""\n\n\n${functions('pallets', '    ', ['find', 'count'])}`.replaceAll('\n', '\r\n'),
    'korean.py': `"""주문을 찾는 모듈입니다."""\n\n\n# 연결을 열고 행을 읽은 뒤 반드시 닫습니다. 😀\n${functions('coupons', '    ', ['find', 'count'])}`,
    'big.py': `"""A very long file."""\n${'x = 1\n'.repeat(100_000)}`,
    'frozen.py': 'frozen = True\n', 'notes.md': '# Notes\n',
    'book.ipynb': JSON.stringify({
      cells: [
        { cell_type: 'markdown', metadata: {}, source: ['# A notebook'] },
        { cell_type: 'code', metadata: {}, source: ['def find_gifts(registry, settings, query):\n', ...HABIT.map((line, i) => `    ${line}${i < HABIT.length - 1 ? '\n' : ''}`)], outputs: [], execution_count: null },
        { cell_type: 'code', metadata: {}, source: ['# second'], outputs: [], execution_count: null },
      ],
      metadata: { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' }, language_info: { name: 'python' } }, nbformat: 4, nbformat_minor: 5,
    }),
  });
  if (git) { commit(folder, 'The shop'); }
  return folder;
}

/** Two repositories with habits that have nothing in common. */
export function pair(folder) {
  const make = (name, line) => {
    const body = (verb, noun) => `def ${verb}_${noun}(context):\n    ${line}\n    return context\n\n\n`;
    write(path.join(folder, name), Object.fromEntries(NOUNS.slice(0, 5).map((noun) => [`${name}/${noun}.py`, ['send', 'retry', 'close'].map((verb) => body(verb, noun)).join('')])));
    write(path.join(folder, name), { [`${name}_work.py`]: '' });
    commit(path.join(folder, name), name);
  };
  make('alpha', 'alpha_client.send_payload(context.message, retries=context.alpha_retries)');
  make('beta', 'beta_gateway.publish_event(context.topic, key=context.beta_key)');
  const file = path.join(folder, 'both.code-workspace');
  fs.writeFileSync(file, JSON.stringify({ folders: [{ path: 'alpha' }, { path: 'beta' }] }));
  return file;
}

/** The Python standard library's modules (about 400,000 lines with its tests, 250,000 without): size, and real code. */
export function standardLibrary(folder, { python = 'python3', tests = false } = {}) {
  const source = execFileSync(python, ['-c', 'import sysconfig; print(sysconfig.get_path("stdlib"))']).toString().trim();
  const skip = new Set(['site-packages', 'dist-packages', '__pycache__', 'config', ...(tests ? [] : ['test', 'tests', 'idlelib'])]);
  let lines = 0;
  const copy = (from, to) => {
    for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
      if (entry.isDirectory() && !skip.has(entry.name)) { copy(path.join(from, entry.name), path.join(to, entry.name)); }
      if (entry.isFile() && entry.name.endsWith('.py')) {
        fs.mkdirSync(to, { recursive: true });
        const text = fs.readFileSync(path.join(from, entry.name));
        lines += text.filter((byte) => byte === 10).length;
        fs.writeFileSync(path.join(to, entry.name), text);
      }
    }
  };
  copy(source, folder);
  return lines;
}
