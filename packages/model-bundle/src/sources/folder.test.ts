import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type ABundle, aBundle } from '../testing/a-bundle.ts';
import {
  cleanPartials,
  type FetchOptions,
  fetchBundle,
  isSourceError,
  pushBundle,
} from './index.ts';

let into: string;
beforeEach(() => {
  into = temporaryFolder('store');
});
const FAST = { pauseMsMin: 1, pauseMsMax: 5, triesMax: 3 };

const failure = async (
  ref: string,
  digest: string | undefined,
  options: Partial<FetchOptions> = {},
): Promise<string> => {
  const error = await fetchBundle(ref, digest, { into, limits: FAST, ...options }).then(
    () => new Error('it was fetched'),
    (thrown: unknown) => thrown,
  );
  return isSourceError(error) ? error.message : String(error);
};
const expectBundle = (folder: string, bundle: ABundle): void => {
  for (const [name, bytes] of Object.entries(bundle.files)) {
    expect(readFileSync(join(folder, name)).equals(bytes)).toBe(true);
  }
};
const partials = (): string[] =>
  existsSync(join(into, '.partial')) ? readdirSync(join(into, '.partial')) : [];

describe('a bundle in a folder', () => {
  it('is copied with its signature and appears under its digest', async () => {
    const bundle = aBundle({ signature: 'signed' });
    const fetched = await fetchBundle(bundle.folder, bundle.digest, { into });
    expect(fetched.folder).toBe(join(into, bundle.digest.replace(':', '-')));
    expect(fetched.digest).toBe(bundle.digest);
    expect(fetched.bytesFetched).toBeGreaterThan(bundle.bytes);
    expectBundle(fetched.folder, bundle);
    expect(readdirSync(fetched.folder).sort()).toEqual([
      'README.md',
      'golden.json',
      'model.json',
      'model.onnx',
      'model.sig',
    ]);
    expect(partials()).toEqual([]);
  });

  it('that is in the store is verified and not fetched again, even without its source', async () => {
    const bundle = aBundle();
    await fetchBundle(bundle.folder, bundle.digest, { into });
    const again = await fetchBundle('/nowhere', bundle.digest, { into });
    expect(again.bytesFetched).toBe(0);
  });

  it('that is in the store gets a new signature when that is asked for', async () => {
    const bundle = aBundle({ signature: 'old' });
    const { folder } = await fetchBundle(bundle.folder, bundle.digest, { into });
    writeFileSync(join(bundle.folder, 'model.sig'), 'new');
    const signature = (): string => readFileSync(join(folder, 'model.sig'), 'utf8');
    await fetchBundle(bundle.folder, bundle.digest, { into });
    expect(signature()).toBe('old');
    const fetched = await fetchBundle(bundle.folder, bundle.digest, {
      into,
      refreshSignature: true,
    });
    expect(signature()).toBe('new');
    expect(fetched.bytesFetched).toBe(0);
    expect(partials()).toEqual([]);
  });

  it('that was damaged in the store is fetched again', async () => {
    const bundle = aBundle();
    const { folder } = await fetchBundle(bundle.folder, bundle.digest, { into });
    writeFileSync(join(folder, 'model.onnx'), 'damaged');
    await fetchBundle(bundle.folder, bundle.digest, { into });
    expectBundle(folder, bundle);
  });

  it('is found among many on a stick by its digest', async () => {
    const stick = temporaryFolder('stick');
    aBundle({ folder: join(stick, 'pump-1'), seed: 3 });
    const wanted = aBundle({ folder: join(stick, 'site-7', 'pump-2'), seed: 5 });
    mkdirSync(join(stick, 'holiday'));
    const { folder } = await fetchBundle(`file://${stick}`, wanted.digest, { into });
    expectBundle(folder, wanted);
    expect(await failure(stick, `sha256:${'0'.repeat(64)}`)).toContain('2 others are there');
    expect(await failure(stick, undefined)).toContain('SOURCE_NOT_FOUND');
  });

  it('is used where it is when that is asked for, after its digests', async () => {
    const bundle = aBundle();
    const options = { into, inPlace: true };
    const fetched = await fetchBundle(bundle.folder, bundle.digest, options);
    expect(fetched).toMatchObject({ folder: bundle.folder, bytesFetched: 0 });
    expect(readdirSync(into)).toEqual([]);
    writeFileSync(join(bundle.folder, 'golden.json'), '{}');
    expect(await failure(bundle.folder, bundle.digest, options)).toContain('SOURCE_DIGEST');
  });

  it('of another digest is refused with both', async () => {
    const { folder, digest } = aBundle();
    const wanted = `sha256:${'a'.repeat(64)}`;
    expect(await failure(folder, wanted)).toContain('SOURCE_DIGEST');
    const message = await failure(folder, `sha256:${'A'.repeat(64)}`);
    expect(message).toContain('SOURCE_REF: digest');
    expect(digest).not.toBe(wanted);
  });

  it('with a changed file is refused, and leaves nothing that could be taken for a bundle', async () => {
    const bundle = aBundle();
    writeFileSync(join(bundle.folder, 'model.onnx'), Buffer.alloc(300_000));
    expect(await failure(bundle.folder, bundle.digest)).toContain('SOURCE_DIGEST: model.onnx');
    expect(readdirSync(into)).toEqual(['.partial']);
  });

  it('whose manifest names a file elsewhere, or too many, is refused', async () => {
    const outside = aBundle({ files: { 'a.bin': 'x' } });
    const manifest = join(outside.folder, 'model.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('a.bin', '../a.bin'));
    expect(await failure(outside.folder, undefined)).toContain('must name a file of the bundle');
    const limits = { ...FAST, filesMax: 2 };
    expect(await failure(aBundle().folder, undefined, { limits })).toContain('names 3 files');
  });

  it('beyond the limit or the room is refused before a byte is copied', async () => {
    const bundle = aBundle();
    const small = { ...FAST, bundleBytesMax: 100_000 };
    expect(await failure(bundle.folder, undefined, { limits: small })).toContain(
      'SOURCE_TOO_LARGE',
    );
    const huge = { ...FAST, freeBytesMin: 2 ** 60 };
    expect(await failure(bundle.folder, undefined, { limits: huge })).toContain('SOURCE_NO_ROOM');
    expect(readdirSync(join(into, '.partial', bundle.digest.replace(':', '-'), 'parts'))).toEqual(
      [],
    );
  });
});

describe('a push to a stick', () => {
  it('puts the bundle into a folder of its name, from where it is fetched by its digest', async () => {
    const stick = temporaryFolder('stick');
    const bundles = [aBundle({ seed: 2, signature: 'signed' }), aBundle({ seed: 4 })];
    for (const { folder, digest } of bundles) {
      const pushed = await pushBundle(folder, stick);
      expect(pushed).toEqual({
        ref: join(stick, `pump-1.0.0-${digest.slice(7, 19)}`),
        digest,
        manifestDigest: undefined,
      });
    }
    for (const bundle of bundles) {
      const { folder } = await fetchBundle(stick, bundle.digest, { into });
      expectBundle(folder, bundle);
    }
    expect(
      readFileSync(join(into, `${bundles[0]?.digest.replace(':', '-')}`, 'model.sig'), 'utf8'),
    ).toBe('signed');
  });

  it('mends what an earlier one has left', async () => {
    const stick = temporaryFolder('stick');
    const bundle = aBundle();
    const { ref } = await pushBundle(bundle.folder, stick);
    truncateSync(join(ref, 'model.onnx'), 10);
    mkdirSync(join(stick, `.pump-1.0.0-${bundle.digest.slice(7, 19)}`));
    await pushBundle(bundle.folder, stick);
    expectBundle(ref, bundle);
    expect(readdirSync(stick)).toHaveLength(1);
  });

  it('is refused for a bundle that is not what its manifest names', async () => {
    const bundle = aBundle();
    writeFileSync(join(bundle.folder, 'golden.json'), '{}');
    await expect(pushBundle(bundle.folder, into)).rejects.toThrow('SOURCE_DIGEST');
    await expect(pushBundle(temporaryFolder('none'), into)).rejects.toThrow('SOURCE_NOT_FOUND');
    expect(readdirSync(into)).toEqual([]);
  });
});

describe('a stick that is pulled out in the middle', () => {
  it('leaves what was copied, and the next call goes on from there', async () => {
    const bundle = aBundle({
      folder: join(temporaryFolder('stick'), 'pump'),
      modelBytes: 8_000_000,
    });
    const away = `${bundle.folder}-away`;
    const pull = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone < 2_000_000 || existsSync(away)) return;
      truncateSync(join(bundle.folder, 'model.onnx'), 1_000);
      renameSync(bundle.folder, away);
    };
    const message = await failure(bundle.folder, bundle.digest, { onProgress: pull });
    expect(message).toContain('SOURCE_NOT_FOUND');
    expect(readdirSync(into)).toEqual(['.partial']);
    expect(partials()).toHaveLength(1);

    // The stick comes back; another one would do, but then the file's state is another and it starts anew.
    renameSync(away, bundle.folder);
    writeFileSync(join(bundle.folder, 'model.onnx'), bundle.files['model.onnx']!);
    const { folder } = await fetchBundle(bundle.folder, bundle.digest, { into });
    expectBundle(folder, bundle);
  });
});

