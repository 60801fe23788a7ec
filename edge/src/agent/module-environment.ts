import type { HostView } from './container-view.ts';

export interface Identity {
  deviceId: string;
  moduleId: string;
  generationId: string;
  /** `localhost:<port>`. */
  gateway: string;
  iotHubHostName: string;
  /** `unix:///...`. */
  workloadUri: string;
  upstreamProtocol?: string | undefined;
}

/** Variables of a module: the manifest's, then those that edgeAgent gives to every module and that win. */
export const moduleEnvironment = (view: HostView, identity: Identity): Record<string, string> => ({
  RuntimeLogLevel: 'info',
  ...view.env,
  IOTEDGE_WORKLOADURI: identity.workloadUri,
  IOTEDGE_DEVICEID: identity.deviceId,
  IOTEDGE_MODULEID: identity.moduleId,
  IOTEDGE_MODULEGENERATIONID: identity.generationId,
  IOTEDGE_IOTHUBHOSTNAME: identity.iotHubHostName,
  IOTEDGE_GATEWAYHOSTNAME: identity.gateway,
  IOTEDGE_AUTHSCHEME: 'sasToken',
  IOTEDGE_APIVERSION: '2021-12-07',
  ...(identity.upstreamProtocol === undefined
    ? {}
    : { UpstreamProtocol: identity.upstreamProtocol }),
});
