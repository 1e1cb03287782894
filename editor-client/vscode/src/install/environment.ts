/**
 * The virtual environments in the extension's own folder. Each installation gets a new one, so that
 * a failed or cancelled installation leaves the previous server in place. A file names the current
 * one.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const IS_WINDOWS = process.platform === 'win32';
export const BIN = IS_WINDOWS ? 'Scripts' : 'bin';
export const PROGRAM = IS_WINDOWS ? 'parrotlet-server.exe' : 'parrotlet-server';

const POINTER = 'server.json';
const OWN_NAME = /^server-[0-9a-f]{8}$/;
const STALE_AFTER_MS = 3_600_000; // younger ones may belong to an installation in another window

/** Returns the environment of the last complete installation, if there is one. */
export async function getCurrentEnvironment(storage: string): Promise<string | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(join(storage, POINTER), 'utf8'));
    const { folder } = record as { folder?: unknown };
    return typeof folder === 'string' && OWN_NAME.test(folder) ? join(storage, folder) : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the path of a new environment, which does not exist yet. */
export async function createEnvironmentPath(storage: string): Promise<string> {
  await mkdir(storage, { recursive: true });
  return join(storage, `server-${randomBytes(4).toString('hex')}`);
}

/** Makes an environment the current one, and removes those that are no longer needed. */
export async function activateEnvironment(storage: string, environment: string): Promise<void> {
  const previous = await getCurrentEnvironment(storage);
  const record = { folder: environment.slice(storage.length + 1) };
  const temporary = join(storage, `${POINTER}.${process.pid}`);
  await writeFile(temporary, `${JSON.stringify(record)}\n`);
  await rename(temporary, join(storage, POINTER));
  for (const name of await readdir(storage)) {
    const path = join(storage, name);
    if (OWN_NAME.test(name) && path !== environment && (path === previous || await isStale(path))) {
      await removeEnvironment(path);
    }
  }
}

/** Removes an environment. Files of a running server stay until the next installation. */
export async function removeEnvironment(environment: string): Promise<void> {
  await rm(environment, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function isStale(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs > STALE_AFTER_MS;
}
