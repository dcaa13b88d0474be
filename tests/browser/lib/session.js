// Reads the page of a session as a person does, and compares it with `timeline --json` and `stats --json`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Returns the rows of the table of calls. Titles have the exact values. */
export function callRows(page) {
  return page.evaluate(() => {
    const number = (cell) => {
      const title = cell.querySelector('[title$=" ms"]')?.title;
      return title === undefined ? null : Number(title.replace(/[^0-9]/g, ''));
    };
    const rows = [...document.querySelectorAll('table[aria-label="Calls"] tr.call')];
    return rows.map((row) => {
      const [start, tool, what, , state, permission, wait, duration] = row.cells;
      return {
        index: Number(row.dataset.call),
        started_at: start.querySelector('time').dateTime,
        tool: tool.textContent,
        what: what.title,
        error: what.querySelector('.error')?.textContent ?? '',
        state: state.textContent.replace(/^\S /, ''),
        permission_ms: number(permission),
        wait_ms: number(wait),
        duration_ms: number(duration),
      };
    });
  });
}

/** Returns the rows of the table of tools. */
export function toolRows(page) {
  return page.evaluate(() => {
    const table = document.querySelector('.tools-grid');
    if (!table) return [];
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    return [...table.tBodies[0].rows].map((row) => {
      const cell = (name) => row.cells[names.indexOf(name)];
      const count = (name) => Number((cell(name)?.textContent ?? '').replace(/[^0-9]/g, ''));
      const took = (name) => {
        const title = cell(name)?.querySelector('[title$=" ms"]')?.title;
        return title === undefined ? null : Number(title.replace(/[^0-9]/g, ''));
      };
      return {
        tool: row.cells[0].textContent,
        calls: count('Calls'),
        failed: count('Failed'),
        p50_ms: took('Median'),
        p95_ms: took('95 %'),
        max_ms: took('Longest'),
        total_ms: took('Total'),
      };
    });
  });
}

/** Returns the first number of each fact at the head of a page, by the fact's name. */
export function facts(page) {
  return page.evaluate(() => {
    const found = {};
    for (const fact of document.querySelectorAll('.facts > div')) {
      const value = fact.querySelector('dd b');
      const exact = value?.querySelector('[title$=" ms"]')?.title ?? value?.textContent ?? '';
      found[fact.querySelector('dt').textContent] = Number(exact.replace(/[^0-9]/g, ''));
    }
    return found;
  });
}

const toolName = (tool) => {
  const parts = /^mcp__(.+?)__(.+)$/.exec(tool ?? '?');
  return parts ? `${parts[1]}: ${parts[2]}` : (tool ?? '?');
};

/** Waits until a page shows all calls, and asserts that what it says is what the commands say. */
export async function check(page, timeline, stats, what) {
  await page.waitForSelector('.facts');
  // If there are very many rows, the rest is shown only on request.
  const more = page.getByRole('button', { name: /^Show .* more of .* rows$/ });
  while (await more.count()) await more.click();
  await page.waitForFunction((calls) => document.querySelectorAll('table[aria-label="Calls"] tr.call').length >= calls, timeline.calls.length);
  const key = (call) => JSON.stringify(call);
  const shown = (await callRows(page)).map(({ index, ...call }) => key(call));
  const known = timeline.calls.map((call) =>
    key({
      started_at: call.started_at,
      tool: toolName(call.tool),
      what: call.what ?? '',
      error: call.error ?? '',
      state: call.state === 'backgrounded' ? 'background' : call.state,
      permission_ms: call.permission_ms,
      wait_ms: call.wait_ms || null,
      duration_ms: call.duration_ms,
    }),
  );
  assert.deepEqual(shown.sort(), known.sort(), what);
  const tools = stats.tools.map((tool) => ({
    tool: toolName(tool.tool),
    calls: tool.calls,
    failed: tool.failed,
    p50_ms: tool.p50_ms,
    p95_ms: tool.p95_ms,
    max_ms: tool.max_ms,
    total_ms: tool.max_ms === null ? null : tool.total_ms,
  }));
  assert.deepEqual(await toolRows(page), tools, what);
  await checkFacts(page, stats, what);
}

/** Asserts that the facts at the head of a page are those of `stats`. */
export async function checkFacts(page, stats, what) {
  const found = await facts(page);
  const known = {
    Calls: stats.calls,
    Prompts: stats.prompts,
    Subagents: stats.agents,
    'Time in calls': stats.total_ms,
    'Waited for you': stats.permission_ms,
  };
  for (const [name, value] of Object.entries(known)) assert.equal(found[name] ?? 0, value, `${what}: ${name}`);
}

/** Asserts that axe finds nothing wrong with the page as it is. */
export async function accessible(page, what) {
  // The page's policy blocks other scripts, but does not apply to what the debugger evaluates.
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`).join(' | ')}`);
  });
  assert.deepEqual(violations, [], what);
}
