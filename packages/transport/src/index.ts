export * from './create.ts';
export * from './edge-hub.ts';
export * from './errors.ts';
export * from './memory.ts';
export * from './memory-faults.ts';
export * from './no-transport.ts';
export * from './port.ts';
export * from './reported.ts';
