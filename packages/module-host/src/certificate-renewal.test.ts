import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { renewingCertificate } from './certificate-renewal.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

interface Asked {
  url: string | undefined;
  body: { commonName: string; expiration: string };
}

/** A workload API that fails `failures` times and then gives certificates of `lifeMs`. */
async function workload(given: { failures?: number; lifeMs: number; reply?: string }) {
  const socket = join(temporaryFolder('w'), 's');
  const asked: Asked[] = [];
  let left = given.failures ?? 0;
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    asked.push({ url: request.url, body: JSON.parse(text) });
    if (left-- > 0) {
      response.writeHead(500).end('{"message":"not yet"}');
      return;
    }
    const document = {
      privateKey: { type: 'key', bytes: `KEY ${asked.length}` },
      certificate: `CERT ${asked.length}`,
      expiration: new Date(Date.now() + given.lifeMs).toISOString(),
    };
    response.end(given.reply ?? JSON.stringify(document));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const warnings: unknown[] = [];
  const log = {
    error: () => {},
    warn: (_event: string, fields?: object) => void warnings.push(fields),
    info: () => {},
    debug: () => {},
  };
  const environment = {
    IOTEDGE_WORKLOADURI: `unix://${socket}`,
    IOTEDGE_MODULEID: 'a module',
    IOTEDGE_MODULEGENERATIONID: 'gen/1',
  };
  const open = () =>
    renewingCertificate({ environment, log, timing: { retryMs: 5, lookMs: 10, attemptsMax: 4 } });
  return { asked, warnings, open, log };
}

describe('server certificate', () => {
  it('is asked for by the name of the module', async () => {
    const { asked, open } = await workload({ lifeMs: 60_000 });
    const { first } = await open();
    expect(first).toMatchObject({ key: 'KEY 1', cert: 'CERT 1' });
    expect(asked[0]?.url).toBe(
      '/modules/a%20module/genid/gen%2F1/certificate/server?api-version=2018-06-28',
    );
    expect(asked[0]?.body.commonName).toBe('a module');
    expect(Date.parse(asked[0]?.body.expiration ?? '')).toBeGreaterThan(Date.now());
  });

  it('is asked for again while the daemon is not ready, but not for ever', async () => {
    const slow = await workload({ lifeMs: 60_000, failures: 3 });
    await expect(slow.open()).resolves.toMatchObject({ first: { key: 'KEY 4' } });
    expect(slow.warnings).toHaveLength(3);
    const never = await workload({ lifeMs: 60_000, failures: 99 });
    await expect(never.open()).rejects.toMatchObject({
      code: 'HOST_WORKLOAD',
      message: expect.stringContaining('status 500: {"message":"not yet"}'),
    });
  });

  it('is renewed before it expires, over and over', async () => {
    const { open } = await workload({ lifeMs: 90 });
    const certificate = await open();
    const installed: string[] = [];
    const end = certificate.renew(({ cert }) => installed.push(cert));
    await until(() => installed.length >= 3);
    end();
    expect(installed.slice(0, 3)).toEqual(['CERT 2', 'CERT 3', 'CERT 4']);
  });

  it.each([
    ['forward, from 1970 to now', 56 * 365 * 24 * 3_600_000],
    ['back by hours', -7 * 3_600_000],
  ])('is renewed soon when the clock is set %s', async (_, offsetMs) => {
    const { open } = await workload({ lifeMs: 24 * 3_600_000 });
    const certificate = await open();
    const installed: string[] = [];
    const end = certificate.renew(({ cert }) => installed.push(cert));
    const now = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + offsetMs);
    await until(() => installed.length === 1).finally(() => clock.mockRestore());
    end();
  });

  it('refuses an answer that is no certificate', async () => {
    for (const reply of ['{"certificate":"x"}', 'no JSON']) {
      const { open } = await workload({ lifeMs: 60_000, reply });
      await expect(open()).rejects.toMatchObject({ code: 'HOST_WORKLOAD' });
    }
  });

  it('needs the variables of IoT Edge and names those that are missing', async () => {
    const { log } = await workload({ lifeMs: 1 });
    const missing = renewingCertificate({ environment: { IOTEDGE_MODULEID: 'm' }, log });
    await expect(missing).rejects.toMatchObject({
      code: 'HOST_CONFIGURATION',
      problems: [
        expect.stringContaining('IOTEDGE_WORKLOADURI: is missing'),
        expect.stringContaining('IOTEDGE_MODULEGENERATIONID: is missing'),
      ],
    });
  });
});
