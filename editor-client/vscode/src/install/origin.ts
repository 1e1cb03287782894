/** Where this extension comes from, as its build wrote it down, verified on this machine. */

import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type * as vscode from 'vscode';

const RECORD = 'installation.json';
const DEFAULT_PYTHON = '3.11';
const NAME = /^name\s*=\s*["']parrotlet["']\s*$/m;

/** Where this extension may find what it needs. */
export interface Installation {
  /** The folder that it was built in. On another machine there is none, or another project. */
  readonly folder: string | undefined;
  /** The server of the installation that brought it. */
  readonly server: string | undefined;
  /** The oldest Python that the server runs on, as "3.11". */
  readonly python: string;
  /** A folder of this extension's own. */
  readonly storage: string;
  /** Its version, which is the server's too. */
  readonly version: string;
}

/** Reads what the build wrote down. */
export async function readInstallation(context: vscode.ExtensionContext): Promise<Installation> {
  let record: Record<string, unknown> = {};
  try {
    const text = await readFile(context.asAbsolutePath(RECORD), 'utf8');
    record = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // without it the extension finds the server where users have it
  }
  const { python } = record;
  return {
    folder: pathOf(record['folder']),
    server: pathOf(record['server']),
    python: typeof python === 'string' ? python : DEFAULT_PYTHON,
    storage: context.globalStorageUri.fsPath,
    version: String((context.extension.packageJSON as { version?: unknown }).version),
  };
}

/** Returns the checkout that the extension was built in, if it is one on this machine. */
export async function checkoutOf({ folder }: Installation): Promise<string | undefined> {
  return folder !== undefined && await isCheckout(folder) ? folder : undefined;
}

/** Says whether a folder is a checkout of Parrotlet. */
export async function isCheckout(folder: string): Promise<boolean> {
  try {
    return NAME.test(await readFile(join(folder, 'pyproject.toml'), 'utf8'));
  } catch {
    return false;
  }
}

function pathOf(value: unknown): string | undefined {
  return typeof value === 'string' && isAbsolute(value) ? value : undefined;
}
