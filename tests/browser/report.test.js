// A report says what `timeline` and `stats` say, makes no network requests, and can be used without a mouse.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { launch, watched } from './lib/browser.js';
import { Sandbox, data, generated, recordings, time } from './lib/sandbox.js';
import { accessible, callRows, check, checkFacts } from './lib/session.js';

const ID = '5b48472b-1111-4222-8333-444455556666';
const LONG = 180_000;
let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Makes a report in the sandbox, and returns its path. */
async function report(sandbox, ...words) {
  const path = sandbox.path('report.html');
  await sandbox.cli('report', ...words, '-o', path);
  return path;
}

/** Makes a report and opens it. */
async function opened(sandbox, words, options = {}) {
  const path = await report(sandbox, ...words);
  const found = await watched(browser, { origin: pathToFileURL(path).href, ...options });
  // Notes when the picture of the timeline is drawn for the first time, and counts what is drawn and measured.
  await found.page.addInitScript(() => {
    window.count = { drawn: 0, measured: 0 };
    const counted = (name, what) => {
      const original = CanvasRenderingContext2D.prototype[name];
      CanvasRenderingContext2D.prototype[name] = function (...words) {
        if (this.canvas.closest('.stage')) {
          if (name === 'fillRect') window.drawnAt ??= performance.now();
          window.count[what] += 1;
        }
        return original.apply(this, words);
      };
    };
    for (const name of ['fillRect', 'rect', 'roundRect', 'lineTo', 'fill', 'stroke', 'fillText']) counted(name, 'drawn');
    counted('measureText', 'measured');
  });
  await found.page.goto(pathToFileURL(path).href);
  await found.page.waitForSelector('.facts');
  return { path, ...found };
}

async function ids(sandbox) {
  const { sessions } = await sandbox.json('list', '--all');
  return sessions.map((session) => session.session_id);
}

for (const name of recordings()) {
  test(`the report of ${name} has the numbers of timeline and stats`, { timeout: LONG }, async (t) => {
    const sandbox = new Sandbox(t);
    sandbox.play(name);
    const known = await ids(sandbox);
    const { context, page, requests, quiet } = await opened(sandbox, ['--all']);
    await checkFacts(page, await sandbox.json('stats', '--all'), name);
    assert.equal(await page.locator('table[aria-label="Sessions"] tbody tr').count(), known.length);
    for (const id of known) {
      const [timeline, stats] = await Promise.all([sandbox.json('timeline', id), sandbox.json('stats', id)]);
      await page.evaluate((to) => (location.hash = to), `#/session/${id}`);
      await page.waitForFunction((it) => document.querySelector('.id')?.textContent === it, id);
      await check(page, timeline, stats, `${name}: ${id}`);
    }
    assert.equal(requests.length, 1, 'only the file itself');
    quiet(name);
    await context.close();
  });
}

for (const name of ['a', 'c']) {
  test(`the report of the imported transcripts of ${name} has their numbers and tokens`, { timeout: LONG }, async (t) => {
    const sandbox = new Sandbox(t);
    cpSync(data(`transcripts/${name}`), sandbox.path('home/.claude/projects'), { recursive: true });
    await sandbox.cli('import');
    const { context, page, quiet } = await opened(sandbox, ['--all']);
    for (const id of await ids(sandbox)) {
      const [timeline, stats] = await Promise.all([sandbox.json('timeline', id), sandbox.json('stats', id)]);
      assert.equal(timeline.state, 'imported');
      await page.evaluate((to) => (location.hash = to), `#/session/${id}`);
      await page.waitForFunction((it) => document.querySelector('.id')?.textContent === it, id);
      await check(page, timeline, stats, `${name}: ${id}`);
      const sum = (kind) => stats.tokens.reduce((all, used) => all + used[kind], 0);
      const shown = await page.locator('.facts > div', { hasText: 'Tokens' }).last().getAttribute('title');
      const numbers = shown.replace(/[^0-9,]/g, '').split(',').map(Number);
      assert.deepEqual(numbers, [sum('input'), sum('output'), sum('cache_read'), sum('cache_creation')]);
      assert.ok(sum('input') > 0);
    }
    quiet(name);
    await context.close();
  });
}

