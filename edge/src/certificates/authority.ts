import { randomBytes, webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
// The library needs this polyfill to be there before it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { replaceFile } from '../replace-file.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Life of the authority: longer than any development machine keeps its state. */
const AUTHORITY_DAYS = 3_650;
/** Life of a server certificate; a new one is issued at each start that finds less than a tenth left. */
const SERVER_DAYS = 365;
/** Certificates begin in the past, so that a clock that is slightly behind still accepts them. */
const BACKDATE_MS = DAY_MS;

/** A private key and its certificate chain, both PEM. The chain begins with the certificate itself. */
export interface KeyPair {
  privateKeyPem: string;
  certificatePem: string;
  notAfterMs: number;
}

export interface CertificateAuthority {
  /** What clients trust: PEM of the authority's own certificate. */
  readonly trustBundlePem: string;
  readonly caFile: string;
  /** Issues a certificate for these DNS names and IP addresses. The first one is the common name. */
  issue(names: readonly string[], days?: number): Promise<KeyPair>;
  /**
   * Key and certificate files for these names in the state folder: made at the first call, kept as long as they
   * are valid and for the same names.
   */
  server(file: string, names: readonly string[]): Promise<{ keyFile: string; certFile: string }>;
}

/**
 * Opens the authority of a state folder, or makes one at the first start. Private keys are files that only their
 * owner can read.
 */
export async function openAuthority(folder: string, nowMs: number): Promise<CertificateAuthority> {
  x509.cryptoProvider.set(webcrypto as webcrypto.Crypto);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keyFile = join(folder, 'ca.key.pem');
  const caFile = join(folder, 'ca.cert.pem');
  // One that was made in 1970, before the clock was set, is worth nothing now.
  if (!existsSync(keyFile) || !existsSync(caFile) || !isValidAt(caFile, nowMs)) {
    const made = await makeAuthority(nowMs);
    replaceFile(keyFile, made.privateKeyPem, 0o600);
    replaceFile(caFile, made.certificatePem, 0o644);
  }
  const certificate = new x509.X509Certificate(readFileSync(caFile, 'utf8'));
  const key = await importKey(readFileSync(keyFile, 'utf8'));
  return new StoredAuthority({ folder, caFile, certificate, key, nowMs });
}

function isValidAt(certFile: string, nowMs: number): boolean {
  const { notBefore, notAfter } = new x509.X509Certificate(readFileSync(certFile, 'utf8'));
  return notBefore.getTime() <= nowMs && nowMs < notAfter.getTime();
}

class StoredAuthority implements CertificateAuthority {
  readonly trustBundlePem: string;
  readonly caFile: string;
  readonly #folder: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #nowMs: number;

  constructor(parts: {
    folder: string;
    caFile: string;
    certificate: x509.X509Certificate;
    key: webcrypto.CryptoKey;
    nowMs: number;
  }) {
    this.#folder = parts.folder;
    this.caFile = parts.caFile;
    this.#certificate = parts.certificate;
    this.#key = parts.key;
    this.#nowMs = parts.nowMs;
    this.trustBundlePem = ended(parts.certificate.toString('pem'));
  }

  async issue(names: readonly string[], days = SERVER_DAYS): Promise<KeyPair> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const notAfterMs = this.#nowMs + days * DAY_MS;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [names[0] ?? 'localhost'] }],
      issuer: this.#certificate.subject,
      notBefore: new Date(this.#nowMs - BACKDATE_MS),
      notAfter: new Date(notAfterMs),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return {
      privateKeyPem: await exportKey(keys.privateKey),
      certificatePem: ended(certificate.toString('pem')) + this.trustBundlePem,
      notAfterMs,
    };
  }

  async server(
    file: string,
    names: readonly string[],
  ): Promise<{ keyFile: string; certFile: string }> {
    const keyFile = join(this.#folder, `${file}.key.pem`);
    const certFile = join(this.#folder, `${file}.cert.pem`);
    if (!existsSync(keyFile) || !this.#isUsable(certFile, names)) {
      const made = await this.issue(names);
      replaceFile(keyFile, made.privateKeyPem, 0o600);
      replaceFile(certFile, made.certificatePem, 0o644);
    }
    return { keyFile, certFile };
  }

  #isUsable(certFile: string, names: readonly string[]): boolean {
    if (!existsSync(certFile)) return false;
    const certificate = new x509.X509Certificate(readFileSync(certFile, 'utf8'));
    const left = certificate.notAfter.getTime() - this.#nowMs;
    if (left < (SERVER_DAYS * DAY_MS) / 10) return false;
    if (certificate.issuer !== this.#certificate.subject) return false;
    const alternatives = certificate.getExtension(x509.SubjectAlternativeNameExtension);
    const known = new Set(alternatives?.names.items.map((name) => name.value));
    return known.size === new Set(names).size && names.every((name) => known.has(name));
  }
}

async function makeAuthority(nowMs: number): Promise<{
  privateKeyPem: string;
  certificatePem: string;
}> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // A name of its own for each state folder, so that certificates of another folder are told apart.
    name: [{ CN: [`Holdfast local edge ${serialNumber().slice(0, 8)}`] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    privateKeyPem: await exportKey(keys.privateKey),
    certificatePem: ended(certificate.toString('pem')),
  };
}

/** Positive, as X.509 demands: the first bit is zero. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return ended(x509.PemConverter.encode(der, 'PRIVATE KEY'));
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  return webcrypto.subtle.importKey('pkcs8', der!, ALGORITHM, true, ['sign']);
}

const ended = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`);
