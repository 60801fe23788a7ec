/** Why an image cannot be scored. None of them goes away when the same image is sent again. */
export type ImageErrorCode =
  /** There are no bytes. */
  | 'IMAGE_EMPTY'
  /** Neither JPEG nor PNG. */
  | 'IMAGE_TYPE'
  /** More bytes or pixels than are allowed. */
  | 'IMAGE_TOO_LARGE'
  /** Cut off, damaged, or it takes too long to decode. */
  | 'IMAGE_UNREADABLE'
  /** The model takes no images. */
  | 'NO_IMAGE_MODEL';

export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: ImageErrorCode;
  constructor(code: ImageErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
