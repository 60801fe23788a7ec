/**
 * Goal: a bundle that is pushed to an OCI registry comes back byte for byte, with and without login, over lines that
 * break off, and a registry that lies is found out. Method: Debian's docker-registry on loopback, a token server of
 * the test, and, for lies that no real registry tells, a web server with the paths of one.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSourceError, pushBundle, type SourceError } from '@holdfast/model-bundle';
import { TcpGate, temporaryFolder } from '@holdfast/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openAuthority } from '../../../edge/src/certificates/index.ts';
import { aBundle, expectBundle, FAST, failureOf, fetchFast } from './bundle-files.ts';
import { type FileServer, serveFiles } from './file-server.ts';
import { missingRegistry, type Registry, startRegistry } from './registry.ts';
import { startTokenServer, type TokenServer } from './token-server.ts';

const LOGIN = { username: 'site', password: 'geheim' };
const limits = FAST;
let into: string;
beforeEach(() => {
  into = temporaryFolder('store');
});

const missing = missingRegistry();
if (missing !== undefined) console.warn(`Tests with a real registry are skipped: ${missing}`);
const withRegistry = missing === undefined ? describe : describe.skip;

const pushFailure = async (...push: Parameters<typeof pushBundle>): Promise<SourceError> => {
  const error = await pushBundle(...push).then(
    () => new Error('it was pushed'),
    (thrown: unknown) => thrown,
  );
  if (isSourceError(error)) return error;
  throw error;
};

withRegistry('a registry without login', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());
  const at = (rest: string): string => `oci+http://${registry.host}/${rest}`;

  it('gives back what was pushed, by tag and by the digest of the manifest', async () => {
    const bundle = aBundle({ signature: 'signed' });
    const pushed = await pushBundle(bundle.folder, at('plant/pump:1.0'), { limits });
    expect(pushed.digest).toBe(bundle.digest);
    expect(pushed.ref).toBe(at(`plant/pump:1.0@${pushed.manifestDigest}`));
    const byTag = await fetchFast(at('plant/pump:1.0'), bundle.digest, { into });
    expectBundle(byTag.folder, bundle);
    expect(byTag.manifestDigest).toBe(pushed.manifestDigest);
    const other = temporaryFolder('store');
    const pinned = await fetchFast(pushed.ref, undefined, { into: other });
    expectBundle(pinned.folder, bundle);
    expect(pinned.digest).toBe(bundle.digest);
  });

  it('has an artifact with one named layer a file, as other tools expect it', async () => {
    const bundle = aBundle({ seed: 11 });
    await pushBundle(bundle.folder, at('plant/shape:1'), { limits });
    const answer = await fetch(`http://${registry.host}/v2/plant/shape/manifests/1`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    expect(answer.headers.get('content-type')).toBe('application/vnd.oci.image.manifest.v1+json');
    const manifest = (await answer.json()) as {
      artifactType: string;
      layers: { digest: string; annotations: Record<string, string> }[];
    };
    expect(manifest.artifactType).toBe('application/vnd.cncf.model.manifest.v1+json');
    const titles = manifest.layers.map(
      ({ annotations }) => annotations['org.opencontainers.image.title'],
    );
    expect(titles.sort()).toEqual(readdirSync(bundle.folder).sort());
    const last = manifest.layers.find(({ digest }) => digest === bundle.digest);
    expect(last?.annotations['org.cncf.model.filepath']).toBe('model.json');
  });

  it('is not sent again what it has', async () => {
    const bundle = aBundle({ modelBytes: 2_000_000, seed: 21 });
    const gate = await TcpGate.open({ port: registry.port });
    const through = `oci+http://127.0.0.1:${gate.port}/plant/twice`;
    const first = await pushBundle(bundle.folder, `${through}:1`, { limits });
    expect(gate.bytes.toTarget).toBeGreaterThan(2_000_000);
    const before = gate.bytes.toTarget;
    const second = await pushBundle(bundle.folder, `${through}:2`, { limits });
    expect(gate.bytes.toTarget - before).toBeLessThan(10_000);
    expect(second.manifestDigest).toBe(first.manifestDigest);
    await gate.close();
  });

  it('takes a large file in pieces, over a line that breaks off', async () => {
    const bundle = aBundle({ modelBytes: 40_000_000, seed: 31 });
    const gate = await TcpGate.open({ port: registry.port });
    let cuts = 0;
    const watch = setInterval(() => {
      if (gate.bytes.toTarget < (cuts + 1) * 9_000_000 || cuts === 4) return;
      cuts += 1;
      gate.cut();
    }, 1);
    const through = `oci+http://127.0.0.1:${gate.port}/plant/large:1`;
    await pushBundle(bundle.folder, through, { limits: { ...limits, triesMax: 20 } });
    clearInterval(watch);
    expect(cuts).toBeGreaterThan(0);
    await gate.close();
    const { folder } = await fetchFast(at('plant/large:1'), bundle.digest, { into });
    expectBundle(folder, bundle);
  });

  it('is asked for the rest when a pull was broken off', async () => {
    const bundle = aBundle({ modelBytes: 8_000_000, seed: 41 });
    await pushBundle(bundle.folder, at('plant/rest:1'), { limits });
    const gate = await TcpGate.open({ port: registry.port });
    let cuts = 0;
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone < (cuts + 1) * 1_500_000 || cuts === 4) return;
      cuts += 1;
      gate.cut();
    };
    const through = `oci+http://127.0.0.1:${gate.port}/plant/rest:1`;
    const fetched = await fetchFast(through, bundle.digest, { into, onProgress });
    expectBundle(fetched.folder, bundle);
    expect(cuts).toBe(4);
    expect(fetched.bytesFetched).toBeLessThan(bundle.bytes + 2_000);
    await gate.close();
  });

  it('that has no such tag or repository says so', async () => {
    const error = await failureOf(at('plant/nothing:1'), undefined, { into });
    expect(error.code).toBe('SOURCE_NOT_FOUND');
    expect(error.message).toContain('MANIFEST_UNKNOWN');
  });

  it('whose disk has changed a blob is found out', async () => {
    const bundle = aBundle({ seed: 51 });
    await pushBundle(bundle.folder, at('plant/rotten:1'), { limits });
    const hex = createHash('sha256').update(bundle.files['model.onnx']!).digest('hex');
    const blob = join(registry.storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex);
    const bytes = readFileSync(join(blob, 'data'));
    bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
    writeFileSync(join(blob, 'data'), bytes);
    expect(statSync(join(blob, 'data')).size).toBe(300_000);
    const error = await failureOf(at('plant/rotten:1'), bundle.digest, { into });
    expect(error.code).toBe('SOURCE_DIGEST');
    expect(readdirSync(into)).toEqual(['.partial']);
  });

  it('is not given a bundle that is damaged, nor one without a tag', async () => {
    const bundle = aBundle({ seed: 61 });
    writeFileSync(join(bundle.folder, 'golden.json'), '{}');
    const damaged = await pushFailure(bundle.folder, at('plant/bad:1'), { limits });
    expect(damaged.code).toBe('SOURCE_DIGEST');
    const digest = `sha256:${'a'.repeat(64)}`;
    const other = await pushFailure(aBundle().folder, at(`plant/bad@${digest}`), { limits });
    expect(other.message).toContain('must have a tag and no digest');
  });
});

withRegistry('a registry with user and password', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ basic: true });
  });
  afterAll(() => registry.stop());

  it('lets in who shows them, and tells others what is missing, without what they gave', async () => {
    const bundle = aBundle();
    const ref = `oci+http://${registry.host}/plant/pump:1`;
    const credentials = { [registry.host]: LOGIN };
    await pushBundle(bundle.folder, ref, { limits, credentials });
    const { folder } = await fetchFast(ref, bundle.digest, { into, credentials });
    expectBundle(folder, bundle);
    const store = temporaryFolder('store');
    const nobody = await failureOf(ref, bundle.digest, { into: store });
    expect(nobody).toMatchObject({ code: 'SOURCE_DENIED', retry: 'later' });
    expect(nobody.message).toContain(`none are given for ${registry.host}`);
    const wrong = { [registry.host]: { username: 'site', password: 'falsch-geheim' } };
    const denied = await failureOf(ref, bundle.digest, { into: store, credentials: wrong });
    expect(denied.code).toBe('SOURCE_DENIED');
    expect(denied.message).not.toContain('falsch');
    expect((await pushFailure(bundle.folder, ref, { limits })).code).toBe('SOURCE_DENIED');
  });
});

withRegistry('a registry with a token server', () => {
  let registry: Registry;
  let tokens: TokenServer;
  beforeAll(async () => {
    const authority = await openAuthority(temporaryFolder('ca'), Date.now());
    tokens = await startTokenServer(await authority.issue(['tokens']));
    const { realm } = tokens;
    registry = await startRegistry({ token: { realm, rootCertificate: authority.trustBundlePem } });
  });
  afterAll(async () => {
    await registry.stop();
    await tokens.server.close();
  });
  const at = (rest: string): string => `oci+http://${registry.host}/${rest}`;

  it('is shown a token for what is done, and a new one when it has expired', async () => {
    const bundle = aBundle({ modelBytes: 20_000_000, seed: 3 });
    const credentials = { [registry.host]: LOGIN };
    await pushBundle(bundle.folder, at('plant/pump:1'), { limits, credentials });
    expect(tokens.scopes.some((scope) => scope.includes('push'))).toBe(true);
    tokens.scopes = [];
    const { folder } = await fetchFast(at('plant/pump:1'), bundle.digest, { into, credentials });
    expectBundle(folder, bundle);
    expect(tokens.scopes).toEqual(['repository:plant/pump:pull']);
    // A token that has expired when it comes is no reason to ask for ever.
    tokens.lifeS = -120;
    const store = temporaryFolder('store');
    const expired = await failureOf(at('plant/pump:1'), bundle.digest, {
      into: store,
      credentials,
    });
    expect(expired.code).toBe('SOURCE_DENIED');
    tokens.lifeS = 300;
  });

  it('lets everybody pull what is open, and nobody else what is not', async () => {
    const bundle = aBundle({ seed: 9 });
    const credentials = { [registry.host]: LOGIN };
    for (const name of ['open/pump', 'closed/pump']) {
      await pushBundle(bundle.folder, at(`${name}:1`), { limits, credentials });
    }
    const { folder } = await fetchFast(at('open/pump:1'), bundle.digest, { into });
    expectBundle(folder, bundle);
    const store = temporaryFolder('store');
    const denied = await failureOf(at('closed/pump:1'), bundle.digest, { into: store });
    expect(denied.code).toBe('SOURCE_DENIED');
    const wrong = { [registry.host]: { username: 'site', password: 'falsch' } };
    const refused = await failureOf(at('closed/pump:1'), undefined, { into, credentials: wrong });
    expect(refused.message).toContain(`answers 401: give other credentials for ${registry.host}`);
  });
});

describe('a registry that lies', () => {
  const bundle = aBundle({ signature: 'signed' });
  const sha256 = (bytes: Buffer): string =>
    `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  let server: FileServer;
  let manifest: { schemaVersion: number; layers: Record<string, unknown>[] };
  beforeEach(async () => {
    server = await serveFiles();
    const layers = readdirSync(bundle.folder).map((name) => {
      const bytes = readFileSync(join(bundle.folder, name));
      server.files.set(`/v2/pump/blobs/${sha256(bytes)}`, bytes);
      const annotations = { 'org.opencontainers.image.title': name };
      const mediaType = 'application/vnd.oci.image.layer.v1.tar';
      return { mediaType, digest: sha256(bytes), size: bytes.length, annotations };
    });
    manifest = { schemaVersion: 2, layers };
    publish();
  });
  afterEach(() => server.close());
  const publish = (document: unknown = manifest): void => {
    server.files.set('/v2/pump/manifests/1', Buffer.from(JSON.stringify(document)));
  };
  const ref = (): string => `oci+http://127.0.0.1:${server.port}/pump:1`;
  const fails = (options = {}): Promise<SourceError> =>
    failureOf(ref(), bundle.digest, { into, ...options });
  const layer = (name: string) =>
    manifest.layers.find(({ annotations }) => Object.values(annotations as object).includes(name))!;

  it('is no problem as long as it does not: an artifact of any kind with named layers will do', async () => {
    const { folder } = await fetchFast(ref(), bundle.digest, { into });
    expectBundle(folder, bundle);
  });

  it('about the manifest of a digest is refused', async () => {
    const pinned = `sha256:${'b'.repeat(64)}`;
    server.files.set(`/v2/pump/manifests/${pinned}`, server.files.get('/v2/pump/manifests/1')!);
    const at = `oci+http://127.0.0.1:${server.port}/pump@${pinned}`;
    expect((await failureOf(at, bundle.digest, { into })).code).toBe('SOURCE_DIGEST');
  });

  it.each([
    ['an index', () => publish({ schemaVersion: 2, manifests: [] }), 'is an index'],
    ['no JSON', () => server.files.set('/v2/pump/manifests/1', Buffer.from('<html>')), 'not JSON'],
    [
      'a layer too few',
      () => manifest.layers.splice(manifest.layers.indexOf(layer('golden.json')), 1),
      'no layer that is golden.json',
    ],
    [
      'no model.json',
      () => manifest.layers.splice(manifest.layers.indexOf(layer('model.json')), 1),
      'no layer that is model.json',
    ],
    [
      'another model',
      () => Object.assign(layer('model.onnx'), { digest: `sha256:${'c'.repeat(64)}` }),
      'the layer model.onnx is',
    ],
    ['a negative size', () => Object.assign(layer('model.onnx'), { size: -1 }), 'size'],
    [
      'two layers of one name',
      () => manifest.layers.push({ ...layer('model.onnx') }),
      'two layers are model.onnx',
    ],
  ])('with %s in the manifest is refused before the model is asked for', async (_, lie, text) => {
    lie();
    if (server.files.get('/v2/pump/manifests/1')?.includes('"layers"')) publish();
    const error = await fails();
    expect(error.message).toContain(text);
    expect(server.requests.join()).not.toContain(sha256(bundle.files['model.onnx']!));
  });

  it('about model.json or the signature is refused, also when no digest was asked for', async () => {
    const signature = sha256(readFileSync(join(bundle.folder, 'model.sig')));
    for (const blob of [bundle.digest, signature]) {
      const before = server.files.get(`/v2/pump/blobs/${blob}`)!;
      server.files.set(`/v2/pump/blobs/${blob}`, Buffer.from('{}'));
      for (const wanted of [bundle.digest, undefined]) {
        const store = temporaryFolder('store');
        expect((await failureOf(ref(), wanted, { into: store })).code).toBe('SOURCE_DIGEST');
        expect(readdirSync(store).filter((name) => name !== '.partial')).toEqual([]);
      }
      server.files.set(`/v2/pump/blobs/${blob}`, before);
    }
  });

  it('with a layer that names a file elsewhere is not followed', async () => {
    const outside = {
      ...layer('golden.json'),
      annotations: { 'org.opencontainers.image.title': '../../x' },
    };
    manifest.layers.push(outside);
    publish();
    const { folder } = await fetchFast(ref(), bundle.digest, { into });
    expectBundle(folder, bundle);
  });

  it('about the size of a layer, and then sends more or less, is refused', async () => {
    const { size } = layer('model.onnx') as { size: number };
    for (const [lie, code] of [
      [size - 10, 'SOURCE_PROTOCOL'],
      [size + 10, 'SOURCE_PROTOCOL'],
    ] as const) {
      Object.assign(layer('model.onnx'), { size: lie });
      publish();
      expect((await fails({ into: temporaryFolder('store') })).code).toBe(code);
    }
  });

  it('with a huge layer is refused before it is fetched', async () => {
    Object.assign(layer('model.onnx'), { size: 10 ** 13 });
    publish();
    expect((await fails()).code).toBe('SOURCE_TOO_LARGE');
  });

  it('about where tokens are is refused: by plain HTTP nobody is shown a password', async () => {
    server.misbehave = (_, response) => {
      const challenge = 'Bearer realm="http://tokens.invalid/token",service="x"';
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return true;
    };
    const credentials = { [`127.0.0.1:${server.port}`]: LOGIN };
    expect((await fails({ credentials })).code).toBe('SOURCE_INSECURE');
  });

  it('and one whose blobs are elsewhere does not make the credentials go there', async () => {
    const store = await serveFiles(Object.fromEntries(server.files));
    server.misbehave = (request, response, path) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      }
      if (!path.includes('/blobs/')) return false;
      response.writeHead(307, { location: `${store.origin}${path}?sig=geheim` }).end();
      return true;
    };
    const credentials = { [`127.0.0.1:${server.port}`]: LOGIN };
    const { folder } = await fetchFast(ref(), bundle.digest, { into, credentials });
    expectBundle(folder, bundle);
    expect(store.headers.length).toBeGreaterThan(3);
    expect(store.headers.every(({ authorization }) => authorization === undefined)).toBe(true);
    store.files.clear();
    const error = await fails({ credentials, into: temporaryFolder('store') });
    expect(error.message).not.toContain('geheim');
    await store.close();
  });
});
