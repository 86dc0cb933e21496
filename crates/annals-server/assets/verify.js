// Checks an event's proof file in the browser: sections to commitments, entry to leaf, leaf to root, root
// to the signed checkpoint. Follows docs/formats/proof-v1.md; needs nothing but WebCrypto.
"use strict";
(() => {
  const bytes = (text) => new TextEncoder().encode(text);
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) { out.set(part, at); at += part.length; }
    return out;
  };
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
  const need = (condition, why) => { if (!condition) throw new Error(why); };
  const same = (a, b) => a.length === b.length && a.every((byte, n) => byte === b[n]);
  const hex = (raw) => [...raw].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const unbase64 = (text) => {
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    need(btoa(String.fromCharCode(...raw)) === text, "base64 is malformed");
    return raw;
  };
  const hash32 = (text) => {
    const raw = unbase64(text.replace(/-/g, "+").replace(/_/g, "/") + "=");
    need(raw.length === 32 && !/[+/]/.test(text), "a hash is malformed");
    return raw;
  };
  // RFC 8785 is ECMAScript's own way to print numbers, strings and the order of keys.
  const canonical = (value) => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    return `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`).join(",")}}`;
  };

  // The fewest perfect nodes over leaves [from, to), as [level, index].
  const cover = (from, to) => {
    const nodes = [];
    while (from < to) {
      let level = 0;
      while (from % 2 ** (level + 1) === 0 && from + 2 ** (level + 1) <= to) level += 1;
      nodes.push([level, from / 2 ** level]);
      from += 2 ** level;
    }
    return nodes;
  };
  const push = async (stack, level, index, node) => {
    for (;;) {
      const last = stack[stack.length - 1];
      if (!last || index % 2 === 0 || last[0] !== level || last[1] !== index - 1) break;
      stack.pop();
      node = await sha256([1], last[2], node);
      level += 1;
      index = (index - 1) / 2;
    }
    stack.push([level, index, node]);
  };

  const leafOf = async (line, log, position) => {
    const { entry, sections } = line;
    need(entry.log === log && entry.position === position && entry.v === 1, "another entry stands here");
    need(sections.length === entry.sections.length && sections.length === 3 + entry.targets.length, "sections are missing");
    for (let k = 0; k < sections.length; k += 1) {
      const given = sections[k], committed = entry.sections[k];
      need((given === null) === (committed === null), `section ${k} is missing`);
      if (given === null || given === 0) continue;
      const raw = await sha256(bytes("annals/section/v1\n"), hash32(given[0]), [k], bytes(canonical(given[1])));
      need(same(raw, hash32(committed)), `section ${k} is not the recorded one`);
    }
    return sha256([0], bytes(canonical(entry)));
  };

  const check = async (text, vkey, log, position) => {
    const lines = text.split("\n");
    need(lines.pop() === "" && lines.length === 3, "the file is incomplete");
    const [head, line, tail] = lines.map((raw) => {
      const value = JSON.parse(raw);
      need(canonical(value) === raw, "a line is not canonical");
      return value;
    });
    need(head.annals === "proof/v1" && head.log === log && head.vkey === vkey, "the file is of another log or key");
    need(head.from === position && head.to === position + 1, "the file is of another event");
    const [name, id, key64] = [vkey.slice(0, vkey.indexOf("+")), ...vkey.slice(vkey.indexOf("+") + 1).split(/\+(.*)/s)];
    const key = unbase64(key64);
    need(name === log && key[0] === 1 && key.length === 33, "the key is malformed");
    need(hex((await sha256(bytes(name + "\n"), key)).slice(0, 4)) === id, "the key is malformed");
    need(same(hash32(tail.sha256), await sha256(bytes(`${lines[0]}\n${lines[1]}\n`))), "the file was changed");

    const leaf = await leafOf(line, log, position);
    const [origin, size, root64, empty, signature, end] = tail.checkpoint.split("\n");
    need(origin === log && empty === "" && end === "" && Number(size) > position, "the checkpoint is malformed");
    const stack = [];
    const left = cover(0, position), right = cover(position + 1, Number(size));
    need(left.length === tail.left.length && right.length === tail.right.length, "the proof has another length");
    for (let n = 0; n < left.length; n += 1) await push(stack, ...left[n], hash32(tail.left[n]));
    await push(stack, 0, position, leaf);
    for (let n = 0; n < right.length; n += 1) await push(stack, ...right[n], hash32(tail.right[n]));
    let root = stack.pop()[2];
    while (stack.length) root = await sha256([1], stack.pop()[2], root);
    need(same(root, unbase64(root64)), "the event is not in the signed log");

    const [dash, signer, signed64] = signature.split(" ");
    const signed = unbase64(signed64);
    need(dash === "—" && signer === log && hex(signed.slice(0, 4)) === id, "the signature is of another key");
    let imported;
    try {
      imported = await crypto.subtle.importKey("raw", key.slice(1), { name: "Ed25519" }, false, ["verify"]);
    } catch {
      return { size, signature: false };
    }
    const body = bytes(`${origin}\n${size}\n${root64}\n`);
    need(await crypto.subtle.verify({ name: "Ed25519" }, imported, signed.slice(4), body), "the signature is not good");
    return { size, signature: true };
  };

  for (const button of document.querySelectorAll("[data-verify]")) {
    const told = button.closest("section").querySelector("[data-verified]");
    const tell = (kind, text) => { told.className = `notice ${kind}`; told.textContent = text; told.hidden = false; };
    button.hidden = false;
    button.addEventListener("click", async () => {
      if (!window.isSecureContext || !crypto.subtle) {
        tell("warn", "Browsers verify only on pages that come by https or from this machine. Use annals verify instead.");
        return;
      }
      button.disabled = true;
      try {
        const answer = await fetch(button.dataset.verify, { credentials: "same-origin", cache: "no-store" });
        need(answer.ok, "the proof file could not be fetched");
        const { key, log, position } = button.dataset;
        const found = await check(await answer.text(), key, log, Number(position));
        tell("good", found.signature
          ? `Verified in this browser: the values fit the entry, the entry is in the log of size ${found.size}, and its checkpoint is signed by the key below.`
          : `The values fit the entry, and the entry fits the checkpoint of size ${found.size}. This browser cannot check its signature; annals verify can.`);
      } catch (error) {
        tell("bad", `Not verified: ${error.message}. Keep the proof file and tell the people who run this product.`);
      }
      button.disabled = false;
    });
  }
})();
