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
import { Pace } from '../domain/pace.ts';
import { Connections } from './connections.ts';
import { stageBlocks } from './stage-blocks.ts';
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
  /** `progressed` is called with each answer that makes the rest of the upload smaller. */
  put(upload: Upload, signal: AbortSignal, progressed: () => void): Promise<'created' | 'exists'>;
  /** A small question after silence: why nothing answers, or undefined when something does, whatever it says. */
  silence(signal: AbortSignal): Promise<UploadFailure | undefined>;
  /**
   * Whether these records are at the store under this name, whole; undefined when the store does not let us look.
   * @throws UploadFailure
   */
  holds(name: string, recordsHash: string, signal: AbortSignal): Promise<boolean | undefined>;
}

export interface BlobTargetOptions {
  container: string;
  createContainer: boolean;
  /** `x-ms-version`; empty for the SDK's own. */
  apiVersion: string;
  /** Longest time for one request, however slow the link. */
  timeoutSecs: number;
}

/** Longest time for the small question, in ms: three round trips by satellite and one packet lost. */
const ANSWER_MS = 3_000;

/**
 * Any endpoint that speaks Blob Storage: Azure, Azure Stack Hub, Stack Edge, the IoT Edge module, Azurite. A blob that is
 * too large for one request of the present pace is staged in blocks, so each answer is progress that a cut leaves standing.
 */
export class AzureBlobTarget implements BlobTarget {
  readonly #container: ContainerClient;
  readonly #createContainer: boolean;
  readonly #connections = new Connections();
  readonly #pace: Pace;
  /** False once the store has said that the SAS may create blobs and may not stage blocks. */
  #mayStage = true;

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
    pipeline.factories.unshift(this.#connections.policy);
    // In front of all others, so that the signature covers the changed header.
    if (options.apiVersion !== '') pipeline.factories.unshift(forceVersion(options.apiVersion));
    const url = address.sas === undefined ? address.url : `${address.url}?${address.sas}`;
    this.#container = new BlobServiceClient(url, pipeline).getContainerClient(
      address.container ?? options.container,
    );
    this.#createContainer = options.createContainer && address.container === undefined;
    this.#pace = new Pace(options.timeoutSecs * 1000);
  }

  async put(
    upload: Upload,
    signal: AbortSignal,
    progressed: () => void,
  ): Promise<'created' | 'exists'> {
    const blob = this.#container.getBlockBlobClient(upload.name);
    const call = { blob, upload, signal, progressed };
    try {
      return await this.#upload(call);
    } catch (error) {
      if (codeOf(error as RestError) !== 'ContainerNotFound' || !this.#createContainer) {
        throw failureOf(error);
      }
    }
    try {
      await this.#ask(0, signal, (abortSignal) =>
        this.#container.createIfNotExists({ abortSignal }),
      );
      return await this.#upload(call);
    } catch (error) {
      throw failureOf(error);
    }
  }

  async silence(signal: AbortSignal): Promise<UploadFailure | undefined> {
    this.#connections.forgetIdle();
    const timeout = AbortSignal.timeout(ANSWER_MS);
    try {
      await this.#container.getProperties({ abortSignal: AbortSignal.any([signal, timeout]) });
    } catch (error) {
      if (timeout.aborted) return noAnswerIn(ANSWER_MS);
      if ((error as RestError).statusCode === undefined) return failureOf(error);
    }
    this.#pace.alive();
    return undefined;
  }

  async holds(
    name: string,
    recordsHash: string,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    const blob = this.#container.getBlockBlobClient(name);
    try {
      const found = await this.#ask(0, signal, (abortSignal) =>
        blob.getProperties({ abortSignal }),
      );
      return isSame(found, recordsHash);
    } catch (error) {
      if ((error as RestError).statusCode === 404) return false;
      // The right to look is missing; any other refusal is about the credentials, and passes.
      if (codeOf(error as RestError) === 'AuthorizationPermissionMismatch') return undefined;
      throw failureOf(error);
    }
  }

  async #upload(call: Call): Promise<'created' | 'exists'> {
    try {
      if (this.#mayStage && call.upload.body.length > this.#pace.pieceBytes) {
        return await this.#inBlocks(call);
      }
      return await this.#whole(call);
    } catch (error) {
      if (!mayBeTaken(error as RestError)) throw error;
      return this.#compare(call, error as RestError);
    }
  }

  async #whole({ blob, upload, signal }: Call): Promise<'created'> {
    const { body } = upload;
    await this.#ask(body.length, signal, (abortSignal) =>
      blob.upload(body, body.length, { abortSignal, ...unlessTaken(upload) }),
    );
    return 'created';
  }

  async #inBlocks(call: Call): Promise<'created' | 'exists'> {
    const { blob, upload, signal, progressed } = call;
    let blocks: string[] | undefined;
    try {
      blocks = await stageBlocks(blob, upload.body, {
        ask: (bytes, request) => this.#ask(bytes, signal, request),
        pieceBytes: () => this.#pace.pieceBytes,
        progressed,
      });
    } catch (error) {
      if (codeOf(error as RestError) !== 'AuthorizationPermissionMismatch') throw error;
      this.#mayStage = false;
      return this.#whole(call);
    }
    if (blocks === undefined) return this.#compare(call, new UploadFailure('transport', VANISHED));
    const ids = blocks;
    await this.#ask(0, signal, (abortSignal) =>
      blob.commitBlockList(ids, { abortSignal, ...unlessTaken(upload) }),
    );
    return 'created';
  }

  /** One request with so many bytes of body, within the time that the pace grants. */
  async #ask<T>(
    bytes: number,
    signal: AbortSignal,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limitMs = this.#pace.limitMs(bytes);
    const timeout = AbortSignal.timeout(limitMs);
    const startedMs = performance.now();
    const tookMs = (): number => performance.now() - startedMs;
    try {
      const answer = await request(AbortSignal.any([signal, timeout]));
      this.#pace.answered(bytes, tookMs());
      return answer;
    } catch (error) {
      if (signal.aborted) throw error;
      if ((error as RestError).statusCode !== undefined) this.#pace.answered(bytes, tookMs());
      else if (timeout.aborted) {
        this.#pace.givenUp(bytes);
        throw noAnswerIn(limitMs);
      } else this.#pace.cutOff(bytes, tookMs());
      throw error;
    }
  }

  /** The name is taken, or may be, most likely by our own upload whose answer was lost. */
  async #compare({ blob, upload, signal }: Call, refusal: Error): Promise<'exists'> {
    let found: Properties;
    try {
      found = await this.#ask(0, signal, (abortSignal) => blob.getProperties({ abortSignal }));
    } catch (error) {
      if ((error as RestError).statusCode === 404) throw refusal;
      if ((error as RestError).statusCode !== 403) throw error;
      // A SAS that may create but not read. Where the store says that the name is taken, the hash in it is proof.
      if (isTaken(refusal)) return 'exists';
      throw refusal;
    }
    if (isSame(found, upload.metadata.recordsHash)) return 'exists';
    throw new UploadFailure('blob', 'the name is taken by a blob with other records', {
      status: 409,
    });
  }
}

