/**
 * Goal: a pull of 100 MB over a line that is cut twenty times completes, and at most 5 % more than its bytes go over the
 * line; a puller that is killed is gone on with. Method: the real client at the end of a line that is reset,
 * and that counts what it gives to the client; at its beginning a web server, one with TLS, or Debian's docker-registry.
 */
import { readdirSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pushBundle } from '@holdfast/model-bundle';
import { ChildProcess, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openAuthority } from '../../../edge/src/certificates/index.ts';
import { type ABundle, aBundle, expectBundle, FAST, fetchFast, served } from './bundle-files.ts';
import { answer, serveFiles } from './file-server.ts';
import { missingRegistry, startRegistry } from './registry.ts';
import { openShortLine, type ShortLine } from './short-line.ts';

const BYTES = 100_000_000;
const CUTS = 20;

let bundle: ABundle;
beforeAll(() => {
  bundle = aBundle({ modelBytes: BYTES });
});
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function lineTo(port: number): Promise<ShortLine> {
  const line = await openShortLine(port);
  closers.push(() => line.close());
  return line;
}

/** Pulls with a cut after each part, and gives what went over the line for each byte of the bundle. */
async function pull(line: ShortLine, ref: string, ca?: string): Promise<number> {
  let cuts = 0;
  const step = BYTES / (CUTS + 1);
  const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
    if (cuts < CUTS && bytesDone >= (cuts + 1) * step) {
      cuts += 1;
      line.cut();
    }
    line.arrived(bytesDone);
  };
  const into = temporaryFolder('store');
  const { folder } = await fetchFast(ref, bundle.digest, { into, onProgress, ca });
  expectBundle(folder, bundle);
  expect(cuts).toBe(CUTS);
  const perByte = line.bytesToClient / bundle.bytes;
  console.info(`${ref.split(':')[0]}: ${(perByte * 100).toFixed(2)} % of the bytes over the line`);
  return perByte;
}

describe('a pull of 100 MB that is cut twenty times costs at most 105 % of its bytes', () => {
  it('by HTTP', async () => {
    const server = await serveFiles(served(bundle, '/pump/'));
    closers.push(() => server.close());
    const line = await lineTo(server.port);
    expect(await pull(line, `http://127.0.0.1:${line.port}/pump/`)).toBeLessThan(1.05);
  });

  it('by HTTPS with an own authority', async () => {
    const authority = await openAuthority(temporaryFolder('ca'), Date.now());
    const pair = await authority.issue(['localhost']);
    const tls = { key: pair.privateKeyPem, cert: pair.certificatePem };
    const server = await serveFiles(served(bundle, '/pump/'), tls);
    closers.push(() => server.close());
    const line = await lineTo(server.port);
    const ref = `https://localhost:${line.port}/pump/`;
    expect(await pull(line, ref, authority.trustBundlePem)).toBeLessThan(1.05);
  });

  const missing = missingRegistry();
  if (missing !== undefined) console.warn(`The pull from a registry is skipped: ${missing}`);
  (missing === undefined ? it : it.skip)('from an OCI registry', async () => {
    const registry = await startRegistry();
    closers.push(() => registry.stop());
    const tag = 'plant/pump:1';
    await pushBundle(bundle.folder, `oci+http://${registry.host}/${tag}`, { limits: FAST });
    const line = await lineTo(registry.port);
    expect(await pull(line, `oci+http://127.0.0.1:${line.port}/${tag}`)).toBeLessThan(1.05);
  });
});

describe('a puller that is killed', () => {
  it('goes on from what is on disk, and shows no bundle before it is whole', async () => {
    const small = aBundle({ folder: temporaryFolder('bundle'), modelBytes: 20_000_000, seed: 7 });
    const server = await serveFiles(served(small, '/pump/'));
    closers.push(() => server.close());
    let sent = 0;
    server.misbehave = (request, response, path) => {
      if (!path.endsWith('model.onnx') || request.method !== 'GET') return false;
      const end = response.end.bind(response);
      response.end = ((bytes: Buffer) => {
        const onSent = (count: number): void => {
          sent += count;
        };
        trickle(bytes, { response, end, onSent });
        return response;
      }) as typeof response.end;
      answer(request, response, server.files.get(path)!);
      return true;
    };
    const into = temporaryFolder('store');
    const ref = `http://127.0.0.1:${server.port}/pump/`;
    for (let kills = 1; kills <= 3; kills += 1) {
      const puller = ChildProcess.start('scripts/model.ts', {
        args: ['pull', ref, '--into', into, '--digest', small.digest],
      });
      await until(() => sent > kills * 5_000_000, { what: () => puller.output });
      await puller.kill();
      expect(readdirSync(into)).toEqual(['.partial']);
    }
    const { folder } = await fetchFast(ref, small.digest, { into });
    expectBundle(folder, small);
    expect(readdirSync(join(into, '.partial'))).toEqual([]);
    expect(server.requests.filter((request) => request.includes('bytes='))).toHaveLength(3);
    const perByte = sent / small.files['model.onnx']!.length;
    console.info(`killed 3 times: ${(perByte * 100).toFixed(2)} % of the bytes were sent`);
    // What was sent and not yet read is lost with the process.
    expect(perByte).toBeLessThan(1.2);
  });
});

/** Sends a little at a time, so that little is in buffers when the other side is killed. */
function trickle(
  bytes: Buffer,
  to: { response: ServerResponse; end(): void; onSent(count: number): void },
): void {
  const piece = bytes.subarray(0, 64 * 1024);
  if (to.response.destroyed) return;
  if (piece.length === 0) {
    to.end();
    return;
  }
  to.onSent(piece.length);
  to.response.write(piece, () => {
    setTimeout(() => trickle(bytes.subarray(piece.length), to), 1);
  });
}