test('a report names the sessions before and after, and leads to those that it has', { timeout: LONG }, async (t) => {
  const sandbox = new Sandbox(t);
  const prompt = [{ v: 1, ts: time(0), event: 'UserPromptSubmit', what: 'Go on', pid: 7 }];
  sandbox.write('s-0', prompt, { name: 'The first half' });
  sandbox.write('s-1', prompt, { previous: 's-0', source: 'clear' });
  sandbox.write('s-2', prompt, { parent: 's-1', name: 'Inside' });
  const one = await opened(sandbox, ['s-1']);
  const lineage = () => one.page.locator('.more > div', { hasText: 'Lineage' }).locator('li');
  assert.deepEqual((await lineage().allTextContents()).map((text) => text.replace(/ \d{4}-.*/, '')), ['continues The first half', 'started Inside']);
  assert.equal(await lineage().getByRole('link').count(), 0);
  one.quiet('one');
  await one.context.close();
  const all = await opened(sandbox, ['--all']);
  await all.page.evaluate(() => (location.hash = '#/session/s-1'));
  await all.page.getByRole('link', { name: 'The first half' }).click();
  await all.page.waitForFunction(() => document.querySelector('.id')?.textContent === 's-0');
  all.quiet('all');
  await all.context.close();
  const bare = await opened(sandbox, ['s-1', '--metadata']);
  const words = await bare.page.locator('.more').textContent();
  assert.match(words, /continues Session session-/);
  assert.doesNotMatch(words, /half|Inside/);
  await bare.context.close();
});

/** A sandbox with one session of so many calls. */
function large(t, calls, options) {
  const sandbox = new Sandbox(t);
  sandbox.write(ID, generated(calls, options), { name: 'A long day', role: 'builder', focus: 'the release' });
  return sandbox;
}

/** Returns the call in the focused row of the table. */
const focused = (page) =>
  page.evaluate(() => {
    const row = document.activeElement.closest('tr.call');
    return row && { index: Number(row.dataset.call), took: row.cells[7].querySelector('[title]')?.title, state: row.cells[4].textContent };
  });

/**
 * Waits until the page has not changed for half a second. A long table gets its rows in parts; however slow the machine is, the timer
 * for the next part runs before this one, because it is due earlier.
 */
const settled = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        let timer = 0;
        const again = () => {
          clearTimeout(timer);
          timer = setTimeout(done, 500);
        };
        new MutationObserver(again).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
        again();
      }),
  );

/**
 * Zooms in six times, and out again the same way. Returns for each step what is drawn and measured, which elements changed outside the bar
 * of the timeline, how long it took to the second frame, and the processor time of the page's thread. Other load on the machine does not
 * add to that.
 */
async function zoomed(page) {
  await settled(page);
  const debug = await page.context().newCDPSession(page);
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  // So that no garbage of earlier steps is collected during the measurement.
  await debug.send('HeapProfiler.collectGarbage');
  const busy = async () => (await debug.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'ThreadTime').value * 1000;
  await page.locator('.stage').focus();
  const steps = [];
  for (let step = 0; step < 12; step += 1) {
    const before = await busy();
    const found = await page.evaluate(async (key) => {
      const changed = [];
      const note = (changes) => {
        for (const { target } of changes) if (!target.parentElement.closest('.timeline > .tools')) changed.push(target.nodeName);
      };
      const watch = new MutationObserver(note);
      watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      window.count = { drawn: 0, measured: 0 };
      const start = performance.now();
      document.querySelector('.stage').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const took = performance.now() - start;
      note(watch.takeRecords());
      watch.disconnect();
      return { ...window.count, changed, took };
    }, step < 6 ? '+' : '-');
    steps.push({ ...found, busy: (await busy()) - before });
  }
  return steps;
}

