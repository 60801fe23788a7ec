import type { Readable } from 'node:stream';

export { MANIFEST } from '../bundle-folder.ts';
export { SIGNATURE } from '../signing/envelope.ts';

/** A file of a bundle, as far as it is known before its bytes are. */
export interface SourceFile {
  name: string;
  /** SHA-256 from the manifest. */
  digest: string;
}

/** Bytes of one file, from `startBytes` on; 0 when the source cannot, or must not, go on where asked. */
export interface OpenedFile {
  body: Readable;
  startBytes: number;
  /** Of the whole file, when the source tells. */
  sizeBytes: number | undefined;
  /** Names this state of the file (an entity tag); given back at the next `open`. */
  validator: string | undefined;
}

/**
 * One place with one bundle. A source only carries bytes: what they are is checked by its caller, against digests.
 * Nothing is tried twice here; an error with retry `now` says that it may be.
 */
export interface BundleSource {
  /** Bytes of `model.json`, and what pins them here. Must be asked first. */
  manifest(): Promise<{ bytes: Buffer; manifestDigest: string | undefined }>;
  /** Sizes of the files whose size can be known without reading them. @throws SourceError when one is not there */
  sizes(files: readonly SourceFile[]): Promise<ReadonlyMap<string, number>>;
  /** Opens a file from a byte on; starts at 0 when it is no longer the state that `validator` names. */
  open(
    file: SourceFile,
    from: { bytes: number; validator: string | undefined },
  ): Promise<OpenedFile>;
  /** Bytes of `model.sig`, or undefined when the bundle is not signed. */
  signature(): Promise<Buffer | undefined>;
}

/** Names inside of a bundle: no folders, nothing hidden. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Manifests and signatures are kilobytes. */
export const SMALL_BYTES_MAX = 1024 * 1024;
