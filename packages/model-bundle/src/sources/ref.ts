import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SourceError } from './errors.ts';

/** Where a bundle is, as an operator writes it, in parts. */
export type BundleRef =
  /** A bundle's folder, or one with bundles in it, one or two levels down (a stick). */
  | { kind: 'folder'; path: string }
  /** `model.json` and the files that it names, side by side below this URL, which ends in `/`. A query goes with each. */
  | { kind: 'https'; base: URL }
  /** An OCI artifact: by tag, by the digest of its OCI manifest, or by both, and then the digest decides. */
  | {
      kind: 'oci';
      /** `https://host[:port]`, or `http://` for `oci+http`. */
      origin: URL;
      repository: string;
      tag: string | undefined;
      manifestDigest: string | undefined;
    };

export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Grammar of the OCI distribution specification, "Pulling manifests". */
const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const OCI = /^oci(?<plain>\+http)?:\/\/(?<host>[^/@?#]+)\/(?<rest>[^?#]+)$/;

const FORMS =
  'must be a path, file:///path, https://host/path, oci://host/repository:tag or oci://host/repository@sha256:...';

/**
 * Understands a ref.
 * @throws SourceError SOURCE_REF, with the ref in it as `showRef` shows it
 */
export function parseRef(text: string): BundleRef {
  if (text.startsWith('file:')) {
    try {
      return { kind: 'folder', path: fileURLToPath(text) };
    } catch (cause) {
      throw refused(text, 'must have the form file:///path', cause);
    }
  }
  if (/^oci/.test(text) && text.includes('://')) return parseOci(text);
  if (/^https?:\/\//i.test(text)) return parseHttps(text);
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) || text === '') throw refused(text, FORMS);
  return { kind: 'folder', path: isAbsolute(text) ? text : resolve(text) };
}

function parseHttps(text: string): BundleRef {
  if (!URL.canParse(text)) throw refused(text, 'is not a URL');
  const base = new URL(text);
  if (base.username !== '' || base.password !== '') {
    throw refused(text, 'must have no user in it; credentials are given by host, in a file');
  }
  base.hash = '';
  base.pathname = base.pathname.replace(/\/model\.json$/, '/').replace(/\/*$/, '/');
  return { kind: 'https', base };
}

function parseOci(text: string): BundleRef {
  const { plain, host, rest } = OCI.exec(text)?.groups ?? {};
  const origin = `${plain === undefined ? 'https' : 'http'}://${host}`;
  if (host === undefined || rest === undefined || !URL.canParse(origin)) throw refused(text, FORMS);
  const [named = '', manifestDigest, ...more] = rest.split('@');
  const colon = named.lastIndexOf(':');
  const repository = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (!REPOSITORY.test(repository) || repository.length > 255) {
    throw refused(text, 'must name a repository in small letters, digits and . _ - /');
  }
  if (tag !== undefined && !TAG.test(tag))
    throw refused(text, 'must have a tag of letters, digits and . _ -');
  if (more.length > 0 || (manifestDigest !== undefined && !DIGEST.test(manifestDigest))) {
    throw refused(text, 'must have a digest of the form sha256: and 64 hexadecimal digits');
  }
  if (tag === undefined && manifestDigest === undefined) {
    throw refused(text, 'must have a tag or a digest, there is no "latest" here');
  }
  return { kind: 'oci', origin: new URL(origin), repository, tag, manifestDigest };
}

const refused = (text: string, allowed: string, cause?: unknown): SourceError =>
  new SourceError('SOURCE_REF', `ref: "${showRef(text)}" is not allowed, ${allowed}`, { cause });

/** A ref or URL as it may be logged or reported: without user, password and query string, at most 300 characters. */
export function showRef(ref: string | URL): string {
  const text = String(ref)
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@(?!sha256:)/i, '$1***@')
    .replace(/[?#].*$/s, '?***');
  return text.length > 300 ? `${text.slice(0, 297)}...` : text;
}
