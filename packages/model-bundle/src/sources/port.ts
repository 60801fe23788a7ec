import type { Credentials } from './credentials.ts';
import type { SourceError } from './errors.ts';

/** Bounds of one fetch; sizes in bytes, times in ms. */
export interface FetchLimits {
  /** All files together. @default 4 GiB */
  bundleBytesMax: number;
  /** Files that a manifest may name. @default 64 */
  filesMax: number;
  /** Room that stays free on the volume after the download. @default 64 MiB */
  freeBytesMin: number;
  /** From the request to the head of the answer. @default 30 s */
  answerMs: number;
  /** Within this time at least `stallBytes` must come, or the connection is given up. @default 30 s */
  stallMs: number;
  /** @default 4 KiB */
  stallBytes: number;
  /** Tries in a row that bring nothing new. @default 6 */
  triesMax: number;
  /** Pauses between tries grow from here with jitter. @default 500 ms */
  pauseMsMin: number;
  /** ... up to here. @default 30 s */
  pauseMsMax: number;
}

export const FETCH_LIMITS: FetchLimits = {
  bundleBytesMax: 4 * 1024 ** 3,
  filesMax: 64,
  freeBytesMin: 64 * 1024 ** 2,
  answerMs: 30_000,
  stallMs: 30_000,
  stallBytes: 4_096,
  triesMax: 6,
  pauseMsMin: 500,
  pauseMsMax: 30_000,
};

export interface FetchProgress {
  /** Of the bundle's files on disk now. */
  bytesDone: number;
  /** Undefined while the source does not tell sizes. */
  bytesTotal: number | undefined;
  /** The file that is being fetched. */
  file: string;
}

/** What reaching a source needs, for a fetch as for a push. */
export interface ReachOptions {
  /** @default none: anonymous */
  credentials?: Credentials | undefined;
  /** PEM certificates to trust beside those that Node trusts (NODE_EXTRA_CA_CERTS counts among these). */
  ca?: string | undefined;
  /** `host[:port]` that may be reached by plain HTTP; this machine always may. @default none */
  allowHttp?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  /** For the whole call. @default 24 h */
  deadlineMs?: number | undefined;
  limits?: Partial<FetchLimits> | undefined;
  /** A try failed and is repeated after this pause. */
  onRetry?: ((error: SourceError, pauseMs: number) => void) | undefined;
}

export interface FetchOptions extends ReachOptions {
  /**
   * Folder of the store; made when it is not there. The bundle becomes `<into>/sha256-<hex of its digest>`, by one
   * rename, when all its bytes are there, verified and on disk. Until then they are in `<into>/.partial`.
   */
  into: string;
  /** For a ref that is a folder: use it where it is, and only check digests. @default false: copied */
  inPlace?: boolean | undefined;
  /** Digests that are still wanted; partial downloads of any other are removed first. @default nothing is removed */
  wanted?: readonly string[] | undefined;
  /** A bundle that is in the store gets the signature that the source has now, after a change of keys. @default false */
  refreshSignature?: boolean | undefined;
  onProgress?: ((progress: FetchProgress) => void) | undefined;
}

export interface FetchedBundle {
  /** The bundle: `model.json`, every file that it names, and `model.sig` where the source has one. */
  folder: string;
  /** SHA-256 of `model.json`: the digest of the bundle. */
  digest: string;
  /** SHA-256 of the OCI manifest, which pins a tag: another number than `digest`. Only for OCI, when it was asked. */
  manifestDigest: string | undefined;
  /** Bytes that came from the source in this call; 0 when the bundle was in the store already. */
  bytesFetched: number;
}

export const folderName = (digest: string): string => digest.replace(':', '-');