/** One blob on its way. */
interface Call {
  blob: BlockBlobClient;
  upload: Upload;
  signal: AbortSignal;
  progressed: () => void;
}

interface Properties {
  metadata?: Record<string, string>;
  contentLength?: number;
}

/** Whether what is at the store has these records, and all its bytes. */
function isSame(found: Properties, recordsHash: string): boolean {
  const metadata = new Map(
    Object.entries(found.metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const whole = Number(metadata.get('bytes')) === found.contentLength;
  return metadata.get('recordshash') === recordsHash && whole;
}

const noAnswerIn = (ms: number): UploadFailure =>
  new UploadFailure('transport', `no answer from the store in ${Math.round(ms / 100) / 10} s`);

const VANISHED = 'the store has a blob of this name, and then it has none';

/** Makes a blob only where none is: what an upload and its repetition have in common. */
const unlessTaken = ({ metadata }: Upload) => ({
  conditions: { ifNoneMatch: '*' },
  metadata: { ...metadata },
  blobHTTPHeaders: { blobContentType: 'application/vnd.apache.parquet' },
});

/** 409 and 412 answer `If-None-Match: *`; a SAS without the right to write is answered with 403 instead. */
function isTaken(error: Partial<RestError>): boolean {
  const code = codeOf(error);
  if (error.statusCode === 409) return code === 'BlobAlreadyExists';
  return error.statusCode === 412 || code === 'UnauthorizedBlobOverwrite';
}

/** Some stores only say that the SAS lacks the right to overwrite, as they do when it lacks the right to create. */
const mayBeTaken = (error: Partial<RestError>): boolean =>
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
