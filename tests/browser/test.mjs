// An admin opens the audit log page of the demo in Chromium, with and without JavaScript: filters,
// reads an event, downloads the file, and finds in it exactly the rows of the screen.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { launch, open, readCsv, startDemo } from './demo.mjs';

let demo;
let browser;

before(async () => {
  [demo, browser] = await Promise.all([startDemo(), launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** What the rows on the screen say, as far as the file says it too. */
function rowsOnScreen(page) {
  return page.locator('table.log tbody tr').evaluateAll((rows) => {
    // A value that can be filtered by stands in the summary of its menu.
    const value = (row, cell) => (row.querySelector(`${cell} summary bdi`)?.textContent ?? '').trim();
    return rows.map((row) => ({
      position: row.id.slice(1),
      occurred_at: row.querySelector('time').dateTime,
      action: value(row, '.what .name'),
      sentence: row.querySelector('a.open').textContent.trim().toLowerCase(),
      actor: value(row, '.c-actor'),
      target: value(row, '.c-target'),
      address: value(row, '.c-from'),
      failed: row.querySelector('.fail') !== null,
    }));
  });
}

/** Every row that the filters match, page by page. */
async function allRows(page) {
  const rows = await rowsOnScreen(page);
  for (;;) {
    const older = page.locator('nav.pager a[rel=next]');
    if ((await older.count()) === 0) return rows;
    await older.click();
    await page.waitForFunction(
      (last) => document.querySelector('table.log tbody tr')?.id !== last,
      `p${rows.at(-1).position}`,
    ).catch(() => {});
    await page.waitForLoadState('load');
    rows.push(...(await rowsOnScreen(page)));
  }
}

async function downloaded(page) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('[data-download]').click(),
  ]);
  assert.match(download.suggestedFilename(), /\.csv$/);
  return readCsv(await readFile(await download.path(), 'utf8'));
}

/** The file has the rows of the screen, in its order, and says the same of each. */
function same(file, screen) {
  const rows = file.map((row, n) => ({
    position: row.position,
    occurred_at: row.occurred_at,
    action: row.action,
    // The screen has the actor in a column of its own, the file says the whole sentence.
    sentence: row.description.toLowerCase().endsWith(screen[n]?.sentence) ? screen[n].sentence : row.description,
    actor:
      row.actor_type === 'unauthenticated'
        ? 'Not signed in'
        : row.actor_name || row.actor_email || row.actor_id,
    target: row.target_name || row.target_email || row.target_id,
    address: row.ip_address,
    failed: row.outcome === 'failure',
  }));
  assert.deepEqual(rows, screen);
}

for (const javaScript of [true, false]) {
  describe(`the audit log page, JavaScript ${javaScript ? 'on' : 'off'}`, () => {
    let window;
    let page;

    before(async () => {
      window = await open(browser, javaScript);
      page = window.page;
      await page.goto(demo.viewer);
    });

    after(() => window?.context.close());

    test('the link opens the log of the workspace, newest event first', async () => {
      assert.equal(new URL(page.url()).pathname, `/w/${demo.organization_id}/audit-logs`);
      assert.equal(await page.locator('h1').textContent(), 'Audit Logs');
      const rows = await rowsOnScreen(page);
      assert.equal(rows.length, 50);
      const positions = rows.map((row) => Number(row.position));
      assert.deepEqual(positions, positions.toSorted((a, b) => b - a));
    });

    test('failed logins, filtered with two clicks, are the file that is downloaded', async () => {
      await page.goto(demo.viewer);
      await page.locator('.pills summary', { hasText: 'Presets' }).first().click();
      await page.getByRole('link', { name: /^Failed logins/ }).click();
      await page.waitForLoadState('load');
      await page.locator('.chip').first().waitFor();
      const file = await downloaded(page);
      const screen = await allRows(page);
      assert.ok(screen.length > 50, `${screen.length} failed logins in a month`);
      assert.ok(screen.every((row) => row.failed));
      assert.ok(file.every((row) => row.action === 'user.login_failed'));
      same(file, screen);
    });

    test('a search is the file that is downloaded, with every value of the event', async () => {
      await page.goto(demo.viewer);
      await page.locator('input[name=q]').fill('action:workspace.user_role_updated,project.export_requested');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.waitForURL(/q=/);
      const file = await downloaded(page);
      same(file, await allRows(page));
      const promoted = file.find((row) => row.next === '{"role":"admin"}');
      assert.equal(promoted.previous, '{"role":"manager"}');
      assert.equal(promoted.target_name, 'Henrik Olsen');
      assert.equal(promoted.workspace_id, demo.organization_id);
    });

    test('an event opens beside the list and shows the JSON that was recorded', async () => {
      await page.goto(`${demo.annals}/w/${demo.organization_id}/audit-logs?q=action:workspace.user_role_updated`);
      await page.locator('table.log a.open').first().click();
      const drawer = page.locator('aside#event');
      await drawer.waitFor();
      assert.match(await drawer.textContent(), /Henrik Olsen/);
      const shown = JSON.parse(await drawer.locator('pre[data-raw]').textContent());
      const event = shown.event ?? shown;
      const recorded = await demo.api(
        `/audit_logs/events/${event.id}?organization_id=${demo.organization_id}`,
      );
      assert.deepEqual(event, recorded.event);
    });

    test('a mistake in the query is pointed at, and the rows stay', async () => {
      await page.goto(demo.viewer);
      await page.locator('input[name=q]').fill('actr:ann');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.locator('#trouble').waitFor();
      assert.match(await page.locator('#trouble').textContent(), /column 1/);
      assert.match(await page.locator('#trouble').textContent(), /Did you mean/);
    });

    test('a search without a match says so', async () => {
      await page.goto(`${demo.annals}/w/${demo.organization_id}/audit-logs?q=actor:nobody-of-this-name`);
      assert.equal(await page.locator('table.log').count(), 0);
      assert.match(await page.locator('.none').textContent(), /nobody-of-this-name/);
    });

    test('another workspace is not there', async () => {
      const answer = await page.goto(`${demo.annals}/w/${demo.locked_organization_id}/audit-logs`);
      assert.equal(answer.status(), 404);
    });

    test('a workspace without access sees the locked page and nothing of its log', async () => {
      const other = await open(browser, javaScript);
      try {
        const answer = await other.page.goto(demo.locked_viewer);
        assert.equal(answer.status(), 200);
        const text = await other.page.locator('body').textContent();
        assert.match(text, /Contact us for a demo/);
        assert.match(text, /Example data/);
        assert.doesNotMatch(text, /user\.logout.*Olga/s);
        const file = await other.page.request.get(`${demo.annals}/w/${demo.locked_organization_id}/audit-logs/download.csv`);
        assert.notEqual(file.status(), 200);
        assert.deepEqual(other.complaints, []);
      } finally {
        await other.context.close();
      }
    });

    test('a portal link opens once', async () => {
      const { link } = await demo.api('/portal/generate_link', {
        organization: demo.organization_id,
        intent: 'audit_logs',
      });
      const [one, two] = [await open(browser, javaScript), await open(browser, javaScript)];
      try {
        await one.page.goto(link);
        assert.equal(await one.page.locator('h1').textContent(), 'Audit Logs');
        await two.page.goto(link);
        assert.equal(await two.page.locator('table.log').count(), 0);
        const answer = await two.page.goto(`${demo.annals}/w/${demo.organization_id}/audit-logs`);
        assert.notEqual(answer.status(), 200);
        // The browser that it opened may follow it again.
        await one.page.goto(link);
        assert.equal(await one.page.locator('table.log').count(), 1);
      } finally {
        await one.context.close();
        await two.context.close();
      }
    });

    test('the browser had nothing to complain of', () => {
      // Refusals that the tests provoked are in the console too; nothing of ours may be.
      const ours = window.complaints.filter((text) => !/status of 40[034]/.test(text));
      assert.deepEqual(ours, []);
    });
  });
}

describe('comfort that needs JavaScript', () => {
  test('the keyboard searches, opens and closes', async () => {
    const { context, page, complaints } = await open(browser, true);
    try {
      await page.goto(demo.viewer);
      await page.keyboard.press('/');
      assert.equal(await page.evaluate(() => document.activeElement.name), 'q');
      await page.keyboard.press('Escape');
      await page.evaluate(() => document.activeElement.blur());
      await page.keyboard.press('j');
      await page.keyboard.press('Enter');
      await page.locator('aside#event').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('aside#event').waitFor({ state: 'detached' });
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  });
});

describe('from the shell, against the same demo', () => {
  test('all 43 events of the catalogue are in the month', () => {
    // A workspace that was deleted tells so in its own log, which is the sandbox's.
    const workspaces = demo.run('workspace', 'list', '--json').trim().split('\n').map((line) => JSON.parse(line));
    const told = new Map(workspaces.map(({ id, name }) => {
      const lines = demo.run('query', '-w', id, '--limit', '100000', '--json').trim().split('\n');
      const actions = lines.map((line) => JSON.parse(line).event.action);
      return [name, new Set(actions.filter((action) => !action.startsWith('audit_log.')))];
    }));
    assert.equal(told.get('Acme').size, 42);
    assert.ok(told.get('Acme Sandbox').has('workspace.deleted'));
    assert.equal(new Set([...told.values()].flatMap((actions) => [...actions])).size, 43);
  });

  test('a proof file verifies, with and without the key, and not when it was changed', async () => {
    const file = `${demo.data}/../acme.proof`;
    demo.run('export', '-w', demo.organization_id, '--format', 'proof', '--output', file);
    const without = JSON.parse(demo.run('verify', file, '--json'));
    assert.equal(without.valid, true);
    assert.equal(without.signer, 'not_checked');
    const checked = JSON.parse(demo.run('verify', file, '--key', without.vkey, '--json'));
    assert.equal(checked.signer, 'checked');
    assert.equal(checked.entries, checked.to);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('Ann Keller', 'Ben Keller'));
    assert.throws(
      () => demo.run('verify', file),
      (error) => error.status === 1 && /NOT VALID/.test(error.stdout),
    );
    await writeFile(file, text.split('\n').slice(0, -2).join('\n') + '\n');
    assert.throws(() => demo.run('verify', file), (error) => error.status === 3);
  });
});
