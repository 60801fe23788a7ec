import type { ControlRequest } from '../agent/control-server.ts';
import type { ModuleStatus } from '../agent/edge-handle.ts';
import { EdgeError } from '../agent/errors.ts';
import { callSocket } from '../agent/hub-control.ts';
import type { LogLine } from '../agent/log-lines.ts';
import { controlSocketOf } from '../agent/state-folder.ts';
import { DEFAULT_STATE, numberOf, readArguments, UsageError, type Values } from './arguments.ts';
import type { Terminal } from './terminal.ts';
import { moduleTable } from './up.ts';

/** Commands that go to a running edge through its state folder. */
export async function askEdge(
  name: string,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const filters = name === 'logs' ? (['tail', 'since', 'level', 'regex'] as const) : [];
  const { values, positionals } = readArguments(args, ['state', ...filters]);
  const request = requestOf(name, positionals, values);
  const folder = values.state ?? DEFAULT_STATE;
  const socket = controlSocketOf(folder);
  if (socket === undefined)
    throw new EdgeError(
      'EDGE_NO_ANSWER',
      `no edge is up in ${folder}; start one with: npm run edge -- up`,
    );
  const answer = await callSocket({
    socket,
    method: 'POST',
    path: '/',
    body: request,
    who: 'the edge',
  });
  for (const line of linesOf(request, answer)) terminal.out(line);
  return 0;
}

/** @throws UsageError */
function requestOf(name: string, positionals: readonly string[], values: Values): ControlRequest {
  const [id, second, third, ...more] = positionals;
  const most = { ps: 0, link: 1, restart: 1, logs: 1, twin: 2, method: 3 }[name] ?? 0;
  if (more.length > 0 || positionals.length > most)
    throw new UsageError(`${name} takes no argument ${positionals[most]}`);
  if (name === 'ps') return { do: 'ps' };
  if (name === 'link') {
    if (id !== 'up' && id !== 'down') throw new UsageError('link needs "up" or "down"');
    return { do: 'link', up: id === 'up' };
  }
  if (id === undefined) throw new UsageError(`${name} needs the name of a module`);
  switch (name) {
    case 'restart':
      return { do: 'restart', id };
    case 'twin':
      return second === undefined
        ? { do: 'twin', id }
        : { do: 'twin', id, patch: json(second) as Record<string, unknown> };
    case 'method':
      if (second === undefined) throw new UsageError('method needs the name of a method');
      return { do: 'method', id, name: second, payload: third === undefined ? null : json(third) };
    default:
      return { do: 'logs', id, filter: filterOf(values) };
  }
}

function filterOf({ tail, since, level, regex }: Values) {
  return {
    ...(tail === undefined ? {} : { tail: numberOf('tail', tail, 0, 1_000_000) }),
    ...(level === undefined ? {} : { level: numberOf('level', level, 0, 7) }),
    ...(since === undefined ? {} : { since }),
    ...(regex === undefined ? {} : { regex }),
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${text} is not JSON: ${(error as Error).message}`);
  }
}

function linesOf(request: ControlRequest, answer: unknown): string[] {
  switch (request.do) {
    case 'ps':
      return moduleTable(answer as ModuleStatus[]);
    case 'logs':
      return (answer as LogLine[]).map(({ log }) => log);
    case 'method':
    case 'twin':
      return [JSON.stringify(answer, null, 2)];
    case 'link':
      return [`the way to the cloud is ${request.up ? 'up' : 'down'}`];
    default:
      return ['done'];
  }
}
