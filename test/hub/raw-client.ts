import { connect } from 'mqtt';
import { DEVICE, IOT_HUB, type Site } from './site.ts';

/** The return code of a CONNECT, without the SDK's own ideas about it. */
export function connectCode(
  site: Site,
  module: string,
  password: string,
  clientId = `${DEVICE}/${module}`,
): Promise<number> {
  const client = connect({
    protocol: 'mqtts',
    host: 'localhost',
    port: site.config.port,
    ca: site.authority.trustBundlePem,
    protocolVersion: 4,
    clean: false,
    clientId,
    username: `${IOT_HUB}/${DEVICE}/${module}/?api-version=2021-04-12`,
    password,
    reconnectPeriod: 0,
  });
  return new Promise((resolve, reject) => {
    client.once('connect', (packet) => {
      client.end(true);
      resolve(packet.returnCode ?? -1);
    });
    client.once('error', (error) => {
      client.end(true);
      const { code } = error as { code?: unknown };
      if (typeof code === 'number') resolve(code);
      else reject(error);
    });
  });
}
