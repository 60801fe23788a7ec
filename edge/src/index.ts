export type {
  EdgeEvent,
  EdgeHandle,
  EdgeOptions,
  MethodResult,
  ModuleState,
  ModuleStatus,
} from './agent/edge-handle.ts';
export { EdgeError } from './agent/errors.ts';
export type { LogFilter, LogLine } from './agent/log-lines.ts';
export { startEdge } from './agent/start-edge.ts';
export { DeploymentError } from './deployment/errors.ts';
export { type Validation, validateProject } from './deployment/validate.ts';
