/**
 * Finds the server: the user's setting, the active virtual environment, the one that this extension
 * installed, the checkout that it was built from, the PATH.
 *
 * Nothing in a workspace that is not trusted is taken: whoever wrote the project would choose what
 * runs here.
 */

import { access, constants, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, relative } from 'node:path';
import * as vscode from 'vscode';
import { listOf } from './settings';

const IS_WINDOWS = process.platform === 'win32';
const PROGRAM = IS_WINDOWS ? 'parrotlet-server.exe' : 'parrotlet-server';
const BIN = IS_WINDOWS ? 'Scripts' : 'bin';
const PYTHON_EXTENSION = 'ms-python.python';

/** How to start the server. */
export interface Found {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it was found, as in "found in …". */
  readonly where: string;
}

/** Why there is none. */
export interface Missing {
  readonly reason: string;
}

/** Where this extension may find what it needs. */
export interface Installation {
  /** The checkout that the extension was built from, if that is known. */
  readonly checkout: string | undefined;
  /** The virtual environment that this extension makes if it is told to. */
  readonly environment: string;
}

/** Reads what the build wrote down. */
export async function readInstallation(context: vscode.ExtensionContext): Promise<Installation> {
  const environment = join(context.globalStorageUri.fsPath, 'server');
  try {
    const record: unknown = JSON.parse(
      await readFile(context.asAbsolutePath('installation.json'), 'utf8'),
    );
    const { folder } = record as { folder?: unknown };
    return { checkout: typeof folder === 'string' ? folder : undefined, environment };
  } catch {
    return { checkout: undefined, environment };
  }
}

/** Looks for the server where it may be, in order. */
export async function findServer(installation: Installation): Promise<Found | Missing> {
  const named = listOf('server');
  if (named.length > 0) {
    return ofSetting(named);
  }
  const places: [string, string][] = [
    ...await ofActiveEnvironment(),
    ['this extension’s own installation', join(installation.environment, BIN)],
  ];
  if (installation.checkout !== undefined) {
    const bin = join(installation.checkout, '.venv', BIN);
    places.push(['the checkout that this extension was built from', bin]);
  }
  places.push(...searchPath().map((folder): [string, string] => ['the PATH', folder]));
  for (const [where, folder] of places) {
    const command = join(folder, PROGRAM);
    if (mayRun(command) && await isProgram(command)) {
      return { command, args: [], where };
    }
  }
  return { reason: 'the server is not installed' };
}

/** Returns the Python that the user works with, by path; an untrusted folder names none. */
export async function activePython(): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) {
    return undefined;
  }
  const chosen = (await pythonEnvironments())?.getActiveEnvironmentPath().path;
  const settings = vscode.workspace.getConfiguration('python');
  const named = settings.get<string>('defaultInterpreterPath');
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const written = named?.replaceAll('${workspaceFolder}', folder?.uri.fsPath ?? '');
  return [chosen, written].find((path) => path !== undefined && isAbsolute(path));
}

/** Calls back when the user chooses another Python. */
export async function watchPython(changed: () => void): Promise<vscode.Disposable> {
  const environments = vscode.workspace.isTrusted ? await pythonEnvironments() : undefined;
  const none = new vscode.Disposable(() => undefined);
  return environments?.onDidChangeActiveEnvironmentPath(changed) ?? none;
}

/** Returns the folders of the PATH, without those that are relative to wherever one stands. */
export function searchPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
}

/** Says whether a program may be started: not if it is of a workspace that is not trusted. */
export function mayRun(path: string): boolean {
  return vscode.workspace.isTrusted || !isInWorkspace(path);
}

/** Says whether there is a file that can be started. */
export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What of the Python extension's interface is used here. */
interface PythonEnvironments {
  getActiveEnvironmentPath(): { path: string };
  onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
}

async function pythonEnvironments(): Promise<PythonEnvironments | undefined> {
  const extension = vscode.extensions.getExtension<{ environments?: PythonEnvironments }>(
    PYTHON_EXTENSION,
  );
  try {
    return (await extension?.activate())?.environments;
  } catch {
    return undefined; // its own trouble, which it tells itself
  }
}

async function ofActiveEnvironment(): Promise<[string, string][]> {
  const places: [string, string][] = [];
  const python = await activePython();
  if (python !== undefined) {
    places.push([`the environment of ${python}`, dirname(python)]);
  }
  const active = process.env['VIRTUAL_ENV'];
  if (active) {
    places.push([`the active environment ${active}`, join(active, BIN)]);
  }
  return places;
}

async function ofSetting([first = '', ...args]: string[]): Promise<Found | Missing> {
  const path = first.startsWith('~/') ? join(homedir(), first.slice(2)) : first;
  const candidates = isAbsolute(path)
    ? [path]
    : searchPath().map((folder) => join(folder, IS_WINDOWS ? `${path}.exe` : path));
  for (const command of candidates) {
    if (await isProgram(command)) {
      return { command, args, where: 'the setting parrotlet.client.server' };
    }
  }
  return {
    reason: `'${first}', which the setting parrotlet.client.server names, cannot be run;`
      + ' correct the setting or empty it',
  };
}

function isInWorkspace(path: string): boolean {
  return (vscode.workspace.workspaceFolders ?? []).some(({ uri }) => {
    const way = relative(uri.fsPath, path);
    return !way.startsWith('..') && !isAbsolute(way);
  });
}
