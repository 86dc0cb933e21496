// What only a browser can show of the page: that it verifies a proof and refuses a changed one, that what
// others wrote stays text, and that it fits a phone.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, open, startDemo } from './demo.mjs';

let demo;
let browser;

before(async () => {
  [demo, browser] = await Promise.all([startDemo(), launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const log = (query = '') => `${demo.annals}/w/${demo.organization_id}/audit-logs${query}`;

/** Opens the newest event that matches, and presses the button; the answer is what the page says. */
async function verified(page) {
  await page.goto(log('?q=action:workspace.user_role_updated'));
  await page.locator('table.log a.open').first().click();
  await page.locator('[data-verify]').click();
  const told = page.locator('[data-verified]:not([hidden])');
  await told.waitFor();
  return told.textContent();
}

describe('verifying in the browser', () => {
  test('the proof of an event as it was recorded is good', async () => {
    const { context, page, complaints } = await open(browser, true);
    try {
      await page.goto(demo.viewer);
      assert.match(await verified(page), /^Verified in this browser: .* signed by the key below\.$/);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  });

  test('one that was changed anywhere is not', async () => {
    const { context, page } = await open(browser, true);
    try {
      await page.goto(demo.viewer);
      let change;
      await page.route('**/download.proof*', async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: change(await answer.text()) });
      });
      const changes = [
        // A value, its salt, the entry itself, the path, the checkpoint, its signature, the end.
        (text) => text.replace('Henrik Olsen', 'Henrik Olson'),
        (text) => text.replace(/"sections":\[\["(.)/, (all, c) => all.slice(0, -1) + (c === 'A' ? 'B' : 'A')),
        (text) => text.replace('"action":"workspace.user_role_updated"', '"action":"workspace.user_role_updatee"'),
        (text) => text.replace(/"left":\["(.)/, (all, c) => all.slice(0, -1) + (c === 'A' ? 'B' : 'A')),
        (text) => text.replace(/(\\n)(\d+)(\\n)/, (all, a, size, b) => a + (Number(size) + 1) + b),
        (text) => text.replace(/(\S)(\S{20}\\n"[,}])/, (all, c, rest) => (c === 'A' ? 'B' : 'A') + rest),
        (text) => text.slice(0, -5),
        (text) => text.replace('"', ' "'),
      ];
      for (change of changes) {
        assert.match(await verified(page), /^Not verified: /, String(change));
      }
      // Nor a good proof of another event.
      const other = await demo.api(`/audit_logs/events?organization_id=${demo.organization_id}&q=action:user.logout&limit=1`);
      const position = other.data[0].position;
      const file = await fetch(
        `${demo.annals}/audit_logs/events.proof?organization_id=${demo.organization_id}&from=${position}&to=${position + 1}`,
        { headers: { authorization: `Bearer ${demo.api_key}` } },
      ).then((answer) => answer.text());
      change = () => file;
      assert.match(await verified(page), /^Not verified: the file is of another event/);
    } finally {
      await context.close();
    }
  });
});

test('what somebody wrote into an event is text on the page, and runs nothing', async () => {
  const bad = '"><img src=x onerror=document.title=1><script>document.title=1</script>';
  const event = {
    id: 'evt_bad',
    action: 'project.updated',
    occurred_at: new Date().toISOString(),
    actor: { id: 'usr_bad', type: 'user', name: bad, email: bad, role: bad },
    targets: [{ id: 'prj_bad', type: 'project', name: bad, metadata: { [bad]: bad } }],
    context: { location: bad, user_agent: bad, source: bad, session_id: bad },
    metadata: { [bad]: bad, link: 'javascript:document.title=1' },
    previous: { [bad]: bad },
    next: { name: bad },
  };
  await demo.api('/audit_logs/events', { organization_id: demo.organization_id, event });
  const { context, page, complaints } = await open(browser, true);
  try {
    await page.goto(demo.viewer);
    for (const path of ['?q=id:evt_bad', '?q=id:evt_bad&e=evt_bad', '/event/evt_bad', `?q=${encodeURIComponent(bad)}`]) {
      await page.goto(log(path));
      assert.notEqual(await page.title(), '1', path);
      assert.equal(await page.locator('img').count(), 0, path);
      assert.equal(await page.locator('a[href^="javascript:"]').count(), 0, path);
    }
    await page.goto(log('/event/evt_bad'));
    assert.ok((await page.locator('body').textContent()).includes(bad));
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
});

test('nothing is wider than a phone', async () => {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  try {
    await page.goto(demo.viewer);
    const event = (await demo.api(`/audit_logs/events?organization_id=${demo.organization_id}&q=action:user.login&limit=1`)).data[0];
    for (const path of ['', '?q=outcome:failure', '?q=acter:x', `?e=${event.event.id}`, `/event/${event.event.id}`]) {
      await page.goto(log(path));
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 360, `${path} is ${width} wide`);
    }
    await page.goto(log());
    for (const summary of await page.locator('.pills summary').all()) {
      await summary.click();
      const box = await page.locator('.pills details[open] .pop').boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 360, `${await summary.textContent()}: ${JSON.stringify(box)}`);
      await page.keyboard.press('Escape');
    }
    await page.goto(demo.locked_viewer);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  } finally {
    await context.close();
  }
});

test('an event opens without moving the table, and closing it returns to its row', async () => {
  const { context, page } = await open(browser, true);
  try {
    await page.goto(demo.viewer);
    const link = page.locator('table.log a.open').nth(20);
    await link.scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => scrollY);
    assert.ok(before > 0);
    await link.click();
    await page.locator('aside#event').waitFor();
    const position = await page.locator('tr.now').getAttribute('id');
    // Both are new documents, which are there before their script has run.
    await page.waitForFunction((before) => Math.abs(scrollY - before) < 4, before);
    await page.keyboard.press('Escape');
    await page.locator('aside#event').waitFor({ state: 'detached' });
    await page.waitForFunction((row) => document.activeElement.closest('tr')?.id === row, position);
  } finally {
    await context.close();
  }
});
