import { createServer } from 'node:net';

/** A TCP port of 127.0.0.1 that was free a moment ago. Another process can take it first, so bind it soon. */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error(`no port was given on ${host}`));
      });
    });
  });
}
