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
export { processTerminal } from './cli/process-terminal.ts';
export { run as runCommand } from './cli/run.ts';
export { DeploymentError } from './deployment/errors.ts';
export { type Validation, validateProject } from './deployment/validate.ts';
