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
  /** The ONNX file needs another operator set than the manifest says, or one that is too new. */
  | 'BUNDLE_OPSET'
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
