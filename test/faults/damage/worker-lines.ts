import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { node24 } from '@holdfast/testkit';
import { plantEnvironment } from '../plants/plant.ts';
import type { Round } from '../scenario.ts';

/**
 * Runs a worker with folder, seed and count of the round, and the round's bug in it; hands each line that it prints,
 * read as JSON, to `take`. A `take` that throws ends the worker.
 */
export async function eachLine<T>(
  round: Round,
  { worker, count, take }: { worker: string; count: number; take(result: T): void },
): Promise<void> {
  const child = spawn(node24(), [worker, round.folder, String(round.seed), String(count)], {
    env: { ...process.env, ...plantEnvironment(round.plant) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  round.signal.addEventListener('abort', stop);
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  let seen = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      take(JSON.parse(line) as T);
      seen += 1;
    }
  } finally {
    stop();
    await ended;
    round.signal.removeEventListener('abort', stop);
  }
  if (seen < count) {
    throw new Error(`the worker ended after ${seen} of ${count}: ${errors.join('')}`);
  }
}
