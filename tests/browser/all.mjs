// Performs the demo's month once, then runs the tests, each of which gets a copy of it.

import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { startDemo } from './demo.mjs';

const demo = await startDemo();
const month = await demo.end();
const files = process.argv.slice(2);
const chosen = files.length > 0 ? files : ['test.mjs', 'viewer.mjs', 'tracker.mjs'];
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...chosen], {
  stdio: 'inherit',
  env: { ...process.env, ANNALS_MONTH: month },
});
await rm(join(month, '..'), { recursive: true, force: true });
process.exitCode = status ?? 1;
