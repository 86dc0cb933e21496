#!/usr/bin/env python3
"""Checks an Annals proof file, offline: from the file to the commitments of its sections, to leaf
hashes, to the root, to the signed checkpoint. Written from proof-v1.md alone; needs only Python 3.8.
Exit codes: 0 valid, 1 invalid, 2 could not run, 3 incomplete (the trailer is missing)."""
import argparse, base64, datetime, decimal, hashlib, json, sys

def need(condition, why):
    if not condition:
        raise ValueError(why)
def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

# --- canonical JSON (RFC 8785): parse, print again, demand the same bytes ---
def number(x):
    need(abs(x) < 2**53 and (isinstance(x, int) or not x.is_integer()), "a number is not canonical")
    # Of fractions below 2^53, ECMAScript and Python print only the small ones differently.
    text = format(decimal.Decimal(repr(x)), "f") if abs(x) >= 1e-6 else repr(x)
    return str(x) if isinstance(x, int) else text.replace("e-0", "e-")
def canonical(value, depth=16):
    if value is None or isinstance(value, (bool, str)):
        need("\0" not in str(value), "a string has a NUL")
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return number(value)
    need(depth > 0, "this is nested too deeply")
    if isinstance(value, list):
        return "[%s]" % ",".join(canonical(item, depth - 1) for item in value)
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{%s}" % ",".join(canonical(n) + ":" + canonical(value[n], depth - 1) for n in names)
def read(line):
    value = json.loads(line.decode())  # of a member that stands twice, one is lost: other bytes
    # Each value may have 16 levels; around that of a section are line, list and pair.
    need(canonical(value, 19).encode() + b"\n" == line, "this is not canonical JSON")
    return value
def members(value, names, optional=""):
    names = set(names.split())
    need(names <= set(value) <= names | set(optional.split()), "a member is missing or unknown")
    return value
def texts(*values):
    need(all(isinstance(value, str) for value in values), "a text is missing")
def count(value):
    return value if type(value) is int and value >= 0 else need(False, "a number is missing")
def time(text):
    parsed = datetime.datetime.fromisoformat(text[:-1])
    need(parsed.isoformat(timespec="microseconds")[:26] + "Z" == text, "a time is malformed")
    return text
def unbase64(text, letters=b"+/"):
    raw = base64.b64decode(text, letters)
    need(base64.b64encode(raw, letters).decode() == text, "base64 is malformed")
    return raw
def hash32(text):
    need(len(text) == 43, "a hash has another length")
    return unbase64(text + "=", b"-_")

# --- the tree (RFC 6962) ---
def cover(a, b):
    """The fewest perfect nodes over leaves [a, b), as (level, index)."""
    nodes = []
    while a < b:
        level = min((a & -a).bit_length() - 1 if a else 64, (b - a).bit_length() - 1)
        nodes.append((level, a >> level))
        a += 1 << level
    return nodes
def push(stack, level, index, node):  # and merge it with its left siblings
    while stack and index % 2 and stack[-1][:2] == (level, index - 1):
        node, level, index = sha256(b"\1", stack.pop()[2], node), level + 1, index // 2
    stack.append((level, index, node))
def root(stack):
    result = stack.pop()[2] if stack else sha256()
    while stack:
        result = sha256(b"\1", stack.pop()[2], result)
    return result

# --- Ed25519 (RFC 8032), verification only ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        p, q, n = add(p, p), add(q, p) if n & 1 else q, n >> 1
    return q
def point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and x * x % P == x2, "the key is not a point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P
def check_signature(key, text, signature):
    need(len(key) == 32 and len(signature) == 64, "key or signature has another length")
    a, s = point(key), int.from_bytes(signature[32:], "little")
    need(s < L and times(8, a)[0] % P, "the signature is malformed or the key weak")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    x, y, z, _ = add(times(s, point(b"\x58" + b"\x66" * 31)), times(L - k, a))
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    need((y | (x & 1) << 255).to_bytes(32, "little") == signature[:32], "the signature is not good")

# --- the file ---
def verifying_key(text):
    name, key_id, key = text.split("+", 2)
    raw = unbase64(key)
    need(raw[:1] == b"\1" and sha256(name.encode(), b"\n", raw)[:4].hex() == key_id, "the key is malformed")
    return name, key_id, raw[1:]
