// Starts `annals demo` on an empty directory and a free port, and a Chromium to look at it.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = process.env.ANNALS_BIN ?? join(root, 'target', 'debug', 'annals');

/** Starts the demo, with the month of `all.mjs` where there is one; the result has what `annals demo --json` prints, and `stop()`. */
export async function startDemo() {
  if (!existsSync(binary)) {
    throw new Error(`${binary} is not there; build it with \`cargo build\` or set ANNALS_BIN`);
  }
  const data = join(await mkdtemp(join(tmpdir(), 'annals-demo-')), 'demo');
  if (process.env.ANNALS_MONTH) await cp(process.env.ANNALS_MONTH, data, { recursive: true });
  const child = spawn(binary, ['demo', '--json', '--data', data, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const first = new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', resolve);
  });
  const line = await Promise.race([first, ended.then(() => undefined)]);
  if (line === undefined) throw new Error(`annals demo ended before it was ready:\n${log}`);
  const demo = JSON.parse(line);
  return {
    ...demo,
    /** A call of the API with the demo's key. */
    async api(path, body) {
      const response = await fetch(demo.annals + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${demo.api_key}`, 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
    /** Runs `annals` with these arguments against the demo and returns what it prints. */
    run(...args) {
      return execFileSync(binary, args, {
        encoding: 'utf8',
        env: { ...process.env, ANNALS_DATA: data },
        maxBuffer: 1 << 26,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    },
    /** Ends it and says where its data is. */
    async end() {
      child.kill('SIGTERM');
      const code = await ended;
      if (code !== 0) throw new Error(`annals demo ended with ${code}:\n${log}`);
      return data;
    },
    async stop() {
      try {
        await this.end();
      } finally {
        await rm(join(data, '..'), { recursive: true, force: true });
      }
    },
  };
}

/** Chromium as Debian installs it, without a display and without calls home. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}

/** A fresh browser window that remembers every complaint of the browser about our pages. */
export async function open(browser, javaScriptEnabled) {
  const context = await browser.newContext({ javaScriptEnabled, acceptDownloads: true });
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  return { context, page, complaints };
}

/** The rows of a CSV file (RFC 4180) as objects by column name. */
export function readCsv(text) {
  const rows = [];
  let row = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[(i += 1)];
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ',') {
      row.push(cell);
      cell = '';
    } else if (c === '\n') {
      row.push(cell.replace(/\r$/, ''));
      rows.push(row);
      row = [];
      cell = '';
    } else cell += c;
  }
  const [head, ...body] = rows;
  return body.map((cells) => Object.fromEntries(head.map((name, n) => [name, cells[n]])));
}
