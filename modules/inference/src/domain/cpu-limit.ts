/**
 * CPUs that the container may use, by the quotas of its control groups: the least of its own and those above it.
 * Undefined: no limit. Sources: cgroups(7); cpu.max of control groups v2, cpu.cfs_quota_us of v1.
 * @param read content of a file, undefined when there is none
 */
export function cpuLimit(read: (path: string) => string | undefined): number | undefined {
  const limits = groupsOf(read('/proc/self/cgroup') ?? '').flatMap(({ version, path }) =>
    pathsUp(path).flatMap((folder) =>
      version === 2 ? limitV2(read, folder) : limitV1(read, folder),
    ),
  );
  return limits.length === 0 ? undefined : Math.min(...limits);
}

type Read = (path: string) => string | undefined;

/** Lines are `number:controllers:path`; v2 is the one with number 0 and no controllers. */
function groupsOf(text: string): { version: 1 | 2; path: string }[] {
  return text.split('\n').flatMap((line): { version: 1 | 2; path: string }[] => {
    const [id, controllers, ...path] = line.split(':');
    if (id === '0' && controllers === '') return [{ version: 2, path: path.join(':') }];
    if (controllers?.split(',').includes('cpu')) {
      return [{ version: 1, path: path.join(':') }];
    }
    return [];
  });
}

/** A path and all above it: in a container the group's own files may be at the root, whatever the path says. */
function pathsUp(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return ['', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)];
}

function limitV2(read: Read, folder: string): number[] {
  const [quota, period] = (read(`/sys/fs/cgroup${folder}/cpu.max`) ?? '').trim().split(' ');
  return limitOf(Number(quota), Number(period ?? 100_000));
}

function limitV1(read: Read, folder: string): number[] {
  for (const mount of ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct']) {
    const quota = read(`${mount}${folder}/cpu.cfs_quota_us`);
    const period = read(`${mount}${folder}/cpu.cfs_period_us`);
    if (quota !== undefined) return limitOf(Number(quota), Number(period ?? 100_000));
  }
  return [];
}

/** A quota of `max` or -1 is none. */
const limitOf = (quota: number, period: number): number[] =>
  quota > 0 && period > 0 ? [quota / period] : [];

/** Runs at once: a core is left to everything but runs where there are two, and each run has its threads. */
export function slotsFor(cpus: number, threadsPerRun: number): number {
  return Math.max(1, Math.floor((Math.floor(cpus) - 1) / threadsPerRun));
}
