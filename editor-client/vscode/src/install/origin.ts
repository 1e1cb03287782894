/** Where this extension comes from, as its build recorded it, verified on this machine. */

import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type * as vscode from 'vscode';

const RECORD = 'installation.json';
const DEFAULT_MIN_PYTHON = '3.11';
const PROJECT_NAME = /^name\s*=\s*["']parrotlet["']\s*$/m;

/** Where this extension comes from, and where it stores its files. */
export interface Origin {
  /** The folder in which it was built. On another machine, it may be another project's. */
  readonly buildFolder: string | undefined;
  /** The server of the Python installation that brought it. */
  readonly server: string | undefined;
  /** The oldest Python that the server runs on, as "3.11". */
  readonly minPython: string;
  /** The extension's own folder. */
  readonly storage: string;
  /** Its version, which is also the server's. */
  readonly version: string;
}

/** Reads the record of the build. */
export async function readOrigin(context: vscode.ExtensionContext): Promise<Origin> {
  let record: Record<string, unknown> = {};
  try {
    const text = await readFile(context.asAbsolutePath(RECORD), 'utf8');
    record = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Without it, the extension finds only servers that the user has installed.
  }
  const { python } = record;
  return {
    buildFolder: toAbsolutePath(record['folder']),
    server: toAbsolutePath(record['server']),
    minPython: typeof python === 'string' ? python : DEFAULT_MIN_PYTHON,
    storage: context.globalStorageUri.fsPath,
    version: String((context.extension.packageJSON as { version?: unknown }).version),
  };
}

/** Returns the checkout that the extension was built in, if it is one on this machine. */
export async function findCheckout({ buildFolder }: Origin): Promise<string | undefined> {
  return buildFolder !== undefined && await isCheckout(buildFolder) ? buildFolder : undefined;
}

/** Checks whether a folder is a checkout of Parrotlet. */
export async function isCheckout(folder: string): Promise<boolean> {
  try {
    return PROJECT_NAME.test(await readFile(join(folder, 'pyproject.toml'), 'utf8'));
  } catch {
    return false;
  }
}

function toAbsolutePath(value: unknown): string | undefined {
  return typeof value === 'string' && isAbsolute(value) ? value : undefined;
}
