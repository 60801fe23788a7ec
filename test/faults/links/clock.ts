import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openAuthority } from '../../../edge/src/certificates/index.ts';
import { ACCOUNT, connectionString, startAzurite } from '../../forwarder/azurite.ts';
import { HttpGate, type Refusal } from '../../forwarder/http-gate.ts';
import { ShimControl, shimEnvironment, shimUnavailable } from '../disk/shim.ts';
import { mustHold, type Round, type Scenario } from '../scenario.ts';
import { exactlyOnce, returnCounts } from './exactly-once.ts';
import { ForwarderUnderTest } from './forwarder-under-test.ts';

const HOUR_MS = 3_600_000;
/** Azure refuses a signature that is older or younger than this. */
const SKEW_MS_MAX = 15 * 60_000;

/** What Azure answers to a request with a date that is far from its own; Azurite takes any. */
function refuseByDate({ headers }: IncomingMessage): Refusal | undefined {
  const offMs = Date.parse(String(headers['x-ms-date'])) - Date.now();
  if (Math.abs(offMs) <= SKEW_MS_MAX) return undefined;
  const date = new Date().toUTCString();
  return { status: 403, code: 'AuthenticationFailed', headers: { date } };
}

/** An HTTPS gate with a certificate of an authority of its own, and the environment that trusts it. */
async function secureGate(round: Round, storePort: number) {
  const authority = await openAuthority(path.join(round.folder, 'ca'), Date.now());
  const { keyFile, certFile } = await authority.server('store', ['127.0.0.1']);
  const [key, cert] = [keyFile, certFile].map((file) => readFileSync(file, 'utf8'));
  const gate = await HttpGate.open(storePort, { key: key!, cert: cert! });
  gate.refuse = refuseByDate;
  return { gate, trust: { NODE_EXTRA_CA_CERTS: authority.caFile } };
}

/** The clock of the box is wrong, and is set while it runs. */
export const clock: Scenario = {
  name: 'links-clock',
  topic: 'links',
  fault:
    'The forwarder starts in 1970, its clock is set to now, and then back and forth by hours again and again, and by years; storage speaks TLS and refuses, as Azure does, signatures that are off by more than a quarter of an hour.',
  holds:
    'Each wrong clock is named as such and blames no record; the first blob after the clock is right is delivered within 10 s, no pause or timer follows the wall clock, and every record is in exactly one blob.',
  plants: [
    {
      name: 'timers-on-the-wall-clock',
      file: 'modules/forwarder/src/testing/fake-host.ts',
      find: 'monotonicMs: () => performance.now(), wallMs',
      replace: 'monotonicMs: () => Date.now(), wallMs',
    },
    {
      name: 'clock-taken-for-the-key',
      file: 'modules/forwarder/src/adapters/upload-failure.ts',
      find: 'const SKEW_MS_MIN = 5 * 60_000;',
      replace: 'const SKEW_MS_MIN = 1e15;',
    },
    {
      name: 'certificate-is-no-clock',
      file: 'modules/forwarder/src/adapters/upload-failure.ts',
      find: "new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])",
      replace: 'new Set<string>()',
    },
  ],
  unavailable: async () => shimUnavailable(),
  async run(round) {
    const { random } = round;
    const store = await startAzurite(path.join(round.folder, 'store'));
    const { gate, trust } = await secureGate(round, store.port);
    const control = path.join(round.folder, 'clock');
    const shim = ShimControl.create(control);
    const wallOffsetMs = 5_000 - Date.now();
    const forwarder = await ForwarderUnderTest.start(round, {
      connection: connectionString(gate.port).replace(
        `http://127.0.0.1:${gate.port}/${ACCOUNT}`,
        `https://127.0.0.1:${gate.port}/${ACCOUNT}`,
      ),
      env: { ...trust, ...shimEnvironment({ folder: round.folder, control, wallOffsetMs }) },
    });
    const returns: number[] = [];
    const steps = round.size === 'short' ? [12, -7] : hours(random);
    try {
      for (const [i, step] of [undefined, ...steps].entries()) {
        if (round.signal.aborted) break;
        if (step !== undefined) shim.set({ wallOffsetMs: step * HOUR_MS });
        await forwarder.apply(random.int(300, 900));
        const named = async (): Promise<boolean> =>
          /the clock here says/.test((await forwarder.status()).lastError ?? '');
        for (let waited = 0; !(await named()); waited += 50) {
          mustHold(
            waited < 15_000,
            `a wrong clock (step ${i}) is not named: ${(await forwarder.status()).lastError}`,
          );
          await pause(50);
        }
        await pause(random.int(0, round.size === 'short' ? 2_000 : 20_000));
        const before = await forwarder.delivered();
        shim.set({ wallOffsetMs: 0 });
        returns.push(await forwarder.firstDelivery(before, performance.now()));
        await forwarder.drain(30_000);
      }
      const counts = await exactlyOnce(forwarder, store.port);
      return { 'steps of the clock': returns.length * 2, ...returnCounts(returns), ...counts };
    } finally {
      await forwarder.stop();
      await gate.close();
      await store.stop();
    }
  },
};

/** Both directions by up to a day, and years: certificates are not valid yet or no longer. */
function hours(random: Round['random']): number[] {
  const some = Array.from({ length: 6 }, () => random.int(1, 24) * (random.chance(0.5) ? 1 : -1));
  return random.shuffle([...some, 24 * 365 * 30, -24 * 365 * 30]);
}
