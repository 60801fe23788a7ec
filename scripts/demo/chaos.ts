import type { EdgeHandle } from '@holdfast/edge';
import { seeded } from '@holdfast/testkit';

const TARGETS = ['ingest', 'inference', 'forwarder', 'edgeHub'];

/** Kills a module or the hub with SIGKILL every two to five seconds, chosen by the seed, until `signal` aborts. */
export async function runChaos(options: {
  edge: EdgeHandle;
  seed: number;
  signal: AbortSignal;
  say: (line: string) => void;
}): Promise<number> {
  const random = seeded(options.seed);
  let kills = 0;
  while (!options.signal.aborted) {
    await pause(random.int(2_000, 5_000), options.signal);
    if (options.signal.aborted) break;
    const target = random.pick(TARGETS);
    if (options.edge.modules().find(({ id }) => id === target)?.state !== 'running') continue;
    options.edge.kill(target, 'SIGKILL');
    kills += 1;
    options.say(`chaos: killed ${target}`);
  }
  return kills;
}

export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
