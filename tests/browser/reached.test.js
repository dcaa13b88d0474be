// How the dashboard and a report are reached: by the browser that `--open` starts, through a socket file, through a forwarded port.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

import { executablePath, launch, watched } from './lib/browser.js';
import { Sandbox, generated, started } from './lib/sandbox.js';

const ID = '5b48472b-1111-4222-8333-444455556666';
const LIVE = '0b1f3c52-6b0e-4d0a-9d4e-2f6f0f5f9a11';
const LONG = 120_000;
const run = promisify(execFile);
let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** A sandbox with a session that has ended and a live one. */
async function sandbox(t) {
  const made = new Sandbox();
  made.write(ID, generated(30), { name: 'The day before' });
  await made.client(LIVE)('SessionStart', { source: 'startup', session_title: 'Fix the webhook' });
  return made;
}

async function until(is) {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = is();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  return assert.fail('timed out');
}

/** Writes a program that notes what it is asked to open, and then runs the shell line `more`. */
function standIn(made, path, more = '') {
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "$*" >>${made.path('opened')}\n${more}\n`);
  chmodSync(path, 0o755);
}

/** Waits until something was opened, and returns it. */
const opened = (made) => until(() => existsSync(made.path('opened')) && readFileSync(made.path('opened'), 'utf8').trim().split('\n'));

/** Makes a program that opens its arguments in Chromium, as the person's browser. Returns a function that waits for the page. Chromium ends with the test. */
function realBrowser(t, made) {
  const profile = made.path('profile');
  const words = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--remote-debugging-port=0', `--user-data-dir=${profile}`];
  standIn(made, made.path('browser'), `exec ${executablePath} ${words.join(' ')} "$@"`);
  made.env.BROWSER = made.path('browser');
  let shown = null;
  t.after(async () => {
    const debug = await shown?.newBrowserCDPSession();
    // Chromium ends with all of its processes, and then the connection ends.
    await debug?.send('Browser.close').catch(() => {});
    await shown?.close();
  });
  return async () => {
    const port = await until(() => existsSync(`${profile}/DevToolsActivePort`) && readFileSync(`${profile}/DevToolsActivePort`, 'utf8').split('\n')[0]);
    shown = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    await until(() => shown.contexts()[0].pages().length > 0);
    return shown.contexts()[0].pages()[0];
  };
}

test('--open leads a real browser into the dashboard', { timeout: LONG }, async (t) => {
  const made = await sandbox(t);
  const shown = realBrowser(t, made);
  const { origin } = await started(t, made, '--open');
  t.after(() => made.remove());
  const page = await shown();
  await page.waitForSelector('.card');
  assert.match(await page.locator('.card').textContent(), /Fix the webhook/);
  assert.equal(page.url(), `${origin}/`);
  // The code in the address works only once.
  const [address] = await opened(made);
  assert.ok(address.startsWith(`${origin}/`), address);
  const second = await watched(browser, { origin });
  assert.equal((await second.page.goto(address)).status(), 401);
  await second.context.close();
  await page.reload();
  await page.waitForSelector('.card');
});

test('--open shows a report in a real browser', { timeout: LONG }, async (t) => {
  const made = await sandbox(t);
  const shown = realBrowser(t, made);
  t.after(() => made.remove());
  const path = made.path('a report.html');
  await made.cli('report', ID, '-o', path, '--open');
  const page = await shown();
  await page.waitForSelector('.facts');
  assert.equal(await page.locator('.id').textContent(), ID);
  assert.deepEqual(await opened(made), [path]);
});

test('without BROWSER, xdg-open is asked', { timeout: LONG }, async (t) => {
  const made = await sandbox(t);
  t.after(() => made.remove());
  mkdirSync(made.path('bin'));
  standIn(made, made.path('bin/xdg-open'));
  made.env.PATH = `${made.path('bin')}:${made.env.PATH}`;
  await made.cli('report', ID, '-o', made.path('report.html'), '--open');
  assert.deepEqual(await opened(made), [made.path('report.html')]);
});

/** Forwards a port of the loopback to a socket file, as `ssh -L PORT:PATH` does. Returns its origin. */
async function forwarded(t, path) {
  const open = new Set();
  const server = createServer((near) => {
    const far = connect(path);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on('error', () => other.destroy()).on('close', () => (open.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const it of open) it.destroy();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

test('a socket file is reached by curl, and by a browser through a forwarded port', { timeout: LONG }, async (t) => {
  const made = await sandbox(t);
  const path = made.path('dashboard.sock');
  const { address } = await started(t, made, '--socket', path);
  const origin = await forwarded(t, path);
  t.after(() => made.remove());
  assert.equal(address, path);
  const asked = async (...words) => (await run('curl', ['-sS', '--max-time', '20', '--unix-socket', path, ...words])).stdout;
  const board = JSON.parse(await asked('http://localhost/api/board'));
  assert.deepEqual(board.sessions.map((row) => row.session_id), [LIVE]);
  assert.match(await asked('http://localhost/'), /^<!doctype html>/);
  assert.match(await asked('-H', 'Host: example.com', '-o', made.path('answer'), '-w', '%{http_code}', 'http://localhost/'), /^403$/);
  // Through the forwarded port the page is the same as on a port: it is live, and its own requests arrive.
  const { context, page, quiet } = await watched(browser, { origin });
  await page.goto(`${origin}/`);
  await page.waitForSelector('.card');
  await page.waitForFunction(() => document.querySelector('.live-mark').textContent === 'live');
  await page.locator('.card a').first().click();
  await page.waitForSelector('.facts, .notice');
  await page.goto(`${origin}/#/all`);
  await page.waitForFunction(() => document.querySelectorAll('table[aria-label="All sessions"] tbody tr').length === 2);
  await page.goto(`${origin}/#/session/${ID}`);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 30);
  await page.getByRole('button', { name: 'Clock out…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Clock out' }).click();
  await page.waitForFunction(() => document.querySelector('dialog')?.textContent.includes('The archive is written'));
  quiet('forwarded');
  await context.close();
});

test('a taken port is named, and whoever has it is left alone', { timeout: LONG }, async (t) => {
  const made = await sandbox(t);
  const { address, origin } = await started(t, made);
  t.after(() => made.remove());
  const { port } = new URL(origin);
  const refused = await made.cli('dashboard', '--port', port).then(() => assert.fail('it listens'), (error) => error);
  assert.equal(refused.code, 1);
  assert.equal(refused.stdout, '');
  assert.match(refused.stderr, new RegExp(`^ccsession: could not listen on 127\\.0\\.0\\.1:${port}: address (already )?in use; choose another port with --port, or --port 0`, 'i'));
  const { context, page } = await watched(browser, { origin });
  await page.goto(address);
  await page.waitForSelector('.card');
  await context.close();
});
