"""Every call that the official Python SDK has for audit logs, the portal link and organizations,
made by the unmodified package against a running Annals. The last check fails when the SDK has a
call that none of the tests made. Run with `python -m unittest -v test_sdk`.
"""

import asyncio
import csv
import inspect
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

from workos import AsyncWorkOSClient, WorkOSClient
from workos._errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)
from workos.audit_logs._resource import RetentionPeriod, RetentionPeriodInDays
from workos.audit_logs.models import (
    AuditLogEvent,
    AuditLogEventActor,
    AuditLogEventContext,
    AuditLogEventTarget,
    AuditLogSchemaActorInput,
    AuditLogSchemaTargetInput,
)
from workos.organizations.models import OrganizationDomainData

KEY = "sk_sdk_test_0123456789abcdefghijklmnopqrstuvwxyz"
ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("ANNALS_BIN", str(ROOT / "target" / "debug" / "annals"))

# IT contacts and Connect applications belong to single sign-on, which Annals does not do.
ELSEWHERE = re.compile(r"organizations\.(.*it_contacts?|list_authorized_applications)$")


class Recording:
    """Passes every call on to one part of the SDK and remembers its name."""

    called = set()

    def __init__(self, name, part):
        self._name, self._part = name, part

    def __getattr__(self, method):
        Recording.called.add(f"{self._name}.{method}")
        return getattr(self._part, method)


