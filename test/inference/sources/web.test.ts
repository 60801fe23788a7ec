/**
 * Goal: a bundle below a URL arrives whole or not at all, whatever the server, the line and the disk do, and no secret
 * gets into an error. Method: the real client against a web server of the test, which can be told to misbehave.
 */
import { readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type SourceError, showRef } from '@holdfast/model-bundle';
import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openAuthority } from '../../../edge/src/certificates/index.ts';
import {
  type ABundle,
  aBundle,
  expectBundle,
  failureOf,
  fetchFast,
  served,
} from './bundle-files.ts';
import { answer, type FileServer, serveFiles } from './file-server.ts';

const PATH = '/models/pump/';
let bundle: ABundle;
let server: FileServer;
let into: string;
beforeEach(async () => {
  into = temporaryFolder('store');
  bundle = aBundle({ modelBytes: 3_000_000, signature: 'signed' });
  server = await serveFiles(served(bundle, PATH));
});
afterEach(() => server.close());

const ref = (): string => `${server.origin}${PATH}`;
const fails = (options: Parameters<typeof failureOf>[2] = { into }): Promise<SourceError> =>
  failureOf(ref(), bundle.digest, options);
const model = (path: string): boolean => path.endsWith('model.onnx');
const gets = (name: string): string[] =>
  server.requests.filter((request) => request.startsWith('GET') && request.includes(name));

/** Breaks the first `times` transfers of the model off after so many bytes. */
function breakOff(times: number, afterBytes: number): void {
  let left = times;
  server.misbehave = (request, response, path) => {
    if (!model(path) || request.method !== 'GET' || left === 0) return false;
    left -= 1;
    const full = response.write.bind(response);
    response.end = ((bytes: Buffer) => {
      const part = bytes.subarray(0, afterBytes);
      full(part, () => setTimeout(() => response.destroy(), 5));
      return response;
    }) as ServerResponse['end'];
    answer(request, response, server.files.get(path)!);
    return true;
  };
}

