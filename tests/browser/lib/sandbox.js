// A temporary HOME, state and pointer directory for the real programs, with sessions in it.

import { execFile, execFileSync, fork, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = new URL('../../..', import.meta.url).pathname;
export const programs = resolve(process.env.CCSESSION_BIN_DIR ?? join(root, 'target/debug'));
const run = promisify(execFile);
const MANY = 1 << 28;

/** The time at which each recording begins, in milliseconds since 1970. */
export const BEGIN = 1_795_188_000_000;

export const data = (name) => join(root, 'tests/data', name);
export const document = (name) => join(root, name);

/** The names of the recorded runs of the client. */
export function recordings() {
  const names = readdirSync(data('payloads/sessions'));
  return names.map((name) => name.replace(/\.jsonl$/, '')).sort();
}

export const lines = (text) => text.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line));

const hookFor = {
  SessionStart: 'session-start',
  PreToolUse: 'pre-tool-use',
  PostToolUse: 'post-tool-use',
  PostToolUseFailure: 'post-tool-use',
  PostToolBatch: 'post-tool-use',
};

export class Sandbox {
  /** Everything is removed after `test`. */
  constructor(test) {
    test?.after(() => this.remove());
    this.clients = [];
    this.dir = mkdtempSync(join(tmpdir(), 'ccsession-browser-'));
    for (const name of ['home', 'pointers', 'shop']) mkdirSync(join(this.dir, name));
    mkdirSync(this.path('state'), { mode: 0o700 });
    // Marks a cleanup as just done, so that no hook starts one.
    writeFileSync(this.path('state/sweep'), '', { mode: 0o600 });
    this.env = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: this.path('home'),
      TZ: 'UTC',
      CCSESSION_STATE_DIR: this.path('state'),
      CCSESSION_POINTER_DIR: this.path('pointers'),
      CCSESSION_ARCHIVE_AUTO: 'false',
    };
  }

  path(name) {
    return join(this.dir, name);
  }

  session(id) {
    return this.path(`state/sessions/${id}`);
  }

  /** Removes everything. */
  remove() {
    for (const client of this.clients) client.disconnect();
    // A process that is just ending may still write a file.
    for (let tries = 0; ; tries += 1) {
      try {
        return rmSync(this.dir, { recursive: true, force: true });
      } catch (error) {
        if (error.code !== 'ENOTEMPTY' || tries === 50) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      }
    }
  }

  /** Runs the CLI, and returns its stdout. */
  async cli(...words) {
    const options = { env: this.env, cwd: this.path('shop'), maxBuffer: MANY };
    const { stdout } = await run(join(programs, 'ccsession'), words, options);
    return stdout;
  }

  async json(...words) {
    return JSON.parse(await this.cli(...words, '--json'));
  }

  /** Starts the CLI and leaves it running. */
  start(...words) {
    return spawn(join(programs, 'ccsession'), words, { env: this.env, cwd: this.path('shop') });
  }

  /** Runs the hook for a payload, with this process as the client. */
  hook(payload, env = {}) {
    const program = hookFor[payload.hook_event_name] ?? 'session-event';
    execFileSync(join(programs, program), {
      input: `${JSON.stringify(payload)}\n`,
      env: { ...this.env, CLAUDE_PROJECT_DIR: this.path('shop'), CLAUDE_PID: String(process.pid), ...env },
      cwd: this.path('shop'),
    });
  }

  /**
   * Starts a client with a session of this id. Returns a function that runs the hook for an event, one after the other; its promise
   * resolves when the hook has ended.
   */
  client(id) {
    const child = fork(new URL('client.js', import.meta.url).pathname);
    this.clients.push(child);
    let last = Promise.resolve();
    const tell = (event, more) =>
      new Promise((done, fail) => {
        child.once('message', (error) => (error === null ? done() : fail(new Error(error))));
        const payload = { hook_event_name: event, session_id: id, cwd: this.path('shop'), transcript_path: this.path(`home/${id}.jsonl`), ...more };
        child.send({
          program: join(programs, hookFor[event] ?? 'session-event'),
          input: `${JSON.stringify(payload)}\n`,
          env: { ...this.env, CLAUDE_PROJECT_DIR: this.path('shop') },
          cwd: this.path('shop'),
        });
      });
    return (event, more = {}) => (last = last.then(() => tell(event, more)));
  }

  /** Writes a session without a client, with these lines in its journal. */
  write(id, journal, record = {}) {
    const dir = this.session(id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(this.path('state/sessions'), 0o700);
    const none = Object.fromEntries(
      ['cwd', 'transcript_path', 'model', 'agent_type', 'head', 'end_reason', 'outcome', 'exit_status', 'previous', 'parent']
        .concat(['name', 'role', 'focus', 'notes', 'description', 'machine', 'archive', 'ended_at'])
        .map((name) => [name, null]),
    );
    const whole = {
      v: 1,
      session_id: id,
      project: { name: 'shop', root: this.path('shop') },
      source: 'startup',
      started_at: journal[0].ts,
      ...none,
      ...record,
    };
    writeFileSync(join(dir, 'session.json'), JSON.stringify(whole), { mode: 0o600 });
    const text = journal.map((line) => `\n${JSON.stringify(line)}\n`).join('');
    writeFileSync(join(dir, 'events.jsonl'), text, { mode: 0o600 });
  }

  /** Plays the hooks of a recorded run, and gives the events their recorded times. Returns the ids of its sessions. */
  play(name) {
    const told = new Map();
    for (const call of lines(readFileSync(data(`payloads/sessions/${name}.jsonl`), 'utf8'))) {
      this.hook(call.stdin);
      if (call.stdin.hook_event_name === 'MessageDisplay') continue;
      const id = call.stdin.session_id;
      told.set(id, [...(told.get(id) ?? []), { at: call.at_ms, pid: Number(call.env.CLAUDE_PID) }]);
    }
    for (const [id, moments] of told) {
      const path = join(this.session(id), 'events.jsonl');
      const events = lines(readFileSync(path, 'utf8'));
      const text = events.map((line, place) => {
        const { at, pid } = moments[place];
        const ts = time(at);
        return `\n${JSON.stringify({ ...line, ts, mono: 1_000_000_000 + at * 1000, pid })}\n`;
      });
      writeFileSync(path, text.join(''));
      rmSync(join(this.session(id), 'owners'), { recursive: true, force: true });
      mkdirSync(join(this.session(id), 'owners'), { mode: 0o700 });
    }
    return [...told.keys()];
  }
}

