import type { ExchangeReply, MethodOutcome } from '../hub/cloud-protocol.ts';
import type { MethodCall, MethodReply } from '../hub/methods.ts';
import { CloudError } from './errors.ts';

type Call = ExchangeReply['calls'][number];

interface Pending {
  call: Call;
  device: string;
  taken: boolean;
  resolve(reply: MethodReply): void;
  reject(error: CloudError): void;
  timer: NodeJS.Timeout;
}

/** A hub is asked again right after each answer, so this is how long a gap between two polls may be, in ms. */
const POLL_GAP_MS = 1_000;
/** Added to the module's own limits, for the way there and back, in ms. */
const WAY_MS = 3_000;

/**
 * Direct method calls on their way to the edge device. States: *waiting* (no poll has taken it: 404 after the
 * connect timeout), *taken* (504 after both timeouts), *answered*.
 */
export class MethodRelay {
  readonly #newId: () => string;
  readonly #onCall: (device: string) => void;
  readonly #pending = new Map<string, Pending>();

  constructor(newId: () => string, onCall: (device: string) => void) {
    this.#newId = newId;
    this.#onCall = onCall;
  }

  /** @throws CloudError DeviceNotOnline, GatewayTimeout or what the hub has answered */
  call(device: string, client: string, call: MethodCall): Promise<MethodReply> {
    const id = this.#newId();
    const connectMs = (call.connectTimeoutInSeconds ?? 0) * 1_000;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(id, new CloudError('DeviceNotOnline', `${device} is not connected`)),
        connectMs + POLL_GAP_MS,
      );
      const pending = { call: { id, client, call }, device, taken: false, resolve, reject, timer };
      this.#pending.set(id, pending);
      this.#onCall(device);
    });
  }

  /** Calls that no poll has taken yet. */
  take(device: string): Call[] {
    const calls: Call[] = [];
    for (const [id, pending] of this.#pending) {
      if (pending.device !== device || pending.taken) continue;
      pending.taken = true;
      clearTimeout(pending.timer);
      const { connectTimeoutInSeconds: connect = 0, responseTimeoutInSeconds: response = 30 } =
        pending.call.call;
      pending.timer = setTimeout(
        () => this.#fail(id, new CloudError('GatewayTimeout', `${device} did not answer in time`)),
        (connect + response) * 1_000 + WAY_MS,
      );
      calls.push(pending.call);
    }
    return calls;
  }

  answer(id: string, outcome: MethodOutcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (outcome.ok) {
      this.#pending.delete(id);
      clearTimeout(pending.timer);
      pending.resolve(outcome.reply);
      return;
    }
    const { status, message } = outcome;
    if (status === 404) this.#fail(id, new CloudError('DeviceNotOnline', message));
    else if (status === 504) this.#fail(id, new CloudError('GatewayTimeout', message));
    else this.#fail(id, new CloudError('ArgumentInvalid', message));
  }

  close(): void {
    for (const id of this.#pending.keys()) {
      this.#fail(id, new CloudError('ServerError', 'the cloud is stopping'));
    }
  }

  #fail(id: string, error: CloudError): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.reject(error);
  }
}