describe('a fetch', () => {
  it('that is called off goes on from its bytes the next time', async () => {
    const bundle = aBundle({ modelBytes: 8_000_000 });
    const stop = new AbortController();
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone > 4_000_000) stop.abort();
    };
    const options = { signal: stop.signal, onProgress };
    expect(await failure(bundle.folder, bundle.digest, options)).toContain('SOURCE_ABORTED');
    const { folder, bytesFetched } = await fetchBundle(bundle.folder, bundle.digest, { into });
    expectBundle(folder, bundle);
    expect(bytesFetched).toBeLessThan(4_100_000);
  });

  it('takes away partial downloads that nobody wants any more', async () => {
    const first = aBundle({ seed: 3 });
    writeFileSync(join(first.folder, 'model.onnx'), 'changed');
    await failure(first.folder, first.digest);
    expect(partials()).toHaveLength(1);
    await cleanPartials(into, [first.digest]);
    expect(partials()).toHaveLength(1);
    const second = aBundle();
    await fetchBundle(second.folder, second.digest, { into, wanted: [] });
    expect(partials()).toEqual([]);
  });

  it('of the same bundle twice at once copies it once', async () => {
    const bundle = aBundle();
    const both = [1, 2].map(() => fetchBundle(bundle.folder, bundle.digest, { into }));
    const [one, two] = await Promise.all(both);
    expect(one?.folder).toBe(two?.folder);
    expect(Math.min(one?.bytesFetched ?? 0, two?.bytesFetched ?? 0)).toBe(0);
  });
});
