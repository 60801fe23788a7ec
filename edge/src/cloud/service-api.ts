import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type { MethodCall } from '../hub/methods.ts';
import { type Document, mergePatch, refuseReported, refuseSize } from '../hub/twin-rules.ts';
import type { CloudStore, CloudTwin } from './cloud-store.ts';
import type { CloudConfig } from './config.ts';
import type { Changes } from './edge-api.ts';
import { CloudError } from './errors.ts';
import type { JsonReply, JsonRequest } from './json-http.ts';
import type { MethodRelay } from './method-relay.ts';

export interface ServiceParts {
  config: CloudConfig;
  store: CloudStore;
  relay: MethodRelay;
  changes: Changes;
}

/** `<device>` or `<device>/<module>`, and the edge device that serves it. */
interface Target {
  device: string;
  module?: string;
  client: string;
}

/**
 * REST of IoT Hub as `azure-iothub` speaks it: twins, direct methods, device and module lists, the two plainest
 * queries. Identities come from the deployment, so they cannot be changed here.
 */
export async function serviceApi(request: JsonRequest, parts: ServiceParts): Promise<JsonReply> {
  const [area, device, ...rest] = request.path;
  if (area === 'twins' && device !== undefined) return twins(request, device, rest, parts);
  if (area === 'devices' && request.method === 'POST' && device === 'query') {
    return query(request.body, parts);
  }
  if (area === 'devices' && request.method === 'GET') return identities(device, rest, parts);
  throw new CloudError(
    'NotSimulated',
    `${request.method} /${request.path.join('/')} is not simulated by the local IoT hub`,
  );
}

async function twins(
  request: JsonRequest,
  device: string,
  rest: readonly string[],
  parts: ServiceParts,
): Promise<JsonReply> {
  const isModule = rest[0] === 'modules' && rest[1] !== undefined;
  const target = targetOf(device, isModule ? rest[1] : undefined, parts);
  const action = isModule ? rest[2] : rest[0];
  switch (`${request.method} ${action ?? ''}`) {
    case 'GET ':
      return { status: 200, body: twinDocument(target, twinOf(target, parts), parts) };
    case 'PATCH ':
    case 'PUT ':
      return { status: 200, body: changeTwin(request, target, parts) };
    case 'POST methods':
      return { status: 200, body: await callMethod(request, target, parts) };
    default:
      throw new CloudError('NotFound', `there is no ${request.method} /${request.path.join('/')}`);
  }
}

function targetOf(device: string, module: string | undefined, { config, store }: ServiceParts) {
  if (!Object.hasOwn(config.devices, device)) {
    throw new CloudError('DeviceNotFound', `device ${device} does not exist`);
  }
  const client = module === undefined ? device : `${device}/${module}`;
  if (module !== undefined && store.twin(client) === undefined) {
    throw new CloudError('ModuleNotFound', `module ${client} does not exist`);
  }
  const target: Target = { device, client };
  if (module !== undefined) target.module = module;
  return target;
}

const twinOf = (target: Target, { store }: ServiceParts): CloudTwin =>
  store.ensureTwin(target.client);

const Section = z.record(z.string(), z.unknown());
const TwinChange = z.object({
  tags: Section.optional(),
  properties: z.object({ desired: Section.optional() }).optional(),
});

/** PATCH merges, PUT replaces the sections that it names. */
function changeTwin(request: JsonRequest, target: Target, parts: ServiceParts): object {
  const twin = twinOf(target, parts);
  const condition = request.headers['if-match']?.replaceAll('"', '');
  if (condition !== undefined && condition !== '*' && condition !== etagOf(twin)) {
    throw new CloudError('PreconditionFailed', 'the twin has changed: the etag is not its own');
  }
  const checked = check(TwinChange, request.body);
  if (!checked.ok) throw new CloudError('ArgumentInvalid', describeProblems(checked.problems));
  const { tags, properties } = checked.value;
  const desired = withoutMetadata(properties?.desired);
  const next = { ...twin };
  const apply = (old: Document, change: Document): Document =>
    mergePatch(request.method === 'PUT' ? {} : old, change);
  if (tags !== undefined) next.tags = apply(twin.tags, tags);
  if (desired !== undefined) {
    const problem = refuseReported(desired) ?? refuseSize(apply(twin.desired, desired));
    if (problem !== undefined) throw new CloudError('ArgumentInvalid', problem);
    next.desired = apply(twin.desired, desired);
    next.desiredVersion = twin.desiredVersion + 1;
  }
  const saved = parts.store.saveTwin(target.client, next);
  parts.changes.notify(edgeDeviceOf(target, parts));
  return twinDocument(target, saved, parts);
}

