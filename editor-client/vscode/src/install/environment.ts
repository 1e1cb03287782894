/**
 * The virtual environments in the extension's own folder. Each installation gets a new one, so that
 * a failed or cancelled installation leaves the previous server in place, and what runs from the
 * previous one goes on. A file names the current one.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { listCommandLines } from './processList';

export const IS_WINDOWS = process.platform === 'win32';
export const BIN = IS_WINDOWS ? 'Scripts' : 'bin';
export const PROGRAM = IS_WINDOWS ? 'parrotlet-server.exe' : 'parrotlet-server';

const POINTER = 'server.json';
const OWN_NAME = /^server-[0-9a-f]{8}$/;
const STALE_AFTER_MS = 3_600_000; // younger ones may belong to an installation in another window

/** What the file that names the current environment says. */
interface Pointer {
  readonly folder: string | undefined;
  /** Those that were current before, as far as they have not been removed. */
  readonly superseded: readonly string[];
}

/** Returns the environment of the last complete installation, if there is one. */
export async function getCurrentEnvironment(storage: string): Promise<string | undefined> {
  const { folder } = await readPointer(storage);
  return folder === undefined ? undefined : join(storage, folder);
}

/** Returns the path of a new environment, which does not exist yet. */
export async function createEnvironmentPath(storage: string): Promise<string> {
  await mkdir(storage, { recursive: true });
  return join(storage, `server-${randomBytes(4).toString('hex')}`);
}

/** Makes an environment the current one. The one before stays, for what runs from it. */
export async function activateEnvironment(storage: string, environment: string): Promise<void> {
  const { folder: previous, superseded } = await readPointer(storage);
  const names = await readdir(storage);
  const former = [...superseded, ...(previous === undefined ? [] : [previous])];
  const record = {
    folder: basename(environment),
    superseded: former.filter((name) => names.includes(name)),
  };
  const temporary = join(storage, `${POINTER}.${process.pid}`);
  await writeFile(temporary, `${JSON.stringify(record)}\n`);
  await rename(temporary, join(storage, POINTER));
}

/**
 * Removes the environments that are no longer needed: neither the current one, nor one that a
 * program runs from, such as the server of another window or an adaptation, which goes on for hours
 * with the Python that it was started with.
 */
export async function removeUnusedEnvironments(storage: string): Promise<void> {
  const { folder, superseded } = await readPointer(storage);
  const unneeded: string[] = [];
  const names = (await readdir(storage).catch(() => [])).filter(isOwnName);
  for (const name of names.filter((one) => one !== folder)) {
    if (superseded.includes(name) || await isStale(join(storage, name))) {
      unneeded.push(name);
    }
  }
  const running = unneeded.length > 0 ? await listCommandLines() : [];
  const isUsed = (name: string): boolean => running?.some((line) => line.includes(name)) ?? true;
  for (const name of unneeded.filter((one) => !isUsed(one))) {
    await removeEnvironment(join(storage, name));
  }
}

/** Removes an environment. */
export async function removeEnvironment(environment: string): Promise<void> {
  await rm(environment, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function readPointer(storage: string): Promise<Pointer> {
  try {
    const record: unknown = JSON.parse(await readFile(join(storage, POINTER), 'utf8'));
    const { folder, superseded } = record as { folder?: unknown; superseded?: unknown };
    return {
      folder: isOwnName(folder) ? folder : undefined,
      superseded: Array.isArray(superseded) ? superseded.filter(isOwnName) : [],
    };
  } catch {
    return { folder: undefined, superseded: [] };
  }
}

function isOwnName(value: unknown): value is string {
  return typeof value === 'string' && OWN_NAME.test(value);
}

async function isStale(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > STALE_AFTER_MS;
  } catch {
    return false; // another window has just removed it
  }
}