class Annals:
    """`annals serve` on an empty directory and a free port."""

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="annals-sdk-")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--json"],
            env={**os.environ, "ANNALS_BOOTSTRAP_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"annals serve ended before it was ready: {self.log.read().decode()}")
        self.base = json.loads(line)["annals"].rstrip("/")

    def stop(self):
        """Asks the server to end, and answers with its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=15)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)
        return code


def setUpModule():
    global annals, client, audit_logs, organizations, portal
    annals = Annals()
    client = WorkOSClient(api_key=KEY, base_url=annals.base, max_retries=0)
    audit_logs = Recording("audit_logs", client.audit_logs)
    organizations = Recording("organizations", client.organizations)
    portal = Recording("admin_portal", client.admin_portal)


def tearDownModule():
    client.close()
    code = annals.stop()
    assert code == 0, f"annals serve ended with {code}"
    parts = {
        "audit_logs": client.audit_logs,
        "organizations": client.organizations,
        "admin_portal": client.admin_portal,
    }
    methods = {
        f"{name}.{method}"
        for name, part in parts.items()
        for method, _ in inspect.getmembers(type(part), inspect.isfunction)
        if not method.startswith("_")
    }
    missed = {m for m in methods - Recording.called if not ELSEWHERE.match(m)}
    assert not missed, f"the SDK has calls that no test made: {sorted(missed)}"


def found(organization, query=""):
    """What our own search answers; the SDK has no call for it."""
    parameters = urllib.parse.urlencode({"organization_id": organization, "q": query})
    request = urllib.request.Request(
        f"{annals.base}/audit_logs/events?{parameters}", headers={"Authorization": f"Bearer {KEY}"}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["data"]


def login(**changes):
    event = dict(
        action="user.login",
        occurred_at=datetime(2026, 11, 2, 9, 15, tzinfo=timezone.utc),
        actor=AuditLogEventActor(id="user_ana", type="user", name="Ana Ruiz", metadata={"role": "admin"}),
        targets=[AuditLogEventTarget(id="user_ana", type="user", name="Ana Ruiz")],
        context=AuditLogEventContext(location="203.0.113.7", user_agent="Mozilla/5.0"),
        metadata={"method": "password", "first_login": False, "attempt": 1.5},
    )
    event.update(changes)
    return AuditLogEvent(**event)


class Organizations(unittest.TestCase):
    def test_create_get_by_external_id_update_list_delete(self):
        created = organizations.create_organization(
            name="Acme",
            external_id="py-acme-1",
            domain_data=[OrganizationDomainData(domain="py-acme.example", state="pending")],
            metadata={"tier": "gold"},
        )
        self.assertRegex(created.id, r"^org_[0-9A-HJKMNP-TV-Z]{26}$")
        self.assertEqual(created.object, "organization")
        self.assertEqual(created.name, "Acme")
        self.assertEqual(created.external_id, "py-acme-1")
        self.assertEqual(created.metadata, {"tier": "gold"})
        self.assertEqual([d.domain for d in created.domains], ["py-acme.example"])

        self.assertEqual(organizations.get_organization(created.id), created)
        self.assertEqual(organizations.get_organization_by_external_id("py-acme-1"), created)

        updated = organizations.update_organization(
            created.id, name="Acme Tools", stripe_customer_id="cus_1", external_id=None
        )
        self.assertEqual(updated.name, "Acme Tools")
        self.assertEqual(updated.stripe_customer_id, "cus_1")
        self.assertIsNone(updated.external_id)
        self.assertEqual(updated.metadata, {"tier": "gold"})
        with self.assertRaises(NotFoundError):
            organizations.get_organization_by_external_id("py-acme-1")

        listed = organizations.list_organizations(domains=["py-acme.example"])
        self.assertEqual([o.id for o in listed.data], [created.id])
        searched = organizations.list_organizations(search="acme too")
        self.assertEqual([o.id for o in searched.data], [created.id])

        configuration = organizations.get_audit_log_configuration(created.id)
        self.assertEqual(configuration.organization_id, created.id)
        self.assertEqual(configuration.retention_period_in_days, 365)
        self.assertEqual(configuration.state.value, "active")
        self.assertIsNone(configuration.log_stream)

        organizations.delete_organization(created.id)
        with self.assertRaises(NotFoundError):
            organizations.get_organization(created.id)
        with self.assertRaises(NotFoundError):
            organizations.get_audit_log_configuration(created.id)

    def test_pages(self):
        made = [organizations.create_organization(name=f"Pages {n}").id for n in range(5)]
        page = organizations.list_organizations(search="Pages ", limit=2, order="asc")
        self.assertEqual([o.id for o in page.data], made[:2])
        self.assertIsNone(page.before)
        self.assertEqual([o.id for o in page.auto_paging_iter()], made)
        newest = organizations.list_organizations(search="Pages ", limit=2)
        self.assertEqual([o.id for o in newest.data], made[:2:-1])

    def test_errors(self):
        with self.assertRaises(NotFoundError) as raised:
            organizations.get_organization("org_nobody")
        self.assertEqual(raised.exception.message, "Organization not found: 'org_nobody'.")
        self.assertTrue(raised.exception.request_id)
        organizations.create_organization(name="One", external_id="py-taken")
        with self.assertRaises((ConflictError, BadRequestError)):
            organizations.create_organization(name="Two", external_id="py-taken")
        with self.assertRaises(UnprocessableEntityError):
            organizations.list_organizations(limit=1000)
        with WorkOSClient(api_key="sk_wrong", base_url=annals.base, max_retries=0) as stranger:
            with self.assertRaises(AuthenticationError):
                stranger.organizations.list_organizations()


class AuditLogs(unittest.TestCase):
    def setUp(self):
        self.organization = organizations.create_organization(name="Recorded").id

    def test_an_event_appears_as_it_was_sent(self):
        answer = audit_logs.create_event(organization_id=self.organization, event=login())
        self.assertTrue(answer.success)
        (row,) = found(self.organization, "action:user.login")
        self.assertEqual(row["position"], 0)
        event = row["event"]
        event.pop("id")
        self.assertEqual(
            event,
            {
                "action": "user.login",
                "occurred_at": "2026-11-02T09:15:00.000000Z",
                "actor": {"id": "user_ana", "type": "user", "name": "Ana Ruiz", "metadata": {"role": "admin"}},
                "targets": [{"id": "user_ana", "type": "user", "name": "Ana Ruiz"}],
                "context": {"location": "203.0.113.7", "user_agent": "Mozilla/5.0"},
                "metadata": {"method": "password", "first_login": False, "attempt": 1.5},
            },
        )

    def test_an_idempotency_key_makes_a_retry_harmless(self):
        for _ in range(3):
            audit_logs.create_event(
                organization_id=self.organization, event=login(), idempotency_key="py-once"
            )
        self.assertEqual(len(found(self.organization, "action:user.login")), 1)
        with self.assertRaises(ConflictError):
            audit_logs.create_event(
                organization_id=self.organization,
                event=login(action="user.logout"),
                idempotency_key="py-once",
            )

    def test_errors(self):
        with self.assertRaises(NotFoundError):
            audit_logs.create_event(organization_id="org_nobody", event=login())
        with self.assertRaises(BadRequestError) as raised:
            audit_logs.create_event(
                organization_id=self.organization,
                event=login(occurred_at=datetime.now(timezone.utc) + timedelta(hours=2)),
            )
        self.assertEqual(raised.exception.code, "invalid_audit_log_event")
        self.assertEqual(raised.exception.errors[0]["instancePath"], "/occurred_at")
        with self.assertRaises(BadRequestError):
            audit_logs.create_event(organization_id=self.organization, event=login(action="two words"))

    def test_schemas_and_actions(self):
        action = "py.report_shared"
        first = audit_logs.create_schema(
            action,
            targets=[
                AuditLogSchemaTargetInput(
                    type="report", metadata={"type": "object", "properties": {"pages": {"type": "number"}}}
                )
            ],
            actor=AuditLogSchemaActorInput(
                metadata={"type": "object", "properties": {"role": {"type": "string"}}}
            ),
            metadata={"type": "object", "properties": {"public": {"type": "boolean"}}},
        )
        self.assertEqual(first.version, 1)
        self.assertEqual(first.targets[0].type, "report")
        second = audit_logs.create_schema(action, targets=[AuditLogSchemaTargetInput(type="report")])
        self.assertEqual(second.version, 2)
        same = audit_logs.create_schema(action, targets=[AuditLogSchemaTargetInput(type="report")])
        self.assertEqual(same.version, 2)

        listed = audit_logs.list_action_schemas(action)
        self.assertEqual([s.version for s in listed.data], [2, 1])
        actions = {a.name: a for a in audit_logs.list_actions(limit=100).auto_paging_iter()}
        self.assertEqual(actions[action].schema.version, 2)
        with self.assertRaises(NotFoundError):
            audit_logs.list_action_schemas("py.no_such_action")

        shared = dict(
            action=action,
            version=1,
            targets=[AuditLogEventTarget(id="r1", type="report", metadata={"pages": 3})],
            metadata={"public": True},
        )
        audit_logs.create_event(organization_id=self.organization, event=login(**shared))
        shared["metadata"] = {"public": "yes"}
        with self.assertRaises(BadRequestError):
            audit_logs.create_event(organization_id=self.organization, event=login(**shared))
        with self.assertRaises(UnprocessableEntityError):
            audit_logs.create_schema(action, targets=[])

    def test_an_export_is_ready_at_once(self):
        for day in range(1, 5):
            audit_logs.create_event(
                organization_id=self.organization,
                event=login(
                    occurred_at=datetime(2026, 10, day, 12, tzinfo=timezone.utc),
                    actor=AuditLogEventActor(id=f"user_{day}", type="user", name=f"User {day}"),
                ),
            )
        span = dict(
            organization_id=self.organization,
            range_start="2026-10-01T00:00:00.000Z",
            range_end="2026-10-04T00:00:00.000Z",
        )
        self.assertEqual([r["actor_id"] for r in self.rows(**span)], ["user_3", "user_2", "user_1"])
        self.assertEqual(len(self.rows(**span, actor_names=["User 2"])), 1)
        self.assertEqual(len(self.rows(**span, actors=["User 2"])), 1)
        self.assertEqual(len(self.rows(**span, actor_ids=["user_1"])), 1)
        self.assertEqual(len(self.rows(**span, actions=["user.logout"])), 0)
        self.assertEqual(len(self.rows(**span, targets=["user"])), 3)
        with self.assertRaises(BadRequestError) as raised:
            audit_logs.create_export(**{**span, "range_end": "2026-09-01T00:00:00.000Z"})
        self.assertEqual(raised.exception.code, "invalid_audit_log_export_range_date")
        with self.assertRaises(NotFoundError):
            audit_logs.get_export("audit_log_export_01GBZK5MP7TD1YCFQHFR22180V")

    def rows(self, **options):
        export = audit_logs.get_export(audit_logs.create_export(**options).id)
        self.assertEqual(export.state.value, "ready")
        with urllib.request.urlopen(export.url) as response:
            self.assertTrue(response.headers["Content-Type"].startswith("text/csv"))
            text = response.read().decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def test_retention(self):
        read = lambda: audit_logs.get_organization_audit_logs_retention(self.organization)
        self.assertEqual(read().retention_period_in_days, 365)
        audit_logs.update_organization_audit_logs_retention(
            self.organization, retention=RetentionPeriodInDays(30)
        )
        self.assertEqual(read().retention_period_in_days, 30)
        audit_logs.update_organization_audit_logs_retention(
            self.organization, retention=RetentionPeriod("10_YEARS")
        )
        self.assertEqual(read().retention_period_in_days, 3650)
        with self.assertRaises(UnprocessableEntityError):
            audit_logs.update_organization_audit_logs_retention(
                self.organization, retention=RetentionPeriod("a while")
            )
        with self.assertRaises(NotFoundError):
            audit_logs.get_organization_audit_logs_retention("org_nobody")

    def test_the_asynchronous_client(self):
        async def record():
            async with AsyncWorkOSClient(api_key=KEY, base_url=annals.base, max_retries=0) as other:
                events = [
                    other.audit_logs.create_event(
                        organization_id=self.organization, event=login(metadata={"n": n})
                    )
                    for n in range(20)
                ]
                return await asyncio.gather(*events)

        answers = asyncio.run(record())
        self.assertTrue(all(a.success for a in answers))
        self.assertEqual(
            {row["event"]["metadata"]["n"] for row in found(self.organization, "action:user.login")},
            set(range(20)),
        )


class Portal(unittest.TestCase):
    def test_a_link_opens_the_page(self):
        organization = organizations.create_organization(name="Portal").id
        link = portal.generate_link(
            organization=organization,
            intent="audit_logs",
            return_url="https://app.example/settings",
            it_contact_emails=["it@acme.example"],
        ).link
        self.assertTrue(link.startswith(annals.base), link)
        self.assertEqual(self.opens(link), 303)
        self.assertNotEqual(self.opens(link), 303, "a used link in another browser does not open")
        with self.assertRaises(UnprocessableEntityError):
            portal.generate_link(organization=organization, intent="dsync")
        with self.assertRaises(NotFoundError):
            portal.generate_link(organization="org_nobody", intent="audit_logs")

    def test_a_revoked_link_does_not_open(self):
        organization = organizations.create_organization(name="Portal").id
        make = lambda user: portal.generate_link(
            organization=organization, intent="audit_logs", external_user_id=user
        ).link
        left, stayed = make("user_left"), make("user_stayed")
        portal.revoke_link(organization=organization, external_user_id="user_left")
        self.assertNotEqual(self.opens(left), 303)
        self.assertEqual(self.opens(stayed), 303)

    def opens(self, link):
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        try:
            with urllib.request.build_opener(Stay).open(link) as response:
                return response.status
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code


if __name__ == "__main__":
    unittest.main()