/** Asserts that each zoom step draws fewer than `most` shapes, and changes nothing else on the page. */
function checkSteps(steps, most) {
  for (const { drawn, measured, changed } of steps) {
    assert.ok(drawn > 50 && drawn < most, `${drawn} shapes`);
    assert.deepEqual(changed, [], 'only the picture, and the bar above it');
    assert.ok(measured < 200, `${measured} words measured`);
  }
  const again = steps.slice(steps.length / 2, -1);
  assert.deepEqual(again.map((step) => step.measured), again.map(() => 0), 'on the way back, the widths of all words are known');
}

test('the report of 10,000 calls is small, quick, and has the right numbers', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 10_000);
  const [timeline, stats] = await Promise.all([sandbox.json('timeline', ID), sandbox.json('stats', ID)]);
  assert.equal(timeline.calls.length, 10_000);
  const { context, page, path, quiet } = await opened(sandbox, [ID]);
  const bytes = statSync(path).size;
  assert.ok(bytes <= 1_500_000, `${bytes} bytes`);
  await check(page, timeline, stats, 'large');
  const paints = await page.evaluate(() => performance.getEntriesByType('paint').map(({ name, startTime }) => [name, Math.round(startTime)]));
  const timing = await page.evaluate(() => {
    const [{ responseEnd, domInteractive, loadEventEnd }] = performance.getEntriesByType('navigation');
    return { responseEnd, domInteractive, loadEventEnd, drawnAt: window.drawnAt };
  });
  const steps = await zoomed(page);
  const worst = (what) => Math.max(...steps.map((step) => step[what]));
  const median = (what) => steps.map((step) => step[what]).sort((one, other) => one - other)[steps.length / 2];
  const timings = JSON.stringify(timing, (_, value) => (typeof value === 'number' ? Math.round(value) : value));
  t.diagnostic(`10,000 calls: ${bytes} bytes; paint ${JSON.stringify(paints)}; ${timings}`);
  t.diagnostic(`a zoom step: ${median('took').toFixed(1)} ms to the second frame, of these ${median('busy').toFixed(1)} ms of the thread; ${worst('drawn')} shapes at most`);
  assert.ok(timing.drawnAt - timing.responseEnd < 3000, `many times the floor of 150 ms: ${JSON.stringify(timing)}`);
  assert.ok(median('busy') < 33, `the thread of the page misses a frame: ${JSON.stringify(steps)}`);
  // Of several calls on one pixel, only one is drawn; otherwise there would be more than 25,000 shapes.
  checkSteps(steps, 5000);
  quiet('large');
  await context.close();
});

test('100,000 calls open', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 100_000);
  const { context, page, path, quiet } = await opened(sandbox, [ID]);
  await page.waitForFunction(() => document.querySelectorAll('table[aria-label="Calls"] tr.call').length > 0);
  const load = await page.evaluate(() => Math.round(performance.getEntriesByType('navigation')[0].loadEventEnd));
  t.diagnostic(`100,000 calls: ${statSync(path).size} bytes, loaded after ${load} ms`);
  const { calls } = await sandbox.json('stats', ID);
  assert.equal(calls, 100_000);
  await checkFacts(page, await sandbox.json('stats', ID), '100,000');
  // Ten times as many calls must not make ten times as many shapes.
  checkSteps(await zoomed(page), 15_000);
  quiet('100,000');
  await context.close();
});

test('the slowest call and what failed are found by keyboard alone', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 400);
  const { calls } = await sandbox.json('timeline', ID);
  const { context, page, quiet } = await opened(sandbox, [ID]);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 400);
  const tabTo = async (what, is) => {
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(is)) return;
    }
    assert.fail(`Tab does not reach ${what}`);
  };
  // The skip link comes first, and leads to the content.
  await page.keyboard.press('Tab');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip/);
  // The slowest: sort by duration, then into the table.
  await tabTo('the column Duration', () => document.activeElement.closest('th')?.textContent.startsWith('Duration') && document.activeElement.tagName === 'BUTTON');
  await page.keyboard.press('Enter');
  await tabTo('the first row', () => document.activeElement.matches('tr.call'));
  const slowest = Math.max(...calls.map((call) => call.duration_ms ?? 0));
  assert.equal(Number((await focused(page)).took.replace(/[^0-9]/g, '')), slowest);
  await page.keyboard.press('ArrowDown');
  const second = calls.map((call) => call.duration_ms ?? 0).sort((one, other) => other - one)[1];
  assert.equal(Number((await focused(page)).took.replace(/[^0-9]/g, '')), second);
  // Failures: in the picture, `f` goes to the next failure, and Enter to its row.
  await page.keyboard.press('Shift+Tab');
  await page.locator('.stage').focus();
  const byStart = [...calls].map((call, index) => ({ ...call, index })).filter((call) => ['failed', 'denied', 'abandoned'].includes(call.state));
  await page.keyboard.press('f');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.matches('tr.call'));
  const first = await focused(page);
  assert.match(first.state, /failed/);
  assert.equal(byStart.length, (await page.locator('#problems').evaluate((it) => Number(it.parentElement.querySelector('.count').textContent.replace(/[^0-9]/g, '')))));
  quiet('by keyboard');
  await context.close();
});