describe('a bundle on a web server', () => {
  it('is fetched with its signature, each file once', async () => {
    const { folder, bytesFetched } = await fetchFast(ref(), bundle.digest, { into });
    expectBundle(folder, bundle);
    expect(bytesFetched).toBeGreaterThan(3_000_000);
    expect(gets('model.onnx')).toHaveLength(1);
    expect(readdirSync(into)).toEqual([bundle.digest.replace(':', '-'), '.partial'].sort());
  });

  it('without a signature is fetched too', async () => {
    server.files.delete(`${PATH}model.sig`);
    const { folder } = await fetchFast(ref(), bundle.digest, { into });
    expect(readdirSync(folder)).not.toContain('model.sig');
  });

  it('is fetched by parts when the line breaks off, and each byte comes once', async () => {
    breakOff(10, 250_000);
    const { folder, bytesFetched } = await fetchFast(ref(), bundle.digest, { into });
    expectBundle(folder, bundle);
    expect(bytesFetched).toBeLessThan(bundle.bytes + 1_000);
    expect(gets('model.onnx')[3]).toBe(`GET ${PATH}model.onnx bytes=750000-`);
  });

  it('that breaks off without anything new is given up, and says so', async () => {
    breakOff(1_000, 0);
    const error = await fails();
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('(6 tries)');
    expect(error.retry).toBe('later');
  });

  it('that changes at the server between two parts is noticed and fetched anew', async () => {
    const old = server.files.get(`${PATH}model.onnx`)!;
    const other = Buffer.from(old.map((byte) => byte ^ 1));
    server.files.set(`${PATH}model.onnx`, other);
    breakOff(1, 500_000);
    const swap = (): void => {
      if (gets('model.onnx').length === 1) server.files.set(`${PATH}model.onnx`, old);
    };
    const { folder } = await fetchFast(ref(), bundle.digest, { into, onRetry: swap });
    expectBundle(folder, bundle);
    expect(gets('model.onnx')).toHaveLength(2);
  });

  it('whose server ignores ranges is fetched anew, and comes', async () => {
    let first = true;
    server.misbehave = (request, response, path) => {
      if (!model(path) || request.method !== 'GET') return false;
      const bytes = server.files.get(path)!;
      response.writeHead(200, { 'content-length': bytes.length });
      if (!first) response.end(bytes);
      else
        response.write(bytes.subarray(0, 500_000), () => setTimeout(() => response.destroy(), 5));
      first = false;
      return true;
    };
    const { folder } = await fetchFast(ref(), bundle.digest, { into });
    expectBundle(folder, bundle);
  });

  it('whose server knows ranges but not If-Range is not made of two states', async () => {
    const old = server.files.get(`${PATH}model.onnx`)!;
    server.files.set(`${PATH}model.onnx`, Buffer.alloc(old.length));
    breakOff(1, 500_000);
    const swap = (): void => {
      server.files.set(`${PATH}model.onnx`, old);
      server.misbehave = (request) => {
        delete request.headers['if-range'];
        return false;
      };
    };
    const { folder } = await fetchFast(ref(), bundle.digest, { into, onRetry: swap });
    expectBundle(folder, bundle);
  });

  it('whose server gives no validator is made right when the parts do not fit', async () => {
    const old = server.files.get(`${PATH}model.onnx`)!;
    const bare = (bytes: Buffer, cut?: number): void => {
      server.misbehave = (request, response, path) => {
        if (!model(path) || request.method !== 'GET') return false;
        const at = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
        const contentRange = `bytes ${at}-${bytes.length - 1}/${bytes.length}`;
        const part = bytes.subarray(at);
        const headers = { 'content-length': part.length, 'content-range': contentRange };
        response.writeHead(at === 0 ? 200 : 206, headers);
        if (cut === undefined) response.end(part);
        else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 5));
        return true;
      };
    };
    bare(Buffer.alloc(old.length), 500_000);
    const { folder } = await fetchFast(ref(), bundle.digest, { into, onRetry: () => bare(old) });
    expectBundle(folder, bundle);
  });

  it('of which only the check is missing is not transferred again', async () => {
    const stop = new AbortController();
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone >= 3_000_000) stop.abort();
    };
    await fails({ into, onProgress, signal: stop.signal });
    const { bytesFetched } = await fetchFast(ref(), bundle.digest, { into });
    expect(bytesFetched).toBeLessThan(2_000);
  });
});

