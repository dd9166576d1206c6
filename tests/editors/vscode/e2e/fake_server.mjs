#!/usr/bin/env node
// A small language server with known answers and known faults. The environment variable FAULT chooses the fault:
//   crash-at-start   ends before it answers
//   crash-loop       answers initialize, then ends
//   silent           answers nothing
//   deaf             answers only initialize
//   old              has version 0.0.1
//   early            lacks the commands that came later
//   slow, late       answers after 0.6 s, after 4 s
//   ranges           sends items that do not fit the document
//   error            answers every request with an error
//   states           sends every state of ondol/status in turn
// Without FAULT it has none.
import process from 'node:process';

const COMMANDS = ['accepted', 'dismissed', 'index', 'explain', 'status', 'setEnabled'].map((name) => `ondol.${name}`);
const fault = process.env.FAULT ?? '';
const text = {
  'def add(': 'a, b):\n    return a + b',
  'x = long': 'long_name(first, second)',
  'greet(': "이름, 'hello 🙂')",
};
const documents = new Map();
let number = 0;

const send = (message) => {
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  process.stdout.write(`Content-Length: ${body.length}\r\n\r\n`);
  process.stdout.write(body);
};
const status = (state, rest = {}) => send({ method: 'ondol/status', params: { state, message: '', ...rest } });
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function item(line, character, insertText) {
  const position = { line, character };
  return {
    insertText,
    range: { start: position, end: position },
    command: { title: 'accepted', command: 'ondol.accepted', arguments: [{ id: `fake-${++number}` }] },
  };
}

function wrongItems({ line, character }) {
  const good = item(line, character, 'good)');
  const ranges = [
    [line, 0, line, 999],
    [line + 1, 0, line + 1, 0],
    [line, character, line - 1, 0],
    [line, character + 1, line, character],
    [999999, 0, 999999, 4],
    [line, -3, line, character],
  ];
  return ranges
    .map(([a, b, c, d]) => ({ ...good, range: { start: { line: a, character: b }, end: { line: c, character: d } } }))
    .concat([{ ...good, insertText: '' }, { ...good, insertText: 42 }, null, 'text', { range: null }]);
}

async function complete({ textDocument, position }) {
  const line = (documents.get(textDocument.uri) ?? '').split(/\r\n|\r|\n/)[position.line] ?? '';
  const before = line.slice(0, position.character);
  if (fault === 'ranges') {
    return { items: wrongItems(position) };
  }
  if (fault === 'late') {
    await wait(4000);
  }
  if (fault === 'slow') {
    await wait(600);
  }
  const key = Object.keys(text).find((one) => before.endsWith(one));
  return {
    items:
      key === undefined
        ? []
        : [item(position.line, position.character, text[key].startsWith('long') ? text[key].slice(4) : text[key])],
  };
}

const offset = (whole, { line, character }) => {
  let at = 0;
  for (let i = 0; i < line; i++) {
    const next = whole.indexOf('\n', at);
    if (next < 0) {
      return whole.length;
    }
    at = next + 1;
  }
  return at + character;
};

async function states() {
  const plan = [
    ['starting'],
    ['indexing', { percent: 7, message: 'reading' }],
    ['indexing', { percent: 64 }],
    ['model-loading', { message: 'weights' }],
    ['problem', { message: 'The data directory cannot be written; free some space.' }],
    ['off'],
    ['ready', { documents: 12, generation: 3 }],
  ];
  for (const [state, rest] of plan) {
    status(state, rest);
    await wait(900);
  }
}

async function handle({ id, method, params }) {
  if (method === 'initialize') {
    if (fault === 'silent') {
      return;
    }
    send({
      id,
      result: {
        capabilities: {
          textDocumentSync: { openClose: true, change: 2 },
          inlineCompletionProvider: {},
          executeCommandProvider: {
            commands: COMMANDS.filter((name) => fault !== 'early' || name !== 'ondol.dismissed'),
          },
        },
        serverInfo: { name: 'ondol', version: fault === 'old' ? '0.0.1' : '0.1.0' },
      },
    });
    if (fault === 'crash-loop') {
      setTimeout(() => process.exit(3), 150);
    }
  } else if (method === 'initialized') {
    if (fault === 'states') {
      void states();
    } else {
      status('ready', { documents: 1, generation: 1 });
    }
  } else if (method === 'shutdown') {
    send({ id, result: null });
  } else if (method === 'exit') {
    process.exit(0);
  } else if (method === 'textDocument/didOpen') {
    documents.set(params.textDocument.uri, params.textDocument.text);
  } else if (method === 'textDocument/didChange') {
    let whole = documents.get(params.textDocument.uri) ?? '';
    for (const change of params.contentChanges) {
      whole =
        change.range === undefined
          ? change.text
          : whole.slice(0, offset(whole, change.range.start)) +
            change.text +
            whole.slice(offset(whole, change.range.end));
    }
    documents.set(params.textDocument.uri, whole);
  } else if (id !== undefined && fault !== 'deaf') {
    if (fault === 'error') {
      send({ id, error: { code: -32603, message: 'an intended fault' } });
      return;
    }
    if (method === 'textDocument/inlineCompletion') {
      send({ id, result: await complete(params) });
    } else if (method === 'workspace/executeCommand') {
      send({ id, result: params.command === 'ondol.explain' ? '# Why\n\nBecause the test says so.' : null });
    } else {
      send({ id, error: { code: -32601, message: 'unknown' } });
    }
  }
}

if (fault === 'crash-at-start') {
  console.error('Traceback: no such module');
  process.exit(1);
}
let buffer = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const end = buffer.indexOf('\r\n\r\n');
    const length = Number(/content-length: *(\d+)/i.exec(buffer.subarray(0, Math.max(end, 0)).toString())?.[1]);
    if (end < 0 || buffer.length < end + 4 + length) {
      return;
    }
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
    buffer = buffer.subarray(end + 4 + length);
    void handle(message);
  }
});
process.stdin.on('end', () => process.exit(0));
