import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import mqtt from 'mqtt';
import { openAuthority } from '../../../edge/src/certificates/index.ts';

/** Forks a script that prints its port, and waits for that. */
export function forked(
  script: string,
  args: readonly string[] = [],
): Promise<{
  child: ChildProcess;
  port: number;
}> {
  const child = fork(path.join(import.meta.dirname, script), args, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (chunk) => resolve({ child, port: Number(String(chunk)) }));
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
}

/** Messages with this body a second, QoS 1 from one client over TLS to a broker in memory and on to another. */
export async function bareMqtt(body: Buffer, seconds: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-limit-'));
  const authority = await openAuthority(folder, Date.now());
  const { keyFile, certFile } = await authority.server('broker', ['localhost']);
  const { child, port } = await forked('bare-broker.ts', [keyFile, certFile]);
  const connect = (clientId: string) =>
    mqtt.connectAsync(`mqtts://localhost:${port}`, {
      clientId,
      protocolVersion: 4,
      ca: authority.trustBundlePem,
    });
  const [from, to] = await Promise.all([connect('from'), connect('to')]);
  try {
    await to.subscribeAsync('t', { qos: 1 });
    return await flow(seconds, (arrived) => {
      to.on('message', arrived);
      return () => from.publishAsync('t', body, { qos: 1 });
    });
  } finally {
    await Promise.all([from.endAsync(true), to.endAsync(true)]);
    child.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sends that may be without acknowledgement at once. */
const AT_ONCE = 8;

/** Messages that arrive in a second while up to eight sends are under way. */
export async function flow(
  seconds: number,
  open: (arrived: () => void) => () => Promise<unknown>,
): Promise<number> {
  let count = 0;
  const send = open(() => {
    count += 1;
  });
  const start = performance.now();
  const endAt = start + seconds * 1_000;
  const sender = async (): Promise<void> => {
    while (performance.now() < endAt) await send();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return (count * 1_000) / (performance.now() - start);
}
