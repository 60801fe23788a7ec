import './node-version.ts';

export * from './bearer-auth.ts';
export * from './disk-room.ts';
export { hostEnvironment, readEnvironment } from './environment.ts';
export * from './errors.ts';
export * from './http-body.ts';
export { createLog, errorFields } from './log.ts';
export * from './port.ts';
export * from './replace-file.ts';
export * from './run-module.ts';
export * from './settings-table.ts';
export * from './start-host.ts';
