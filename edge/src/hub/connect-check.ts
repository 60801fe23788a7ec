import { verifySas } from './sas.ts';
import { parseClientId } from './sessions.ts';

export interface Connect {
  clientId: string;
  userName: string | undefined;
  password: string | undefined;
}

export interface ConnectRules {
  deviceId: string;
  iotHubHostName: string;
  identities: Readonly<Record<string, string>>;
  nowSecs: number;
}

export type ConnectVerdict = { ok: true; expirySecs: number } | { ok: false; reason: string };

const refused = (reason: string): ConnectVerdict => ({ ok: false, reason });

/**
 * Decides a CONNECT as edge hub does: the user name is `<IoT hub>/<device>[/<module>]/?api-version=...`, the client
 * id says the same, the password is a SAS token of that identity.
 */
export function checkConnect(connect: Connect, rules: ConnectRules): ConnectVerdict {
  const name = parseClientId(connect.clientId);
  if (name === undefined) return refused('the client id is not <device>/<module> or <device>');
  const user = parseUserName(connect.userName ?? '');
  if (user === undefined)
    return refused('the user name is not <hub>/<device>/<module>/?api-version=');
  if (user.host.toLowerCase() !== rules.iotHubHostName.toLowerCase()) {
    return refused('the user name is for another IoT hub');
  }
  if (user.clientId !== connect.clientId) return refused('user name and client id differ');
  if (name.module !== undefined && name.device !== rules.deviceId) {
    return refused('the module belongs to another device');
  }
  const identity = name.module ?? name.device;
  const key = Object.hasOwn(rules.identities, identity) ? rules.identities[identity] : undefined;
  if (key === undefined) return refused('the identity is not known');
  const device = `${rules.iotHubHostName}/devices/${name.device}`;
  const resource = name.module === undefined ? device : `${device}/modules/${name.module}`;
  const resources = [resource];
  return verifySas(connect.password ?? '', { resources, key, nowSecs: rules.nowSecs });
}

function parseUserName(userName: string): { host: string; clientId: string } | undefined {
  const parts = userName.split('/');
  const query = parts.pop() ?? '';
  const [host, device, module, ...rest] = parts;
  if (host === undefined || device === undefined || rest.length > 0) return undefined;
  if (!/(^|[?&])api-version=/.test(query)) return undefined;
  return { host, clientId: module === undefined ? device : `${device}/${module}` };
}
