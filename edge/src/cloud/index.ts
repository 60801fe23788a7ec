export { type CloudOptions, type CloudStatus, type RunningCloud, startCloud } from './cloud.ts';
export type { ReceivedMessage } from './cloud-store.ts';
export type { CloudConfig } from './config.ts';
