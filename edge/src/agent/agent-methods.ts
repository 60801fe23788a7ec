import { gzipSync } from 'node:zlib';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type { MethodResult } from './edge-handle.ts';
import { type LogFilter, type LogLine, levelOf } from './log-lines.ts';

/** What edgeAgent's direct methods need of the supervisor. */
export interface AgentPorts {
  ids(): string[];
  restart(id: string): Promise<void>;
  logs(id: string, filter: LogFilter): LogLine[];
}

const RestartRequest = z.object({ schemaVersion: z.literal('1.0'), id: z.string().min(1) });

const LogsRequest = z.object({
  schemaVersion: z.literal('1.0'),
  items: z
    .array(
      z.object({
        /** Regular expression over module ids. */
        id: z.string().min(1),
        filter: z
          .object({
            tail: z.int().min(0).optional(),
            since: z.string().optional(),
            until: z.string().optional(),
            loglevel: z.int().min(0).max(7).optional(),
            regex: z.string().optional(),
          })
          .default({}),
      }),
    )
    .min(1),
  encoding: z.enum(['none', 'gzip']).default('none'),
  contentType: z.enum(['text', 'json']).default('text'),
});

/** Answers a direct method of edgeAgent. Names are case-sensitive, as there. Never throws. */
export async function agentMethod(
  ports: AgentPorts,
  name: string,
  payload: unknown,
): Promise<MethodResult> {
  try {
    switch (name) {
      case 'ping':
        return { status: 200, payload: null };
      case 'RestartModule':
        return await restartModule(ports, payload);
      case 'GetModuleLogs':
        return getModuleLogs(ports, payload);
      default:
        return refused(
          `edgeAgent of the local edge has ping, RestartModule and GetModuleLogs, not ${name}`,
        );
    }
  } catch (error) {
    return refused((error as Error).message);
  }
}

const refused = (message: string): MethodResult => ({ status: 400, payload: { message } });

async function restartModule(ports: AgentPorts, payload: unknown): Promise<MethodResult> {
  const checked = check(RestartRequest, payload);
  if (!checked.ok) return refused(describeProblems(checked.problems));
  if (!ports.ids().includes(checked.value.id))
    return refused(`there is no module ${checked.value.id}, only ${ports.ids().join(', ')}`);
  await ports.restart(checked.value.id);
  return { status: 200, payload: null };
}

function getModuleLogs(ports: AgentPorts, payload: unknown): MethodResult {
  const checked = check(LogsRequest, payload);
  if (!checked.ok) return refused(describeProblems(checked.problems));
  const { items, encoding, contentType } = checked.value;
  const answer = new Map<string, string>();
  for (const item of items) {
    const pattern = new RegExp(item.id);
    for (const id of ports.ids().filter((each) => pattern.test(each) && !answer.has(each))) {
      const { loglevel, ...filter } = item.filter;
      const wanted = { ...filter, ...(loglevel === undefined ? {} : { level: loglevel }) };
      answer.set(id, render(id, ports.logs(id, wanted as LogFilter), contentType));
    }
  }
  const entries = [...answer].map(([id, text]) =>
    encoding === 'gzip'
      ? { id, payloadBytes: gzipSync(text).toString('base64'), payload: null }
      : { id, payloadBytes: null, payload: text },
  );
  return { status: 200, payload: entries };
}

function render(id: string, lines: LogLine[], contentType: 'text' | 'json'): string {
  if (contentType === 'text') return lines.map(({ log }) => `${log}\n`).join('');
  return JSON.stringify(
    lines.map(({ log, stream, time }) => ({
      id,
      stream,
      loglevel: levelOf(log),
      text: log,
      timestamp: time,
    })),
  );
}
