import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { OutboundMessage } from '../port.ts';
import type { ConformanceHub, Probe } from './conformance-hub.ts';

export type { Committed, ConformanceHub, Probe, ProbeEvents } from './conformance-hub.ts';

/** Waits for a condition; the suite's adapter brings it, so that this package needs no test package. */
type Until = (
  condition: () => Promise<unknown> | unknown,
  options?: { timeoutMs?: number; what?: string },
) => Promise<unknown>;

/** The behaviours that every adapter of the transport port has. Goal: what the port promises; method: a real hub or a fake one, one module that sends to itself. */
export function describeTransport(
  name: string,
  open: () => Promise<ConformanceHub>,
  { until, bytesMax }: { until: Until; bytesMax: number },
): void {
  describe(`transport on ${name}`, () => {
    let hub: ConformanceHub;
    const message = (body: unknown, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
      output: 'out',
      body: JSON.stringify(body),
      ...more,
    });
    const bodies = async (): Promise<unknown[]> =>
      (await hub.committed()).map(({ body }) => JSON.parse(body));
    const isConnected = async (probe: Probe): Promise<boolean> =>
      (await probe.events()).states.at(-1) === 'connected';
    const connected = async (): Promise<Probe> => {
      const probe = await hub.probe();
      await until(() => isConnected(probe), { what: 'the connection', timeoutMs: 20_000 });
      return probe;
    };
    /** As every sender must: again until the hub has acknowledged. */
    const sendUntilStored = async (probe: Probe, outbound: OutboundMessage): Promise<void> => {
      await until(
        async () => {
          try {
            await probe.send(outbound);
            return true;
          } catch (error) {
            expect((error as { retry: string }).retry).not.toBe('never');
            return false;
          }
        },
        { what: `acknowledgement of ${outbound.messageId}`, timeoutMs: 20_000 },
      );
    };

    beforeEach(async () => {
      hub = await open();
    }, 30_000);
    afterEach(async () => {
      await hub.close();
    }, 30_000);

    describe('outbound', () => {
      it('delivers body, application properties, message id, content type and sender', async () => {
        const probe = await connected();
        const properties = { kind: 'readings', note: 'a=b&c/d ü%' };
        await probe.send(message({ text: 'Grüße ☂' }, { messageId: 'm-1', properties }));
        await until(async () => (await hub.committed()).length > 0);
        const [arrived] = await hub.committed();
        expect(arrived).toEqual({
          body: '{"text":"Grüße ☂"}',
          messageId: 'm-1',
          properties,
          contentType: 'application/json',
          sender: 'probe',
        });
      });

      it('resolves only after the hub has stored the message for every route', async () => {
        const probe = await connected();
        for (const n of [1, 2, 3]) {
          await probe.send(message(n, { output: 'parked' }));
          expect(await hub.queued('absent')).toBe(n);
        }
      });

      it('gives every message an id where the sender gave none', async () => {
        const probe = await connected();
        await probe.send(message(1));
        await probe.send(message(2));
        await until(async () => (await hub.committed()).length === 2);
        const ids = (await hub.committed()).map(({ messageId }) => messageId);
        expect(new Set(ids).size).toBe(2);
        expect(ids).not.toContain(undefined);
      });

      it('keeps the order of sends that are awaited one by one', async () => {
        const probe = await connected();
        const numbers = Array.from({ length: 40 }, (_, i) => i);
        for (const n of numbers) await probe.send(message(n));
        await until(async () => (await hub.committed()).length >= numbers.length);
        expect(await bodies()).toEqual(numbers);
      });

      it('takes a body of exactly the limit, counted in bytes', async () => {
        const probe = await connected();
        const body = JSON.stringify('ä'.repeat((bytesMax - 2) / 2));
        expect(Buffer.byteLength(body)).toBe(bytesMax);
        await probe.send({ output: 'out', body });
        await until(async () => (await hub.committed()).length === 1);
        expect((await hub.committed())[0]?.body === body).toBe(true);
      });

      it('refuses a body of one byte more for ever', async () => {
        const probe = await connected();
        const body = `${JSON.stringify('ä'.repeat((bytesMax - 2) / 2))} `;
        await expect(probe.send({ output: 'out', body })).rejects.toMatchObject({
          code: 'TRANSPORT_TOO_LARGE',
          retry: 'never',
        });
      });

      it('says at once that there is no connection', async () => {
        const probe = await connected();
        await hub.stop();
        await until(async () => (await probe.events()).states.at(-1) === 'disconnected');
        await expect(probe.send(message(1))).rejects.toMatchObject({
          code: 'TRANSPORT_NOT_CONNECTED',
        });
      });

      it('loses nothing over lost connections when the sender repeats', async () => {
        const probe = await connected();
        const numbers = Array.from({ length: 30 }, (_, i) => i);
        for (const n of numbers) {
          const sending = sendUntilStored(probe, message(n, { messageId: `m-${n}` }));
          if (n % 10 === 5) await hub.disconnect();
          await sending;
        }
        await until(async () => new Set(await bodies()).size === numbers.length, {
          timeoutMs: 20_000,
        });
        expect([...new Set(await bodies())].sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
      });

      it('loses nothing that was acknowledged when the hub dies', async () => {
        const probe = await connected();
        for (const n of [1, 2, 3]) await probe.send(message(n, { output: 'parked' }));
        await hub.stop();
        await hub.start();
        expect(await hub.queued('absent')).toBe(3);
      });
    });

    describe('inbound', () => {
      it('does not acknowledge a message whose handler threw, and ends the process', async () => {
        const first = await connected();
        await first.failOn('poison');
        await first.send(message('before'));
        await first.send(message('poison'));
        await until(async () => (await first.events()).fatal.length === 1);
        expect(await bodies()).toEqual(['before']);
        expect(await hub.queued('probe')).toBe(1);

        await connected();
        await until(async () => (await hub.committed()).length === 2);
        expect(await bodies()).toEqual(['before', 'poison']);
      });

      it('brings a message again that could not be taken, in its place in the order', async () => {
        const probe = await connected();
        const texts = ['before', 'not now', 'after'];
        for (const text of texts) {
          await sendUntilStored(probe, message(text, { messageId: `m-${text}` }));
        }
        await until(async () => new Set(await bodies()).size === 3, { timeoutMs: 20_000 });
        expect([...new Set(await bodies())]).toEqual(texts);
        expect((await probe.events()).fatal).toEqual([]);
      });

      it('keeps messages while the module is away and delivers them in order', async () => {
        const first = await connected();
        await first.failOn('1');
        for (const n of [1, 2, 3, 4]) await first.send(message(n)).catch(() => {});
        await until(async () => (await first.events()).fatal.length === 1);
        const waiting = await hub.queued('probe');
        expect(waiting).toBeGreaterThanOrEqual(1);
        await connected();
        await until(async () => (await hub.committed()).length >= waiting);
        expect(await bodies()).toEqual([1, 2, 3, 4].slice(0, waiting));
      });

      it('takes its subscriptions up again after the hub was away', async () => {
        const probe = await connected();
        await hub.stop();
        await until(async () => (await probe.events()).states.at(-1) === 'disconnected');
        await hub.start();
        await until(() => isConnected(probe), { timeoutMs: 20_000 });
        await sendUntilStored(probe, message('again'));
        await until(async () => (await bodies()).includes('again'), { timeoutMs: 20_000 });
      });

      it('connects when the hub comes up after the module', async () => {
        await hub.stop();
        const probe = await hub.probe();
        await expect(probe.send(message(1))).rejects.toMatchObject({
          code: 'TRANSPORT_NOT_CONNECTED',
        });
        await hub.start();
        await until(() => isConnected(probe), { timeoutMs: 20_000 });
        await sendUntilStored(probe, message('late'));
        await until(async () => (await bodies()).includes('late'));
      });
    });

    describe('twin', () => {
      const lastDesired = async (probe: Probe): Promise<Record<string, unknown> | undefined> =>
        (await probe.events()).desired.at(-1)?.document;

      it('hands over the whole desired document at the first connection', async () => {
        await hub.desire({ limits: { low: 1 }, names: ['a', 'b'] });
        const probe = await connected();
        await until(async () => (await lastDesired(probe)) !== undefined);
        expect(await lastDesired(probe)).toEqual({ limits: { low: 1 }, names: ['a', 'b'] });
      });

      it('hands over the whole document after a change, with arrays replaced and keys deleted', async () => {
        await hub.desire({ limits: { low: 1, high: 9 }, names: ['a', 'b', 'c'], old: true });
        const probe = await connected();
        await until(async () => (await probe.events()).desired.length > 0);
        await hub.desire({ limits: { low: 2 }, names: ['z'], old: null });
        await until(async () => (await probe.events()).desired.length > 1);
        expect(await lastDesired(probe)).toEqual({ limits: { low: 2, high: 9 }, names: ['z'] });
        const [before, after] = (await probe.events()).desired;
        expect(after?.version).toBeGreaterThan(before?.version ?? Number.NaN);
      });

      it('hands over what changed while there was no connection', async () => {
        await hub.desire({ n: 1 });
        const probe = await connected();
        await until(async () => (await probe.events()).desired.length > 0);
        await hub.stop();
        await hub.start();
        await hub.desire({ n: 2 });
        await until(async () => (await lastDesired(probe))?.n === 2, { timeoutMs: 20_000 });
      });

      it('hears of changes after a reconnection too', async () => {
        const probe = await connected();
        await hub.disconnect();
        await until(async () => {
          const { states } = await probe.events();
          return states.filter((state) => state === 'connected').length >= 2;
        });
        await hub.desire({ after: 'reconnection' });
        await until(async () => (await lastDesired(probe))?.after === 'reconnection', {
          timeoutMs: 20_000,
        });
      });

      it('merges reported patches, and null deletes', async () => {
        const probe = await connected();
        await until(async () => (await probe.events()).desired.length > 0);
        await probe.report({ a: { x: 1, y: [1, 2, 3] }, b: 'b' });
        await probe.report({ a: { y: [9] }, b: null });
        await until(async () => !('b' in (await hub.reported())));
        expect(await hub.reported()).toEqual({ a: { x: 1, y: [9] } });
      });

      it('refuses what the hub would refuse without telling', async () => {
        const probe = await connected();
        await until(async () => (await probe.events()).desired.length > 0);
        for (const patch of [{ 'a.b': 1 }, { a: [null] }, { a: 'x'.repeat(4_097) }]) {
          await expect(probe.report(patch)).rejects.toMatchObject({
            code: 'TRANSPORT_REFUSED',
            retry: 'never',
          });
        }
      });
    });

    describe('direct methods', () => {
      it('answers with status and payload, at once or later', async () => {
        await connected();
        await until(async () => (await hub.invoke('echo', { n: 1 })).status === 200);
        expect(await hub.invoke('echo', { n: 2 })).toEqual({ status: 200, payload: { n: 2 } });
        expect(await hub.invoke('later', [1])).toEqual({ status: 200, payload: [1] });
      });

      it('answers 500 with the message when the handler throws', async () => {
        await connected();
        await until(async () => (await hub.invoke('broken', {})).status === 500);
        expect(await hub.invoke('broken', {})).toEqual({
          status: 500,
          payload: { message: 'broken on purpose' },
        });
      });
    });

    describe('close', () => {
      it('finishes sends under way, then refuses to send', async () => {
        const probe = await connected();
        const sending = Promise.all(
          [1, 2, 3].map((n) => probe.send(message(n, { output: 'parked' }))),
        );
        await probe.close();
        await sending;
        expect(await hub.queued('absent')).toBe(3);
        await expect(probe.send(message(4))).rejects.toMatchObject({ code: 'TRANSPORT_CLOSED' });
        expect((await probe.events()).states.at(-1)).toBe('closed');
        await probe.close();
      });

      it('leaves what comes later for the next life', async () => {
        const first = await connected();
        await first.close();
        const second = await connected();
        await second.send(message('next life'));
        await until(async () => (await bodies()).includes('next life'));
        expect((await first.events()).fatal).toEqual([]);
      });
    });
  });
}
