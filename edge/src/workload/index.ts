export { WorkloadError } from './errors.ts';
export {
  type ServerCertificate,
  startWorkloadApi,
  type WorkloadApi,
  type WorkloadIdentity,
  type WorkloadOptions,
} from './workload-api.ts';
