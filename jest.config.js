// Packages that ship ES modules only; jest runs CommonJS, so they go through the same transform as our code.
const esmOnly = ['hyparquet', 'hyparquet-writer', 'hyparquet-compressors', 'csv-parse'];

const transform = {
  '^.+\\.[jt]s$': [
    '@swc/jest',
    { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'commonjs' } },
  ],
};

const project = (displayName, testMatch) => ({
  displayName,
  testMatch,
  testEnvironment: 'node',
  transform,
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
  modulePathIgnorePatterns: ['<rootDir>/config/', '<rootDir>/.holdfast/', '/dist/'],
});

/** `unit`: fast, no other process. `system`: real processes, brokers, stores; run by `npm test` only. */
export default {
  projects: [
    project('unit', ['**/src/**/*.test.ts', '<rootDir>/scripts/**/*.test.ts']),
    project('system', ['<rootDir>/test/**/*.test.ts']),
  ],
  testTimeout: 30_000,
};
