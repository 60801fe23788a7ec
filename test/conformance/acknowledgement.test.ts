// Goal: when the acknowledgement of an input message leaves, against when its handler has committed, for the bare
// SDK (the facts that the design rests on; a new version of it must not change them unseen) and for the adapter.
// Method: the module and the broker are processes of their own, both take times from the machine's monotonic clock.
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort, node24, temporaryFolder, until } from '@holdfast/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { openAuthority } from '../../edge/src/certificates/index.ts';
import { WorkloadStub } from './workload-stub.ts';

interface Event {
  event: string;
  value?: unknown;
  atNs?: string;
}

const running = new Set<ChildProcess>();

class Process {
  readonly events: Event[] = [];
  output = '';
  exit: { code: number | null; signal: string | null } | undefined;
  readonly #child: ChildProcess;

  constructor(file: string, args: string[], env: Record<string, string> = {}) {
    this.#child = fork(join(__dirname, file), args, {
      execPath: node24(),
      execArgv: [],
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.output += text.toString();
      });
    }
    this.#child.on('message', (event: Event) => this.events.push(event));
    this.#child.on('exit', (code, signal) => {
      running.delete(this.#child);
      this.exit = { code, signal };
    });
  }

  tell(message: object): void {
    this.#child.send(message);
  }

  of(event: string): Event[] {
    return this.events.filter((other) => other.event === event);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await until(() => this.exit);
  }
}

/** Whether the bare SDK is under test, or the adapter around it. */
const SUBJECTS = ['sdk', 'adapter'] as const;
const INPUT = 'devices/site-1/modules/probe/inputs/in/';

let port: number;
let broker: Process;
let workload: WorkloadStub;
let environment: Record<string, string>;

beforeAll(async () => {
  const folder = temporaryFolder('ack');
  const authority = await openAuthority(join(folder, 'ca'), Date.now());
  const { keyFile, certFile } = await authority.server('broker', ['localhost']);
  port = await freePort();
  broker = new Process('bare-broker.ts', [keyFile, certFile, String(port)]);
  workload = await WorkloadStub.start({
    socket: join(folder, 'w.sock'),
    trustBundlePem: authority.trustBundlePem,
    key: randomBytes(32).toString('base64'),
  });
  environment = {
    IOTEDGE_WORKLOADURI: workload.uri,
    IOTEDGE_DEVICEID: 'site-1',
    IOTEDGE_MODULEID: 'probe',
    IOTEDGE_IOTHUBHOSTNAME: 'hub.example.net',
    IOTEDGE_AUTHSCHEME: 'sasToken',
    IOTEDGE_MODULEGENERATIONID: 'generation-1',
    IOTEDGE_GATEWAYHOSTNAME: `localhost:${port}`,
  };
  await until(() => broker.of('listening').length > 0, {
    timeoutMs: 20_000,
    what: () => broker.output,
  });
}, 30_000);
afterAll(async () => {
  await broker.stop();
  await workload.close();
});

let runs = 0;
let subject: Process;
afterEach(async () => {
  await subject.stop();
});

/** Starts a module, sends it messages once it has subscribed, and reads what it committed. */
async function run(by: (typeof SUBJECTS)[number], way: string, count = 1) {
  const name = `${by}-${way}-${++runs}`;
  const file = join(temporaryFolder('table'), 'db');
  // Each run is a module of its own, so that nothing is left over from the one before.
  const input = INPUT.replace('probe', name);
  subject = new Process('table-module.ts', [by, way, file], {
    ...environment,
    IOTEDGE_MODULEID: name,
  });
  await until(
    () => broker.of('subscribe').some(({ value }) => String(value).includes(`/${name}/inputs`)),
    { timeoutMs: 20_000, what: () => `subscription of ${name}: ${subject.output}` },
  );
  const bodies = Array.from({ length: count }, (_, i) => `${name}#${i}`);
  broker.tell({ publish: { topic: input, bodies } });
  const acknowledged = (): Map<string, bigint> =>
    new Map(
      broker
        .of('ack')
        .filter(({ value }) => bodies.includes(String(value)))
        .map(({ value, atNs }) => [String(value), BigInt(atNs ?? 0)]),
    );
  const committed = (): Map<string, bigint> => {
    const db = new Database(file, { readonly: true });
    const rows = db.prepare('select body, atNs from committed').all() as {
      body: string;
      atNs: string;
    }[];
    db.close();
    return new Map(rows.map(({ body, atNs }) => [body, BigInt(atNs)]));
  };
  /** Messages acknowledged before they were committed. */
  const early = (): number => {
    const at = committed();
    return [...acknowledged()].filter(([body, acked]) => acked < (at.get(body) ?? Infinity)).length;
  };
  /** Everything that the module has sent before its end has arrived. */
  const gone = async (): Promise<void> => {
    await until(() => subject.exit);
    await until(() => broker.of('disconnect').some(({ value }) => value === `site-1/${name}`));
  };
  const handled = (): number => subject.of('handling').length;
  return { acknowledged, committed, early, handled, gone, count };
}

describe.each(SUBJECTS)('acknowledgement with the %s', (by) => {
  it('leaves after a synchronous handler has committed, however long it works', async () => {
    const { acknowledged, committed, early } = await run(by, 'sync');
    await until(() => acknowledged().size === 1);
    expect(committed().size).toBe(1);
    expect(early()).toBe(0);
  });

  it('does not wait for a handler that goes on after an await', async () => {
    const { acknowledged, committed, early } = await run(by, 'async');
    await until(() => acknowledged().size === 1 && committed().size === 1);
    expect(early()).toBe(1);
  });

  it('never leaves when the process is killed in the handler before its commit', async () => {
    const { acknowledged, committed, gone } = await run(by, 'kill-before');
    await gone();
    expect(acknowledged().size).toBe(0);
    expect(committed().size).toBe(0);
  });

  it('never leaves when the process is killed in the handler after its commit', async () => {
    const { acknowledged, committed, gone } = await run(by, 'kill-after');
    await gone();
    expect(acknowledged().size).toBe(0);
    expect(committed().size).toBe(1);
  });

  it('never leaves when the handler throws, which ends the process', async () => {
    const { acknowledged, gone } = await run(by, 'throw');
    await gone();
    expect(subject.exit).toEqual({ code: 1, signal: null });
    expect(acknowledged().size).toBe(0);
  });

  it.each(['burst', 'burst-send'])('is never early in a %s of 100 messages', async (way) => {
    const { acknowledged, committed, early, count } = await run(by, way, 100);
    await until(() => acknowledged().size === count);
    expect(committed().size).toBe(100);
    expect(early()).toBe(0);
  });
});

describe('acknowledgement when a throw in the handler is swallowed', () => {
  it('leaves with the bare SDK: the message is lost', async () => {
    const { acknowledged, committed } = await run('sdk', 'throw-swallowed');
    await until(() => acknowledged().size === 1);
    expect(committed().size).toBe(0);
  });

  it('never leaves with the adapter: the message comes again', async () => {
    const { acknowledged, committed, handled } = await run('adapter', 'throw-swallowed');
    await until(() => handled() >= 2, { timeoutMs: 15_000 });
    expect(acknowledged().size).toBe(0);
    expect(committed().size).toBe(0);
  });
});
