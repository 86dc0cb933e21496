// People click through the tracker of the demo in several browsers, and find each of their acts in Settings → Audit Logs.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
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

/** Somebody with a browser of his own. */
class Person {
  constructor(name, email, password) {
    Object.assign(this, { name, email, password });
  }

  async sitsDown() {
    const { context, page, complaints } = await open(browser, true);
    Object.assign(this, { context, page, complaints });
    return this;
  }

  leaves() {
    return this.context.close();
  }

  /** Opens a page of the tracker. */
  async opens(path) {
    await this.page.goto(path.startsWith('http') ? path : demo.tracker + path);
    return this.page;
  }

  /** Fills in the form that goes to `action`, wherever it stands on the page, and presses its button. */
  async fills(action, fields = {}) {
    const form = this.page.locator(`form[action$="${action}"]`).first();
    try {
      await form.waitFor({ state: 'attached', timeout: 10_000 });
    } catch {
      const text = await this.page.locator('main').innerText();
      throw new Error(`${this.page.url()} has no form to ${action}; it says: ${text}`);
    }
    const question = form.locator('xpath=ancestor::*[@popover and contains(@class, "ask")]');
    if ((await question.count()) > 0) {
      await this.page.locator(`[popovertarget="${await question.first().getAttribute('id')}"]`).first().click();
    }
    const menu = form.locator('xpath=ancestor::details[not(@open)]');
    if ((await menu.count()) > 0) await menu.first().locator('summary').first().click();
    for (const [name, value] of Object.entries(fields)) {
      const field = form.locator(`[name="${name}"]`).first();
      const tag = await field.evaluate((node) => (node.tagName === 'SELECT' ? 'select' : node.type));
      if (tag === 'select') await field.selectOption(value);
      else if (tag === 'radio') await form.locator(`[name="${name}"][value="${value}"]`).check();
      else if (tag === 'checkbox') await field.setChecked(value);
      else await field.fill(value);
    }
    const answered = this.page.waitForResponse((response) => response.request().method() === 'POST');
    await form.locator('button:not([type=button])').last().click();
    await answered;
    await this.page.waitForLoadState('load');
  }

  /** Follows the link of the newest mail with such a subject that was not read yet. */
  async opensMail(subject, to = this.email) {
    await this.readsMail(subject, to);
    await this.opens(await this.mails.locator('.mail a').first().getAttribute('href'));
  }

  /** Reads that mail, in a tab of its own. */
  async readsMail(subject, to = this.email) {
    this.mails ??= await this.context.newPage();
    this.read ??= new Set();
    for (let tries = 0; tries < 100; tries += 1) {
      await this.mails.goto(`${demo.mailbox}?to=${encodeURIComponent(to)}`);
      const mail = this.mails.locator('a.name', { hasText: subject }).first();
      const href = (await mail.count()) > 0 ? await mail.getAttribute('href') : null;
      if (href && !this.read.has(href)) {
        this.read.add(href);
        await mail.click();
        await this.mails.locator('.mail').waitFor();
        return this.mails.locator('.mail').textContent();
      }
      await this.mails.waitForTimeout(50);
    }
    throw new Error(`no mail “${subject}” came to ${to}`);
  }

  async signsUp() {
    await this.opens('/signup');
    await this.fills('/signup', { name: this.name, email: this.email, password: this.password });
    await this.opensMail('Confirm your address');
    await this.fills(new URL(this.page.url()).pathname, { password: this.password });
  }

  async signsIn(password = this.password) {
    await this.opens('/login');
    await this.fills('/login', { email: this.email, password });
  }

  /** Opens the invitation and makes an account with it. */
  async joins() {
    await this.opensMail(' invites you to ');
    await this.fills('/new', { name: this.name, password: this.password });
  }

  /** Answers at Taskyard, as a page of another origin. */
  async answersTaskyard(answer, account) {
    await this.page.waitForURL(/\/oauth\/authorize/);
    if (account) await this.page.locator(`input[value="${account}"]`).check();
    await this.page.getByRole('button', { name: answer }).click();
    await this.page.waitForURL((url) => url.origin === demo.tracker);
  }

  /** Where the form in the line of somebody goes. */
  formOf(person, action) {
    const line = this.page.locator('tr, li', { hasText: person.email });
    return line.locator(`form[action$="${action}"]`).first().getAttribute('action');
  }

  path() {
    return new URL(this.page.url()).pathname;
  }
}