test('filters, sorting, zooming and resizing work with the mouse', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 400);
  const { calls } = await sandbox.json('timeline', ID);
  const { context, page, quiet } = await opened(sandbox, [ID]);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 400);
  const count = () => page.locator('tr.call').count();
  const bash = calls.filter((call) => call.tool === 'Bash');
  await page.getByRole('combobox', { name: 'Tool' }).selectOption('Bash');
  await page.waitForFunction((many) => document.querySelectorAll('tr.call').length === many, bash.length);
  await page.getByRole('combobox', { name: 'State' }).selectOption('failed');
  assert.equal(await count(), bash.filter((call) => call.state === 'failed').length);
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByPlaceholder('Filter by text').first().fill('Step 17 of');
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 1);
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 400);
  await page.getByRole('button', { name: 'Tool', exact: true }).click();
  const tools = (await callRows(page)).map((call) => call.tool);
  assert.deepEqual(tools, [...tools].sort((one, other) => one.localeCompare(other)));

  const shown = () => page.locator('.timeline .tools .num').first().textContent();
  assert.equal(await shown(), '');
  await page.locator('.stage').scrollIntoViewIfNeeded();
  const box = await page.locator('.stage canvas').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -400);
  await page.keyboard.up('Control');
  await page.waitForFunction(() => document.querySelector('.timeline .tools .num').textContent.includes('shown'));
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await page.waitForFunction(() => document.querySelector('.timeline .tools .num').textContent === '');
  for (const [width, height] of [[360, 740], [3840, 2160], [1024, 768]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(100);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `the page is ${wide} wide at ${width}`);
    const drawn = await page.locator('.stage canvas').boundingBox();
    assert.ok(drawn.width > width * 0.4 && drawn.width <= width, `${drawn.width} at ${width}`);
  }
  quiet('by mouse');
  await context.close();
});

/** Returns the parts of the page whose content is cut off, because printed pages do not scroll. */
const cut = (page) =>
  page.evaluate(() => {
    const isCut = (it) => {
      const { overflowX, overflowY } = getComputedStyle(it);
      const wide = overflowX !== 'visible' && it.scrollWidth > it.clientWidth + 1;
      const high = overflowY !== 'visible' && it.scrollHeight > it.clientHeight + 1;
      return it.clientWidth > 1 && (wide || high);
    };
    const found = [...document.querySelectorAll('body *')].filter((it) => it.checkVisibility() && isCut(it));
    return found.map((it) => `${it.tagName}.${it.className}: ${it.textContent.slice(0, 80)}`);
  });

