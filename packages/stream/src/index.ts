export * from './port.ts';
export * from './receiver.ts';
export * from './round-trip.ts';
export * from './sender.ts';
