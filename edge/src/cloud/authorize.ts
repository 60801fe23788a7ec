import { parseSas, verifySas } from '../hub/sas.ts';
import type { CloudConfig } from './config.ts';
import { CloudError } from './errors.ts';

/** Checks the token of an edge device. @throws CloudError IotHubUnauthorizedAccess */
export function authorizeDevice(
  token: string | undefined,
  device: string,
  config: CloudConfig,
  nowSecs: number,
): void {
  const key = Object.hasOwn(config.devices, device) ? config.devices[device] : undefined;
  if (key === undefined) throw new CloudError('DeviceNotFound', `device ${device} does not exist`);
  const resources = [`${config.hostName}/devices/${device}`];
  const verdict = verifySas(token ?? '', { resources, key, nowSecs });
  if (!verdict.ok) throw new CloudError('IotHubUnauthorizedAccess', verdict.reason);
}

/** Checks the token of a service client, made with a shared access policy of the hub. @throws CloudError */
export function authorizeService(
  token: string | undefined,
  config: CloudConfig,
  nowSecs: number,
): void {
  const policy = parseSas(token ?? '')?.policy ?? '';
  const key = Object.hasOwn(config.policies, policy) ? config.policies[policy] : undefined;
  if (key === undefined) {
    throw new CloudError('IotHubUnauthorizedAccess', 'the token names no policy of this hub');
  }
  const resources = [config.hostName, 'localhost'];
  const verdict = verifySas(token ?? '', { resources, key, nowSecs });
  if (!verdict.ok) throw new CloudError('IotHubUnauthorizedAccess', verdict.reason);
}
