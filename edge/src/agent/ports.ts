import { createServer } from 'node:net';
import type { StateFolder } from './state-folder.ts';

/** The port that a name had before when it is still free, else a new one; remembered. */
export async function stablePort(state: StateFolder, name: string): Promise<number> {
  const before = state.port(name);
  if (before !== undefined && (await bind(before)) !== undefined) return before;
  const port = await bind(0);
  if (port === undefined) throw new Error('no free TCP port on 127.0.0.1');
  state.setPort(name, port);
  return port;
}

/** The port that could be bound on the loopback address, or undefined. */
function bind(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' ? address?.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}
