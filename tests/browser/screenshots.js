// Draws the pictures for the documents: `just screenshots`. The sessions are made up, and the same each time.

import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { launch, watched } from './lib/browser.js';
import { Sandbox, document as place, generated } from './lib/sandbox.js';

const MOST = 100 * 1024;
const ID = '5b48472b-1111-4222-8333-444455556666';

const WORDS = {
  Bash: ['Run the tests', 'Build the release', 'Check formatting', 'Show the last commits', 'Start the server', 'Count failing requests'],
  Read: ['src/webhook.rs', 'src/queue.rs', 'tests/webhook.rs', 'docs/api.md', 'Cargo.toml'],
  Edit: ['src/webhook.rs', 'src/queue.rs', 'tests/webhook.rs'],
  Grep: ['fn retry', 'TODO', 'idempotency_key', 'timeout'],
  Glob: ['**/*.rs', 'migrations/*.sql'],
  WebFetch: ['docs.example.com/webhooks', 'docs.example.com/retries'],
  mcp__issues__search: ['webhook retries', 'duplicate delivery'],
};
const PROMPTS = ['Find out why webhooks arrive twice', 'Write a test that shows it', 'Now fix it, and keep the API', 'Review what you changed'];
const words = (list, place) => list[place % list.length];
const label = (place, tool) => words(WORDS[tool], place);
const prompt = (turn) => words(PROMPTS, turn - 1);

/** Writes a screenshot of a page into docs. */
async function draw(page, name) {
  await page.waitForTimeout(400);
  const bytes = await page.screenshot();
  if (bytes.length > MOST) throw new Error(`${name} has ${bytes.length} bytes`);
  writeFileSync(place(`docs/${name}.png`), bytes);
  console.log(`docs/${name}.png: ${bytes.length} bytes`);
}

const sandbox = new Sandbox();
const browser = await launch();
let server;
try {
  const record = { name: 'Webhooks arrive twice', role: 'fixer', focus: 'issue-12', project: { name: 'shop', root: '/home/dev/shop' } };
  sandbox.write(ID, generated(160, { agents: 3, label, prompt }), record);
  const report = sandbox.path('report.html');
  await sandbox.cli('report', ID, '-o', report);
  const one = await watched(browser, { viewport: { width: 1200, height: 760 } });
  await one.page.goto(pathToFileURL(report).href);
  await one.page.waitForSelector('.facts');
  await draw(one.page, 'report');

  const sessions = [
    ['Webhooks arrive twice', 'fixer', 'issue-12', 'Bash', 'Run the tests'],
    ['Review of the checkout', 'reviewer', 'issue-40', 'Read', 'src/checkout/totals.rs'],
    ['Cheaper images', 'builder', 'issue-31', null, null],
    ['Nightly build', 'builder', 'nightly', 'Bash', 'Build the release'],
  ];
  for (const [at, [session_title, role, focus, tool_name, description]] of sessions.entries()) {
    const id = `0b1f3c5${at}-6b0e-4d0a-9d4e-2f6f0f5f9a11`;
    const tell = sandbox.client(id);
    await tell('SessionStart', { source: 'startup', session_title });
    await sandbox.cli('clock-in', '--session', id, '--role', role, '--focus', focus);
    await tell('UserPromptSubmit', { prompt_id: 'p1', prompt: 'Go on' });
    for (let done = 0; done < 3 + at; done += 1) {
      const call = { tool_name: 'Read', tool_use_id: `r${done}`, tool_input: { file_path: `/home/dev/shop/src/part${done}.rs` } };
      await tell('PreToolUse', call);
      await tell(done === 2 && at === 1 ? 'PostToolUseFailure' : 'PostToolUse', { ...call, error: 'not found', tool_response: {} });
    }
    if (tool_name === null) {
      await tell('Stop', {});
      continue;
    }
    const call = { tool_name, tool_input: { description, file_path: description } };
    await tell('PreToolUse', { ...call, tool_use_id: 'b1' });
    if (at === 3) await tell('PermissionRequest', call);
  }
  server = sandbox.start('dashboard', '--port', '0');
  const address = await new Promise((done) => createInterface({ input: server.stdout }).once('line', done));
  const board = await watched(browser, { origin: new URL(address).origin, viewport: { width: 1200, height: 420 } });
  await board.page.goto(address);
  await board.page.waitForSelector('.card');
  await draw(board.page, 'dashboard');
} finally {
  server?.kill('SIGINT');
  await browser.close();
  sandbox.remove();
}
