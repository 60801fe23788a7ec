import path from 'node:path';
import { type EdgeEvent, type EdgeHandle, type EdgeOptions, startEdge } from '@holdfast/edge';
import { temporaryFolder, until } from '@holdfast/testkit';

export const STRANGER = path.join(__dirname, 'stranger');

/** An edge with the modules of a stranger, on a fast clock, and everything that it said. */
export interface Scene {
  edge: EdgeHandle;
  events: EdgeEvent[];
  stateDir: string;
}

const running = new Set<EdgeHandle>();

export async function startScene(options: Partial<EdgeOptions> = {}): Promise<Scene> {
  const events: EdgeEvent[] = [];
  const stateDir = options.stateDir ?? temporaryFolder('edge');
  const edge = await startEdge({
    ...(options.manifest === undefined
      ? { template: path.join(STRANGER, 'deployment.template.json') }
      : {}),
    stateDir,
    backoffScale: 0.02,
    onEvent: (event) => events.push(event),
    ...options,
  });
  running.add(edge);
  return { edge, events, stateDir };
}

export async function stopScenes(): Promise<void> {
  await Promise.all([...running].map((edge) => edge.stop()));
  running.clear();
}

export const statusOf = (edge: EdgeHandle, id: string) => {
  const found = edge.modules().find((module) => module.id === id);
  if (found === undefined) throw new Error(`no module ${id}`);
  return found;
};

/** A line that a module has printed; the pattern says which. */
export const lineOf = (edge: EdgeHandle, id: string, regex: string): Promise<string> =>
  until(() => edge.logs(id, { regex }).at(-1)?.log, {
    what: `${id} prints ${regex}`,
    timeoutMs: 20_000,
  });

export async function post(edge: EdgeHandle, numbers: readonly number[]): Promise<number> {
  const { url } = statusOf(edge, 'counter');
  const response = await fetch(`${url}`, { method: 'POST', body: JSON.stringify(numbers) });
  return response.status;
}

/** Both of the stranger's modules are connected and listen. */
export async function ready(edge: EdgeHandle): Promise<void> {
  await lineOf(edge, 'averager', 'connected');
  await lineOf(edge, 'counter', 'ready');
}
