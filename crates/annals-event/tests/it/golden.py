"""Checks the golden entries from the specification alone (docs/formats/entry-v1.md); arguments are the files."""

import base64
import hashlib
import json
import sys


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def canonical(value) -> str:
    """RFC 8785 for what stands in an entry: no numbers but integers."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: utf16(member[0]))
        return "{" + ",".join(canonical(k) + ":" + canonical(v) for k, v in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def check(golden: dict) -> None:
    node = bytes.fromhex(golden["seed"])
    for shift in range(7, -1, -1):
        node = sha(b"annals/seed/v1\n", node, bytes([golden["position"] >> shift & 1]))
    assert node.hex() == golden["event_salt"], "event salt"

    entry = json.loads(golden["entry"])
    commitments = []
    for k, section in enumerate(golden["sections"]):
        if section is None:
            commitments.append(None)
            continue
        if section["text"] is None:
            assert k in golden["withheld"] and section["salt"] is None
        else:
            salt = sha(b"annals/salt/v1\n", node, bytes([k]))
            assert section["salt"] == b64(salt), f"salt of section {k}"
            text = section["text"]
            commitment = sha(b"annals/section/v1\n", salt, bytes([k]), text.encode())
            assert section["commitment"] == b64(commitment), f"commitment of section {k}"
            floats = []
            value = json.loads(text, parse_float=lambda digits: floats.append(digits))
            assert floats or canonical(value) == text, f"section {k} is canonical"
        commitments.append(section["commitment"])

    event = golden["event"]
    assert entry["sections"] == commitments
    assert commitments[0] is not None and len(commitments) == 3 + len(event["targets"])
    assert entry["action"] == event["action"] and entry["id"] == event["id"]
    assert entry["actor"]["type"] == event["actor"]["type"]
    assert [t["type"] for t in entry["targets"]] == [t["type"] for t in event["targets"]]
    for member in ("log", "position", "recorded_at", "recorded_by"):
        assert entry[member] == golden[member], member
    assert entry["v"] == 1
    assert canonical(entry) == golden["entry"], "entry is canonical"
    assert hashlib.sha256(b"\0" + golden["entry"].encode()).hexdigest() == golden["leaf"], "leaf"


for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        check(json.load(file))
print(len(sys.argv) - 1, "entries")
