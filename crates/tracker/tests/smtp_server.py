"""A mail server for the tests, on a free port of this machine.

Prints its port, then each mail that it takes as a line of JSON. It refuses `refuse@…` for ever (550), puts `later@…` off (451),
and asks for a password if it is started with `--auth`, which is "secret".
"""

import asyncio
import email
import email.policy
import json
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


# It serves a test on the loopback; its warnings are about servers on a network.
warnings.simplefilter("ignore")


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refuse@"):
            return "550 5.1.1 no such person here"
        if address.startswith("later@"):
            return "451 4.2.0 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        headers = {name.lower(): str(value) for name, value in mail.items()}
        print(json.dumps({"to": envelope.rcpt_tos, "from": envelope.mail_from, "headers": headers, "parts": parts}), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and data.login == b"tracker" and data.password == b"secret"
    return AuthResult(success=known, handled=False)


async def main():
    auth = "--auth" in sys.argv
    options = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False} if auth else {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="localhost", enable_SMTPUTF8=True, **options), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test that started it, whatever became of that.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
