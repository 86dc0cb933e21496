// Starts `annals serve` on an empty directory and a free port, and stops it again.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const KEY = 'sk_sdk_test_0123456789abcdefghijklmnopqrstuvwxyz';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const binary = process.env.ANNALS_BIN ?? join(root, 'target', 'debug', 'annals');

/** Starts a server; `stop()` asks it to end with SIGTERM and checks that it ended well. */
export async function startAnnals() {
  if (!existsSync(binary)) {
    throw new Error(`${binary} is not there; build it with \`cargo build\` or set ANNALS_BIN`);
  }
  const data = await mkdtemp(join(tmpdir(), 'annals-sdk-'));
  const child = spawn(binary, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--json'], {
    env: { ...process.env, ANNALS_BOOTSTRAP_KEY: KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  const first = new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', resolve);
  });
  const line = await Promise.race([first, ended.then(() => undefined)]);
  if (line === undefined) throw new Error(`annals serve ended before it was ready:\n${log}`);
  const base = new URL(JSON.parse(line).annals);
  return {
    base: base.origin,
    host: base.hostname,
    port: Number(base.port),
    async stop() {
      child.kill('SIGTERM');
      const { code } = await ended;
      await rm(data, { recursive: true, force: true });
      if (code !== 0) throw new Error(`annals serve ended with ${code}:\n${log}`);
    },
  };
}