for (const colorScheme of ['light', 'dark']) {
  test(`printed, a report is light and complete: ${colorScheme}`, { timeout: LONG }, async (t) => {
    const label = (place) => (place % 9 ? `Step ${place}` : `Step ${place} of ${'many more words '.repeat(9)}and the last-one.`);
    const sandbox = new Sandbox(t);
    // More lanes than fit into a window.
    sandbox.write(ID, generated(400, { label }), { name: 'A long day' });
    const { context, page, quiet } = await opened(sandbox, [ID], { colorScheme });
    await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 400);
    await page.locator('.stage').focus();
    await page.evaluate(() => (document.querySelector('.stage .scroll').scrollTop = 60));
    // A4 with its margins.
    await page.setViewportSize({ width: 718, height: 1000 });
    // The picture is drawn again for the new width, some frames later.
    await page.waitForFunction(() => {
      const canvas = document.querySelector('.stage canvas');
      const box = canvas.getBoundingClientRect();
      const is = (pixels, length) => Math.abs(pixels - length * devicePixelRatio) <= 1;
      return box.right <= innerWidth && is(canvas.width, box.width) && is(canvas.height, box.height);
    });
    const before = await page.locator('.stage canvas').evaluate((it) => it.height);
    await page.emulateMedia({ media: 'print', colorScheme });
    await page.waitForTimeout(300);
    assert.deepEqual(await cut(page), []);
    const wider = () => [...document.querySelectorAll('body *')].filter((it) => it.checkVisibility() && it.getBoundingClientRect().right > innerWidth + 1).map((it) => `${it.tagName}.${it.className}`);
    assert.deepEqual([...new Set(await page.evaluate(wider))], []);
    const picture = await page.locator('.stage canvas').evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(1, 1, 1, 1);
      const box = canvas.getBoundingClientRect();
      return {
        paper: [...data],
        shows: canvas.height / canvas.width / (box.height / box.width),
        isWhole: box.height >= canvas.closest('.space').getBoundingClientRect().height - 1,
        height: canvas.height,
      };
    });
    assert.ok(picture.height > before, 'all lanes are there');
    assert.deepEqual(picture.paper, [255, 255, 255, 255]);
    assert.ok(Math.abs(picture.shows - 1) < 0.02, 'the picture is not stretched');
    assert.ok(picture.isWhole);
    const { text, words } = await page.evaluate(() => ({
      text: getComputedStyle(document.body).color,
      words: [...document.querySelectorAll('tr.call td.what')].filter((it) => it.textContent.endsWith('and the last-one.')).length,
    }));
    assert.equal(text, 'rgb(0, 0, 0)');
    const { problems, hours } = await page.evaluate(() => ({
      problems: document.querySelectorAll('.problems li').length,
      hours: [...document.querySelectorAll('.hours .bar')].some((it) => it.getBoundingClientRect().height > 10),
    }));
    assert.equal(problems, await page.locator('#problems + .count').evaluate((it) => Number(it.textContent.replace(/\D/g, ''))));
    assert.ok(problems > 8 && hours);
    assert.ok(words > 40);
    const pages = (await page.pdf({ format: 'A4' })).toString('latin1').match(/\/Type ?\/Page\b/g).length;
    assert.ok(pages > 5, `${pages} pages`);
    const all = await opened(sandbox, ['--all'], { colorScheme, viewport: { width: 718, height: 1000 } });
    await all.page.emulateMedia({ media: 'print', colorScheme });
    await all.page.waitForTimeout(300);
    assert.deepEqual([await cut(all.page), await all.page.evaluate(wider)], [[], []]);
    await all.context.close();
    // On the screen it is as before again.
    await page.emulateMedia({ media: 'screen', colorScheme });
    await page.waitForFunction((height) => document.querySelector('.stage canvas').height === height, before);
    quiet('printed');
    await context.close();
  });
}

