import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, until } from '@holdfast/testkit';
import type { Place } from '../peer.ts';
import { Supervised } from '../processes.ts';

const PROGRAM = 'mosquitto';

/** @throws Error that says how to get the broker */
export function mosquittoVersion(): string {
  const { stdout, error } = spawnSync(PROGRAM, ['-h'], { encoding: 'utf8', env: withSbin() });
  const version = /mosquitto version (\S+)/.exec(stdout ?? '')?.[1];
  if (error !== undefined || version === undefined)
    throw new Error('the broker is missing: apt-get install mosquitto');
  return `mosquitto ${version} (Debian)`;
}

/** Readings on their way through the broker: fewer messages than the 1,000 from which on it drops. */
export const BROKER_AHEAD_MAX = { singles: 900, batched: 5_000 };

export interface Broker {
  broker: Supervised;
  port: number;
  /** Resolves once somebody listens: what is published before has no one to go to. */
  subscribed(): Promise<void>;
}

/**
 * Debian's broker. Default: as the package configures it, persistence on and written every half hour and at its end.
 * Durable: written after each change, and nothing dropped while a subscriber is away.
 */
export async function startMosquitto({ store, work }: Place, durable: boolean): Promise<Broker> {
  const port = await freePort();
  const folder = path.join(store, 'mosquitto');
  mkdirSync(folder, { recursive: true });
  const file = path.join(work, 'mosquitto.conf');
  const log = path.join(work, 'broker.log');
  const lines = [
    ...[`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'user root'],
    ...[`log_dest file ${log}`, 'log_type error', 'log_type warning', 'log_type subscribe'],
    ...['persistence true', `persistence_location ${folder}/`],
    ...(durable
      ? [
          ...['autosave_on_changes true', 'autosave_interval 1'],
          ...['max_queued_messages 0', 'max_inflight_messages 500', 'queue_qos0_messages false'],
        ]
      : []),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const broker = await Supervised.start({
    ...{ id: 'mosquitto', command: PROGRAM, args: ['-c', file], env: withSbin(), logs: work, port },
  });
  const listens = (): boolean =>
    existsSync(log) && readFileSync(log, 'utf8').includes(' readings\n');
  return {
    ...{ broker, port },
    subscribed: async () => {
      await until(listens, { timeoutMs: 60_000, what: 'a subscriber at the broker' });
    },
  };
}

/** Debian puts daemons where an ordinary user's path does not look. */
const withSbin = (): Record<string, string> => ({
  PATH: `${process.env.PATH ?? ''}${path.delimiter}/usr/sbin`,
});
