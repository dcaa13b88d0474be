// speedscope's own program opens the trace of every recorded session.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, served, watched } from './lib/browser.js';
import { Sandbox, generated, recordings } from './lib/sandbox.js';

const program = new URL('node_modules/speedscope/dist/release', import.meta.url).pathname;
let browser;
let site;

before(async () => {
  browser = await launch();
  site = await served(program);
});

after(async () => {
  await browser?.close();
  site?.close();
});

/** Opens a trace, and returns the names of its profiles as speedscope lists them. */
async function opened(trace) {
  site.more['/trace.json'] = trace;
  const { context, page, quiet } = await watched(browser, { origin: site.origin });
  await page.goto(`${site.origin}/index.html#profileURL=${encodeURIComponent(`${site.origin}/trace.json`)}`);
  await page.waitForFunction(() => /tid \d+\)|Something went wrong/.test(document.body.innerText));
  // The name of the shown profile; if there are several, also its number and how many there are.
  const shown = async () => /^(.*\(tid \d+\))(?: \((\d+)\/(\d+)\))?$/m.exec(await page.evaluate(() => document.body.innerText));
  const [, name, , count] = await shown();
  const names = [name];
  while (names.length < Number(count ?? 1)) {
    await page.keyboard.press('n');
    await page.waitForFunction((at) => document.body.innerText.includes(at), ` (${names.length + 1}/${count})`);
    names.push((await shown())[1]);
  }
  quiet('speedscope');
  await context.close();
  return names;
}

/** Returns the threads of a trace that have slices: speedscope makes a profile of each. */
function threads(trace) {
  const { traceEvents } = JSON.parse(trace);
  const named = (kind, event) => traceEvents.find((it) => it.name === kind && it.pid === event.pid && (kind === 'process_name' || it.tid === event.tid));
  const names = traceEvents.filter((event) => event.ph === 'X').map((event) => {
    const [process, thread] = [named('process_name', event), named('thread_name', event)];
    return `${process.args.name} (pid ${event.pid}), ${thread.args.name} (tid ${event.tid})`;
  });
  return [...new Set(names)];
}

for (const name of recordings()) {
  test(`the trace of ${name} has a profile for each thread`, async (t) => {
    const sandbox = new Sandbox(t);
    sandbox.play(name);
    const trace = await sandbox.cli('export', '--all', '--format', 'chrome-trace');
    assert.deepEqual((await opened(trace)).sort(), threads(trace).sort());
  });
}

test('a trace of 10,000 calls opens', async (t) => {
  const sandbox = new Sandbox(t);
  sandbox.write('5b48472b-1111-4222-8333-444455556666', generated(10_000, { agents: 3 }));
  const trace = await sandbox.cli('export', '--all', '--format', 'chrome-trace');
  assert.equal(JSON.parse(trace).traceEvents.filter((event) => event.cat === 'call').length, 10_000);
  assert.deepEqual((await opened(trace)).sort(), threads(trace).sort());
});
