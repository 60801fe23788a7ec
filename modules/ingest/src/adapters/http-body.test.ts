import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { readBody } from './http-body.ts';

/** What `readBody` makes of a request; `write` sends its body and may leave it unfinished. */
async function bodyOf(
  headers: Record<string, string>,
  write: (request: ReturnType<typeof httpRequest>) => void,
  limits: { bytesMax: number; bodyMs?: number },
): Promise<unknown> {
  const server = createServer();
  const arrived = new Promise<IncomingMessage>((resolve) => {
    server.on('request', (request) => resolve(request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = httpRequest({ host: '127.0.0.1', port, method: 'POST', headers });
  client.on('error', () => undefined);
  client.flushHeaders();
  write(client);
  const result = await readBody(await arrived, limits.bytesMax, limits.bodyMs).catch(
    (error: { code: string }) => error.code,
  );
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return Buffer.isBuffer(result) ? result.toString() : result;
}

describe('readBody', () => {
  it('takes a body of exactly its limit and not one byte more', async () => {
    const limits = { bytesMax: 5 };
    expect(await bodyOf({}, (client) => client.end('12345'), limits)).toBe('12345');
    expect(await bodyOf({}, (client) => client.end('123456'), limits)).toMatchObject({
      status: 413,
      fault: { code: 'body-too-large', allowed: 'must be at most 5 bytes' },
    });
    const announced = { 'content-length': '6' };
    expect(await bodyOf(announced, (client) => client.end('123456'), limits)).toMatchObject({
      status: 413,
      fault: { path: 'content-length', value: '6 bytes' },
    });
  });

  it('holds the inflated body to the same limit', async () => {
    const headers = { 'content-encoding': 'gzip' };
    const limits = { bytesMax: 100 };
    const zip = (length: number) => gzipSync(Buffer.alloc(length, 0x61));
    expect(await bodyOf(headers, (client) => client.end(zip(100)), limits)).toHaveLength(100);
    expect(await bodyOf(headers, (client) => client.end(zip(101)), limits)).toMatchObject({
      status: 413,
      fault: { path: 'inflated body' },
    });
  });

  it('gives up on a body that does not come to its end', async () => {
    const limits = { bytesMax: 100, bodyMs: 20 };
    expect(await bodyOf({}, (client) => client.write('12'), limits)).toMatchObject({
      status: 408,
      fault: { code: 'body-late' },
    });
  });

  it('notices a peer that goes away in the middle', async () => {
    const aborted = bodyOf(
      { 'content-length': '50' },
      (client) => client.write('12', () => setImmediate(() => client.destroy())),
      { bytesMax: 100 },
    );
    expect(await aborted).toBe('HOST_BODY_ABORTED');
  });
});
