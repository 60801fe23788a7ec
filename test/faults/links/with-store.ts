import { TcpGate } from '@holdfast/testkit';
import { type Azurite, connectionString, startAzurite } from '../../forwarder/azurite.ts';
import { HttpGate } from '../../forwarder/http-gate.ts';
import type { Counts, Round } from '../scenario.ts';
import { ForwarderUnderTest } from './forwarder-under-test.ts';

interface Given {
  upload?: object;
  env?: Record<string, string>;
}

/** A forwarder whose storage is behind a line of TCP that can be cut and made bad. */
export async function withLine(
  round: Round,
  given: Given,
  run: (parts: { forwarder: ForwarderUnderTest; gate: TcpGate; store: Azurite }) => Promise<Counts>,
): Promise<Counts> {
  return withStore(round, async (store) => {
    const gate = await TcpGate.open({ port: store.port }, { random: round.random.next });
    const forwarder = await started(round, { ...given, port: gate.port });
    try {
      return await run({ forwarder, gate, store });
    } finally {
      await forwarder.stop();
      await gate.close();
    }
  });
}

/** A forwarder whose storage is behind a gate that understands HTTP. */
export async function withHttp(
  round: Round,
  given: Given,
  run: (parts: {
    forwarder: ForwarderUnderTest;
    gate: HttpGate;
    store: Azurite;
  }) => Promise<Counts>,
): Promise<Counts> {
  return withStore(round, async (store) => {
    const gate = await HttpGate.open(store.port);
    const forwarder = await started(round, { ...given, port: gate.port });
    try {
      return await run({ forwarder, gate, store });
    } finally {
      await forwarder.stop();
      await gate.close();
    }
  });
}

const started = (round: Round, { port, ...given }: Given & { port: number }) =>
  ForwarderUnderTest.start(round, { connection: connectionString(port), ...given });

async function withStore(round: Round, run: (store: Azurite) => Promise<Counts>): Promise<Counts> {
  const store = await startAzurite(`${round.folder}/store`);
  try {
    return await run(store);
  } finally {
    await store.stop();
  }
}
