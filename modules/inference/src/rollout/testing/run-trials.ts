import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { simulateTrial } from './simulated-trial.ts';

/** Their results, in order. */
export function runTrials(
  trials: Parameters<typeof simulateTrial>[0][],
): Promise<ReturnType<typeof simulateTrial>[]> {
  const file = join(process.cwd(), 'modules/inference/src/rollout/testing/trials-worker.ts');
  const worker = new Worker(file, { workerData: trials });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
