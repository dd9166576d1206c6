#!/usr/bin/env node
// A small language server with known answers and known faults. The environment variable FAULT chooses the fault:
//   crash-at-start   ends before it answers
//   crash-loop       answers initialize, then ends
//   silent           answers nothing
//   deaf             answers only initialize
//   old              has version 0.0.1
//   early            lacks the commands that came later
//   bad-edit, old-edit   sends next edits that do not fit the document, that are for an older version
//   slow, late       answers after 0.6 s, after 4 s
//   ranges           sends items that do not fit the document
//   error            answers every request with an error
//   states           sends every state of ondol/status in turn
// Without FAULT it has none.
import fs from 'node:fs';
import process from 'node:process';

const EARLY_COMMANDS = ['accepted', 'index', 'explain', 'status', 'setEnabled'];
const COMMANDS = [...EARLY_COMMANDS, 'dismissed', 'editAccepted', 'editDismissed', 'repeatEdit'];
const fault = process.env.FAULT ?? '';
const answers = {
  'def add(': 'a, b):\n    return a + b',
  'x = long': '_name(first, second)',
  'greet(': "이름, 'hello 🙂')",
  'quit(': 'now)',
};
// Text after this key gets no answer. After the other keys the rest of the answer is suggested, as by the real server:
// VS Code asks again at each key, and an answer without items removes the ghost text.
const ONCE = 'quit(';
// The next edits: while a document contains the word "new_name", each of these lines of it is to be changed.
const replaced = {
  old_name: 'new_name',
  split_me: 'first = 1\n    second = 2',
  remove_me: undefined,
  '# grow_me': '# grow_me\ngrown = 1',
};
const other = process.env.FAKE_OTHER;
const documents = new Map();
const versions = new Map();
const offered = new Map();
const refused = new Set();
let nextEdits = false;
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

/** What is still to be typed of the answer to the text before the cursor. */
function restOf(before) {
  for (const [key, answer] of Object.entries(answers)) {
    const at = before.lastIndexOf(key);
    const typed = before.slice(at + key.length);
    if (at >= 0 && (typed === '' || (key !== ONCE && typed.length < answer.length && answer.startsWith(typed)))) {
      return answer.slice(typed.length);
    }
  }
  return undefined;
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
  const rest = restOf(before);
  return { items: rest === undefined ? [] : [item(position.line, position.character, rest)] };
}

/** The lines of a text that are to be changed, as [line, old text, new text]. */
const places = (whole) =>
  whole.split(/\r\n|\r|\n/).flatMap((text, line) => {
    const old = Object.keys(replaced).find((one) => text.includes(one));
    return old === undefined ? [] : [[line, text, replaced[old] && text.replace(old, replaced[old])]];
  });

/** The edit that is nearest to the cursor, in this document or else in FAKE_OTHER. */
function nextEdit({ textDocument, position }) {
  const edited = (documents.get(textDocument.uri) ?? '').includes('new_name');
  const own = edited ? places(documents.get(textDocument.uri)) : [];
  const distance = ([line]) => Math.abs(line - position.line) + line / 1e6;
  let found = own
    .filter(([, old]) => !refused.has(old))
    .sort((a, b) => distance(a) - distance(b))
    .map((place) => [textDocument.uri, ...place])[0];
  if (found === undefined && edited && other !== undefined) {
    const uri = `file://${other}`;
    found = places(documents.get(uri) ?? fs.readFileSync(other, 'utf8')).map((place) => [uri, ...place])[0];
  }
  if (found === undefined) {
    return { edits: [] };
  }
  const [uri, line, old, text] = found;
  const id = `edit-${++number}`;
  offered.set(id, old);
  const end = text === undefined ? { line: line + 1, character: 0 } : { line, character: old.length };
  const version = (versions.get(uri) ?? null) && versions.get(uri) - (fault === 'old-edit' ? 1 : 0);
  const range = { start: { line, character: 0 }, end: fault === 'bad-edit' ? { line: 9999, character: 0 } : end };
  const command = { title: 'accept', command: 'ondol.editAccepted', arguments: [id] };
  return { edits: [{ text: text ?? '', textDocument: { uri, version }, range, command }] };
}

/** All places in all open documents and in FAKE_OTHER. */
function allPlaces() {
  const texts = new Map(other === undefined ? [] : [[`file://${other}`, fs.readFileSync(other, 'utf8')]]);
  documents.forEach((whole, uri) => texts.set(uri, whole));
  if (![...texts.values()].some((whole) => whole.includes('new_name'))) {
    return null;
  }
  const files = [...texts].sort().map(([uri, whole]) => ({
    uri,
    path: uri.split('/').at(-1),
    edits: places(whole)
      .filter(([, , text]) => text !== undefined)
      .map(([line, oldText, newText]) => ({
        range: { start: { line, character: 0 }, end: { line, character: oldText.length } },
        newText,
        oldText,
        probability: line % 2 === 0 ? 0.9 : 0.3,
      })),
  }));
  return { title: 'old_name → new_name', files: files.filter(({ edits }) => edits.length > 0) };
}

function execute({ command, arguments: args }) {
  if (command === 'ondol.editDismissed') {
    refused.add(offered.get(args[0]));
  }
  if (command === 'ondol.repeatEdit') {
    return allPlaces();
  }
  return command === 'ondol.explain' ? '# Why\n\nBecause the test says so.' : null;
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

function change(params) {
  let whole = documents.get(params.textDocument.uri) ?? '';
  for (const one of params.contentChanges) {
    whole =
      one.range === undefined
        ? one.text
        : whole.slice(0, offset(whole, one.range.start)) + one.text + whole.slice(offset(whole, one.range.end));
  }
  documents.set(params.textDocument.uri, whole);
  versions.set(params.textDocument.uri, params.textDocument.version);
  if (nextEdits && whole.includes('new_name')) {
    send({ method: 'ondol/nextEditReady', params: { uri: params.textDocument.uri } });
  }
}

async function handle({ id, method, params }) {
  if (method === 'initialize') {
    if (fault === 'silent') {
      return;
    }
    nextEdits = params.initializationOptions?.nextEdits === true;
    send({
      id,
      result: {
        capabilities: {
          textDocumentSync: { openClose: true, change: 2 },
          inlineCompletionProvider: {},
          executeCommandProvider: {
            commands: (fault === 'early' ? EARLY_COMMANDS : COMMANDS).map((name) => `ondol.${name}`),
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
    versions.set(params.textDocument.uri, params.textDocument.version);
  } else if (method === 'textDocument/didChange') {
    change(params);
  } else if (id !== undefined && fault !== 'deaf') {
    if (fault === 'error') {
      send({ id, error: { code: -32603, message: 'an intended fault' } });
      return;
    }
    if (method === 'textDocument/inlineCompletion') {
      send({ id, result: await complete(params) });
    } else if (method === 'textDocument/copilotInlineEdit') {
      send({ id, result: nextEdit(params) });
    } else if (method === 'workspace/executeCommand') {
      send({ id, result: execute(params) });
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
