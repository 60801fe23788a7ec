import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import path from 'node:path';

/** A blob service on this machine, with an account and key of its own. */
export interface Storage {
  port: number;
  /** Connection string for a client that reaches the service at `port`: its own, or that of a proxy before it. */
  connectionString(port?: number): string;
  stop(): Promise<void>;
}

/** Starts Azurite's blob service and waits until it answers. @throws Error with its last output when it does not. */
export async function startAzurite(folder: string, port: number): Promise<Storage> {
  const account = 'holdfastdemo';
  const key = randomBytes(64).toString('base64');
  const entry = path.join(
    path.dirname(createRequire(import.meta.url).resolve('azurite/package.json')),
    'dist/src/blob/main.js',
  );
  const guard = import.meta.resolve('@holdfast/edge/orphan-guard');
  const child = spawn(
    process.execPath,
    [
      ...['--import', guard, entry],
      ...['--location', folder, '--blobHost', '127.0.0.1', '--blobPort', String(port)],
      ...['--skipApiVersionCheck', '--disableTelemetry', '--silent'],
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        AZURITE_ACCOUNTS: `${account}:${key}`,
        HOLDFAST_EDGE_SUPERVISOR_PID: String(process.pid),
      },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-2_000);
    });
  }
  await answering(child, port, () => output);
  return {
    port,
    connectionString: (at = port) =>
      `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=http://127.0.0.1:${at}/${account}`,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

async function answering(child: ChildProcess, port: number, output: () => string): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`Azurite ended with code ${child.exitCode}: ${output()}`);
    if (performance.now() > deadline)
      throw new Error(`Azurite did not answer within 30 s: ${output()}`);
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
      setTimeout(() => socket.destroy(), 1_000).unref();
      socket.once('connect', () => socket.destroy());
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
