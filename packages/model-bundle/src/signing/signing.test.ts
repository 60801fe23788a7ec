import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  isBundleError,
  makeKeyPair,
  readBundle,
  readPublicKeys,
  signBundle,
  type TrustPolicy,
  trustIn,
  verifyBundle,
} from '../index.ts';
import { signStatement } from './envelope.ts';
import { statementOf } from './statement.ts';

const ours = makeKeyPair();
const theirs = makeKeyPair();
const key = createPrivateKey(ours.privatePem);
const policy = trustIn(readPublicKeys(ours.publicPem));

let folder: string;
let signature: string;
beforeEach(async () => {
  folder = temporaryFolder('signed');
  cpSync(join(process.cwd(), 'scenarios/pump-loop/bundle'), folder, { recursive: true });
  signature = join(folder, 'model.sig');
  await signBundle(folder, key);
});

const refusal = (trust: TrustPolicy = policy): Promise<{ code: string; message: string }> =>
  verifyBundle(folder, trust).then(
    () => ({ code: 'accepted', message: '' }),
    (error: unknown) => error as { code: string; message: string },
  );

type Envelope = {
  mediaType: string;
  verificationMaterial: { publicKey: { hint?: string | null } };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
};
function editEnvelope(change: (envelope: Envelope) => void): void {
  const envelope = JSON.parse(readFileSync(signature, 'utf8')) as Envelope;
  change(envelope);
  writeFileSync(signature, JSON.stringify(envelope));
}
/** Signs anything, as a holder of the key could. */
const signText = (text: string, by: KeyObject = key): void =>
  writeFileSync(signature, signStatement(text, by));
const statement = (): Record<string, unknown> & { predicate: { resources: { name: string }[] } } =>
  JSON.parse(
    Buffer.from(
      (JSON.parse(readFileSync(signature, 'utf8')) as Envelope).dsseEnvelope.payload,
      'base64',
    ).toString(),
  ) as never;

describe('a signed bundle', () => {
  it('is accepted with the id of the key that signed it', async () => {
    expect((await verifyBundle(folder, policy)).signedBy).toBe(ours.id);
  });

  it('is accepted by each of several keys, while they are rotated', async () => {
    const both = trustIn(readPublicKeys(`${theirs.publicPem}\n${ours.publicPem}`));
    expect((await verifyBundle(folder, both)).signedBy).toBe(ours.id);
    await signBundle(folder, createPrivateKey(theirs.privatePem));
    expect((await verifyBundle(folder, both)).signedBy).toBe(theirs.id);
    expect((await refusal()).code).toBe('BUNDLE_KEY');
  });

  it('has the identity that it had unsigned', async () => {
    const { identity } = await readBundle(join(process.cwd(), 'scenarios/pump-loop/bundle'));
    expect((await verifyBundle(folder, policy)).identity).toEqual(identity);
  });

  it('is accepted where no keys are set, as nobody there can tell', async () => {
    expect((await verifyBundle(folder, trustIn([]))).signedBy).toBeUndefined();
  });

  it('is signed again in place, and leaves no other file behind', async () => {
    await signBundle(folder, key);
    expect(readdirSync(folder).sort()).toEqual([
      'README.md',
      'golden.json',
      'model.json',
      'model.onnx',
      'model.sig',
    ]);
    expect((await refusal()).code).toBe('accepted');
  });

  it('may have folders inside, as long as all was signed', async () => {
    mkdirSync(join(folder, 'docs'));
    writeFileSync(join(folder, 'docs/card.md'), 'card');
    expect((await refusal()).message).toContain('files["docs/card.md"]: is in the folder');
    const files = new Map(
      (statement().predicate.resources as { name: string; digest: string }[]).map((each) => [
        each.name,
        each.digest,
      ]),
    );
    const { hash } = await import('node:crypto');
    signText(statementOf('pump-loop', files.set('docs/card.md', hash('sha256', 'card'))));
    expect((await refusal()).code).toBe('accepted');
  });

  it('without the hint that older signers left out is checked with every key', async () => {
    editEnvelope((envelope) => {
      envelope.verificationMaterial.publicKey.hint = null;
    });
    const both = trustIn(readPublicKeys(`${theirs.publicPem}\n${ours.publicPem}`));
    expect((await verifyBundle(folder, both)).signedBy).toBe(ours.id);
  });
});

