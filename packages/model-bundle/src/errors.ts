import { describeProblems, type Problem } from '@holdfast/contracts';

/** What is wrong with a bundle. None of them mends itself: the bundle must be replaced or mounted. */
export type BundleErrorCode =
  /** The folder is not there or cannot be listed. */
  | 'BUNDLE_NO_FOLDER'
  /** A file that every bundle has, or that the manifest names, is not there or cannot be read. */
  | 'BUNDLE_FILE_MISSING'
  /** A JSON file is larger than any real one, or is not JSON. */
  | 'BUNDLE_NOT_JSON'
  /** A JSON file is not of its schema; `problems` has path, value and what is allowed. */
  | 'BUNDLE_SCHEMA'
  /** A file is not the one that the manifest was made with. */
  | 'BUNDLE_DIGEST'
  /** There is no signature, and one is required. */
  | 'BUNDLE_UNSIGNED'
  /** `model.sig` is not a signature of the OpenSSF Model Signing key method, or does not hold. */
  | 'BUNDLE_SIGNATURE'
  /** The signature was made with a key that is not trusted here. */
  | 'BUNDLE_KEY'
  /** The signature holds, but for other files: one is missing, altered, or was never signed. */
  | 'BUNDLE_ALTERED'
  /** An older version than the one that was accepted last. */
  | 'BUNDLE_DOWNGRADE'
  /** The ONNX file is cut off or is no ONNX file. */
  | 'BUNDLE_GARBLED'
  /** The ONNX file needs another operator set than the manifest says, or a format that is too new. */
  | 'BUNDLE_OPSET'
  /** The ONNX file uses operators that are not part of the runtime. */
  | 'BUNDLE_DOMAIN'
  /** The ONNX file takes weights from a file that is not part of the bundle. */
  | 'BUNDLE_EXTERNAL_DATA'
  /** The ONNX file contradicts itself: sizes, or names that are there twice. */
  | 'BUNDLE_GRAPH'
  /** The ONNX file has more of something than any model that this release runs. */
  | 'BUNDLE_LIMIT'
  /** ONNX Runtime does not load the file. */
  | 'BUNDLE_LOAD'
  /** Names, types or shapes of the tensors are not what the manifest says. */
  | 'BUNDLE_TENSORS'
  /** The model does not give the golden outputs on this machine. */
  | 'BUNDLE_GOLDEN';

/** A bundle that must not be used. Match on `code`. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
  readonly code: BundleErrorCode;
  /** File of the bundle, where one is to blame. */
  readonly file: string | undefined;
  readonly problems: readonly Problem[];

  constructor(
    code: BundleErrorCode,
    message: string,
    options: { file?: string; problems?: readonly Problem[]; cause?: unknown } = {},
  ) {
    super(`${code}: ${message}`, { cause: options.cause });
    this.code = code;
    this.file = options.file;
    this.problems = options.problems ?? [];
  }

  static of(code: BundleErrorCode, file: string, problems: readonly Problem[]): BundleError {
    return new BundleError(code, `${file}: ${describeProblems(problems)}`, { file, problems });
  }
}

export const isBundleError = (error: unknown): error is BundleError =>
  error instanceof Error && error.name === 'BundleError';

/** What is wrong with a key that was given to sign or to verify with. */
export type KeyErrorCode =
  /** The text holds no key, or something else than a key. */
  | 'KEY_FORMAT'
  /** Another algorithm or curve than ECDSA P-256. */
  | 'KEY_CURVE'
  /** A private key where a public one belongs, or the other way round. */
  | 'KEY_KIND'
  /** The private key is encrypted, and the passphrase is missing or wrong. */
  | 'KEY_PASSPHRASE';

/** A key that cannot be used. The message never holds any of the key. Match on `code`. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyErrorCode;
  constructor(code: KeyErrorCode, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

export const isKeyError = (error: unknown): error is KeyError =>
  error instanceof Error && error.name === 'KeyError';
