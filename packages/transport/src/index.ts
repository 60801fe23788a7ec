export * from './errors.ts';
export * from './memory.ts';
export * from './memory-faults.ts';
export * from './port.ts';
export * from './reported.ts';
