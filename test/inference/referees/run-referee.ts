import { execFile } from 'node:child_process';

/** Lines that a script of a referee printed. @throws Error with everything it said when it found something wrong */
export const runReferee = (
  python: string,
  script: string,
  args: readonly string[],
): Promise<string[]> =>
  new Promise((resolve, reject) => {
    // Without a byte-code cache beside the sources.
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    execFile(python, [script, ...args], { env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim().split('\n'));
      else reject(new Error(`${stdout}\n${stderr}`));
    });
  });
