import { z } from 'zod';

/**
 * Deployment manifest of Azure IoT Edge as the runtime reads it, agent schema 1.0 and 1.1, hub schema 1.0 to 1.3.
 * A template has the same shape after its variables are expanded, except that `createOptions` may be an object there.
 */

/** Modules of one deployment. */
export const MODULES_MAX = 50;

/** edgeAgent reads `createOptions` and `createOptions01` to `createOptions99`. */
export const CREATE_OPTIONS_KEY = /^createOptions(?:0[1-9]|[1-9]\d)$/;

export const ModuleId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/, {
    error: 'must be letters, digits and - _ . with a letter or digit at both ends',
  });

const EnvironmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_:.-]*$/, { error: 'must be a name of an environment variable' });

const environment = z
  .record(
    EnvironmentName,
    z.strictObject({ value: z.union([z.string(), z.number(), z.boolean()]) }),
  )
  .default({});

const settings = z
  .looseObject({
    image: z.string().min(1),
    createOptions: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
    digest: z.string().optional(),
  })
  .superRefine((value, context) => {
    const known = ['image', 'createOptions', 'digest'];
    for (const [key, content] of Object.entries(value)) {
      if (known.includes(key)) continue;
      if (!CREATE_OPTIONS_KEY.test(key))
        context.addIssue({
          code: 'custom',
          path: [key],
          message: 'is not a known name and must be left out',
        });
      else if (typeof content !== 'string')
        context.addIssue({ code: 'custom', path: [key], message: 'must be a string' });
    }
  });

const common = {
  type: z.literal('docker'),
  settings,
  imagePullPolicy: z.enum(['on-create', 'never']).optional(),
  env: environment,
};

const startupOrder = z.int().min(0).max(4_294_967_295);
const restartPolicy = z.enum(['never', 'on-failure', 'on-unhealthy', 'always']);
const status = z.enum(['running', 'stopped']);

export const ModuleDeployment = z.strictObject({
  ...common,
  version: z.string().optional(),
  status: status.default('running'),
  restartPolicy: restartPolicy.default('on-unhealthy'),
  startupOrder: startupOrder.default(4_294_967_295),
});
export type ModuleDeployment = z.output<typeof ModuleDeployment>;

const registry = z.strictObject({
  address: z.string().min(1),
  username: z.string().min(1),
  password: z.string().min(1),
});

export const AgentDesired = z.strictObject({
  schemaVersion: z.enum(['1.0', '1.1', '1.1.0']),
  runtime: z.strictObject({
    type: z.literal('docker'),
    settings: z
      .strictObject({
        minDockerVersion: z.string().optional(),
        loggingOptions: z.string().optional(),
        registryCredentials: z.record(z.string().min(1), registry).optional(),
      })
      .default({}),
  }),
  systemModules: z.strictObject({
    edgeAgent: z.strictObject({ ...common }),
    edgeHub: z.strictObject({
      ...common,
      status: status.default('running'),
      restartPolicy: restartPolicy.default('always'),
      startupOrder: startupOrder.default(4_294_967_295),
    }),
  }),
  modules: z
    .record(ModuleId, ModuleDeployment)
    .refine((modules) => Object.keys(modules).length <= MODULES_MAX, {
      error: `must have at most ${MODULES_MAX} modules`,
    })
    .default({}),
});
export type AgentDesired = z.output<typeof AgentDesired>;

export const RouteName = z
  .string()
  .regex(/^[^.$# ]+$/, { error: 'must be one or more characters other than . $ # and space' });

const routeObject = z.strictObject({
  route: z.string(),
  priority: z.int().min(0).max(9).optional(),
  timeToLiveSecs: z.int().min(0).max(4_294_967_295).optional(),
});

export const HubDesired = z
  .strictObject({
    schemaVersion: z
      .string()
      .regex(/^1\.[0-3](?:\.0)?$/, { error: 'must be "1.0", "1.1", "1.2" or "1.3"' }),
    routes: z.record(RouteName, z.union([z.string(), routeObject])),
    storeAndForwardConfiguration: z
      .strictObject({
        /** Negative: for ever. */
        timeToLiveSecs: z.int().default(-1),
        storeLimits: z.strictObject({ maxSizeBytes: z.int().min(1) }).optional(),
      })
      .default({ timeToLiveSecs: -1 }),
    mqttBroker: z.record(z.string(), z.unknown()).optional(),
    integrity: z.record(z.string(), z.unknown()).optional(),
  })
  .superRefine((hub, context) => {
    const minor = Number(hub.schemaVersion.split('.')[1]);
    const needs = (version: number, path: string[], what: string) =>
      context.addIssue({
        code: 'custom',
        path,
        message: `${what} needs schemaVersion 1.${version} or later`,
      });
    for (const [name, route] of Object.entries(hub.routes)) {
      if (minor < 1 && typeof route !== 'string') needs(1, ['routes', name], 'a route object');
    }
    if (minor < 2 && hub.mqttBroker !== undefined) needs(2, ['mqttBroker'], 'the broker section');
    if (minor < 3 && hub.integrity !== undefined) needs(3, ['integrity'], 'the integrity section');
  });
export type HubDesired = z.output<typeof HubDesired>;

/** One entry of `modulesContent`. Dotted keys are how a layered deployment adds to another one. */
const section = <T extends z.ZodType>(desired: T) =>
  z
    .looseObject({})
    .superRefine((value, context) => {
      for (const key of Object.keys(value)) {
        if (key === 'properties.desired') continue;
        const message = key.startsWith('properties.desired.')
          ? 'belongs to a layered deployment; put the whole section under properties.desired'
          : 'is not a known name and must be left out';
        context.addIssue({ code: 'custom', path: [key], message });
      }
    })
    .pipe(z.looseObject({ 'properties.desired': desired }));

export const ModulesContent = z
  .looseObject({ $edgeAgent: section(AgentDesired), $edgeHub: section(HubDesired) })
  .superRefine((value, context) => {
    const twin = section(z.record(z.string(), z.unknown()));
    for (const [id, content] of Object.entries(value)) {
      if (id === '$edgeAgent' || id === '$edgeHub') continue;
      const checked = twin.safeParse(content);
      for (const issue of checked.error?.issues ?? [])
        context.addIssue({ code: 'custom', path: [id, ...issue.path], message: issue.message });
    }
  });

export type ModulesContent = z.output<typeof ModulesContent>;

export const DeploymentManifest = z.looseObject({ modulesContent: ModulesContent });
export type DeploymentManifest = z.output<typeof DeploymentManifest>;

/** `module.json`: how the tools build and name the image of a module. */
export const ModuleFile = z.looseObject({
  '$schema-version': z.string().optional(),
  description: z.string().optional(),
  image: z.looseObject({
    repository: z.string().min(1),
    tag: z.looseObject({
      version: z.string().min(1),
      platforms: z.record(z.string().min(1), z.string().min(1)),
    }),
    buildOptions: z.array(z.string()).optional(),
    contextPath: z.string().optional(),
  }),
  language: z.string().optional(),
});
export type ModuleFile = z.output<typeof ModuleFile>;
