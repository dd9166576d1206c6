#!/usr/bin/env node
// Runs a language server and logs every message between it and the editor, without changing any.
//
//   tap.mjs LOG COMMAND ARGUMENTS...
//
// Each line of LOG is one JSON object: {at, from: 'editor' | 'server', message}. `at` is in milliseconds of the epoch.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';

const [log, command, ...args] = process.argv.slice(2);
const file = fs.openSync(log, 'a');
const note = (entry) =>
  fs.writeSync(file, JSON.stringify({ at: performance.timeOrigin + performance.now(), ...entry }) + '\n');

/** Returns a function that takes the chunks of a stream and calls `take` for every complete message. */
function messages(take) {
  let buffer = Buffer.alloc(0);
  return (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) {
        return;
      }
      const length = Number(/content-length: *(\d+)/i.exec(buffer.subarray(0, end).toString())?.[1]);
      if (!(length >= 0)) {
        buffer = Buffer.alloc(0);
        return;
      }
      if (buffer.length < end + 4 + length) {
        return;
      }
      const body = buffer.subarray(end + 4, end + 4 + length).toString();
      buffer = buffer.subarray(end + 4 + length);
      try {
        take(JSON.parse(body));
      } catch {
        note({ from: 'noise', text: body.slice(0, 200) });
      }
    }
  };
}

const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
note({ from: 'tap', event: 'started', pid: server.pid, args });
const fromEditor = messages((message) => note({ from: 'editor', message }));
const fromServer = messages((message) => note({ from: 'server', message }));
process.stdin.on('data', (chunk) => {
  fromEditor(chunk);
  server.stdin.write(chunk);
});
process.stdin.on('end', () => server.stdin.end());
server.stdout.on('data', (chunk) => {
  fromServer(chunk);
  process.stdout.write(chunk);
});
server.stdin.on('error', () => {});
process.stdout.on('error', () => {});
server.on('exit', (code, signal) => {
  note({ from: 'tap', event: 'ended', code, signal });
  process.exit(code ?? 1);
});
server.on('error', (error) => {
  note({ from: 'tap', event: 'failed', text: String(error) });
  process.exit(127);
});
for (const name of ['SIGTERM', 'SIGINT']) {
  process.on(name, () => server.kill(name));
}
