import path from 'node:path';
import { ChildProcess, until } from '@holdfast/testkit';
import { ALL_KINDS, type Status } from '../../forwarder/rig.ts';
import { plantEnvironment } from '../plants/plant.ts';
import { mustHold, type Round } from '../scenario.ts';

/** Within which delivery has to go on after the link is back, in ms: a number of the promise. */
export const RETURN_MS_MAX = 10_000;

/** A forwarder process whose storage is somewhere behind a gate. */
export class ForwarderUnderTest {
  readonly #child: ChildProcess;
  readonly #url: string;
  /** Rows applied so far; the stream begins with row 1. */
  rows = 0;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async start(
    round: Round,
    given: { connection: string; upload?: object; env?: Record<string, string> },
  ): Promise<ForwarderUnderTest> {
    const settings = {
      egress: { allow: ALL_KINDS },
      upload: { intervalSecs: 1, ...given.upload },
    };
    const { folder, seed } = round;
    const child = ChildProcess.start(path.join(import.meta.dirname, 'forwarder-process.ts'), {
      env: {
        FORWARDER: JSON.stringify({ folder, connection: given.connection, settings, seed }),
        ...given.env,
        ...plantEnvironment(round.plant),
      },
    });
    const line = await child.line('listening ');
    return new ForwarderUnderTest(child, line.split(' ')[1]!);
  }

  /** Applies the next rows. 300 of them hold one anomaly; `noise` makes large files of them. */
  async apply(count: number, options: { rows?: number; noise?: boolean } = {}): Promise<void> {
    const query = new URLSearchParams({
      first: String(this.rows + 1),
      last: String(this.rows + count),
      rows: String(options.rows ?? 100),
      ...(options.noise === true && { noise: '' }),
    });
    this.rows += count;
    const answer = await fetch(`${this.#url}/test/apply?${query}`, { method: 'POST' });
    if (answer.status !== 200) throw new Error(await answer.text());
  }

  async flush(): Promise<{ pending: number; left?: string }> {
    const answer = await fetch(`${this.#url}/test/flush`, { method: 'POST' });
    return (await answer.json()) as { pending: number; left?: string };
  }

  async status(): Promise<Status> {
    return (await (await fetch(`${this.#url}/status`)).json()) as Status;
  }

  async lines(): Promise<string[]> {
    const answer = await fetch(`${this.#url}/test/lines`);
    return ((await answer.json()) as { lines: string[] }).lines;
  }

  async delivered(): Promise<number> {
    return sum((await this.status()).lanes, 'delivered');
  }

  async pending(): Promise<number> {
    return sum((await this.status()).lanes, 'pending');
  }

  /** Waits for a delivery beyond `before` records. @returns ms since `sinceMs` @throws FaultFound after `limitMs` */
  async firstDelivery(before: number, sinceMs: number, limitMs = RETURN_MS_MAX): Promise<number> {
    for (;;) {
      const more = (await this.delivered()) > before;
      const ms = performance.now() - sinceMs;
      if (more && ms <= limitMs) return ms;
      const { lanes, link, lastError } = await this.status();
      mustHold(
        ms <= limitMs,
        `nothing was delivered within ${limitMs} ms: ${sum(lanes, 'pending')} records wait, link ${link}, ${lastError}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits until nothing is left to deliver, and asks for it meanwhile. @throws FaultFound after `limitMs` */
  async drain(limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const { pending, left } = await this.flush();
      if (pending === 0) return;
      mustHold(
        performance.now() < endMs,
        `${pending} records still wait after ${limitMs} ms: ${left}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async until(condition: (status: Status) => boolean, timeoutMs = 20_000): Promise<void> {
    await until(async () => condition(await this.status()), { timeoutMs, every: 20 });
  }

  stop(): Promise<unknown> {
    return this.#child.kill();
  }
}

const sum = (lanes: Status['lanes'], state: 'delivered' | 'pending'): number =>
  Object.values(lanes).reduce((total, lane) => total + lane[state], 0);
