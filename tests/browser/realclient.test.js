// The dashboard and a report show a session while the real client plays it, offline, at a terminal.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { launch, watched } from './lib/browser.js';
import { Sandbox, document, programs, started } from './lib/sandbox.js';
import { check } from './lib/session.js';

/** Long enough for npm to install the client, once. */
const LONG = 500_000;
let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Starts the client in the sandbox. `ready` resolves to whether this machine can run the client, and why not; `step` makes it do a step. */
async function client(t, sandbox) {
  const path = sandbox.path('run');
  Object.assign(sandbox.env, { HOME: `${path}/home`, CCSESSION_STATE_DIR: `${path}/state`, CCSESSION_POINTER_DIR: `${path}/pointers` });
  const driver = spawn(document('tests/realclient/watched.py'), [sandbox.dir], {
    env: { ...process.env, CCSESSION_BIN_DIR: programs },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const over = new Promise((done) => driver.once('exit', done));
  t.after(async () => {
    driver.stdin.end();
    await over;
  });
  const answers = createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await answers.next();
    assert.ok(!done, 'the driver of the client has ended');
    const said = JSON.parse(value);
    assert.equal(said.failed, undefined);
    return said;
  };
  const step = (...words) => {
    driver.stdin.write(`${JSON.stringify(words)}\n`);
    return answer();
  };
  return { ready: answer(), step };
}

test('a session of the real client is followed on the dashboard and in a report', { timeout: LONG }, async (t) => {
  const sandbox = new Sandbox();
  const { ready, step } = await client(t, sandbox);
  const server = await started(t, sandbox);
  t.after(() => sandbox.remove());
  const { context, page, quiet } = await watched(browser, { origin: server.origin });
  await page.goto(server.address);
  const { skipped } = await ready;
  if (skipped) {
    t.skip(skipped);
    return;
  }
  // The session appears, and waits for its first prompt.
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 1);
  const id = await page.locator('.card').getAttribute('data-card');
  const column = (name, text) =>
    page.waitForFunction(([name, text]) => document.querySelector(`.column-${name} .card`)?.textContent.includes(text), [name, text]);

  await step('send', 'RUN:work');
  await step('held', 'work');
  await column('working', 'scripted');
  const session = await context.newPage();
  await session.goto(`${server.origin}/#/session/${id}`);
  // The hooks of calls that begin together may run in any order.
  const calls = (words) =>
    session.waitForFunction((words) => {
      const states = [...document.querySelectorAll('tr.call .state')].map((it) => it.textContent.replace(/^\S /, ''));
      return states.sort().join() === words;
    }, words);
  await calls('running');
  // Makes and opens a report of the session as it is now.
  const report = async (name) => {
    const path = sandbox.path(name);
    await sandbox.cli('report', id, '-o', path);
    const found = await watched(browser, { origin: pathToFileURL(path).href });
    await found.page.goto(pathToFileURL(path).href);
    await found.page.waitForSelector('.facts');
    return found;
  };
  const meanwhile = await report('meanwhile.html');
  await meanwhile.page.waitForFunction(() => document.querySelector('tr.call .state')?.textContent.includes('running'));
  assert.match(await meanwhile.page.locator('.chip').first().textContent(), /active/);
  await step('go', 'work');
  await calls('ok');

  // A session with a question is in the first column until the question is answered.
  await step('send', 'RUN:ask');
  await page.bringToFront();
  await column('needs', 'permission');
  await session.bringToFront();
  await session.waitForFunction(() => document.querySelector('.chip')?.textContent.includes('waits for permission'));
  await step('keys', 'Enter');
  await calls('failed,ok');
  await session.waitForFunction(() => document.querySelector('tr.call.failed').cells[5].textContent !== '');

  await step('send', 'RUN:many');
  await calls('background,failed,failed,ok,ok,ok,ok');
  // The session ends.
  await step('exit');
  await session.waitForFunction(() => document.querySelector('.chip')?.textContent === 'ended');
  await page.bringToFront();
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 0);
  const [timeline, stats] = await Promise.all([sandbox.json('timeline', id), sandbox.json('stats', id)]);
  assert.deepEqual([timeline.state, timeline.calls.length, timeline.agents.length], ['ended', 7, 1]);
  await session.bringToFront();
  await check(session, timeline, stats, 'the dashboard');
  const whole = await report('whole.html');
  await check(whole.page, timeline, stats, 'the report');
  quiet('dashboard');
  meanwhile.quiet('report');
  whole.quiet('report');
  for (const it of [context, meanwhile.context, whole.context]) await it.close();
});
