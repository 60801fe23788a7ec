import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { StateFolder } from './state-folder.ts';

/**
 * Below the range that Linux gives to outgoing connections (32768 and up): a port from there could be taken by some
 * client while a killed module waits for its restart.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 100;

/** The port that a name had before when it is still free, else a new one; remembered. */
export async function stablePort(state: StateFolder, name: string): Promise<number> {
  const before = state.port(name);
  if (before !== undefined && (await isFree(before))) return before;
  for (let i = 0; i < TRIES; i += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!(await isFree(port))) continue;
    state.setPort(name, port);
    return port;
  }
  throw new Error(`no free TCP port from ${LOWEST} to ${HIGHEST} on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
