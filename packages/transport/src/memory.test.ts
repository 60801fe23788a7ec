import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { seeded, until } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { MemoryHub } from './memory.ts';
import type { Transport, TransportHandlers } from './port.ts';
import {
  type Committed,
  type ConformanceHub,
  describeTransport,
  type Probe,
  type ProbeEvents,
} from './testing/conformance.ts';

describeTransport('a hub in memory', async () => new MemoryConformance(), {
  until: (condition, options) => until(condition, { every: 1, ...options }),
  bytesMax: MESSAGE_BYTES_MAX,
});

const handlersFor = (given: Partial<TransportHandlers>): TransportHandlers => ({
  inputs: {},
  methods: {},
  onDesired: () => {},
  onFatal: () => {},
  ...given,
});

class MemoryConformance implements ConformanceHub {
  readonly #hub = new MemoryHub().route('probe/out', 'probe/in').route('probe/parked', 'absent/in');
  readonly #committed: Committed[] = [];
  readonly #probes: Transport[] = [];
  #desired: Record<string, unknown> = {};

  async probe(): Promise<Probe> {
    const transport = this.#hub.transport('probe');
    const seen: ProbeEvents = { states: [], desired: [], fatal: [] };
    let poison: string | undefined;
    let putOff = 0;
    this.#probes.push(transport);
    const handlers = handlersFor({
      inputs: {
        in: ({ body, input: _, ...rest }) => {
          const text = body.toString('utf8');
          if (poison !== undefined && text.includes(poison)) throw new Error('poisoned');
          if (text.includes('not now') && putOff++ < 2) return 'later';
          this.#committed.push({ ...rest, body: text });
          return undefined;
        },
      },
      methods: {
        echo: (payload) => ({ status: 200, payload }),
        later: async (payload) => ({ status: 200, payload }),
        broken: () => {
          throw new Error('broken on purpose');
        },
      },
      onDesired: (document, version) => seen.desired.push({ document, version }),
      onState: (state) => seen.states.push(state),
      onFatal: (error) => seen.fatal.push(error.message),
    });
    transport.start(handlers).catch(() => {});
    return {
      events: async () => seen,
      send: (message) => transport.send(message),
      report: (patch) => transport.report(patch),
      close: () => transport.close(),
      kill: () => transport.close(),
      failOn: async (text) => {
        poison = text;
      },
    };
  }

  committed = async (): Promise<Committed[]> => this.#committed;
  reported = async (): Promise<Record<string, unknown>> => this.#hub.reported('probe');
  invoke = (method: string, payload: unknown) => this.#hub.invoke('probe', method, payload);
  disconnect = async (): Promise<void> => this.#hub.disconnect('probe');
  stop = async (): Promise<void> => this.#hub.refuse(true);
  start = async (): Promise<void> => this.#hub.refuse(false);
  queued = async (module: string): Promise<number> => this.#hub.queued(module);

  async desire(patch: Record<string, unknown>): Promise<void> {
    const merged: Record<string, unknown> = { ...this.#desired };
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete merged[name];
      else if (typeof value === 'object' && !Array.isArray(value)) {
        merged[name] = { ...(merged[name] as object | undefined), ...value };
      } else merged[name] = value;
    }
    this.#desired = merged;
    this.#hub.setDesired('probe', merged);
  }

  async close(): Promise<void> {
    await Promise.all(this.#probes.map((transport) => transport.close()));
  }
}

describe('faults of the hub in memory', () => {
  const pair = async (seed: number) => {
    const hub = new MemoryHub({ random: seeded(seed).next }).route('a/out', 'b/in');
    const arrived: string[] = [];
    const a = hub.transport('a');
    const b = hub.transport('b');
    await a.start(handlersFor({}));
    await b.start(
      handlersFor({ inputs: { in: ({ body }) => void arrived.push(body.toString()) } }),
    );
    return { hub, a, arrived };
  };

  it('tells the sender of a message that was lost on the way', async () => {
    const { hub, a, arrived } = await pair(1);
    hub.faults.loseSend = 1;
    await expect(a.send({ output: 'out', body: '1' })).rejects.toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      retry: 'now',
    });
    expect(hub.queued('b')).toBe(0);
    expect(arrived).toEqual([]);
  });

  it('delivers a message whose acknowledgement was lost', async () => {
    const { hub, a, arrived } = await pair(1);
    hub.faults.loseAcknowledgement = 1;
    await expect(a.send({ output: 'out', body: '1' })).rejects.toMatchObject({ retry: 'now' });
    await until(() => arrived.length === 1);
  });

  it('delivers twice when told to duplicate', async () => {
    const { hub, a, arrived } = await pair(1);
    hub.faults.duplicate = 1;
    await a.send({ output: 'out', body: '1' });
    await until(() => arrived.length === 2);
    expect(arrived).toEqual(['1', '1']);
  });

  it('acknowledges and forgets when told to drop', async () => {
    const { hub, a } = await pair(1);
    hub.faults.drop = 1;
    await a.send({ output: 'out', body: '1' });
    expect(hub.queued('b')).toBe(0);
  });

  it('reorders messages whose sends were awaited one by one, without losing any', async () => {
    const hub = new MemoryHub({ random: seeded(7).next }).route('a/out', 'b/in');
    hub.faults.reorder = 0.5;
    const a = hub.transport('a');
    await a.start(handlersFor({}));
    const sent = Array.from({ length: 30 }, (_, i) => `${i}`);
    for (const body of sent) await a.send({ output: 'out', body });
    const arrived: string[] = [];
    await hub
      .transport('b')
      .start(handlersFor({ inputs: { in: ({ body }) => void arrived.push(body.toString()) } }));
    await until(() => arrived.length === sent.length);
    expect(arrived).not.toEqual(sent);
    expect(new Set(arrived)).toEqual(new Set(sent));
  });

  it('gives the connection to the newest transport of a module', async () => {
    const hub = new MemoryHub().route('a/out', 'b/in');
    hub.faults.reconnectMs = 60_000;
    const old = hub.transport('a');
    await old.start(handlersFor({}));
    await hub.transport('a').start(handlersFor({}));
    expect(old.state).toBe('disconnected');
    await old.close();
  });
});
