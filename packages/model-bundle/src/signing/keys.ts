import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { KeyError } from '../errors.ts';

/** A public key that signatures are accepted from. */
export interface TrustedKey {
  /**
   * `sha256:<hex>` of the key as a PEM file (`sha256sum key.pub.pem` where the file is as `keygen` and OpenSSL write it):
   * the same number by which a signature names its key.
   */
  readonly id: string;
  readonly key: KeyObject;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;
/** A handful of keys is a rotation; more is a mistake. */
const KEYS_MAX = 16;

/**
 * Reads public keys, one PEM block after the other: while keys are rotated, the old and the new one are both trusted.
 * @throws KeyError
 */
export function readPublicKeys(pem: string): TrustedKey[] {
  // Variables of containers often have their line ends spelt out.
  const blocks = [...pem.replaceAll('\\n', '\n').matchAll(BLOCK)];
  if (blocks.length === 0) {
    throw new KeyError('KEY_FORMAT', 'there is no PEM block "-----BEGIN PUBLIC KEY-----" in it');
  }
  if (blocks.length > KEYS_MAX) {
    throw new KeyError('KEY_FORMAT', `${blocks.length} keys are too many, at most ${KEYS_MAX}`);
  }
  const keys = new Map<string, TrustedKey>();
  for (const [index, [block, label]] of blocks.entries()) {
    const which = blocks.length === 1 ? 'the key' : `key ${index + 1} of ${blocks.length}`;
    const key = trustedKeyOf(publicKeyOf(block, label ?? '', which));
    keys.set(key.id, key);
  }
  return [...keys.values()];
}

/** A key that was made or read here, with its id. */
export function trustedKeyOf(key: KeyObject): TrustedKey {
  const text = key.export({ format: 'pem', type: 'spki' });
  return { id: `sha256:${createHash('sha256').update(text).digest('hex')}`, key };
}

function publicKeyOf(block: string, label: string, which: string): KeyObject {
  if (label.includes('PRIVATE')) {
    const message = `${which} is a private key, here belongs a public one; treat the private key as known to others now`;
    throw new KeyError('KEY_KIND', message);
  }
  if (label !== 'PUBLIC KEY') {
    throw new KeyError('KEY_FORMAT', `${which} is a "${label}", must be a "PUBLIC KEY"`);
  }
  let key: KeyObject;
  try {
    key = createPublicKey(block);
  } catch {
    throw new KeyError('KEY_FORMAT', `${which} cannot be read as a public key`);
  }
  mustBeP256(key, which);
  return key;
}

/**
 * Reads a private key to sign with, PKCS#8 or SEC1, encrypted or not.
 * @throws KeyError
 */
export function readPrivateKey(pem: string, passphrase?: string): KeyObject {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1];
  if (label === undefined) {
    throw new KeyError('KEY_FORMAT', 'there is no PEM block "-----BEGIN PRIVATE KEY-----" in it');
  }
  if (label === 'PUBLIC KEY') {
    throw new KeyError('KEY_KIND', 'this is a public key, to sign takes the private one');
  }
  const encrypted = label.startsWith('ENCRYPTED') || pem.includes('Proc-Type: 4,ENCRYPTED');
  if (encrypted && passphrase === undefined) {
    throw new KeyError('KEY_PASSPHRASE', 'the key is encrypted, and no passphrase was given');
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    throw encrypted
      ? new KeyError('KEY_PASSPHRASE', 'the passphrase does not open the key')
      : new KeyError('KEY_FORMAT', 'it cannot be read as a private key');
  }
  mustBeP256(key, 'the key');
  return key;
}

/** A new key pair; the private half is encrypted (PKCS#8, AES-256) when there is a passphrase. */
export function makeKeyPair(passphrase?: string): {
  privatePem: string;
  publicPem: string;
  id: string;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return {
    privatePem: String(privateKey.export({ format: 'pem', type: 'pkcs8', ...encryption })),
    publicPem: String(publicKey.export({ format: 'pem', type: 'spki' })),
    id: trustedKeyOf(publicKey).id,
  };
}

function mustBeP256(key: KeyObject, which: string): void {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') return;
  const found = curve === undefined ? String(key.asymmetricKeyType) : `curve ${curve}`;
  throw new KeyError('KEY_CURVE', `${which} is of ${found}, must be ECDSA on P-256 (prime256v1)`);
}
