// Every call that the official Node SDK has for audit logs, the portal link and organizations,
// made by the unmodified package against a running Annals. The last test fails when the SDK has
// a call that none of the others made.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
  BadRequestException,
  ConflictException,
  NotFoundException,
  UnauthorizedException,
  UnprocessableEntityException,
  WorkOS,
} from '@workos-inc/node';

import { KEY, startAnnals } from './annals.mjs';

let annals;
let workos;
const called = new Set();

/** Wraps one part of the SDK so that the last test knows which of its methods were called. */
function recording(name, part) {
  return new Proxy(part, {
    get(target, key) {
      const value = target[key];
      if (typeof value !== 'function') return value;
      return (...args) => {
        called.add(`${name}.${String(key)}`);
        return value.apply(target, args);
      };
    },
  });
}

function client(key) {
  return new WorkOS(key, {
    https: false,
    apiHostname: annals.host,
    port: annals.port,
    maxRetries: 0,
  });
}

/** A read of ours, which the SDK does not have. */
async function read(path) {
  const response = await fetch(annals.base + path, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(response.status, 200, `${path} answered ${response.status}`);
  return response.json();
}

const found = (organization, q = '') =>
  read(`/audit_logs/events?organization_id=${organization}&q=${encodeURIComponent(q)}`);

function login(overrides = {}) {
  return {
    action: 'user.login',
    occurredAt: new Date('2026-11-02T09:15:00.000Z'),
    actor: { id: 'user_ana', type: 'user', name: 'Ana Ruiz', metadata: { role: 'admin' } },
    targets: [{ id: 'user_ana', type: 'user', name: 'Ana Ruiz', metadata: { plan: 'enterprise' } }],
    context: { location: '203.0.113.7', userAgent: 'Mozilla/5.0' },
    metadata: { method: 'password', first_login: false, attempt: 1 },
    ...overrides,
  };
}

before(async () => {
  annals = await startAnnals();
  const sdk = client(KEY);
  workos = {
    sdk,
    auditLogs: recording('auditLogs', sdk.auditLogs),
    organizations: recording('organizations', sdk.organizations),
    adminPortal: recording('adminPortal', sdk.adminPortal),
  };
});

after(() => annals?.stop());

describe('organizations', () => {
  test('create, get, by external id, update, list, delete', async () => {
    const created = await workos.organizations.createOrganization({
      name: 'Acme',
      externalId: 'acme-1',
      domainData: [{ domain: 'acme.example', state: 'verified' }],
      metadata: { tier: 'gold' },
    });
    assert.equal(created.object, 'organization');
    assert.match(created.id, /^org_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.equal(created.name, 'Acme');
    assert.equal(created.externalId, 'acme-1');
    assert.equal(created.allowProfilesOutsideOrganization, false);
    assert.deepEqual(created.metadata, { tier: 'gold' });
    assert.equal(created.domains.length, 1);
    assert.equal(created.domains[0].domain, 'acme.example');
    assert.equal(created.domains[0].state, 'verified');
    assert.equal(created.domains[0].organizationId, created.id);
    assert.ok(!Number.isNaN(Date.parse(created.createdAt)));

    assert.deepEqual(await workos.organizations.getOrganization(created.id), created);
    assert.deepEqual(await workos.organizations.getOrganizationByExternalId('acme-1'), created);

    const updated = await workos.organizations.updateOrganization({
      organization: created.id,
      name: 'Acme Tools',
      stripeCustomerId: 'cus_123',
      externalId: 'acme-2',
      metadata: { tier: 'platinum' },
    });
    assert.equal(updated.name, 'Acme Tools');
    assert.equal(updated.stripeCustomerId, 'cus_123');
    assert.equal(updated.externalId, 'acme-2');
    assert.deepEqual(updated.metadata, { tier: 'platinum' });
    assert.equal(updated.domains.length, 1, 'an update without domains leaves them');
    await assert.rejects(
      workos.organizations.getOrganizationByExternalId('acme-1'),
      NotFoundException,
    );

    const byDomain = await workos.organizations.listOrganizations({ domains: ['acme.example'] });
    assert.deepEqual(byDomain.data.map((o) => o.id), [created.id]);

    await workos.organizations.deleteOrganization(created.id);
    await assert.rejects(workos.organizations.getOrganization(created.id), NotFoundException);
  });

  test('a list is paged by its cursors', async () => {
    const made = [];
    for (const n of [1, 2, 3, 4, 5]) {
      made.push((await workos.organizations.createOrganization({ name: `Page ${n}` })).id);
    }
    const first = await workos.organizations.listOrganizations({ limit: 2, order: 'asc' });
    assert.deepEqual(first.data.map((o) => o.name), ['Page 1', 'Page 2']);
    assert.equal(first.listMetadata.before, null);
    const second = await workos.organizations.listOrganizations({
      limit: 2,
      order: 'asc',
      after: first.listMetadata.after,
    });
    assert.deepEqual(second.data.map((o) => o.name), ['Page 3', 'Page 4']);
    const back = await workos.organizations.listOrganizations({
      limit: 2,
      order: 'asc',
      before: second.listMetadata.before,
    });
    assert.deepEqual(back.data.map((o) => o.name), ['Page 1', 'Page 2']);
    const newest = await workos.organizations.listOrganizations({ limit: 1 });
    assert.deepEqual(newest.data.map((o) => o.name), ['Page 5']);
    const all = await (await workos.organizations.listOrganizations()).autoPagination();
    assert.deepEqual(new Set(all.map((o) => o.id)), new Set(made));
  });

  test('errors arrive as the SDK expects them', async () => {
    await assert.rejects(
      workos.organizations.getOrganization('org_nobody'),
      (error) =>
        error instanceof NotFoundException &&
        error.message === "Organization not found: 'org_nobody'." &&
        error.requestID !== '',
    );
    await assert.rejects(
      workos.organizations.createOrganization({ name: undefined }),
      UnprocessableEntityException,
    );
    await workos.organizations.createOrganization({ name: 'One', externalId: 'taken' });
    await assert.rejects(
      workos.organizations.createOrganization({ name: 'Two', externalId: 'taken' }),
      (error) => error instanceof ConflictException || error instanceof BadRequestException,
    );
    await assert.rejects(
      client('sk_wrong').organizations.listOrganizations(),
      UnauthorizedException,
    );
  });

  test('the state of its audit log', async () => {
    const { id } = await workos.organizations.createOrganization({ name: 'Configured' });
    const { data } = await workos.sdk.get(`/organizations/${id}/audit_log_configuration`);
    assert.deepEqual(data, { organization_id: id, retention_period_in_days: 365, state: 'active' });
  });
});

describe('audit logs', () => {
  let organization;

  before(async () => {
    organization = (await workos.organizations.createOrganization({ name: 'Recorded' })).id;
  });

  test('an event appears as it was sent', async () => {
    await workos.auditLogs.createEvent(organization, login());
    const { data } = await found(organization, 'action:user.login');
    assert.equal(data.length, 1);
    assert.equal(data[0].organization_id, organization);
    assert.equal(data[0].position, 0);
    const { id, ...event } = data[0].event;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(event, {
      action: 'user.login',
      occurred_at: '2026-11-02T09:15:00.000000Z',
      actor: { id: 'user_ana', type: 'user', name: 'Ana Ruiz', metadata: { role: 'admin' } },
      targets: [{ id: 'user_ana', type: 'user', name: 'Ana Ruiz', metadata: { plan: 'enterprise' } }],
      context: { location: '203.0.113.7', user_agent: 'Mozilla/5.0' },
      metadata: { method: 'password', first_login: false, attempt: 1 },
    });
  });

  test('an idempotency key makes a retry harmless', async () => {
    const options = { idempotencyKey: 'once-only' };
    const event = login({ action: 'user.logout' });
    await workos.auditLogs.createEvent(organization, event, options);
    await workos.auditLogs.createEvent(organization, event, options);
    assert.equal((await found(organization, 'action:user.logout')).data.length, 1);
    await assert.rejects(
      workos.auditLogs.createEvent(organization, login({ action: 'user.updated' }), options),
      ConflictException,
    );
    assert.equal((await found(organization, 'action:user.updated')).data.length, 0);
  });

  test('errors arrive as the SDK expects them', async () => {
    await assert.rejects(
      workos.auditLogs.createEvent('org_nobody', login()),
      (error) =>
        error instanceof NotFoundException &&
        error.message === "Organization not found: 'org_nobody'.",
    );
    await assert.rejects(
      workos.auditLogs.createEvent(organization, login({ action: undefined })),
      (error) =>
        error instanceof UnprocessableEntityException &&
        error.message.includes('required') &&
        error.requestID !== '',
    );
    await assert.rejects(
      workos.auditLogs.createEvent(organization, login({ targets: 'none' })),
      (error) => {
        assert.ok(error instanceof BadRequestException, `${error.name}: ${error.message}`);
        assert.equal(error.code, 'invalid_audit_log_event');
        assert.equal(error.errors[0].instancePath, '/targets');
        return true;
      },
    );
    await assert.rejects(
      client('sk_wrong').auditLogs.createEvent(organization, login()),
      UnauthorizedException,
    );
  });

  test('schemas: created, listed, and used to check events', async () => {
    const first = await workos.auditLogs.createSchema({
      action: 'invoice.paid',
      actor: { metadata: { role: 'string' } },
      targets: [{ type: 'invoice', metadata: { amount: 'number' } }],
      metadata: { late: 'boolean' },
    });
    assert.equal(first.object, 'audit_log_schema');
    assert.equal(first.version, 1);
    assert.deepEqual(first.actor, { metadata: { role: 'string' } });
    assert.deepEqual(first.targets, [{ type: 'invoice', metadata: { amount: 'number' } }]);
    assert.deepEqual(first.metadata, { late: 'boolean' });

    const second = await workos.auditLogs.createSchema({
      action: 'invoice.paid',
      targets: [{ type: 'invoice' }, { type: 'customer' }],
    });
    assert.equal(second.version, 2);
    const again = await workos.auditLogs.createSchema({
      action: 'invoice.paid',
      targets: [{ type: 'invoice' }, { type: 'customer' }],
    });
    assert.equal(again.version, 2, 'a schema equal to the latest makes no new version');

    const listed = await workos.auditLogs.listSchemas('invoice.paid');
    assert.deepEqual(listed.data.map((s) => s.version), [2, 1]);
    await assert.rejects(workos.auditLogs.listSchemas('invoice.lost'), NotFoundException);

    const paid = {
      action: 'invoice.paid',
      occurredAt: new Date(),
      version: 1,
      actor: { id: 'user_ana', type: 'user', metadata: { role: 'admin' } },
      targets: [{ id: 'inv_1', type: 'invoice', metadata: { amount: 12.5 } }],
      context: { location: '203.0.113.7' },
      metadata: { late: true },
    };
    await workos.auditLogs.createEvent(organization, paid);
    assert.equal((await found(organization, 'action:invoice.paid')).data.length, 1);
    await assert.rejects(
      workos.auditLogs.createEvent(organization, { ...paid, metadata: { late: 'yes' } }),
      (error) =>
        error instanceof BadRequestException && error.errors[0].instancePath === '/metadata/late',
    );
  });

  test('an export is ready at once and its CSV has the rows of the range', async () => {
    const { id } = await workos.organizations.createOrganization({ name: 'Exported' });
    for (let day = 1; day <= 6; day += 1) {
      await workos.auditLogs.createEvent(
        id,
        login({
          action: day % 2 ? 'user.login' : 'user.logout',
          occurredAt: new Date(Date.UTC(2026, 9, day, 12)),
          actor: { id: `user_${day}`, type: 'user', name: `User ${day}` },
        }),
      );
    }
    const range = {
      organizationId: id,
      rangeStart: new Date('2026-10-01T00:00:00Z'),
      rangeEnd: new Date('2026-10-06T00:00:00Z'),
    };
    const rows = async (options) => {
      const created = await workos.auditLogs.createExport({ ...range, ...options });
      assert.equal(created.object, 'audit_log_export');
      assert.match(created.id, /^audit_log_export_[0-9A-HJKMNP-TV-Z]{26}$/);
      const again = await workos.auditLogs.getExport(created.id);
      assert.equal(again.state, 'ready');
      const response = await fetch(again.url);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type'), /^text\/csv/);
      const lines = (await response.text()).split('\r\n');
      assert.equal(lines.pop(), '', 'the file ends with a line end');
      assert.match(lines.shift(), /^"occurred_at","recorded_at","position","id","event","action",/);
      return lines.map((line) => line.split(',')[0].replaceAll('"', ''));
    };
    assert.deepEqual(await rows({}), [5, 4, 3, 2, 1].map((d) => `2026-10-0${d}T12:00:00.000000Z`));
    assert.equal((await rows({ actions: ['user.logout'] })).length, 2);
    assert.equal((await rows({ actorNames: ['User 3'] })).length, 1);
    assert.equal((await rows({ actorIds: ['user_1', 'user_2'] })).length, 2);
    assert.equal((await rows({ targets: ['user'] })).length, 5);
    assert.equal((await rows({ targets: ['team'] })).length, 0);

    await assert.rejects(
      workos.auditLogs.createExport({ ...range, rangeEnd: new Date('2026-09-01T00:00:00Z') }),
      (error) => error.status === 400 && /date range/i.test(error.message),
    );
    await assert.rejects(
      workos.auditLogs.getExport('audit_log_export_01GBZK5MP7TD1YCFQHFR22180V'),
      NotFoundException,
    );
  });

  test('retention is stored and shown', async () => {
    const before = await workos.auditLogs.getOrganizationAuditLogsRetention({ id: organization });
    assert.deepEqual(before, { retentionPeriodInDays: 365 });
    const changed = await workos.auditLogs.updateOrganizationAuditLogsRetention({
      id: organization,
      retentionPeriod: '2_YEARS',
    });
    assert.deepEqual(changed, { retentionPeriodInDays: 730 });
    assert.deepEqual(
      await workos.auditLogs.getOrganizationAuditLogsRetention({ id: organization }),
      changed,
    );
    await assert.rejects(
      workos.auditLogs.updateOrganizationAuditLogsRetention({
        id: organization,
        retentionPeriod: '5_WEEKS',
      }),
      UnprocessableEntityException,
    );
    await assert.rejects(
      workos.auditLogs.getOrganizationAuditLogsRetention({ id: 'org_nobody' }),
      NotFoundException,
    );
  });
});

describe('portal', () => {
  test('a link opens the audit log page, once', async () => {
    const { id } = await workos.organizations.createOrganization({ name: 'Portal' });
    const { link } = await workos.adminPortal.generateLink({
      organization: id,
      intent: 'audit_logs',
      returnUrl: 'https://app.example/settings',
    });
    assert.equal(new URL(link).origin, annals.base);
    const opened = await fetch(link, { redirect: 'manual' });
    assert.equal(opened.status, 303);
    assert.match(opened.headers.get('location'), new RegExp(`/w/${id}/audit-logs`));
    const used = await fetch(link, { redirect: 'manual' });
    assert.notEqual(used.status, 303, 'a used link in another browser does not open');

    await assert.rejects(
      workos.adminPortal.generateLink({ organization: id, intent: 'sso' }),
      UnprocessableEntityException,
    );
    await assert.rejects(
      workos.adminPortal.generateLink({ organization: 'org_nobody', intent: 'audit_logs' }),
      NotFoundException,
    );
  });
});

test('no call of the SDK was left out', () => {
  // Contacts of an IT department belong to single sign-on, which Annals does not do.
  const elsewhere = /^organizations\..*ItContacts?$/;
  const methods = ['auditLogs', 'organizations', 'adminPortal'].flatMap((name) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(workos.sdk[name]))
      .filter((method) => method !== 'constructor')
      .map((method) => `${name}.${method}`),
  );
  const missed = methods.filter((method) => !called.has(method) && !elsewhere.test(method));
  assert.deepEqual(missed, []);
});
