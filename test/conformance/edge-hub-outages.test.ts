// Goal: the edge hub adapter survives what the SDK by itself does not: a first connection that is refused, a silent
// link, an outage beyond the SDK's four minutes, a hub that has forgotten its sessions, a new token while sends are
// under way. Method: the local edge's hub as a process, a module process, limits shortened, faults switched at the
// hub and at a gate in front of it.
import { join } from 'node:path';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ShimControl, shimEnvironment, shimUnavailable } from '../faults/disk/shim.ts';
import { LocalHub } from './local-hub.ts';
import type { ProbeClient } from './probe-client.ts';

let hub: LocalHub;
afterEach(async () => {
  await hub.close();
});

const last = async (probe: ProbeClient): Promise<string | undefined> =>
  (await probe.events()).states.at(-1);
const isConnected = async (probe: ProbeClient): Promise<boolean> =>
  (await last(probe)) === 'connected';
const connected = async (): Promise<ProbeClient> => {
  const probe = await hub.probe();
  await until(() => isConnected(probe), { timeoutMs: 20_000, what: () => hub.log });
  return probe;
};
const bodies = async (): Promise<string[]> => (await hub.committed()).map(({ body }) => body);
const faults = (request: object): Promise<unknown> => hub.control('POST', '/faults', request);

/** Repeats a send, as every sender must, until the hub has acknowledged it. */
const sendUntilStored = async (probe: ProbeClient, body: string): Promise<void> => {
  await until(
    () =>
      probe.send({ output: 'out', body, messageId: body }).then(
        () => true,
        (error: { retry: string }) => {
          expect(error.retry).not.toBe('never');
          return false;
        },
      ),
    { timeoutMs: 30_000, every: 30, what: () => `acknowledgement of ${body}: ${hub.log}` },
  );
};

/** Inputs, twin and methods all work. */
const expectAlive = async (probe: ProbeClient, mark: string): Promise<void> => {
  await sendUntilStored(probe, mark);
  await until(async () => (await bodies()).includes(mark), {
    timeoutMs: 20_000,
    what: () => hub.log,
  });
  await hub.desire({ mark });
  await until(async () => (await probe.events()).desired.at(-1)?.document.mark === mark, {
    timeoutMs: 20_000,
  });
  await until(async () => (await hub.invoke('echo', mark)).payload === mark, {
    timeoutMs: 20_000,
  });
};

describe('the first connection', () => {
  it.each(['unauthorized', 'unavailable', 'reset'])(
    'is tried again when the answer is %s',
    async (kind) => {
      hub = await LocalHub.open();
      await faults({ refuseConnections: kind });
      const probe = await hub.probe();
      await until(() => probe.output.includes('"attempts":3'), { what: () => probe.output });
      expect(await last(probe)).not.toBe('connected');
      await faults({ refuseConnections: null });
      await until(() => isConnected(probe), { timeoutMs: 20_000 });
      await expectAlive(probe, 'after refusals');
    },
  );

  it('is tried again when the workload API is not there yet', async () => {
    hub = await LocalHub.open();
    await hub.workload.close();
    const probe = await hub.probe();
    await until(() => probe.output.includes('"attempts":2'), { what: () => probe.output });
    await hub.reopenWorkload();
    await until(() => isConnected(probe), { timeoutMs: 20_000, what: () => probe.output });
  });
});

describe('a connection string instead of the workload API', () => {
  it('connects as well, and again after the hub was away', async () => {
    hub = await LocalHub.open();
    const probe = await hub.probe(hub.connectionStringEnvironment());
    await until(() => isConnected(probe), { timeoutMs: 20_000, what: () => probe.output });
    await expectAlive(probe, 'by key');
    await hub.disconnect();
    await expectAlive(probe, 'by key again');
    expect(hub.workload.asked).toEqual({});
  });
});

describe('a link that goes silent', () => {
  it('fails sends in time with a wish to repeat, and comes back', async () => {
    hub = await LocalHub.open({ sendTimeoutMs: 500, openTimeoutMs: 1_000 });
    const probe = await connected();
    await hub.gate.set('silent');
    await expect(probe.send({ output: 'out', body: 'lost?' })).rejects.toMatchObject({
      code: 'TRANSPORT_TIMEOUT',
      retry: 'now',
    });
    await until(async () => (await last(probe)) === 'disconnected');
    await hub.gate.set('up');
    hub.gate.cut();
    await until(() => isConnected(probe), { timeoutMs: 20_000 });
    await expectAlive(probe, 'after silence');
  });

  it('is noticed without a send, by the twin that does not answer', async () => {
    hub = await LocalHub.open({ probeEveryMs: 300, twinTimeoutMs: 300, openTimeoutMs: 1_000 });
    const probe = await connected();
    await until(async () => (await probe.events()).desired.length > 0);
    await hub.gate.set('silent');
    await until(async () => (await last(probe)) === 'disconnected');
    await hub.gate.set('up');
    hub.gate.cut();
    await until(() => isConnected(probe), { timeoutMs: 20_000 });
  });
});

describe('a connection that a router has forgotten', () => {
  it('is noticed although nothing is sent, and replaced', async () => {
    hub = await LocalHub.open({ keepaliveSecs: 1 });
    const probe = await connected();
    await expectAlive(probe, 'before');
    const connections = hub.gate.connections;
    hub.gate.strand();
    await until(() => hub.gate.connections > connections, { timeoutMs: 20_000 });
    await until(() => isConnected(probe), { timeoutMs: 20_000 });
    await expectAlive(probe, 'after');
  });
});

