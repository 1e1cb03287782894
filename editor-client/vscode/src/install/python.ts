/** Finds a Python to install the server with. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { IS_WINDOWS } from './environment';
import { activePython, isProgram, mayRun, searchPath } from '../server/discovery';

const NAMES = IS_WINDOWS ? ['python.exe'] : ['python3', 'python'];

/**
 * Returns a Python that is new enough and can make virtual environments.
 *
 * @param oldest the oldest version that will do, as "3.11"
 */
export async function findPython(oldest: string): Promise<string> {
  const wanted = `(${oldest.replace('.', ', ')})`;
  const active = await activePython();
  const onPath = searchPath().flatMap((folder) => NAMES.map((name) => join(folder, name)));
  let incomplete: string | undefined;
  for (const python of [...(active === undefined ? [] : [active]), ...onPath]) {
    const isNewEnough = mayRun(python) && await isProgram(python)
      && await succeeds(python, `import sys; sys.exit(sys.version_info < ${wanted})`);
    if (isNewEnough && await succeeds(python, 'import ensurepip, venv')) {
      return python;
    }
    incomplete ??= isNewEnough ? python : undefined;
  }
  throw new Error(
    incomplete === undefined
      ? `no Python ${oldest} or newer was found; install one, or select one with the Python`
        + ' extension'
      : `${incomplete} cannot create virtual environments; install its venv module (on Debian and`
        + ' Ubuntu, the package python3-venv)',
  );
}

/** Says whether a Python's pip is of this version or newer. */
export async function isPip(python: string, major: number, minor: number): Promise<boolean> {
  const code = 'import pip, sys; v = [int(n) for n in pip.__version__.split(".")[:2]];'
    + `sys.exit(v < [${major}, ${minor}])`;
  return succeeds(python, code);
}

async function succeeds(python: string, code: string): Promise<boolean> {
  try {
    await promisify(execFile)(python, ['-I', '-c', code]);
    return true;
  } catch {
    return false;
  }
}
