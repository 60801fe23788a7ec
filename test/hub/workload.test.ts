/**
 * Goal: a module gets its credentials as on IoT Edge: `ModuleClient.fromEnvironment` in edge mode.
 * Method: the workload API on a Unix socket and on HTTP, the unmodified SDK, a hub that verifies the tokens.
 */
import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Message, ModuleClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { startWorkloadApi, type WorkloadApi } from '../../edge/src/workload/index.ts';
import { DEVICE, IOT_HUB, Site } from './site.ts';

let site: Site;
const apis: WorkloadApi[] = [];
const environment = { ...process.env };

beforeEach(async () => {
  site = await Site.start();
});
afterEach(async () => {
  process.env = { ...environment };
  await Promise.all(apis.splice(0).map((api) => api.close()));
  await site.stop();
});

async function start(listen: { socketPath: string } | { port: number }): Promise<WorkloadApi> {
  const api = await startWorkloadApi({
    listen,
    trustBundlePem: site.authority.trustBundlePem,
    identities: new Map([
      ['source', { key: site.config.identities.source!, generationId: 'gen-1' }],
    ]),
    issueServerCertificate: (_module, names) => site.authority.issue(names, 30),
  });
  apis.push(api);
  return api;
}

function edgeMode(api: WorkloadApi, generationId = 'gen-1'): void {
  Object.assign(process.env, {
    IOTEDGE_WORKLOADURI: api.uri,
    IOTEDGE_DEVICEID: DEVICE,
    IOTEDGE_MODULEID: 'source',
    IOTEDGE_IOTHUBHOSTNAME: IOT_HUB,
    IOTEDGE_GATEWAYHOSTNAME: `localhost:${site.config.port}`,
    IOTEDGE_AUTHSCHEME: 'sasToken',
    IOTEDGE_MODULEGENERATIONID: generationId,
  });
}

interface Reply {
  status: number;
  type: string | undefined;
  document: Record<string, unknown>;
}

function call(socketPath: string, method: string, path: string, body?: object): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'],
          document: JSON.parse(text),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const VERSION = 'api-version=2018-06-28';

describe('workload API', () => {
  it.each(['socket', 'http'])('lets the SDK connect in edge mode over %s', async (kind) => {
    const socketPath = join(site.folder, 'w.sock');
    edgeMode(await start(kind === 'socket' ? { socketPath } : { port: 0 }));
    const client = await ModuleClient.fromEnvironment(Mqtt);
    await client.open();
    await client.sendOutputEvent('o1', new Message('hello'));
    expect((await site.status()).clients.map((c) => c.id)).toEqual([`${DEVICE}/source`]);
    await client.close();
  });

  it('refuses a generation id that is not the module’s', async () => {
    edgeMode(await start({ socketPath: join(site.folder, 'w.sock') }), 'gen-2');
    const client = await ModuleClient.fromEnvironment(Mqtt);
    await expect(client.open()).rejects.toThrow();
    expect((await site.status()).clients).toEqual([]);
  });

  it('says what is wrong, always as JSON', async () => {
    const socketPath = join(site.folder, 'w.sock');
    await start({ socketPath });
    const wrong = await call(socketPath, 'POST', `/modules/source/genid/gen-2/sign?${VERSION}`, {});
    expect(wrong).toMatchObject({ status: 403, type: 'application/json' });
    expect(wrong.document.message).toMatch(/generation id/);
    const unknown = await call(socketPath, 'POST', `/modules/x/genid/gen-1/sign?${VERSION}`, {});
    expect(unknown).toMatchObject({ status: 404, type: 'application/json' });
    const empty = await call(socketPath, 'POST', `/modules/source/genid/gen-1/sign?${VERSION}`, {});
    expect(empty).toMatchObject({ status: 400, type: 'application/json' });
    expect(empty.document.message).toMatch(/data/);
  });

  it('lists the modules', async () => {
    const socketPath = join(site.folder, 'w.sock');
    await start({ socketPath });
    const { document } = await call(socketPath, 'GET', `/modules?${VERSION}`);
    expect(document.modules).toMatchObject([{ name: 'source' }]);
  });

  it('issues a server certificate that the trust bundle vouches for', async () => {
    const socketPath = join(site.folder, 'w.sock');
    await start({ socketPath });
    const path = `/modules/source/genid/gen-1/certificate/server?${VERSION}`;
    const { status, document } = await call(socketPath, 'POST', path, {
      commonName: 'localhost',
      expiration: '2030-01-01T00:00:00Z',
    });
    expect(status).toBe(201);
    const certificate = new X509Certificate(document.certificate as string);
    expect(certificate.subjectAltName).toBe('DNS:localhost, DNS:source, IP Address:127.0.0.1');
    const server = createServer({
      cert: document.certificate as string,
      key: (document.privateKey as { bytes: string }).bytes,
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const authorized = await new Promise<boolean>((resolve, reject) => {
      const options = { host: 'localhost', port, ca: site.authority.trustBundlePem };
      const socket = connect(options, () => {
        resolve(socket.authorized);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(authorized).toBe(true);
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a socket path that is too long for Unix', async () => {
    const socketPath = join(site.folder, `${'x'.repeat(100)}.sock`);
    await expect(start({ socketPath })).rejects.toMatchObject({ code: 'WORKLOAD_BAD_REQUEST' });
  });
});
