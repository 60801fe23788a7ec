import { request } from 'node:http';
import type { MethodResult, Twin } from './edge-handle.ts';
import { EdgeError } from './errors.ts';

/** Longer than the longest direct method. */
const ANSWER_TIMEOUT_MS = 310_000;

/** Asks the hub process over its control socket. */
export class HubControl {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws EdgeError EDGE_NO_ANSWER when the hub is down, EDGE_REFUSED with the hub's own words */
  status(): Promise<Record<string, unknown>> {
    return this.#call('GET', '/status') as Promise<Record<string, unknown>>;
  }

  setFaults(faults: Record<string, unknown>): Promise<unknown> {
    return this.#call('POST', '/faults', faults);
  }

  invokeMethod(module: string, name: string, payload: unknown): Promise<MethodResult> {
    const path = `/methods/${encodeURIComponent(module)}/${encodeURIComponent(name)}`;
    return this.#call('POST', path, { payload }) as Promise<MethodResult>;
  }

  twin(module: string): Promise<Twin> {
    return this.#call('GET', `/twins/${encodeURIComponent(module)}`) as Promise<Twin>;
  }

  patchTwin(module: string, desired: Record<string, unknown>): Promise<unknown> {
    return this.#call('PATCH', `/twins/${encodeURIComponent(module)}`, desired);
  }

  #call(method: string, path: string, body?: unknown): Promise<unknown> {
    return callSocket({ socket: this.#socket, method, path, body, who: 'the hub' });
  }
}

/** One JSON request over a Unix socket. @throws EdgeError EDGE_NO_ANSWER, EDGE_REFUSED */
export function callSocket(call: {
  socket: string;
  method: string;
  path: string;
  body?: unknown;
  who: string;
}): Promise<unknown> {
  const { socket, method, path, body, who } = call;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new EdgeError('EDGE_NO_ANSWER', `${who} does not answer: ${error.message}`, {
          cause: error,
        }),
      );
    const outgoing = request(
      { socketPath: socket, method, path, timeout: ANSWER_TIMEOUT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          const status = response.statusCode ?? 500;
          const answer = parse(Buffer.concat(chunks).toString('utf8'));
          if (status < 300) resolve(answer);
          else reject(new EdgeError('EDGE_REFUSED', messageOf(answer, who), { status }));
        });
      },
    );
    outgoing.on('error', fail);
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    if (body !== undefined) outgoing.setHeader('content-type', 'application/json');
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function messageOf(answer: unknown, who: string): string {
  const message = (answer as { message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message : `${who} refused: ${JSON.stringify(answer)}`;
}
