import { describe, expect, it } from '@jest/globals';
import { credentialFor, parseCredentials, parseRef, showRef } from './index.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('a ref', () => {
  it.each([
    ['/mnt/models', '/mnt/models'],
    ['file:///mnt/my%20models', '/mnt/my models'],
  ])('%s is a folder', (text, path) => {
    expect(parseRef(text)).toEqual({ kind: 'folder', path });
  });

  it.each([
    ['https://models.example/pump/1.0', 'https://models.example/pump/1.0/'],
    ['https://models.example/pump/model.json', 'https://models.example/pump/'],
    [
      'https://acc.blob.core.windows.net/m/pump?sv=1&sig=x',
      'https://acc.blob.core.windows.net/m/pump/?sv=1&sig=x',
    ],
  ])('%s is a place by HTTPS', (text, base) => {
    const ref = parseRef(text);
    expect(ref.kind === 'https' && ref.base.href).toBe(base);
  });

  it.each([
    [
      'oci://localhost:5000/models/pump:1.0',
      'https://localhost:5000',
      'models/pump',
      '1.0',
      undefined,
    ],
    ['oci+http://127.0.0.1:5000/pump:v1', 'http://127.0.0.1:5000', 'pump', 'v1', undefined],
    [`oci://r.example/pump@${DIGEST}`, 'https://r.example', 'pump', undefined, DIGEST],
    [`oci://r.example/a/b_c:1@${DIGEST}`, 'https://r.example', 'a/b_c', '1', DIGEST],
  ])('%s is an OCI artifact', (text, origin, repository, tag, manifestDigest) => {
    const ref = parseRef(text);
    expect(ref).toMatchObject({ kind: 'oci', repository, tag, manifestDigest });
    expect(ref.kind === 'oci' && ref.origin.origin).toBe(origin);
  });

  it.each([
    ['', 'must be a path'],
    ['ftp://host/path', 'must be a path'],
    ['oci://host', 'must be a path'],
    ['oci://host/repository', 'must have a tag or a digest'],
    ['oci://host/Repository:1', 'must name a repository in small letters'],
    ['oci://host/a/../b:1', 'must name a repository'],
    ['oci://host/a:b/c', 'must have a tag of'],
    ['oci://host/a@sha256:12', 'must have a digest of the form'],
    ['oci://user:secret@host/a:1', 'must be a path'],
    ['https://user:secret@host/a', 'must have no user in it'],
    ['file://host/a', 'file:///path'],
  ])('"%s" is refused, and no secret is shown', (text, allowed) => {
    expect(() => parseRef(text)).toThrow(allowed);
    expect(() => parseRef(text)).not.toThrow('secret');
  });

  it('is shown without its query and user', () => {
    expect(showRef('https://u:p@host/a?sig=secret')).toBe('https://***@host/a?***');
    expect(showRef(`oci://host/a@${DIGEST}`)).toBe(`oci://host/a@${DIGEST}`);
  });
});

describe('credentials', () => {
  it('are those of the host, and of the longest beginning of the path', () => {
    const credentials = parseCredentials(
      JSON.stringify({
        'acc.blob.core.windows.net': { sas: 'a' },
        'acc.blob.core.windows.net/models': { sas: 'b' },
        'registry.example:5000': { username: 'u', password: 'p' },
      }),
    );
    const of = (url: string): unknown => credentialFor(credentials, new URL(url));
    expect(of('https://acc.blob.core.windows.net/models/x')).toEqual({ sas: 'b' });
    expect(of('https://acc.blob.core.windows.net/models2/x')).toEqual({ sas: 'a' });
    expect(of('https://registry.example:5000/v2/')).toEqual({ username: 'u', password: 'p' });
    expect(of('https://registry.example/v2/')).toBeUndefined();
  });

  it('that are wrong are refused without what stands in them', () => {
    const secret = 'secret-value';
    for (const text of [`{"host": "${secret}"}`, `{"host": {"password": "${secret}"}}`, secret]) {
      expect(() => parseCredentials(text)).toThrow('SOURCE_REF');
      expect(() => parseCredentials(text)).not.toThrow(secret);
    }
  });
});