describe('a mean server', () => {
  const answerWith =
    (act: (response: ServerResponse, request: IncomingMessage) => void): FileServer['misbehave'] =>
    (request, response, path) => {
      if (!model(path) || request.method !== 'GET') return false;
      act(response, request);
      return true;
    };

  it('with other bytes is refused, and nothing is left that could be taken for a bundle', async () => {
    server.files.set(`${PATH}model.onnx`, Buffer.alloc(3_000_000));
    const error = await fails();
    expect(error.code).toBe('SOURCE_DIGEST');
    expect(readdirSync(into)).toEqual(['.partial']);
    expect(gets('model.onnx')).toHaveLength(1);
  });

  it('with another bundle is refused with both digests before its files are asked for', async () => {
    const other = aBundle({ seed: 77 });
    for (const [path, bytes] of Object.entries(served(other, PATH))) server.files.set(path, bytes);
    const error = await fails();
    expect(error.code).toBe('SOURCE_DIGEST');
    expect(error.message).toContain(other.digest);
    expect(error.message).toContain(bundle.digest);
    expect(gets('model.onnx')).toHaveLength(0);
  });

  it('with more bytes than it told is cut off', async () => {
    server.misbehave = answerWith((response) => {
      response.writeHead(200, {});
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(100_000), more);
      };
      more();
    });
    const error = await fails({ into, limits: { bundleBytesMax: 10_000_000 } });
    expect(error.code).toBe('SOURCE_TOO_LARGE');
  });

  it('with a file beyond the limit or the room is refused before its bytes', async () => {
    const tooLarge = await fails({ into, limits: { bundleBytesMax: 1_000_000 } });
    expect(tooLarge).toMatchObject({ code: 'SOURCE_TOO_LARGE', retry: 'never' });
    const noRoom = await fails({ into, limits: { freeBytesMin: 2 ** 60 } });
    expect(noRoom).toMatchObject({ code: 'SOURCE_NO_ROOM', retry: 'later' });
    expect(gets('model.onnx')).toHaveLength(0);
  });

  it('with an endless model.json is cut off', async () => {
    server.misbehave = (_, response, path) => {
      if (!path.endsWith('model.json')) return false;
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(100_000, 32), more);
      };
      more();
      return true;
    };
    expect((await fails()).code).toBe('SOURCE_TOO_LARGE');
  });

  it('with endless redirects is refused after a few', async () => {
    server.misbehave = (_, response, path) => {
      response.writeHead(302, { location: `${path}x` }).end();
      return true;
    };
    const error = await fails();
    expect(error.code).toBe('SOURCE_PROTOCOL');
    expect(error.message).toContain('more than 5 redirects');
    expect(server.requests).toHaveLength(6);
  });

  it('that only trickles is given up', async () => {
    const timers: NodeJS.Timeout[] = [];
    server.misbehave = answerWith((response) => {
      response.writeHead(200, { 'content-length': 3_000_000 });
      timers.push(setInterval(() => response.write('x'), 10));
    });
    const error = await fails({ into, limits: { stallMs: 100, triesMax: 2 } });
    for (const timer of timers) clearInterval(timer);
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('less than 4096 bytes came in 100 ms');
  });

  it('that does not answer is given up', async () => {
    server.misbehave = () => true;
    const error = await fails({ into, limits: { answerMs: 50, triesMax: 2 } });
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(error.message).toContain('no answer within 50 ms');
  });

  it('that is overloaded is asked again when it says', async () => {
    let left = 2;
    server.misbehave = (_, response) => {
      left -= 1;
      if (left < 0) return false;
      response.writeHead(503, { 'retry-after': left === 1 ? '0' : '1' }).end();
      return true;
    };
    const pauses: number[] = [];
    await fetchFast(ref(), bundle.digest, { into, onRetry: (_, pauseMs) => pauses.push(pauseMs) });
    expect(pauses[0]).toBeLessThan(100);
    expect(pauses[1]).toBe(1_000);
  });

  it('that asks for an hour of patience is left to the caller', async () => {
    server.misbehave = (_, response) => {
      response.writeHead(429, { 'retry-after': '3600' }).end();
      return true;
    };
    expect(await fails()).toMatchObject({ retry: 'later', retryAfterMs: 3_600_000 });
  });

  it('with compressed or foreign parts is refused', async () => {
    server.misbehave = answerWith((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
    });
    expect((await fails()).message).toContain('Content-Encoding gzip');
    breakOff(1, 500_000);
    const foreign = (): void => {
      server.misbehave = answerWith((response) => {
        response.writeHead(206, { 'content-range': 'bytes 7-9/3000000' }).end('abc');
      });
    };
    const error = await fails({ into, onRetry: foreign });
    expect(error.message).toContain('another part than asked for');
  });

  it('does not outlast the deadline', async () => {
    server.misbehave = () => true;
    expect((await fails({ into, deadlineMs: 50 })).code).toBe('SOURCE_DEADLINE');
  });
});

