/**
 * Loaded with `--import`: puts a kill at the point of `HOLDFAST_TEST_KILL` into its file as it is loaded, in workers
 * too. The process ends itself with SIGKILL at the n-th pass; the kernel lets it do nothing more.
 */
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ArmedKill, insertKill, KILL_VARIABLE } from './arm.ts';

const given = process.env[KILL_VARIABLE];
if (given !== undefined) arm(JSON.parse(given) as ArmedKill);

function arm({ point, pass }: ArmedKill): void {
  let passed = 0;
  Object.assign(globalThis, {
    holdfastKillPoint: () => {
      passed += 1;
      if (passed === pass) process.kill(process.pid, 'SIGKILL');
    },
  });
  const root = path.resolve(import.meta.dirname, '../../..');
  const target = pathToFileURL(path.join(root, point.file)).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      return { ...loaded, source: insertKill(String(loaded.source), point) };
    },
  });
}
