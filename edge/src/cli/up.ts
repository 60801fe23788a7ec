import path from 'node:path';
import type { EdgeEvent, EdgeHandle, ModuleStatus } from '../agent/edge-handle.ts';
import { startEdge } from '../agent/start-edge.ts';
import { DEFAULT_STATE, numberOf, projectOf, readArguments, UsageError } from './arguments.ts';
import { type Terminal, table } from './terminal.ts';

/** Starts a deployment and stays until the user has enough. */
export async function up(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readArguments(args, [
    ...(['template', 'manifest', 'env', 'platform', 'state', 'modules', 'device'] as const),
    'backoff-scale',
  ]);
  if (positionals.length > 0) throw new UsageError(`up takes no argument ${positionals[0]}`);
  const scale = numberOf('backoff-scale', values['backoff-scale'] ?? '1', 0, 1000);
  const { template, manifest, ...project } = projectOf(values, terminal.environment);
  const edge = await startEdge({
    ...defined({ ...project, template, manifest }),
    stateDir: values.state ?? DEFAULT_STATE,
    moduleFolders: (values.modules ?? []).map((folder) => path.resolve(folder)),
    leafDevices: values.device ?? [],
    backoffScale: scale,
    onEvent: (event) => show(event, terminal),
  });
  for (const line of overview(edge)) terminal.out(line);
  await terminal.interrupted;
  terminal.out('stopping');
  await edge.stop();
  return 0;
}

function overview(edge: EdgeHandle): string[] {
  return [
    `device ${edge.deviceId}, state in ${edge.stateDir}, cloud stand-in ${edge.cloudUrl}`,
    `service SDK: ${edge.connectionStrings.service}`,
    ...Object.entries(edge.connectionStrings.devices).map(([id, text]) => `${id}: ${text}`),
    `certificate authority of both: ${edge.caFile}`,
    ...moduleTable(edge.modules()),
  ];
}

/** One line a module. */
export const moduleTable = (modules: readonly ModuleStatus[]): string[] =>
  table([
    ['MODULE', 'STATE', 'PID', 'RESTARTS', 'ADDRESS'],
    ...modules.map(({ id, state, pid, restarts, url, ports }) => [
      id,
      state,
      String(pid ?? '-'),
      String(restarts),
      [
        url ?? '-',
        ...(ports.INSPECTOR === undefined ? [] : [`inspector 127.0.0.1:${ports.INSPECTOR}`]),
      ].join(', '),
    ]),
  ]);

function show(event: EdgeEvent, terminal: Terminal): void {
  if (event.kind === 'warning') terminal.error(event.detail);
  else terminal.out(lineOf(event));
}

function lineOf(event: Exclude<EdgeEvent, { kind: 'warning' }>): string {
  if (event.kind === 'line') return `${event.id} | ${event.line.log}`;
  if (event.kind === 'started') return `${event.id} started, process ${event.pid}`;
  const delay = event.delayMs === undefined ? '' : `, again in ${event.delayMs / 1000} s`;
  return `${event.id} ended with ${event.exitCode}: ${event.next}${delay}`;
}

/** The same object without the keys that have no value. */
const defined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