describe('safety of the way', () => {
  it('plain HTTP to another machine is refused unless the host is listed', async () => {
    const at = 'http://models.invalid:8000/pump/';
    const refused = await failureOf(at, bundle.digest, { into });
    expect(refused).toMatchObject({ code: 'SOURCE_INSECURE', retry: 'never' });
    const listed = { into, allowHttp: ['models.invalid:8000'], limits: { triesMax: 1 } };
    expect((await failureOf(at, bundle.digest, listed)).code).toBe('SOURCE_UNREACHABLE');
  });

  it('TLS needs an authority that is trusted, and a redirect away from it is refused', async () => {
    const authority = await openAuthority(temporaryFolder('ca'), Date.now());
    const pair = await authority.issue(['localhost', '127.0.0.1']);
    const tls = await serveFiles(served(bundle, PATH), {
      key: pair.privateKeyPem,
      cert: pair.certificatePem,
    });
    const at = `${tls.origin}${PATH}`;
    const untrusted = await failureOf(at, bundle.digest, { into });
    expect(untrusted).toMatchObject({ code: 'SOURCE_INSECURE', retry: 'later' });
    const ca = authority.trustBundlePem;
    const { folder } = await fetchFast(at, bundle.digest, { into, ca });
    expectBundle(folder, bundle);
    tls.misbehave = (_, response, path) => {
      response.writeHead(307, { location: `${server.origin}${path}` }).end();
      return true;
    };
    const downgraded = await failureOf(at, bundle.digest, { into: temporaryFolder('store'), ca });
    expect(downgraded.message).toContain('without TLS');
    await tls.close();
  });

  it('a proxy of the environment is used, but not for this machine', async () => {
    const far = 'http://models.example:8000/pump/';
    const proxy = await serveFiles(served(bundle, far));
    process.env.HTTP_PROXY = proxy.origin;
    try {
      const allowHttp = ['models.example:8000'];
      const { folder } = await fetchFast(far, bundle.digest, { into, allowHttp });
      expectBundle(folder, bundle);
      const asked = proxy.requests.length;
      expect(asked).toBeGreaterThan(4);
      await fetchFast(ref(), bundle.digest, { into: temporaryFolder('store') });
      expect(proxy.requests).toHaveLength(asked);
    } finally {
      delete process.env.HTTP_PROXY;
      await proxy.close();
    }
  });

  it('credentials go to their host only, and are in no error', async () => {
    const other = await serveFiles(served(bundle, PATH));
    server.misbehave = (_, response, path) => {
      if (!model(path)) return false;
      response.writeHead(302, { location: `${other.origin}${path}` }).end();
      return true;
    };
    const credentials = { [`127.0.0.1:${server.port}`]: { username: 'u', password: 'geheim' } };
    await fetchFast(ref(), bundle.digest, { into, credentials });
    expect(server.headers.every(({ authorization }) => authorization?.startsWith('Basic '))).toBe(
      true,
    );
    expect(other.headers.length).toBeGreaterThan(0);
    expect(other.headers.every(({ authorization }) => authorization === undefined)).toBe(true);
    await other.close();
  });

  it('a shared access signature goes with each file, and is in no error', async () => {
    const seen: string[] = [];
    server.misbehave = (request, response) => {
      seen.push(request.url ?? '');
      if (request.url?.includes('sig=geheim')) return false;
      response.writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' }).end('geheim');
      return true;
    };
    const refused = await fails();
    expect(refused.message).toContain('answers 403 AuthenticationFailed');
    const credentials = { [`127.0.0.1:${server.port}/models`]: { sas: '?sv=1&sig=geheim' } };
    await fetchFast(ref(), bundle.digest, { into, credentials });
    expect(seen.at(-1)).toBe(`${PATH}model.sig?sv=1&sig=geheim`);
    server.files.delete(`${PATH}golden.json`);
    const missing = await failureOf(`${ref()}?sv=1&sig=geheim`, bundle.digest, {
      into: join(into, 'other'),
    });
    expect(missing.code).toBe('SOURCE_NOT_FOUND');
    expect(JSON.stringify([missing.message, String(missing.cause), refused.message])).not.toContain(
      'geheim',
    );
    expect(showRef(`${ref()}?sv=1&sig=geheim`)).not.toContain('geheim');
  });
});