/** Starts the dashboard of a sandbox, and returns it once it listens. The dashboard ends with the test. */
export async function started(test, sandbox, ...words) {
  const place = words.includes('--socket') ? [] : ['--port', '0'];
  const server = sandbox.start('dashboard', ...place, ...words);
  const over = new Promise((done) => server.once('exit', done));
  test.after(async () => {
    server.kill('SIGINT');
    await over;
  });
  const output = createInterface({ input: server.stdout });
  const address = await new Promise((done, fail) => {
    output.once('line', done);
    over.then((status) => fail(new Error(`the dashboard ended with ${status}`)));
  });
  // With a socket, the address is a path.
  return { server, address, origin: URL.canParse(address) ? new URL(address).origin : null };
}

/** Returns the time of a journal line, `ms` milliseconds after the beginning. */
export const time = (ms) => new Date(BEGIN + ms).toISOString().replace('Z', '000Z');

/**
 * Returns the journal of a session with this many calls, the same each time: turns, subagents, parallel calls, waits for permission
 * and failures.
 */
export function generated(calls, { agents = 100, label = (place) => `Step ${place} of the work`, prompt = (turn) => `Please do part ${turn}` } = {}) {
  const tools = ['Bash', 'Read', 'Edit', 'Grep', 'Glob', 'WebFetch', 'mcp__issues__search'];
  const journal = [];
  const tell = (ms, event, more) =>
    journal.push({ v: 1, ts: time(ms), mono: 1_000_000_000 + ms * 1000, event, pid: 7, ...more });
  let seed = 1;
  const dice = (sides) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * sides);
  };
  let now = 0;
  let turn = 0;
  tell(now, 'SessionStart', { source: 'startup' });
  for (let place = 0; place < calls; ) {
    if (place % 40 === 0) {
      if (turn > 0) tell((now += 50), 'Stop', { prompt_id: `p${turn}` });
      now += 1000 + dice(turn % 7 === 6 ? 3_600_000 : 60_000);
      turn += 1;
      tell(now, 'UserPromptSubmit', { prompt_id: `p${turn}`, what: prompt(turn), branch: turn % 3 ? 'main' : 'feature' });
    }
    const together = Math.min(1 + dice(3), calls - place, 40 - (place % 40));
    const agent = dice(4) === 0 ? { agent_id: `agent${turn % agents}`, agent_type: 'Explore' } : {};
    const ends = [];
    for (let side = 0; side < together; side += 1, place += 1) {
      const tool = tools[dice(tools.length)];
      const call = { tool, tool_use_id: `t${place}`, what: label(place, tool), prompt_id: `p${turn}`, ...agent };
      const input_bytes = 20 + dice(500);
      tell((now += 1 + dice(5)), 'PreToolUse', { ...call, input_bytes });
      const took = 1 + dice(dice(20) === 0 ? 60_000 : 900);
      const asked = dice(30) === 0;
      // A question for permission does not name its call.
      const { tool_use_id: _, ...question } = call;
      if (asked) tell(now, 'PermissionRequest', { ...question, input_bytes });
      const failed = dice(12) === 0;
      const end = { ...call, duration_ms: took, output_bytes: dice(9000) };
      ends.push([now + took + (asked ? 4000 : 2), failed ? 'PostToolUseFailure' : 'PostToolUse', end]);
    }
    ends.sort((one, other) => one[0] - other[0]);
    for (const [at, event, call] of ends) tell((now = Math.max(now, at)), event, call);
  }
  tell((now += 100), 'Stop', { prompt_id: `p${turn}` });
  tell(now + 10, 'SessionEnd', { reason: 'other' });
  return journal;
}