/** The page of Annals inside Settings → Audit Logs, reached by clicking. */
async function auditLogs(person, workspace) {
  await person.opens(workspace);
  await person.page.getByRole('link', { name: 'Settings', exact: true }).first().click();
  await person.page.getByRole('link', { name: 'Audit Logs', exact: true }).click();
  const frame = person.page.frameLocator('iframe');
  await frame.locator('h1').waitFor();
  assert.equal(await frame.locator('h1').textContent(), 'Audit Logs');
  return frame;
}

/** Searches in the frame until a row says this; what was clicked arrives within a second or so. */
async function finds(frame, query, text) {
  let rows = [];
  for (let tries = 0; tries < 20; tries += 1) {
    await frame.locator('input[type=search]').fill(query);
    await frame.getByRole('button', { name: 'Search' }).click();
    for (let looks = 0; looks < 20; looks += 1) {
      // The page may be on its way while it is looked at.
      rows = await frame.locator('table.log tbody tr').allTextContents().catch(() => []);
      rows = rows.map((row) => row.replace(/\s+/g, ' '));
      const found = rows.find((row) => text.test(row));
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`no row of “${query}” says ${text}, but: ${rows.slice(0, 5).join(' | ')}`);
}

describe('what a new user of the demo does', () => {
  test('an invitation, an issue moved and a login gone wrong are in Settings → Audit Logs, in words', async () => {
    const admin = demo.people.find((person) => person.role === 'admin' && person.workspace === 'Acme');
    const ann = await new Person(admin.name, admin.email, admin.password).sitsDown();
    const zoe = await new Person('Zoë Ward', 'zoe@acme.example', 'zoe-is-quite-new-here').sitsDown();
    try {
      await ann.signsIn();
      const workspace = ann.path();
      await ann.opens(`${workspace}/members`);
      await ann.fills('/members/invite', { email: zoe.email, role: 'member' });
      await zoe.joins();
      assert.equal(zoe.path(), workspace);

      // She takes up an issue and resolves it.
      await zoe.page.getByRole('link', { name: /Mobile app/ }).first().click();
      await zoe.page.getByRole('link', { name: 'New issue' }).first().click();
      await zoe.fills('/new', { title: 'The tab bar hides the last row' });
      await zoe.fills('/status', { status: 'resolved' });

      await zoe.fills('/logout');
      await zoe.signsIn('not-the-password');
      assert.match(await zoe.page.locator('main').textContent(), /password/i);

      const frame = await auditLogs(ann, workspace);
      await finds(frame, 'action:workspace.user_invited', /Ann Keller.*Invited zoe@acme\.example to the workspace as member.*127\.0\.0\.1/i);
      await finds(frame, 'action:workspace.user_joined', /Zoë Ward.*Joined the workspace/i);
      await finds(frame, 'action:user.login_failed', /Not signed in.*login as Zoë Ward failed: invalid password/i);
      await finds(frame, 'action:issue.status_updated', /Zoë Ward.*The tab bar hides the last row from open to resolved/i);

      // One of them in full: who, when, from where, and before → after.
      await frame.locator('table.log a.open', { hasText: 'The tab bar hides the last row' }).first().click();
      const drawer = frame.locator('#event');
      await drawer.waitFor();
      const text = (await drawer.textContent()).replace(/\s+/g, ' ');
      assert.match(text, /zoe@acme\.example/);
      assert.match(await drawer.locator('table.diff').textContent(), /open[\s\S]*resolved/);
      assert.match(text, /HeadlessChrome|Chrome/);

      assert.deepEqual(ann.complaints, []);
      assert.deepEqual(zoe.complaints.filter((text) => !/status of 4\d\d/.test(text)), []);
    } finally {
      await Promise.all([ann.leaves(), zoe.leaves()]);
    }
  });

  test('whoever is no admin has no such page, and a locked workspace says how to get it', async () => {
    const member = demo.people.find((person) => person.role === 'member' && person.workspace === 'Acme');
    const one = await new Person(member.name, member.email, member.password).sitsDown();
    const other = demo.people.find((person) => person.workspace === 'Globex');
    const olga = await new Person(other.name, other.email, other.password).sitsDown();
    try {
      await one.signsIn();
      assert.equal(await one.page.getByRole('link', { name: 'Audit Logs' }).count(), 0);
      const answer = await one.page.goto(`${demo.tracker}/w/acme/settings/audit-logs`);
      assert.equal(answer.status(), 404);

      await olga.signsIn();
      await olga.page.getByRole('link', { name: 'Settings', exact: true }).first().click();
      await olga.page.getByRole('link', { name: 'Audit Logs', exact: true }).click();
      const frame = olga.page.frameLocator('iframe');
      await frame.getByText('Contact us for a demo').first().waitFor();
    } finally {
      await Promise.all([one.leaves(), olga.leaves()]);
    }
  });
});

describe('everything that can happen, by clicking', () => {
  const ann = new Person('Ann Archer', 'ann@north.example', 'ann-archers-password');
  const bob = new Person('Bob Bishop', 'bob@north.example', 'bob-bishops-password');
  const gia = new Person('Gia Gray', 'gia@client.example', 'gia-grays-password');
  const hal = new Person('Hal Hunt', 'hal@client.example', 'hal-hunts-password');
  const cy = new Person('Cy Cole', 'cy@north.example', 'cy-coles-password');
  const dee = new Person('Dee Dale', 'dee@north.example', 'dee-dales-password');
  const everybody = [ann, bob, gia, hal, cy, dee];

  /** What must be in the log, in this order: the action, who did it, and what else must be true. */
  const told = [];
  const tell = (action, actor, more = {}) => told.push({ action, actor, ...more });

  before(() => Promise.all(everybody.map((person) => person.sitsDown())));
  after(() => Promise.all(everybody.map((person) => person.leaves())));

  test('all 43 events are in the file, in order, with who, what and why', async () => {
    // Signing up comes before there is a workspace that could hear of it.
    await ann.signsUp();
    await ann.opens('/workspaces/new');
    await ann.fills('/workspaces/new', { name: 'North' });
    const home = ann.path();
    tell('workspace.created', ann, { next: { name: 'North' } });

    await ann.opens(`${home}/settings/domains`);
    await ann.fills('/settings/domains', { email: ann.email, role: 'member' });
    await ann.opensMail('Confirm north.example');
    await ann.fills(ann.path());
    tell('workspace.domain_join_added', ann, { target: 'north.example' });

    const shared = `${home}/settings/integrations`;
    await ann.opens(shared);
    await ann.fills('/taskyard/connect');
    await ann.answersTaskyard('Deny');
    tell('workspace.integration_shared_account_connection_failed', ann, { reason: 'oauth_denied' });
    await ann.fills('/taskyard/connect');
    await ann.answersTaskyard('Allow', 'ty-1001');
    tell('workspace.integration_shared_account_connected', ann, { target: 'Acme team' });

    await ann.opens(`${home}/settings/groups`);
    await ann.fills('/settings/groups', { name: 'Clients' });
    await ann.opens(`${home}/projects/new`);
    await ann.fills('/projects/new', { name: 'Bakery', website_host: 'bakery.example' });
    const project = ann.path();
    tell('project.created', ann, { target: 'Bakery' });
    await ann.opens(`${project}/settings`);
    await ann.fills(`${project}/settings`, { name: 'Bakery site' });
    tell('project.updated', ann, { previous: { name: 'Bakery' }, next: { name: 'Bakery site' } });
    const group = await ann.page.locator('form[action$="/settings/group"] option', { hasText: 'Clients' }).getAttribute('value');
    await ann.fills('/settings/group', { group_id: group });
    tell('project.group_updated', ann, { target: 'Bakery site' });

    // The widget, in a page on another origin.
    const site = new URL(demo.site);
    await ann.fills('/settings/widget', { visibility: 'everyone', allowed_hosts: site.host });
    tell('project.updated', ann);
    const key = (await ann.page.content()).match(/data-project=(?:"|&quot;|&#34;)([\w-]+)/)[1];
    const visitor = await new Person('', '', '').sitsDown();
    await visitor.opens(`${site.origin}/${key}`);
    await visitor.page.getByRole('button', { name: 'Report an issue' }).waitFor();
    tell('project.widget_installed', undefined, { next: { install_state: 'installed' } });

    await ann.opens(`${home}/members`);
    await ann.fills('/members/invite', { email: 'bob@north', role: 'member' });
    tell('workspace.user_invitation_failed', ann, { reason: 'invalid_email' });
    await ann.fills('/members/invite', { email: bob.email, role: 'member' });
    tell('workspace.user_invited', ann, { target: bob.email });
    await bob.readsMail(' invites you to ');
    const lost = await bob.mails.locator('.mail a').first().getAttribute('href');
    await ann.opens(`${home}/members`);
    await ann.fills('/revoke');
    tell('workspace.user_removed', ann, { target: bob.email });
    await bob.opens(lost);
    tell('workspace.user_join_failed', undefined, { reason: 'invitation_revoked' });
    await ann.opens(`${home}/members`);
    await ann.fills('/members/invite', { email: bob.email, role: 'member' });
    tell('workspace.user_invited', ann, { target: bob.email });
    await bob.joins();
    tell('workspace.user_joined', bob, { next: { role: 'member' } });
    tell('user.email_verified', bob);
    tell('user.login', bob);
    await ann.opens(`${home}/members`);
    await ann.fills(await ann.formOf(bob, '/role'), { role: 'manager' });
    tell('workspace.user_role_updated', ann, { previous: { role: 'member' }, next: { role: 'manager' }, target: bob.name });

    for (const guest of [gia, hal]) {
      await ann.opens(`${project}/people`);
      await ann.fills('/people/invite', { email: guest.email });
      tell('project.user_invited', ann, { target: guest.email });
      await guest.joins();
      tell('workspace.user_joined', guest, { next: { role: 'guest' } });
      tell('user.email_verified', guest);
      tell('user.login', guest);
    }
    await ann.opens(`${project}/people`);
    await ann.fills('/people/invite', { email: 'ivy@client.example' });
    tell('project.user_invitation_failed', ann, { reason: 'guest_limit_reached' });

    // Somebody reports while the page is not allowed any more, then once it is again.
    await ann.opens(`${project}/settings`);
    await ann.fills('/settings/widget', { allowed_hosts: 'bakery.example' });
    tell('project.updated', ann);
    await visitor.page.getByRole('button', { name: 'Report an issue' }).click();
    await visitor.page.getByLabel('What is wrong?').fill('The bread picture is blurred');
    await visitor.page.getByLabel('Your name').fill('Vic Vale');
    await visitor.page.getByRole('button', { name: 'Send' }).click();
    await visitor.page.getByText('Reports are not taken from this page.').waitFor();
    tell('issue.creation_failed', undefined, { reason: 'widget_domain_not_allowed' });
    await ann.fills('/settings/widget', { allowed_hosts: site.host });
    tell('project.updated', ann);
    await visitor.page.getByRole('button', { name: 'Send' }).click();
    await visitor.page.getByText('Your report has arrived.').waitFor();
    tell('issue.created', undefined, { actor_name: 'Vic Vale', target: /The bread picture is blurred/ });
    assert.deepEqual(visitor.complaints.filter((text) => !/status of 4\d\d/.test(text)), []);
    await visitor.leaves();

    await bob.opens(project);
    await bob.page.getByRole('link', { name: 'The bread picture is blurred' }).click();
    const issue = bob.path();
    await bob.fills('/comments', { body: 'I see it too.' });
    tell('comment.published', bob);
    await bob.opens(await bob.page.locator('a[href$="/edit"]').first().getAttribute('href'));
    await bob.fills('/edit', { body: 'I see it too, on Safari.' });
    tell('comment.updated', bob);
    await bob.opens(issue);
    await bob.fills(await bob.page.locator('form[action*="/comments/"][action$="/delete"]').first().getAttribute('action'));
    tell('comment.deleted', bob);
    await bob.fills('/status', { status: 'resolved' });
    tell('issue.status_updated', bob, { previous: { status: 'open' }, next: { status: 'resolved' } });
    await bob.fills(`${issue}/delete`);
    tell('issue.deleted', bob);

    await bob.opens(`${project}/exports`);
    const [file] = await Promise.all([bob.page.waitForEvent('download'), bob.fills('/exports').catch(() => {})]);
    assert.match(file.suggestedFilename(), /\.csv$/);
    tell('project.export_requested', bob);
    await ann.opens(`${project}/settings`);
    await ann.fills('/settings/archive');
    tell('project.archived', ann, { next: { archived: true } });
    await ann.fills('/settings/unarchive');
    tell('project.unarchived', ann, { next: { archived: false } });
    await ann.opens(`${project}/people`);
    await ann.fills(await ann.formOf(gia, '/remove'));
    tell('project.user_removed', ann, { target: gia.name });

    // Bob's account.
    await bob.fills('/logout');
    tell('user.logout', bob);
    await bob.signsIn('wrong-password-of-bob');
    tell('user.login_failed', undefined, { reason: 'invalid_password', target: bob.name });
    await bob.opens('/login/code');
    await bob.fills('/login/code', { email: bob.email });
    tell('user.login_code_requested', undefined, { target: bob.name });
    const code = (await bob.readsMail('Your code to sign in')).match(/\b\d{6}\b/)[0];
    await bob.fills('/login/code/enter', { code });
    tell('user.login', bob);
    await bob.fills('/logout');
    tell('user.logout', bob);
    await bob.opens('/recover');
    await bob.fills('/recover', { email: bob.email });
    tell('user.password_recovery_requested', undefined, { target: bob.name });
    await bob.opensMail('Set a new password');
    bob.password = 'bob-bishops-new-password';
    await bob.fills(bob.path(), { password: bob.password });
    tell('user.password_updated', bob);
    await bob.signsIn();
    tell('user.login', bob);
    await bob.opens('/account');
    await bob.fills('/account/profile', { name: 'Robert Bishop', job_role: 'Baker' });
    tell('user.updated', bob, { previous: { name: 'Bob Bishop' }, next: { name: 'Robert Bishop' } });
    bob.name = 'Robert Bishop';
    const old = bob.email;
    bob.email = 'robert@north.example';
    await bob.fills('/account/email', { email: bob.email, email_password: bob.password });
    await bob.opensMail('Confirm your new address');
    await bob.fills(bob.path());
    tell('user.updated', bob, { previous: { email: old }, next: { email: bob.email } });
    tell('user.email_verified', bob);
    await bob.opens('/account');
    await bob.fills('/taskyard/connect');
    await bob.answersTaskyard('Allow', 'ty-1002');
    tell('user.integration_account_connected', bob);
    await bob.fills(await bob.page.locator('form[action*="/account/integrations/"][action$="/delete"]').getAttribute('action'));
    tell('user.integration_account_deleted', bob);
    await bob.opens(`${home}/members`);
    await bob.fills('/members/leave');
    tell('workspace.user_left', bob);

    // Those who come by their domain.
    for (const person of [cy, dee]) {
      await person.signsUp();
      await person.fills('/join');
      tell('workspace.user_joined', person);
    }
    await ann.opens(`${home}/members`);
    await ann.fills(await ann.formOf(cy, '/remove'));
    tell('workspace.user_removed', ann, { target: cy.name });
    await dee.opens('/account');
    await dee.fills('/account/delete', { delete_password: dee.password });
    tell('user.deleted', dee);
    tell('workspace.user_left', dee);

    // And then everything is taken away again.
    await ann.opens(`${home}/settings/domains`);
    await ann.fills('/remove');
    tell('workspace.domain_join_removed', ann, { target: 'north.example' });
    await ann.opens(shared);
    await ann.fills('/delete');
    tell('workspace.integration_shared_account_deleted', ann);
    await ann.opens(`${project}/settings`);
    await ann.fills('/settings/delete', { name: 'Bakery site' });
    tell('project.deleted', ann, { target: 'Bakery site' });

    // The log outlives what it is about: it stays open beside the page that deletes the workspace.
    const deleting = ann.page;
    ann.page = await ann.context.newPage();
    const frame = await auditLogs(ann, home);
    const watching = ann.page;
    ann.page = deleting;
    await ann.opens(`${home}/settings`);
    await ann.fills('/settings/delete', { name: 'North' });
    tell('workspace.deleted', ann, { target: 'North' });
    await finds(frame, '', /Deleted (the )?workspace/i);
    const [download] = await Promise.all([watching.waitForEvent('download'), frame.locator('[data-download]').click()]);
    const rows = readCsv(await readFile(await download.path(), 'utf8'))
      .filter((one) => !one.action.startsWith('audit_log.'))
      .toReversed();

    assert.deepEqual(rows.map((one) => one.action), told.map((one) => one.action));
    for (const [n, one] of told.entries()) {
      const got = rows[n];
      const where = `${n}. ${one.action}`;
      if (one.actor) {
        assert.equal(got.actor_type, 'user', where);
        assert.ok(everybody.some((person) => person.email === got.actor_email || got.actor_name), where);
        assert.equal(got.actor_name.split(' ')[1], one.actor.name.split(' ')[1], where);
      } else {
        assert.notEqual(got.actor_type, 'user', where);
      }
      assert.equal(got.failure_reason, one.reason ?? '', where);
      assert.equal(got.outcome, one.reason ? 'failure' : 'success', where);
      for (const side of ['previous', 'next']) {
        const values = got[side] ? JSON.parse(got[side]) : {};
        for (const [field, value] of Object.entries(one[side] ?? {})) assert.equal(values[field], value, `${where} ${side}`);
      }
      if (one.target) assert.match(`${got.target_name} ${got.target_email}`, one.target instanceof RegExp ? one.target : new RegExp(one.target), where);
      assert.match(got.ip_address, /^127\.0\.0\.1$/, where);
    }
    assert.equal(new Set(rows.map((one) => one.action)).size, 43);
    for (const secret of [...everybody.map((person) => person.password), 'I see it too']) {
      assert.ok(!rows.some((one) => Object.values(one).join(' ').includes(secret)), 'a secret or a comment is in the file');
    }
  });
});