describe('a signed bundle is refused by name', () => {
  it('when its signature was taken away and one is required', async () => {
    rmSync(signature);
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_UNSIGNED',
      message: expect.stringContaining('model.sig is missing'),
    });
    const optional = trustIn(policy.keys, 'optional');
    expect((await refusal(optional)).code).toBe('accepted');
  });

  it('when a signature is required but no key is set', async () => {
    expect(await refusal(trustIn([], 'required'))).toMatchObject({
      code: 'BUNDLE_KEY',
      message: expect.stringContaining('no key is set'),
    });
  });

  it('when its key is not trusted, even where signatures are optional', async () => {
    const other = readPublicKeys(theirs.publicPem);
    for (const trust of [trustIn(other), trustIn(other, 'optional')]) {
      expect(await refusal(trust)).toMatchObject({
        code: 'BUNDLE_KEY',
        message: expect.stringContaining(`key: "${ours.id}"`.replaceAll('"', '')),
      });
    }
  });

  it.each(['model.json', 'model.onnx', 'golden.json', 'README.md'])(
    'when %s was altered',
    async (name) => {
      writeFileSync(join(folder, name), `${readFileSync(join(folder, name), 'utf8')} `);
      expect(await refusal()).toMatchObject({
        code: 'BUNDLE_ALTERED',
        message: expect.stringContaining(`model.sig: files["${name}"]: sha256:`),
      });
    },
  );

  it.each(['model.json', 'model.onnx', 'README.md'])('when %s is missing', async (name) => {
    rmSync(join(folder, name));
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_ALTERED',
      message: expect.stringContaining(`files["${name}"]: was signed, but is not in the folder`),
    });
  });

  it.each(['extra', '.hidden', '.gitignore', '.git/config', 'deep/er/extra'])(
    'when %s was added',
    async (name) => {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), 'extra');
      expect(await refusal()).toMatchObject({
        code: 'BUNDLE_ALTERED',
        message: expect.stringContaining(`files["${name}"]: is in the folder, but was not signed`),
      });
    },
  );

  it('when a file became a symbolic link to the same bytes', async () => {
    const outside = join(temporaryFolder('outside'), 'model.onnx');
    cpSync(join(folder, 'model.onnx'), outside);
    rmSync(join(folder, 'model.onnx'));
    symlinkSync(outside, join(folder, 'model.onnx'));
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_ALTERED',
      message: expect.stringContaining('model.onnx is a symbolic link'),
    });
  });

  it('when another bundle, validly signed, lent it the signature', async () => {
    const text = readFileSync(signature);
    const manifest = join(folder, 'model.json');
    const other = readFileSync(manifest, 'utf8').replace('"1.0.0"', '"2.0.0"');
    writeFileSync(manifest, other);
    writeFileSync(signature, text);
    expect((await refusal()).code).toBe('BUNDLE_ALTERED');
  });

  it('when the statement was exchanged under the signature', async () => {
    const before = JSON.parse(readFileSync(signature, 'utf8')) as Envelope;
    writeFileSync(join(folder, 'extra'), 'extra');
    const files = new Map(
      statement().predicate.resources.map((each) => [each.name, 'ab'.repeat(32)]),
    );
    signText(
      statementOf('pump-loop', files.set('extra', 'cd'.repeat(32))),
      createPrivateKey(theirs.privatePem),
    );
    editEnvelope((envelope) => {
      envelope.verificationMaterial = before.verificationMaterial;
    });
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_SIGNATURE',
      message: expect.stringContaining(`the signature does not hold for key ${ours.id}`),
    });
  });

  it.each<[string, (envelope: Envelope) => void, string]>([
    [
      'another media type',
      (envelope) => {
        envelope.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
      },
      'mediaType:',
    ],
    [
      'a payload of another type',
      (envelope) => {
        envelope.dsseEnvelope.payloadType = 'text/plain';
      },
      'dsseEnvelope.payloadType: "text/plain" is not allowed',
    ],
    [
      'two signatures',
      (envelope) => {
        envelope.dsseEnvelope.signatures.push({ sig: '' });
      },
      'dsseEnvelope.signatures:',
    ],
    [
      'no signature',
      (envelope) => {
        envelope.dsseEnvelope.signatures = [];
      },
      'dsseEnvelope.signatures:',
    ],
    [
      'a signature that is no base64',
      (envelope) => {
        envelope.dsseEnvelope.signatures = [{ sig: '!' }];
      },
      'must be base64',
    ],
    [
      'a certificate instead of a key',
      (envelope) => {
        envelope.verificationMaterial = { certificate: { rawBytes: '' } } as never;
      },
      'verificationMaterial.publicKey: is missing',
    ],
    [
      'an empty signature',
      (envelope) => {
        envelope.dsseEnvelope.signatures = [{ sig: '' }];
      },
      'does not hold',
    ],
  ])('when its envelope has %s', async (_, change, words) => {
    editEnvelope(change);
    const error = await refusal();
    expect(error.code).toBe('BUNDLE_SIGNATURE');
    expect(error.message).toContain(words);
  });

  it.each<[string, (text: string) => string, string]>([
    ['no JSON', () => 'hello', 'the signed statement is not JSON'],
    [
      'an older predicate',
      (text) => text.replace('signature/v1.0', 'Digests/v0.1'),
      'predicateType',
    ],
    [
      'another hash',
      (text) => text.replace('"hash_type":"sha256"', '"hash_type":"blake3"'),
      'hash_type',
    ],
    ['shards', (text) => text.replace('"method":"files"', '"method":"shards"'), 'method'],
    [
      'links allowed',
      (text) => text.replace('symlinks":false', 'symlinks":true'),
      'allow_symlinks',
    ],
    [
      'a file twice',
      (text) => text.replace('"golden.json"', '"README.md"'),
      '"README.md" is not allowed, must be unique',
    ],
    [
      'another digest over all',
      (text) => text.replace(/"sha256":"[0-9a-f]{2}/, '"sha256":"00'),
      'the digest of the files listed',
    ],
  ])('when a trusted key signed a statement with %s', async (_, change, words) => {
    const text = JSON.stringify(statement());
    expect(change(text)).not.toBe(text);
    signText(change(text));
    const error = await refusal();
    expect(error.message).toContain(words);
    expect(error.code).toBe('BUNDLE_SIGNATURE');
  });

  it('when model.sig is larger than any', async () => {
    writeFileSync(signature, Buffer.alloc(1024 * 1024 + 1));
    expect((await refusal()).message).toContain('model.sig: has 1048577 bytes');
  });

  it('when model.json names its own signature', async () => {
    const file = join(folder, 'model.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as { files: Record<string, string> };
    manifest.files['model.sig'] = `sha256:${'0'.repeat(64)}`;
    writeFileSync(file, JSON.stringify(manifest));
    expect((await refusal(trustIn([]))).message).toContain('must be left out: it signs this file');
  });

  it('whatever single byte of the signature is changed', async () => {
    const whole = readFileSync(signature);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: whole.length - 2 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const bytes = Buffer.from(whole);
          bytes[at] = (bytes[at] ?? 0) ^ by;
          writeFileSync(signature, bytes);
          const error = await verifyBundle(folder, policy).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          // Names that nobody reads (keyid, tlogEntries) may be misspelt: what was signed is still what is there.
          if (error !== undefined) expect(isBundleError(error)).toBe(true);
          else expect(String(bytes)).toMatch(/payload|sig/);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('to sign', () => {
  it('is refused while a file is there that the manifest does not name, a key say', async () => {
    writeFileSync(join(folder, 'key.pem'), ours.privatePem);
    await expect(signBundle(folder, key)).rejects.toMatchObject({
      code: 'BUNDLE_ALTERED',
      message: expect.stringContaining('key.pem is not named in model.json'),
    });
  });

  it('is refused for a bundle that is not whole', async () => {
    rmSync(join(folder, 'golden.json'));
    await expect(signBundle(folder, key)).rejects.toMatchObject({ code: 'BUNDLE_FILE_MISSING' });
  });
});

describe('keys', () => {
  const pem = (curve: string): string =>
    String(
      generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({
        format: 'pem',
        type: 'spki',
      }),
    );
  const rsa = (): string =>
    String(
      generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({
        format: 'pem',
        type: 'spki',
      }),
    );

  it.each<[string, () => string, string, string]>([
    ['nothing', () => '', 'KEY_FORMAT', 'there is no PEM block'],
    ['text', () => 'hello', 'KEY_FORMAT', 'there is no PEM block'],
    ['a private key', () => ours.privatePem, 'KEY_KIND', 'the key is a private key'],
    [
      'another curve',
      () => pem('secp384r1'),
      'KEY_CURVE',
      'curve secp384r1, must be ECDSA on P-256',
    ],
    ['another algorithm', rsa, 'KEY_CURVE', 'the key is of rsa'],
    ['a good and a bad one', () => ours.publicPem + pem('secp256k1'), 'KEY_CURVE', 'key 2 of 2'],
    [
      'a certificate',
      () => '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----',
      'KEY_FORMAT',
      '"CERTIFICATE"',
    ],
    [
      'rubbish in a block',
      () => '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----',
      'KEY_FORMAT',
      'cannot be read',
    ],
  ])('that are %s are refused', (_, text, code, words) => {
    let error: unknown;
    try {
      readPublicKeys(text());
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(String(error)).not.toContain('MIG');
  });

  it('are read with line ends spelt out, as variables have them, and each once', () => {
    const keys = readPublicKeys(`${ours.publicPem}${ours.publicPem}`.replaceAll('\n', '\\n'));
    expect(keys.map(({ id }) => id)).toEqual([ours.id]);
  });

  it('have the digest of their file as id', async () => {
    const { hash } = await import('node:crypto');
    expect(ours.id).toBe(`sha256:${hash('sha256', ours.publicPem)}`);
    expect(createPublicKey(ours.publicPem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});
