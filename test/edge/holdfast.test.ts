/*
 * Goal: the deployment of this repository runs as it stands. Method: its template on the local edge, with a leaf device
 * on the official device SDK at one end; and the generated manifest, as it would go to a device, with one variable more.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { type EdgeHandle, runCommand } from '@holdfast/edge';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { startScene, statusOf, stopScenes } from './scene.ts';

afterEach(stopScenes);

const ROOT = process.cwd();
const template = path.join(ROOT, 'deployment.template.json');
const environment = {
  HOLDFAST_SITE: 'test',
  HOLDFAST_HTTP_TOKEN: 'test-token-0123456789',
  HOLDFAST_STORAGE_CONNECTION_STRING: '',
  HOLDFAST_MODEL_PATH: path.join(ROOT, 'scenarios/pump-loop/bundle'),
};

async function status(edge: EdgeHandle, id: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${statusOf(edge, id).url}/status`);
  return (await response.json()) as Record<string, unknown>;
}

describe('the deployment of this repository', () => {
  it('is ready, answers, and takes a reading of a leaf device to an applied outcome', async () => {
    const { edge } = await startScene({ template, environment, leafDevices: ['meter-1'] });
    for (const id of ['ingest', 'inference', 'forwarder']) {
      const { url } = statusOf(edge, id);
      await until(async () => (await fetch(`${url}/readyz`)).ok, {
        timeoutMs: 40_000,
        what: `${id} is ready`,
      });
      await until(async () => (await edge.invokeMethod(id, 'ping')).status === 200, {
        timeoutMs: 20_000,
      });
    }
    const client = Client.fromConnectionString(
      edge.connectionStrings.devices['meter-1'] ?? '',
      Mqtt,
    );
    await client.setOptions({ ca: readFileSync(edge.caFile, 'utf8') });
    await client.open();
    const reading = {
      asset: 'pump-01',
      t: new Date().toISOString(),
      values: { Pressure: 0.4, Voltage: 230 },
    };
    const message = new Message(JSON.stringify(reading));
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    await client.sendEvent(message);
    await client.close();
    await until(async () => (await status(edge, 'ingest')).accepted === 1, { timeoutMs: 20_000 });
    await until(async () => (await status(edge, 'forwarder')).applied === 1, { timeoutMs: 30_000 });
    expect(await edge.reported('forwarder')).toMatchObject({
      holdfast: { settings: { verdict: 'accepted' } },
    });
  }, 120_000);

  it('also runs as a generated manifest, and serves TLS by the workload API when told to', async () => {
    const lines: string[] = [];
    const terminal = {
      out: (line: string) => lines.push(line),
      error: () => {},
      environment,
      interrupted: Promise.resolve(),
    };
    expect(await runCommand(['manifest', '--template', template, '--out', '-'], terminal)).toBe(0);
    const manifest = JSON.parse(lines.join('\n'));
    const { modules } = manifest.modulesContent.$edgeAgent['properties.desired'];
    modules.ingest.env.HOLDFAST_HTTP_TLS = { value: 'workload' };
    const file = path.join(temporaryFolder(), 'deployment.amd64.json');
    writeFileSync(file, JSON.stringify(manifest));
    const { edge } = await startScene({
      manifest: file,
      moduleFolders: [path.join(ROOT, 'modules')],
    });
    const url = statusOf(edge, 'ingest').url ?? '';
    expect(url).toMatch(/^https:/);
    await until(async () => (await httpsStatus(`${url}/healthz`, edge.caFile)) === 200, {
      timeoutMs: 40_000,
    });
  }, 90_000);
});

function httpsStatus(url: string, caFile: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { ca: readFileSync(caFile) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