test('two fingers zoom the picture, one moves it, and a tap chooses a call', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 400);
  const { context, page, quiet } = await opened(sandbox, [ID], { hasTouch: true, isMobile: true, viewport: { width: 412, height: 915 } });
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 400);
  await page.locator('.stage').scrollIntoViewIfNeeded();
  await page.evaluate(() => document.querySelector('.stage').scrollIntoView({ block: 'center' }));
  const box = await page.locator('.stage canvas').boundingBox();
  const [middle, y] = [box.x + box.width / 2, box.y + 120];
  const debug = await context.newCDPSession(page);
  const touch = async (type, ...points) => {
    await debug.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
    await page.evaluate(() => new Promise(requestAnimationFrame));
  };
  const shown = () => page.locator('.timeline .tools .num').first().textContent();
  const inSeconds = (words) => {
    const parts = { d: 86400, h: 3600, min: 60, m: 60, s: 1, ms: 0.001 };
    return [...words.matchAll(/([\d.]+) ?(ms|min|[dhms])/g)].reduce((sum, [, number, unit]) => sum + number * parts[unit], 0);
  };
  const settled = async () => {
    await page.waitForTimeout(250);
    return inSeconds(await shown());
  };
  // Two fingers move apart until a quarter of the time fills the picture.
  await touch('touchStart', [middle - 30, y], [middle + 30, y]);
  for (const apart of [60, 90, 120]) await touch('touchMove', [middle - apart, y], [middle + apart, y]);
  await touch('touchEnd');
  const near = await settled();
  assert.ok(near > 0, 'it is zoomed');
  const scale = await page.evaluate(() => visualViewport.scale);
  assert.equal(scale, 1, 'the page itself is not');
  await touch('touchStart', [middle - 120, y], [middle + 120, y]);
  for (const apart of [100, 80, 60]) await touch('touchMove', [middle - apart, y], [middle + apart, y]);
  await touch('touchEnd');
  const far = await settled();
  assert.ok(Math.abs(far / near - 2) < 0.2, `${near} s, then ${far} s`);
  // One finger moves the picture sideways, and the same length of time fills it.
  const drawn = () => page.locator('.stage canvas').evaluate((it) => it.toDataURL());
  const before = await drawn();
  await touch('touchStart', [middle, y]);
  for (const by of [20, 60, 110]) await touch('touchMove', [middle - by, y]);
  await touch('touchEnd');
  assert.equal(await settled(), far);
  assert.notEqual(await drawn(), before);
  // Moved up or down, it scrolls the page or the lanes.
  const at = () => page.evaluate(() => scrollY + document.querySelector('.stage .scroll').scrollTop);
  const top = await at();
  await touch('touchStart', [middle, y]);
  for (const by of [20, 60, 110, 160]) await touch('touchMove', [middle, y - by]);
  await touch('touchEnd');
  await page.waitForFunction((top) => scrollY + document.querySelector('.stage .scroll').scrollTop > top, top);
  assert.equal(await settled(), far);
  // A tap on a bar chooses its call.
  await page.evaluate(() => document.querySelector('.stage').scrollIntoView({ block: 'center' }));
  await page.getByRole('button', { name: 'All', exact: true }).tap();
  await page.evaluate(() => (document.querySelector('.stage .scroll').scrollTop = 0));
  const now = await page.locator('.stage canvas').boundingBox();
  for (let x = now.x + 6; x < now.x + now.width && (await page.locator('.selected').count()) === 0; x += 9) {
    await touch('touchStart', [x, now.y + 74]);
    await touch('touchEnd');
  }
  assert.equal(await page.locator('.selected').count(), 1);
  quiet('touch');
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1440]) {
    test(`axe finds nothing: ${colorScheme}, ${width} px`, { timeout: LONG }, async (t) => {
      const sandbox = large(t, 120);
      sandbox.play('c');
      const options = { colorScheme, viewport: { width, height: 900 }, bypassCSP: true };
      const { context, page } = await opened(sandbox, ['--all'], options);
      await accessible(page, 'all sessions');
      for (const id of await ids(sandbox)) {
        await page.evaluate((to) => (location.hash = to), `#/session/${id}`);
        await page.waitForFunction((it) => document.querySelector('.id')?.textContent === it, id);
        await page.waitForFunction(() => document.querySelectorAll('tr.call').length > 5);
        await accessible(page, id);
      }
      await context.close();
    });
  }
}

