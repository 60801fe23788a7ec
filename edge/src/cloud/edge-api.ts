import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type {
  ExchangeReply,
  ExchangeRequest,
  MessagesRequest,
  MethodOutcome,
  TwinState,
} from '../hub/cloud-protocol.ts';
import type { CloudStore } from './cloud-store.ts';
import { CloudError } from './errors.ts';
import type { JsonReply, JsonRequest } from './json-http.ts';
import type { MethodRelay } from './method-relay.ts';

const Texts = z.record(z.string(), z.string());
const Messages = z.object({
  messages: z.array(
    z.object({
      id: z.string().min(1),
      properties: z.object({ system: Texts, application: Texts }),
      body: z.base64(),
      enqueuedMs: z.number(),
    }),
  ),
});
const Exchange = z.object({
  waitMs: z.int().min(0).max(30_000),
  twins: z.array(
    z.object({
      client: z.string(),
      deployment: z.string(),
      desiredVersion: z.int(),
      desired: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  reported: z.array(
    z.object({ client: z.string(), reported: z.record(z.string(), z.unknown()), version: z.int() }),
  ),
});
const Outcome = z.union([
  z.object({
    ok: z.literal(true),
    reply: z.object({ status: z.number(), payload: z.unknown() }),
  }),
  z.object({ ok: z.literal(false), status: z.number(), message: z.string() }),
]);

export interface EdgeParts {
  store: CloudStore;
  relay: MethodRelay;
  changes: Changes;
  wallMs(): number;
}

/** Lets the poll of a device return at once when there is something to say. */
export class Changes {
  readonly #waiting = new Map<string, Set<() => void>>();

  notify(device: string): void {
    for (const wake of this.#waiting.get(device) ?? []) wake();
  }

  /** Whether a poll of this device is under way: then the device is connected. */
  isPolled(device: string): boolean {
    return (this.#waiting.get(device)?.size ?? 0) > 0;
  }

  /** Resolves at the next `notify`, after `timeoutMs`, or when the poll has gone. */
  wait(device: string, timeoutMs: number, gone: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(device) ?? new Set();
    this.#waiting.set(device, waiting);
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      waiting.add(wake);
      if (gone.aborted) wake();
      else gone.addEventListener('abort', wake, { once: true });
    });
  }
}

/** What an edge hub asks: `/edge/<device>/messages|exchange|methods/<id>`. The device is already authenticated. */
export async function edgeApi(
  request: JsonRequest,
  device: string,
  parts: EdgeParts,
): Promise<JsonReply> {
  const [, , area, id] = request.path;
  switch (`${request.method} ${area}`) {
    case 'POST messages': {
      const { messages } = checked(Messages, request.body) as MessagesRequest;
      return { status: 200, body: parts.store.receive(messages, parts.wallMs()) };
    }
    case 'POST exchange': {
      const exchange = checked(Exchange, request.body) as ExchangeRequest;
      return { status: 200, body: await exchangeTwins(device, exchange, request.gone, parts) };
    }
    case 'POST methods':
      parts.relay.answer(id ?? '', checked(Outcome, request.body) as MethodOutcome);
      return { status: 200, body: {} };
    default:
      throw new CloudError('NotFound', `there is no ${request.method} /${request.path.join('/')}`);
  }
}

async function exchangeTwins(
  device: string,
  exchange: ExchangeRequest,
  gone: AbortSignal,
  parts: EdgeParts,
): Promise<ExchangeReply> {
  const { store, relay, changes } = parts;
  for (const { client, reported, version } of exchange.reported) {
    const twin = store.ensureTwin(client);
    if (version > twin.reportedVersion) {
      store.saveTwin(client, { ...twin, reported, reportedVersion: version });
    }
  }
  let reply = compare(exchange.twins, store);
  // A poll only takes calls when it can still deliver them.
  if (!gone.aborted && exchange.waitMs > 0) reply.calls = relay.take(device);
  if (exchange.waitMs === 0 || hasContent(reply)) return reply;
  await changes.wait(device, exchange.waitMs, gone);
  reply = compare(exchange.twins, store);
  if (!gone.aborted) reply.calls = relay.take(device);
  return reply;
}

const hasContent = (reply: ExchangeReply): boolean =>
  reply.desired.length + reply.wanted.length + reply.calls.length > 0;

/** The cloud has the last word on desired properties, except that a new deployment of the site replaces them. */
function compare(states: readonly TwinState[], store: CloudStore): ExchangeReply {
  const reply: ExchangeReply = { desired: [], wanted: [], calls: [] };
  for (const state of states) {
    let twin = store.ensureTwin(state.client);
    if (state.deployment !== twin.deployment) {
      if (state.desired === undefined) {
        reply.wanted.push(state.client);
        continue;
      }
      twin = store.saveTwin(state.client, {
        ...twin,
        desired: state.desired,
        deployment: state.deployment,
        desiredVersion: Math.max(twin.desiredVersion + 1, state.desiredVersion),
      });
    }
    if (twin.desiredVersion === 0 || twin.desiredVersion === state.desiredVersion) continue;
    const { desired, desiredVersion: version } = twin;
    reply.desired.push({ client: state.client, desired, version });
  }
  return reply;
}

function checked<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = check(schema, body);
  if (result.ok) return result.value;
  throw new CloudError('ArgumentInvalid', describeProblems(result.problems));
}
