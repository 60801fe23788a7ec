import { until } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { Reporter } from './reporter.ts';

function reporter(retryMs = 5) {
  const sent: unknown[] = [];
  const warnings: string[] = [];
  let failure: { retry: string } | undefined;
  let gate: Promise<void> = Promise.resolve();
  const log = {
    error: () => {},
    warn: (event: string) => void warnings.push(event),
    info: () => {},
    debug: () => {},
  };
  const made = new Reporter({
    send: async (patch) => {
      sent.push(patch);
      await gate;
      if (failure !== undefined) throw Object.assign(new Error('no'), failure);
    },
    log,
    retryMs,
  });
  return {
    reporter: made,
    sent,
    warnings,
    fail: (retry: string | undefined) => {
      failure = retry === undefined ? undefined : { retry };
    },
    hold: (promise: Promise<void>) => {
      gate = promise;
    },
  };
}

describe('reporter', () => {
  it('sends what is set, and only the newest of what was set meanwhile', async () => {
    const { reporter: made, sent, hold } = reporter();
    let release = (): void => {};
    hold(
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    for (const n of [1, 2, 3]) made.set({ n });
    release();
    await until(() => sent.length === 2);
    expect(sent).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it('sends again after a failure that may pass, until it does', async () => {
    const { reporter: made, sent, fail } = reporter();
    fail('later');
    made.set({ n: 1 });
    await until(() => sent.length >= 2);
    fail(undefined);
    const before = sent.length;
    await until(() => sent.length > before);
    made.stop();
  });

  it('gives up with a warning what will never be taken, and sends the next document', async () => {
    const { reporter: made, sent, warnings, fail } = reporter(1);
    fail('never');
    made.set({ n: 1 });
    await until(() => warnings.length === 1);
    fail(undefined);
    made.set({ n: 2 });
    await until(() => sent.length === 2);
    expect(warnings).toEqual(['Reported properties were refused']);
  });

  it('repeats the last document over a new connection', async () => {
    const { reporter: made, sent } = reporter();
    made.again();
    await new Promise(setImmediate);
    expect(sent).toEqual([]);
    made.set({ n: 1 });
    await until(() => sent.length === 1);
    made.again();
    await until(() => sent.length === 2);
  });
});
