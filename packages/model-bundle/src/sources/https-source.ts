import { type Credentials, credentialFor } from './credentials.ts';
import type { SourceError } from './errors.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { errorOf } from './http-errors.ts';
import type { FetchLimits } from './port.ts';
import { type Get, openRange } from './ranges.ts';
import { readSmall } from './read-body.ts';
import {
  type BundleSource,
  MANIFEST,
  type OpenedFile,
  SIGNATURE,
  SMALL_BYTES_MAX,
  type SourceFile,
} from './source.ts';

export interface WebAccess {
  http: HttpClient;
  credentials: Credentials;
  limits: FetchLimits;
  signal: AbortSignal;
}

/** A bundle whose files lie side by side below a URL: any web server, or Azure Blob Storage with a SAS. */
export class HttpsSource implements BundleSource {
  readonly #base: URL;
  readonly #access: WebAccess;

  constructor(base: URL, access: WebAccess) {
    this.#base = base;
    this.#access = access;
  }

  async manifest(): Promise<{ bytes: Buffer; manifestDigest: undefined }> {
    return { bytes: await this.#small(MANIFEST), manifestDigest: undefined };
  }

  async sizes(files: readonly SourceFile[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const { name } of files) {
      const { http } = this.#access;
      const answer = await http.send({ method: 'HEAD', ...place(this.#base, name, this.#access) });
      answer.body.resume();
      const length = answer.headers['content-length'];
      if (answer.status === 200 && length !== undefined) sizes.set(name, Number(length));
      // Whoever may read need not be allowed to ask (a URL signed for GET), so only this is final.
      if (answer.status === 404 || answer.status === 410) throw await errorOf(answer);
    }
    return sizes;
  }

  open(
    file: SourceFile,
    from: { bytes: number; validator: string | undefined },
  ): Promise<OpenedFile> {
    return openRange(this.#get(file.name), from);
  }

  async signature(): Promise<Buffer | undefined> {
    try {
      return await this.#small(SIGNATURE);
    } catch (error) {
      // Stores that do not let everyone list say 403 of what is not there.
      const { code } = error as SourceError;
      if (code === 'SOURCE_NOT_FOUND' || code === 'SOURCE_DENIED') return undefined;
      throw error;
    }
  }

  #get(name: string): Get {
    const { http } = this.#access;
    return (headers): Promise<HttpAnswer> =>
      http.send({ method: 'GET', headers, ...place(this.#base, name, this.#access) });
  }

  async #small(name: string): Promise<Buffer> {
    const { limits, signal } = this.#access;
    const { body } = await openRange(this.#get(name), { bytes: 0, validator: undefined });
    return readSmall(body, name, { ...limits, signal, bytesMax: SMALL_BYTES_MAX });
  }
}

/** URL of a file below a base, with what the host wants to see. */
export function place(
  base: URL,
  name: string,
  { credentials }: Pick<WebAccess, 'credentials'>,
): { url: URL; authorization: string | undefined } {
  const url = new URL(name, base);
  url.search = base.search;
  const credential = credentialFor(credentials, url);
  if (credential === undefined) return { url, authorization: undefined };
  if ('sas' in credential) {
    const sas = credential.sas.replace(/^\?/, '');
    url.search = url.search === '' ? sas : `${url.search}&${sas}`;
    return { url, authorization: undefined };
  }
  if ('token' in credential) return { url, authorization: `Bearer ${credential.token}` };
  return { url, authorization: basic(credential) };
}

export const basic = ({ username, password }: { username: string; password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
