/** Finds a Python interpreter to install the server with. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getActivePython, isExecutable, listPathFolders, mayRun } from '../server/discovery';
import { IS_WINDOWS } from './environment';

// On Windows, python.org's installer adds no Python to the PATH by default, but its launcher.
const NAMES = IS_WINDOWS ? ['python.exe', 'py.exe'] : ['python3', 'python'];
const N_NEWER_VERSIONS = 5; // after the oldest that is sufficient, each a program of its own

/**
 * Returns a Python that is new enough and can create virtual environments.
 *
 * @param minVersion the oldest version that is sufficient, as "3.11"
 */
export async function findPython(minVersion: string): Promise<string> {
  const minTuple = `(${minVersion.replace('.', ', ')})`;
  const active = await getActivePython();
  const onPath = [NAMES, listVersionedNames(minVersion)].flatMap((names) => (
    listPathFolders().flatMap((folder) => names.map((name) => join(folder, name)))
  ));
  let withoutVenv: string | undefined;
  for (const python of [...(active === undefined ? [] : [active]), ...onPath]) {
    const isNewEnough = mayRun(python) && await isExecutable(python)
      && await succeeds(python, `import sys; sys.exit(sys.version_info < ${minTuple})`);
    if (isNewEnough && await succeeds(python, 'import ensurepip, venv')) {
      return python;
    }
    withoutVenv ??= isNewEnough ? python : undefined;
  }
  throw new Error(
    withoutVenv === undefined
      ? `no Python ${minVersion} or newer was found; install one, or select one with the Python`
        + ' extension'
      : `${withoutVenv} cannot create virtual environments; install its venv module (on Debian and`
        + ' Ubuntu, the package python3-venv)',
  );
}

/** Lists programs such as python3.12, the newest first: python3 may be the system's older one. */
function listVersionedNames(minVersion: string): string[] {
  const [major = '', minor = ''] = minVersion.split('.');
  const newer = Array.from({ length: N_NEWER_VERSIONS + 1 }, (_, index) => Number(minor) + index);
  return IS_WINDOWS ? [] : newer.reverse().map((one) => `python${major}.${one}`);
}

/** Checks whether a Python's pip has at least this version. */
export async function hasPip(python: string, major: number, minor: number): Promise<boolean> {
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