test('nothing that a session says is executed', { timeout: LONG }, async (t) => {
  const hostile = [
    '</script><script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    'javascript:alert(1)',
    '<svg onload=alert(1)>',
    '<!--<script>',
    ']]><script>alert(1)</script>',
    '\u2028alert(1)\u2029',
    '\u202egnp.exe\u202c',
    "'\"><iframe src=https://example.com>",
    '<base href=https://example.com>',
    '<style>@import "https://example.com/a.css";</style>',
    '${alert(1)}{{alert(1)}}',
  ];
  const sandbox = new Sandbox(t);
  const journal = [{ v: 1, ts: time(0), event: 'SessionStart', source: hostile[0], pid: 7 }];
  hostile.forEach((text, place) => {
    const call = { tool: text, tool_use_id: text, what: text, prompt_id: text, agent_id: text, agent_type: text, pid: 7, v: 1 };
    journal.push({ v: 1, ts: time(place * 100), event: 'UserPromptSubmit', prompt_id: text, what: text, branch: text, pid: 7 });
    journal.push({ ...call, ts: time(place * 100 + 10), event: 'PreToolUse' });
    journal.push({ ...call, ts: time(place * 100 + 50), event: 'PostToolUseFailure', error: text, background: text });
  });
  const whole = { name: hostile[0], role: hostile[1], focus: hostile[2], model: hostile[3], head: { branch: hostile[4], revision: null }, project: { name: hostile[0], root: hostile[1] } };
  sandbox.write(ID, journal, whole);
  const { context, page, requests, quiet } = await opened(sandbox, [ID]);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 12);
  for (const row of await page.locator('tr.call').all()) await row.hover();
  const made = await page.evaluate(() => ({
    scripts: document.scripts.length,
    strange: document.querySelectorAll('iframe, object, embed, base, img, link:not([rel="icon"][href^="data:"])').length,
    links: [...document.links].map((link) => link.protocol).filter((protocol) => protocol !== 'file:'),
    handlers: [...document.querySelectorAll('*')].filter((it) => [...it.attributes].some(({ name }) => name.startsWith('on'))).length,
  }));
  assert.deepEqual(made, { scripts: 2, strange: 0, links: [], handlers: 0 });
  assert.equal(requests.length, 1);
  const shown = (await callRows(page)).map((call) => call.what);
  assert.ok(shown.includes(hostile[0]) && shown.includes(hostile[1]), 'as text, they are there');
  quiet('hostile');
  await context.close();
});

test('a label of 10 MB breaks nothing', { timeout: LONG }, async (t) => {
  const sandbox = large(t, 40, { label: (place) => (place === 3 ? `<b>${'x'.repeat(10_000_000)}` : `Step ${place}`) });
  const { context, page, quiet } = await opened(sandbox, [ID]);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length > 30);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1440);
  quiet('10 MB');
  await context.close();
});

test('a report with --metadata has no content, and says so', { timeout: LONG }, async (t) => {
  const sandbox = new Sandbox(t);
  let count = 0;
  const canary = () => `canary${(count += 1)}y`;
  const journal = [{ v: 1, ts: time(0), event: 'SessionStart', source: 'startup', pid: 7 }];
  for (let place = 0; place < 20; place += 1) {
    const agent = place % 3 ? {} : { agent_id: canary(), agent_type: canary() };
    const call = { v: 1, pid: 7, tool: place % 2 ? 'Bash' : `mcp__${canary()}__${canary()}`, tool_use_id: canary(), what: canary(), ...agent };
    journal.push({ v: 1, pid: 7, ts: time(place * 100), event: 'UserPromptSubmit', prompt_id: canary(), what: canary(), branch: canary() });
    journal.push({ ...call, ts: time(place * 100 + 10), event: 'PreToolUse' });
    journal.push({ ...call, ts: time(place * 100 + 50), event: 'PostToolUseFailure', error: canary(), background: canary(), duration_ms: 31 });
  }
  const head = { branch: canary(), revision: canary() };
  const project = { name: canary(), root: `/${canary()}` };
  const record = { name: canary(), role: canary(), focus: canary(), model: canary(), description: canary(), outcome: canary(), cwd: `/${canary()}` };
  sandbox.write(ID, journal, { ...record, head, project });
  const { context, page, path, quiet } = await opened(sandbox, [ID, '--metadata']);
  assert.doesNotMatch(readFileSync(path, 'latin1'), /canary\d+y/i);
  assert.match(await page.locator('.notice').first().textContent(), /only/);
  await page.waitForFunction(() => document.querySelectorAll('tr.call').length === 20);
  const shown = await callRows(page);
  assert.ok(shown.every((call) => call.duration_ms === 31 && call.state === 'failed' && call.what === ''));
  quiet('--metadata');
  await context.close();
});
