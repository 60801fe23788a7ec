import { check, type Problem } from '@holdfast/contracts';
import { z } from 'zod';

const port = z.string().regex(/^\d{1,5}\/(tcp|udp)$/, { error: 'must be like "8080/tcp"' });
const nothing = z.record(z.string(), z.unknown());

/**
 * The part of Docker's create options that the local edge gives a meaning to. Everything else is refused by name,
 * because a module that relies on it would behave differently on a device.
 */
export const ContainerOptions = z.strictObject({
  Env: z.array(z.string().regex(/^[^=]+=/, { error: 'must be NAME=value' })).default([]),
  ExposedPorts: z.record(port, nothing).default({}),
  /** Without effect, here as on a device. */
  Labels: z.record(z.string(), z.string()).optional(),
  HostConfig: z
    .strictObject({
      Binds: z
        .array(
          z
            .string()
            .regex(/^[^:]+:\/[^:]*(:[a-zA-Z,]+)?$/, { error: 'must be source:/target[:ro]' }),
        )
        .default([]),
      Mounts: z
        .array(
          z.strictObject({
            Type: z.enum(['volume', 'bind']),
            Source: z.string().min(1),
            Target: z.string().startsWith('/'),
            ReadOnly: z.boolean().optional(),
          }),
        )
        .default([]),
      /** Host ports come from the system, so that several edges can run side by side. */
      PortBindings: z
        .record(
          port,
          z.array(
            z.strictObject({ HostIp: z.string().optional(), HostPort: z.string().optional() }),
          ),
        )
        .default({}),
      LogConfig: z
        .strictObject({
          Type: z.enum(['', 'json-file']).default(''),
          Config: z
            .strictObject({
              'max-size': z
                .string()
                .regex(/^\d+[kmg]?$/i, { error: 'must be a number with k, m or g' })
                .optional(),
              'max-file': z
                .string()
                .regex(/^[1-9]\d*$/, { error: 'must be a number' })
                .optional(),
            })
            .default({}),
        })
        .default({ Type: '', Config: {} }),
      /** The manifest's restartPolicy counts, here as on a device. */
      RestartPolicy: nothing.optional(),
    })
    .prefault({}),
});
export type ContainerOptions = z.output<typeof ContainerOptions>;

/** Create options in checked form, or what the local edge does not simulate about them. */
export function readContainerOptions(
  options: Record<string, unknown>,
  path: string,
): { options?: ContainerOptions; problems: Problem[] } {
  const checked = check(ContainerOptions, options);
  if (checked.ok) return { options: checked.value, problems: [] };
  return {
    problems: checked.problems.map((problem) => ({
      ...problem,
      path: `${path}.${problem.path}`,
      allowed: problem.allowed.startsWith('is not a known name')
        ? 'is not simulated by the local edge'
        : problem.allowed,
    })),
  };
}
