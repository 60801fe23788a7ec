import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { type AgentPorts, agentMethod } from './agent-methods.ts';
import { filterLines, type LogLine } from './log-lines.ts';

const lines: LogLine[] = ['<3> bad', '<6> good'].map((log) => ({
  log,
  stream: 'stdout',
  time: '2026-01-01T00:00:00.000Z',
}));

function anAgent(): AgentPorts & { restarted: string[] } {
  const restarted: string[] = [];
  return {
    restarted,
    ids: () => ['edgeHub', 'ingest', 'inference'],
    restart: async (id) => {
      restarted.push(id);
    },
    logs: (_, filter) => filterLines(lines, filter, 0),
  };
}

const schemaVersion = '1.0';

describe('agentMethod', () => {
  it('answers ping', async () => {
    expect(await agentMethod(anAgent(), 'ping', null)).toEqual({ status: 200, payload: null });
  });

  it('restarts a module', async () => {
    const agent = anAgent();
    expect(
      (await agentMethod(agent, 'RestartModule', { schemaVersion, id: 'ingest' })).status,
    ).toBe(200);
    expect(agent.restarted).toEqual(['ingest']);
  });

  it('gives logs of all modules that a pattern fits, at most as severe as asked', async () => {
    const items = [{ id: '^in', filter: { loglevel: 3 } }];
    expect(await agentMethod(anAgent(), 'GetModuleLogs', { schemaVersion, items })).toEqual({
      status: 200,
      payload: [
        { id: 'ingest', payloadBytes: null, payload: '<3> bad\n' },
        { id: 'inference', payloadBytes: null, payload: '<3> bad\n' },
      ],
    });
  });

  it('packs logs as JSON and gzip', async () => {
    const payload = {
      schemaVersion,
      items: [{ id: 'edgeHub' }],
      encoding: 'gzip',
      contentType: 'json',
    };
    const answer = await agentMethod(anAgent(), 'GetModuleLogs', payload);
    const [entry] = answer.payload as { payloadBytes: string }[];
    const unpacked = JSON.parse(
      gunzipSync(Buffer.from(entry?.payloadBytes ?? '', 'base64')).toString(),
    );
    expect(unpacked).toMatchObject([
      { id: 'edgeHub', loglevel: 3, text: '<3> bad' },
      { id: 'edgeHub', loglevel: 6, text: '<6> good' },
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['Ping', null, /ping, RestartModule and GetModuleLogs, not Ping/],
    ['RestartModule', { schemaVersion, id: 'nobody' }, /there is no module nobody, only edgeHub/],
    ['RestartModule', { id: 'ingest' }, /schemaVersion/],
    ['GetModuleLogs', { schemaVersion, items: [] }, /items/],
    ['GetModuleLogs', { schemaVersion, items: [{ id: '(' }] }, /regular expression/i],
    ['GetModuleLogs', { schemaVersion, items: [{ id: 'x', filter: { loglevel: 9 } }] }, /loglevel/],
  ])('%s with %j is refused', async (name, payload, expected) => {
    const { status, payload: answer } = await agentMethod(anAgent(), name, payload);
    expect(status).toBe(400);
    expect((answer as { message: string }).message).toMatch(expected);
  });
});