/** The SDK sends back what it was given, with `$version` and `$metadata`. */
function withoutMetadata(section: Document | undefined): Document | undefined {
  if (section === undefined) return undefined;
  return Object.fromEntries(Object.entries(section).filter(([key]) => !key.startsWith('$')));
}

const MethodRequest = z.object({
  methodName: z.string().min(1),
  payload: z.unknown(),
  responseTimeoutInSeconds: z.number().min(5).max(300).optional(),
  connectTimeoutInSeconds: z.number().min(0).max(300).optional(),
});

async function callMethod(
  request: JsonRequest,
  target: Target,
  parts: ServiceParts,
): Promise<object> {
  const checked = check(MethodRequest, request.body);
  if (!checked.ok) throw new CloudError('ArgumentInvalid', describeProblems(checked.problems));
  const call = checked.value as MethodCall;
  return parts.relay.call(edgeDeviceOf(target, parts), target.client, call);
}

/** A leaf device is reached through the edge device that polls. */
function edgeDeviceOf(target: Target, { config, changes }: ServiceParts): string {
  if (target.module !== undefined) return target.device;
  return Object.keys(config.devices).find((device) => changes.isPolled(device)) ?? target.device;
}

const etagOf = (twin: CloudTwin): string => Buffer.from(`v${twin.version}`).toString('base64');

function twinDocument(target: Target, twin: CloudTwin, { changes }: ServiceParts): object {
  const connectionState = changes.isPolled(target.device) ? 'Connected' : 'Disconnected';
  return {
    deviceId: target.device,
    ...(target.module === undefined ? {} : { moduleId: target.module }),
    etag: etagOf(twin),
    version: twin.version,
    status: 'enabled',
    connectionState,
    tags: twin.tags,
    properties: {
      desired: { ...twin.desired, $metadata: {}, $version: Math.max(1, twin.desiredVersion) },
      reported: { ...twin.reported, $metadata: {}, $version: Math.max(1, twin.reportedVersion) },
    },
  };
}

function identities(
  device: string | undefined,
  rest: readonly string[],
  parts: ServiceParts,
): JsonReply {
  if (device === undefined || device === '') {
    return { status: 200, body: Object.keys(parts.config.devices).map((id) => deviceOf(id)) };
  }
  targetOf(device, undefined, parts);
  if (rest[0] !== 'modules') return { status: 200, body: deviceOf(device) };
  const modules = modulesOf(device, parts);
  if (rest[1] === undefined)
    return { status: 200, body: modules.map((id) => moduleOf(device, id)) };
  targetOf(device, rest[1], parts);
  return { status: 200, body: moduleOf(device, rest[1]) };
}

const identity = { generationId: '1', etag: 'MQ==', connectionState: 'Disconnected' };
const deviceOf = (deviceId: string): object => ({ deviceId, status: 'enabled', ...identity });
const moduleOf = (deviceId: string, moduleId: string): object => ({
  deviceId,
  moduleId,
  managedBy: 'IotEdge',
  ...identity,
});

const modulesOf = (device: string, { store }: ServiceParts): string[] =>
  store
    .clients()
    .filter((client) => client.startsWith(`${device}/`))
    .map((client) => client.slice(device.length + 1));

const Query = z.object({ query: z.string() });

/** `SELECT * FROM devices` and `SELECT * FROM devices.modules`, each with or without `WHERE deviceId = '<id>'`. */
function query(body: unknown, parts: ServiceParts): JsonReply {
  const checked = check(Query, body);
  if (!checked.ok) throw new CloudError('ArgumentInvalid', describeProblems(checked.problems));
  const match =
    /^\s*select\s+\*\s+from\s+devices(\.modules)?(?:\s+where\s+deviceId\s*=\s*'([^']*)')?\s*$/i.exec(
      checked.value.query,
    );
  if (match === null) {
    throw new CloudError(
      'NotSimulated',
      "only SELECT * FROM devices[.modules] [WHERE deviceId = '<id>'] is simulated",
    );
  }
  const [, ofModules, only] = match;
  const devices = Object.keys(parts.config.devices).filter(
    (id) => only === undefined || id === only,
  );
  const targets = devices.flatMap((device): Target[] =>
    ofModules === undefined
      ? [{ device, client: device }]
      : modulesOf(device, parts).map((module) => ({
          device,
          module,
          client: `${device}/${module}`,
        })),
  );
  const documents = targets.map((target) => twinDocument(target, twinOf(target, parts), parts));
  return { status: 200, body: documents, headers: { 'x-ms-item-type': 'Twin' } };
}
