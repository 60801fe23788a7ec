import {
  AnonymousCredential,
  BlobServiceClient,
  type BlockBlobClient,
  type ContainerClient,
  newPipeline,
  type RequestPolicy,
  type RequestPolicyFactory,
  type RestError,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { StorageAddress } from './storage-address.ts';
import { codeOf, failureOf, UploadFailure } from './upload-failure.ts';

/** One file for the store, with what tells it from another of the same name. */
export interface Upload {
  name: string;
  body: Uint8Array;
  /** ASCII only. `recordsHash` and `bytes` are compared when the name is taken. */
  metadata: Readonly<Record<string, string>> & { recordsHash: string; bytes: string };
}

/**
 * A place for blobs. `put` is idempotent: the same upload again is answered with `exists` and changes nothing, also
 * when the answer to the first was lost. It never overwrites. @throws UploadFailure
 */
export interface BlobTarget {
  put(upload: Upload, signal: AbortSignal): Promise<'created' | 'exists'>;
}

export interface BlobTargetOptions {
  container: string;
  createContainer: boolean;
  /** `x-ms-version`; empty for the SDK's own. */
  apiVersion: string;
}

/** Any endpoint that speaks Blob Storage: Azure, Azure Stack Hub, Stack Edge, the IoT Edge module, Azurite. */
export class AzureBlobTarget implements BlobTarget {
  readonly #container: ContainerClient;
  readonly #createContainer: boolean;

  constructor(address: StorageAddress, options: BlobTargetOptions) {
    const credential =
      address.key === undefined
        ? new AnonymousCredential()
        : new StorageSharedKeyCredential(address.key.account, address.key.secret);
    // One try a call: pauses and repeats are the uploader's, which can be stopped and knows all lanes.
    const pipeline = newPipeline(credential, {
      retryOptions: { maxTries: 1 },
      keepAliveOptions: { enable: true },
      userAgentOptions: { userAgentPrefix: 'holdfast' },
    });
    // In front of all others, so that the signature covers the changed header.
    if (options.apiVersion !== '') pipeline.factories.unshift(forceVersion(options.apiVersion));
    const url = address.sas === undefined ? address.url : `${address.url}?${address.sas}`;
    this.#container = new BlobServiceClient(url, pipeline).getContainerClient(
      address.container ?? options.container,
    );
    this.#createContainer = options.createContainer && address.container === undefined;
  }

  async put(upload: Upload, signal: AbortSignal): Promise<'created' | 'exists'> {
    const blob = this.#container.getBlockBlobClient(upload.name);
    try {
      return await this.#upload(blob, upload, signal);
    } catch (error) {
      if (codeOf(error as RestError) !== 'ContainerNotFound' || !this.#createContainer) {
        throw failureOf(error);
      }
    }
    try {
      await this.#container.createIfNotExists({ abortSignal: signal });
      return await this.#upload(blob, upload, signal);
    } catch (error) {
      throw failureOf(error);
    }
  }

  async #upload(
    blob: BlockBlobClient,
    { body, metadata }: Upload,
    abortSignal: AbortSignal,
  ): Promise<'created' | 'exists'> {
    try {
      await blob.upload(body, body.length, {
        abortSignal,
        conditions: { ifNoneMatch: '*' },
        metadata: { ...metadata },
        blobHTTPHeaders: { blobContentType: 'application/vnd.apache.parquet' },
      });
      return 'created';
    } catch (error) {
      if (!mayBeTaken(error as RestError)) throw error;
      return this.#compare(blob, metadata, { abortSignal, refusal: error as RestError });
    }
  }

  /** The name is taken, or may be, most likely by our own upload whose answer was lost. */
  async #compare(
    blob: BlockBlobClient,
    wanted: Upload['metadata'],
    { abortSignal, refusal }: { abortSignal: AbortSignal; refusal: RestError },
  ): Promise<'exists'> {
    let found: { metadata?: Record<string, string>; contentLength?: number };
    try {
      found = await blob.getProperties({ abortSignal });
    } catch (error) {
      if ((error as RestError).statusCode === 404) throw refusal;
      if ((error as RestError).statusCode !== 403) throw error;
      // A SAS that may create but not read. Where the store says that the name is taken, the hash in it is proof.
      if (isTaken(refusal)) return 'exists';
      throw refusal;
    }
    const metadata = new Map(
      Object.entries(found.metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const same = metadata.get('recordshash') === wanted.recordsHash;
    const whole = Number(metadata.get('bytes')) === found.contentLength;
    if (same && whole) return 'exists';
    throw new UploadFailure('blob', 'the name is taken by a blob with other records', {
      status: 409,
    });
  }
}

/** 409 and 412 answer `If-None-Match: *`; a SAS without the right to write is answered with 403 instead. */
function isTaken(error: RestError): boolean {
  const code = codeOf(error);
  if (error.statusCode === 409) return code === 'BlobAlreadyExists';
  return error.statusCode === 412 || code === 'UnauthorizedBlobOverwrite';
}

/** Some stores only say that the SAS lacks the right to overwrite, as they do when it lacks the right to create. */
const mayBeTaken = (error: RestError): boolean =>
  isTaken(error) || codeOf(error) === 'AuthorizationPermissionMismatch';

/** Makes every request speak one version of the REST API: older stamps refuse newer ones. */
function forceVersion(version: string): RequestPolicyFactory {
  return {
    create: (next: RequestPolicy): RequestPolicy => ({
      sendRequest: (request) => {
        request.headers.set('x-ms-version', version);
        return next.sendRequest(request);
      },
    }),
  };
}