describe('a module whose clock stands in 1970', () => {
  it('connects by itself once the clock is set', async () => {
    // Without a C compiler the clock of one process cannot be moved.
    if (shimUnavailable() !== undefined) return;
    hub = await LocalHub.open();
    const folder = temporaryFolder('clock');
    const control = join(folder, 'control');
    const shim = ShimControl.create(control);
    const wallOffsetMs = 5_000 - Date.now();
    const probe = await hub.probe({
      ...hub.environment(),
      ...shimEnvironment({ folder, control, wallOffsetMs }),
    });
    await until(() => probe.output.includes('"attempts":3'), { what: () => probe.output });
    expect(await last(probe)).not.toBe('connected');
    shim.set({ wallOffsetMs: 0 });
    await until(() => isConnected(probe), { timeoutMs: 20_000, what: () => probe.output });
    await expectAlive(probe, 'after the clock was set');
  });
});

describe('a long outage', () => {
  it('beyond the four minutes of the SDK ends in a connection with inputs, twin and methods', async () => {
    hub = await LocalHub.open();
    const probe = await connected();
    await expectAlive(probe, 'before');
    await hub.stop();
    await until(async () => (await last(probe)) === 'disconnected');
    await probe.skipTime(5 * 60_000);
    await until(() => probe.output.includes('"attempts":5'), { what: () => probe.output });
    await probe.skipTime(60 * 60_000);
    await hub.start();
    await until(() => isConnected(probe), { timeoutMs: 20_000, what: () => probe.output });
    await expectAlive(probe, 'after five minutes and an hour');
  });

  it('of the network, with refused and reset connections, loses nothing', async () => {
    hub = await LocalHub.open();
    const probe = await connected();
    const sent = Array.from({ length: 12 }, (_, i) => `n${i}`);
    for (const [i, body] of sent.entries()) {
      if (i % 4 === 1) await hub.gate.set('down');
      const sending = sendUntilStored(probe, body);
      if (i % 4 === 1) {
        await until(async () => (await last(probe)) === 'disconnected');
        await hub.gate.set('up');
      }
      await sending;
    }
    await until(async () => new Set(await bodies()).size === sent.length, { timeoutMs: 20_000 });
    expect(new Set(await bodies())).toEqual(new Set(sent));
  });
});

describe('a hub that starts anew', () => {
  it('pushes twin changes to the module again', async () => {
    hub = await LocalHub.open();
    const probe = await connected();
    await expectAlive(probe, 'before');
    await hub.stop();
    await hub.start();
    await until(() => isConnected(probe), { timeoutMs: 20_000 });
    await expectAlive(probe, 'after');
  });

  it('and has forgotten all sessions finds the module subscribed nevertheless', async () => {
    hub = await LocalHub.open();
    const probe = await connected();
    await hub.stop();
    hub.wipe();
    await hub.start();
    await until(() => isConnected(probe), { timeoutMs: 20_000 });
    await expectAlive(probe, 'nobody remembers me');
  });
});

describe('a new token', () => {
  it('interrupts nothing: inputs, sends and twin go on over many renewals', async () => {
    hub = await LocalHub.open({ renewEveryMs: 300 });
    const probe = await connected();
    const sent: string[] = [];
    await until(
      async () => {
        const body = `m${sent.length}`;
        sent.push(body);
        await sendUntilStored(probe, body);
        return (hub.workload.asked['generation-1/sign'] ?? 0) >= 6;
      },
      { timeoutMs: 25_000 },
    );
    await until(async () => new Set(await bodies()).size === sent.length, { timeoutMs: 20_000 });
    expect(new Set(await bodies())).toEqual(new Set(sent));
    await expectAlive(probe, 'still');
  });

  it('does not wait long for a send that the hub leaves without an answer', async () => {
    hub = await LocalHub.open({ renewEveryMs: 700, renewDrainMs: 200, sendTimeoutMs: 20_000 });
    const probe = await connected();
    await faults({ withholdPuback: { client: 'site-1/probe', count: 1 } });
    const startedMs = performance.now();
    await expect(probe.send({ output: 'out', body: 'no answer' })).rejects.toMatchObject({
      code: 'TRANSPORT_NOT_CONNECTED',
      retry: 'later',
    });
    // The SDK's own renewal would have stood still for 30 s.
    expect(performance.now() - startedMs).toBeLessThan(15_000);
    await until(() => isConnected(probe));
    await expectAlive(probe, 'after the renewal');
  });

  it('loses no input that arrives while the old connection ends', async () => {
    hub = await LocalHub.open({ renewEveryMs: 250, renewDrainMs: 50 });
    const probe = await connected();
    const sent = Array.from({ length: 60 }, (_, i) => `s${i}`);
    for (const [i, body] of sent.entries()) {
      if (i % 20 === 0) await faults({ withholdPuback: { client: 'site-1/probe', count: 1 } });
      await sendUntilStored(probe, body);
    }
    await until(async () => new Set(await bodies()).size === sent.length, { timeoutMs: 25_000 });
    expect(new Set(await bodies())).toEqual(new Set(sent));
  });
});
