/** An answer of IoT Hub other than success. `code` is the word that stands in its body. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly code: CloudErrorCode;
  constructor(code: CloudErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

const STATUS = {
  ArgumentInvalid: 400,
  IotHubUnauthorizedAccess: 401,
  DeviceNotFound: 404,
  ModuleNotFound: 404,
  DeviceNotOnline: 404,
  NotFound: 404,
  PreconditionFailed: 412,
  ServerError: 500,
  NotSimulated: 501,
  GatewayTimeout: 504,
} as const;
export type CloudErrorCode = keyof typeof STATUS;
