// Starts Debian's Chromium, and watches every page for requests, errors and dialogs.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

import { chromium } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
export const executablePath = PLACES.find((path) => path && existsSync(path));

/** Starts the browser. */
export const launch = () => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });

/**
 * Opens a page and notes each request that leaves `origin`, each error or warning, and each dialog. `quiet` asserts that there was
 * none.
 */
export async function watched(browser, { origin = 'file://', ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, timezoneId: 'UTC', locale: 'en-GB', ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const noted = [];
  page.on('request', (request) => {
    const url = request.url();
    const isOwn = url.startsWith(origin) || url.startsWith('data:') || url.startsWith('blob:');
    if (!isOwn) noted.push(`request to ${url}`);
  });
  page.on('console', (message) => {
    // Messages of the graphics driver are not the page's fault.
    const isOfDriver = message.text().includes('GL Driver Message');
    if (['error', 'warning'].includes(message.type()) && !isOfDriver) noted.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => noted.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    noted.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  return { context, page, requests, noted, quiet: (what = '') => assert.deepEqual(noted, [], what) };
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.woff2': 'font/woff2' };

/** Serves the files below `dir`, and `more` by path, on a free port of the loopback. */
export async function served(dir, more = {}) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    try {
      const body = more[path] ?? (await readFile(join(dir, normalize(path))));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, more, close: () => server.close() };
}
