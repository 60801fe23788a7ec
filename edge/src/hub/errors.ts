export type HubErrorCode =
  /** `hub.json` cannot be read, is not of the right shape, or a route in it does not compile. */
  | 'HUB_CONFIG'
  /** Larger than 262,144 bytes with its properties. Will never be taken. */
  | 'HUB_MESSAGE_TOO_LARGE'
  /** QoS 2, which edge hub does not speak. */
  | 'HUB_NOT_SUPPORTED'
  /** CONNECT without valid credentials. */
  | 'HUB_UNAUTHORIZED'
  /** The hub is not ready, or a fault switch says so. */
  | 'HUB_UNAVAILABLE'
  /** Nobody by that name is connected, or it has no method handler. */
  | 'HUB_NOT_FOUND'
  /** The module took the method call and did not answer in time. */
  | 'HUB_GATEWAY_TIMEOUT'
  /** A request that can never succeed as it stands: wrong JSON, wrong twin, wrong name. */
  | 'HUB_BAD_REQUEST';

/** What the hub refuses, with the HTTP status that says the same. Match on `code`. */
export class HubError extends Error {
  override readonly name = 'HubError';
  readonly code: HubErrorCode;
  constructor(code: HubErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    switch (this.code) {
      case 'HUB_NOT_FOUND':
        return 404;
      case 'HUB_GATEWAY_TIMEOUT':
        return 504;
      case 'HUB_UNAUTHORIZED':
        return 401;
      case 'HUB_UNAVAILABLE':
        return 503;
      default:
        return 400;
    }
  }
}
