import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { settings } from '../src/config.ts';
import { startForwarder } from '../src/forwarder.ts';
import { aHost } from '../src/testing/fake-host.ts';
import { scoresBody } from '../src/testing/scores.ts';

const ROWS = 2_700;
const SECONDS = 3;

/**
 * Measures the apply path alone: JSON text in, check, one durable transaction a message. Rows a second on one core,
 * for messages of 2,700 rows of 8 assets and of 2,700 assets, and milliseconds a message.
 */
export async function benchForwarder(): Promise<Record<string, number>> {
  const few = await measure(8);
  const many = await measure(ROWS);
  return {
    '8 assets, rows/s': Math.round(few),
    '8 assets, ms a message': round((ROWS / few) * 1000),
    '2,700 assets, rows/s': Math.round(many),
  };
}

async function measure(assets: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'forwarder-bench-'));
  const { host, close } = aHost(folder, settings.parse({}));
  const module = await startForwarder(host);
  const bodies: Buffer[] = [];
  for (let i = 0; i < 400; i++) {
    bodies.push(Buffer.from(scoresBody({ first: i * ROWS + 1, rows: ROWS, assets })));
  }
  const input = module.inputs.scores!;
  const started = performance.now();
  let applied = 0;
  for (const body of bodies) {
    input({ input: 'scores', body, properties: {} });
    applied += ROWS;
    if (performance.now() - started > SECONDS * 1000) break;
  }
  const seconds = (performance.now() - started) / 1000;
  await module.stop();
  await close();
  rmSync(folder, { recursive: true, force: true });
  return applied / seconds;
}

const round = (value: number): number => Math.round(value * 100) / 100;
