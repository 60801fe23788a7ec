import type { Attempts } from './attempts.ts';
import { SourceError } from './errors.ts';
import type { HttpAnswer } from './http-client.ts';
import { errorOf } from './http-errors.ts';
import type { WebAccess } from './https-source.ts';
import { manifestOf, OCI_MANIFEST_TYPE } from './oci-manifest.ts';
import { OciRegistry } from './oci-registry.ts';
import { inMemory, type PushedFile, type PushPlan } from './push-plan.ts';
import type { BundleRef } from './ref.ts';

/** A larger file goes up in pieces of this size, so that a line that breaks off costs one piece at most. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** Pushes one bundle into one repository. Blobs that are there already are not sent. */
export class OciPush {
  readonly #registry: OciRegistry;
  readonly #attempts: Attempts;
  readonly #onBytes: (bytes: number) => void;

  constructor(
    ref: Extract<BundleRef, { kind: 'oci' }>,
    access: WebAccess,
    options: { attempts: Attempts; onBytes(bytes: number): void },
  ) {
    this.#registry = new OciRegistry(ref.origin, ref.repository, access, 'pull,push');
    this.#attempts = options.attempts;
    this.#onBytes = options.onBytes;
  }

  /** The manifest goes last: a tag never names what is not there. Gives its digest. */
  async run(plan: PushPlan, tag: string): Promise<string> {
    const { config, manifest } = manifestOf(plan);
    for (const file of [...plan.files, inMemory('config', config)]) {
      await this.#attempts.run(() => this.#blob(file));
    }
    const sent = inMemory('manifest', manifest);
    const answer = await this.#attempts.run(() =>
      this.#expect(201, {
        method: 'PUT',
        at: `manifests/${tag}`,
        headers: { 'content-type': OCI_MANIFEST_TYPE },
        body: sent.body(0, sent.bytes),
      }),
    );
    const told = answer.headers['docker-content-digest'];
    if (told === undefined || told === sent.digest) return sent.digest;
    const text = `the registry has stored ${String(told)}, sent was ${sent.digest}`;
    throw new SourceError('SOURCE_PROTOCOL', text);
  }

  async #blob(file: PushedFile): Promise<void> {
    const found = await this.#registry.send({ method: 'HEAD', at: `blobs/${file.digest}` });
    found.body.resume();
    if (found.status === 200) return this.#onBytes(file.bytes);
    if (found.status !== 404) throw await errorOf(found);
    const whole = file.bytes <= PIECE_BYTES;
    let location: URL | undefined;
    while (location === undefined) {
      const begun = await this.#expect(202, { method: 'POST', at: 'blobs/uploads/' });
      location = this.#locationIn(begun);
      if (!whole) location = await this.#pieces(file, location);
    }
    location.searchParams.set('digest', file.digest);
    const body = whole ? { body: file.body(0, file.bytes) } : {};
    const headers = { 'content-type': 'application/octet-stream' };
    await this.#expect(201, { method: 'PUT', at: location, headers, ...body });
    if (whole) this.#onBytes(file.bytes);
  }

  /**
   * Sends the pieces one after the other. After a failure the registry is asked how far it has come; one that has
   * forgotten the upload gets a new one.
   * @returns where the upload ends, or undefined when it was forgotten
   */
  async #pieces(file: PushedFile, begun: URL): Promise<URL | undefined> {
    let location: URL | undefined = begun;
    let sent = 0;
    let unsure = false;
    while (location !== undefined && sent < file.bytes) {
      const at: URL = location;
      location = await this.#attempts.run(async () => {
        if (unsure) {
          const status = await this.#registry.send({ method: 'GET', at });
          status.body.resume();
          if (status.status >= 500) throw await errorOf(status);
          const received = receivedIn(status);
          if (received === undefined) return undefined;
          sent = received;
          unsure = false;
          return this.#locationIn(status);
        }
        unsure = true;
        const end = Math.min(sent + PIECE_BYTES, file.bytes);
        const headers = {
          'content-type': 'application/octet-stream',
          'content-range': `${sent}-${end - 1}`,
        };
        const body = file.body(sent, end);
        const answer = await this.#expect(202, { method: 'PATCH', at, headers, body });
        unsure = false;
        this.#onBytes(end - sent);
        this.#attempts.progressed(end - sent);
        sent = end;
        return this.#locationIn(answer);
      });
    }
    return location;
  }

  async #expect(status: number, request: Parameters<OciRegistry['send']>[0]): Promise<HttpAnswer> {
    const answer = await this.#registry.send(request);
    if (answer.status !== status) throw await errorOf(answer);
    answer.body.resume();
    return answer;
  }

  #locationIn({ headers, url }: HttpAnswer): URL {
    const { location } = headers;
    if (location !== undefined && URL.canParse(location, url.href)) return new URL(location, url);
    throw new SourceError(
      'SOURCE_PROTOCOL',
      `${url.host} does not say where to go on with an upload`,
    );
  }
}

/** Bytes that the registry has of an upload, from `Range: 0-<last>`; undefined when it has no such upload. */
function receivedIn({ status, headers }: HttpAnswer): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(String(headers.range ?? ''))?.[1];
  if (status !== 204 || last === undefined) return undefined;
  // Registries write 0-0 for nothing; that a piece broke off after exactly one byte is not worth a case.
  return last === '0' ? 0 : Number(last) + 1;
}