def check_event(line, log):
    """The leaf hash of a line's entry, the entry, and how many of its sections are blanked."""
    names = "action actor id log occurred_at position recorded_at recorded_by sections targets v"
    entry = members(line["entry"], names, "failure")
    texts(entry["action"], entry["id"], entry["recorded_by"], entry.get("failure", ""))
    for party, names in [(entry["actor"], "id role"), *((target, "id") for target in entry["targets"])]:
        texts(*members(party, "type", names).values())
    need(entry["log"] == log and canonical(entry["v"]) == "1", "the entry is of another log or format")
    commitments, sections, blanked = entry["sections"], line["sections"], 0
    need(isinstance(entry["targets"], list) and isinstance(commitments, list) and isinstance(sections, list)
         and len(sections) == len(commitments) == 3 + len(entry["targets"]), "too many sections, or few")
    for k, (given, committed) in enumerate(zip(sections, commitments)):
        raw = None if committed is None else hash32(committed)
        need((given is None) == (raw is None) and (k or raw), "section %d is empty, or not" % k)
        if isinstance(given, list):
            need(len(given) == 2 and isinstance(given[1], dict), "section %d is malformed" % k)
            opened = (hash32(given[0]), bytes([k]), canonical(given[1]).encode())
            need(sha256(b"annals/section/v1\n", *opened) == raw, "section %d is not the recorded one" % k)
        elif given is not None:
            need(canonical(given) == "0", "section %d is malformed" % k)
            blanked += 1
    time(entry["occurred_at"])
    return sha256(b"\0", canonical(entry).encode()), entry, blanked

def check(file, vkey, where, line_max=256 * 1024):
    def next_line():
        where[0], line = where[0] + 1, file.readline(line_max + 1)
        if not line.endswith(b"\n"):
            raise EOFError if len(line) <= line_max else ValueError("the line is too long")
        return line
    head = members(read(raw := next_line()), "annals from log to vkey")
    log, key_id, key = verifying_key(head["vkey"])
    need(head["annals"] == "proof/v1" and head["log"] == log, "the header is malformed")
    need(vkey in (None, (log, key_id, key)), "the file names another key than the one given")
    need(count(head["from"]) <= count(head["to"]), "the header's range is none")
    at, stack, last, blanked, redacted, digest = head["from"], [], "", 0, 0, hashlib.sha256()
    while True:
        digest.update(raw)
        where[1] = at if at < head["to"] else None
        line = read(raw := next_line())
        if "checkpoint" in line:
            break
        if "leaf" in line:
            members(line, "leaf position recorded_at")
            leaf, at_line, blanks, redacted = hash32(line["leaf"]), line, 0, redacted + 1
        else:
            leaf, at_line, blanks = check_event(members(line, "entry sections"), log)
        need(at < head["to"] and count(at_line["position"]) == at, "another position should stand here")
        need(time(at_line["recorded_at"]) >= last, "the recording time goes back")
        push(stack, 0, at, leaf)
        at, last, blanked = at + 1, at_line["recorded_at"], blanked + blanks
    members(line, "checkpoint left right sha256")
    need(at == head["to"], "entries are missing")
    need(hash32(line["sha256"]) == digest.digest(), "the file was changed: its checksum does not fit")
    origin, size, root64, empty, signature, end = line["checkpoint"].split("\n")
    dash, signer, signature = signature.split(" ")
    need([dash, origin, signer, empty, end] == ["—", log, log, "", ""] and str(int(size)) == size
         and unbase64(signature)[:4].hex() == key_id and at <= int(size), "the checkpoint does not fit")
    check_signature(key, "\n".join((origin, size, root64, "")).encode(), unbase64(signature)[4:])
    left, right = cover(0, head["from"]), cover(at, int(size))
    need([len(left), len(right)] == [len(line["left"]), len(line["right"])], "the proof has another length")
    stack, range_nodes = [], [(node[:2], node[2]) for node in stack]
    for place, node in [*zip(left, map(hash32, line["left"])), *range_nodes,
                        *zip(right, map(hash32, line["right"]))]:
        push(stack, *place, node)
    need(root(stack) == unbase64(root64), "the entries are not those of the signed log")
    need(not file.read(1), "something follows the trailer")
    return "%s [%d, %d) of %s, %d sections blanked, %d entries redacted" % (
        log, head["from"], at, size, blanked, redacted)

def main():
    parser, where = argparse.ArgumentParser(description=__doc__), [0, None]
    parser.add_argument("file")
    parser.add_argument("--key", metavar="VKEY", type=verifying_key, help="the log's key, not from the file")
    arguments = parser.parse_args()
    try:
        with open(arguments.file, "rb") as file:
            what = check(file, arguments.key, where)
        print("valid:" if arguments.key else "consistent, signer not checked:", what)
        return 0
    except OSError as error:
        return print("cannot run:", error) or 2
    except EOFError:
        return print("incomplete: no trailer after line %d" % (where[0] - 1)) or 3
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        position = "" if where[1] is None else " (position %d)" % where[1]
        return print("invalid: line %d%s: %s" % (where[0], position, error)) or 1

if __name__ == "__main__":
    sys.exit(main())
