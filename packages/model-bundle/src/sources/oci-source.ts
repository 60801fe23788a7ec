import { SourceError } from './errors.ts';
import { errorOf } from './http-errors.ts';
import type { WebAccess } from './https-source.ts';
import { type Descriptor, layersOf, OCI_MANIFEST_TYPE } from './oci-manifest.ts';
import { OciRegistry } from './oci-registry.ts';
import { openRange } from './ranges.ts';
import { readSmall } from './read-body.ts';
import type { BundleRef } from './ref.ts';
import {
  type BundleSource,
  MANIFEST,
  type OpenedFile,
  SIGNATURE,
  SMALL_BYTES_MAX,
  type SourceFile,
} from './source.ts';
import { digestOf } from './store.ts';

type OciRef = Extract<BundleRef, { kind: 'oci' }>;

const ACCEPTED = [
  OCI_MANIFEST_TYPE,
  'application/vnd.docker.distribution.manifest.v2+json',
  // Asked for as well, so that an index is named in the refusal and is not "not found".
  'application/vnd.oci.image.index.v1+json',
].join(', ');

/** A bundle in an OCI registry, one layer a file. */
export class OciSource implements BundleSource {
  readonly #ref: OciRef;
  readonly #access: WebAccess;
  readonly #registry: OciRegistry;
  readonly #where: string;
  #layers: ReadonlyMap<string, Descriptor> = new Map();

  constructor(ref: OciRef, access: WebAccess) {
    this.#ref = ref;
    this.#access = access;
    this.#registry = new OciRegistry(ref.origin, ref.repository, access, 'pull');
    const { tag, manifestDigest } = ref;
    const pin = manifestDigest === undefined ? `:${tag}` : `@${manifestDigest}`;
    this.#where = `${ref.origin.host}/${ref.repository}${pin}`;
  }

  async manifest(): Promise<{ bytes: Buffer; manifestDigest: string }> {
    const { tag, manifestDigest: pinned } = this.#ref;
    const at = `manifests/${pinned ?? tag}`;
    const answer = await this.#registry.send({ method: 'GET', at, headers: { accept: ACCEPTED } });
    if (answer.status !== 200) throw await errorOf(answer);
    const manifest = await readSmall(answer.body, 'the OCI manifest', this.#small);
    const manifestDigest = digestOf(manifest);
    if (pinned !== undefined && manifestDigest !== pinned) {
      const text = `${this.#where}: the registry gives an OCI manifest of the digest ${manifestDigest}`;
      throw new SourceError('SOURCE_DIGEST', text);
    }
    this.#layers = layersOf(manifest, this.#where);
    const bytes = await this.#file(MANIFEST);
    if (bytes !== undefined) return { bytes, manifestDigest };
    throw new SourceError('SOURCE_NOT_FOUND', `${this.#where} has no layer that is ${MANIFEST}`);
  }

  /** Sizes and digests are in the OCI manifest, so what does not fit together is found before a byte is fetched. */
  async sizes(files: readonly SourceFile[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const { name, digest } of files) {
      const layer = this.#layers.get(name);
      if (layer === undefined) {
        throw new SourceError('SOURCE_NOT_FOUND', `${this.#where} has no layer that is ${name}`);
      }
      if (layer.digest !== digest) {
        const text = `${this.#where}: the layer ${name} is ${layer.digest}, ${MANIFEST} names ${digest}`;
        throw new SourceError('SOURCE_DIGEST', text);
      }
      sizes.set(name, layer.size);
    }
    return sizes;
  }

  /** A blob is what its digest names, whoever gives it: any part of it continues any other. */
  async open(file: SourceFile, from: { bytes: number }): Promise<OpenedFile> {
    const range = { bytes: from.bytes, validator: undefined };
    const opened = await openRange((headers) => this.#blob(file.digest, headers), range);
    const { size } = this.#layers.get(file.name) ?? {};
    if (opened.sizeBytes === undefined || opened.sizeBytes === size) {
      return { ...opened, sizeBytes: size };
    }
    opened.body.destroy();
    const text = `${this.#where}: ${file.name} has ${opened.sizeBytes} bytes, its layer says ${size}`;
    throw new SourceError('SOURCE_PROTOCOL', text);
  }

  signature(): Promise<Buffer | undefined> {
    return this.#file(SIGNATURE);
  }

  get #small() {
    const { limits, signal } = this.#access;
    return { ...limits, signal, bytesMax: SMALL_BYTES_MAX };
  }

  #blob(digest: string, headers: Record<string, string>) {
    return this.#registry.send({ method: 'GET', at: `blobs/${digest}`, headers });
  }

  async #file(name: string): Promise<Buffer | undefined> {
    const layer = this.#layers.get(name);
    if (layer === undefined) return undefined;
    const answer = await this.#blob(layer.digest, {});
    if (answer.status !== 200) throw await errorOf(answer);
    const bytes = await readSmall(answer.body, name, this.#small);
    if (digestOf(bytes) === layer.digest) return bytes;
    throw new SourceError('SOURCE_DIGEST', `${this.#where}: ${name} is not ${layer.digest}`);
  }
}
