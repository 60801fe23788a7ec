export * from './errors.ts';
export * from './golden.ts';
export * from './opset.ts';
export * from './read-bundle.ts';
export * from './tensors.ts';
