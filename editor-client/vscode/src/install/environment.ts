/**
 * The virtual environments that the extension owns, in its own folder. Each installation gets one
 * of its own, so that one that fails or is cancelled leaves the last that worked, which a file
 * names.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const IS_WINDOWS = process.platform === 'win32';
export const BIN = IS_WINDOWS ? 'Scripts' : 'bin';
export const PROGRAM = IS_WINDOWS ? 'parrotlet-server.exe' : 'parrotlet-server';

const POINTER = 'server.json';
const OURS = /^server-[0-9a-f]{8}$/;
const STALE_MS = 3_600_000; // younger ones may belong to an installation in another window

/** Returns the environment that the last complete installation made, if there is one. */
export async function currentEnvironment(storage: string): Promise<string | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(join(storage, POINTER), 'utf8'));
    const { folder } = record as { folder?: unknown };
    return typeof folder === 'string' && OURS.test(folder) ? join(storage, folder) : undefined;
  } catch {
    return undefined;
  }
}

/** Returns a folder for a new environment, which does not exist yet. */
export async function newEnvironment(storage: string): Promise<string> {
  await mkdir(storage, { recursive: true });
  return join(storage, `server-${randomBytes(4).toString('hex')}`);
}

/** Makes an environment the current one, and removes those that no installation needs. */
export async function adoptEnvironment(storage: string, environment: string): Promise<void> {
  const before = await currentEnvironment(storage);
  const record = { folder: environment.slice(storage.length + 1) };
  const aside = join(storage, `${POINTER}.${process.pid}`);
  await writeFile(aside, `${JSON.stringify(record)}\n`);
  await rename(aside, join(storage, POINTER));
  for (const name of await readdir(storage)) {
    const path = join(storage, name);
    if (OURS.test(name) && path !== environment && (path === before || await isStale(path))) {
      await removeEnvironment(path);
    }
  }
}

/** Removes an environment; what cannot be removed, because it runs, stays until the next time. */
export async function removeEnvironment(environment: string): Promise<void> {
  await rm(environment, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function isStale(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs > STALE_MS;
}
