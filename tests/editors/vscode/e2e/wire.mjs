// The messages between the editor and a server, read from the log that tap.mjs writes.
import fs from 'node:fs';

/** The messages between the editor and a server. */
export class Wire {
  constructor(log) {
    this.log = log;
  }

  entries() {
    return fs
      .readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line));
  }

  /** The editor's messages of one method. */
  sent(method) {
    return this.entries()
      .filter((entry) => entry.from === 'editor' && entry.message.method === method)
      .map((entry) => entry.message);
  }

  /** The server's messages of one method. */
  received(method) {
    return this.entries()
      .filter((entry) => entry.from === 'server' && entry.message.method === method)
      .map((entry) => entry.message);
  }

  count(method) {
    return this.sent(method).length;
  }

  /** The number of requests of one method that the server has not answered yet. */
  unanswered(method) {
    const answered = new Set(this.entries().map((entry) => entry.from === 'server' && entry.message.id));
    return this.sent(method).filter((message) => !answered.has(message.id)).length;
  }

  /** The log entries of server starts. */
  starts() {
    return this.entries().filter((entry) => entry.event === 'started');
  }

  /** The requests to execute the command `name`. */
  commands(name) {
    return this.sent('workspace/executeCommand').filter((message) => message.params.command === name);
  }
}
