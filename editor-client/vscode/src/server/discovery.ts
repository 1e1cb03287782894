/**
 * Finds the server: the user's setting, the active virtual environment, the one that this extension
 * installed, the installation or checkout that it came with, the PATH.
 *
 * Nothing in a workspace that is not trusted is taken: whoever wrote the project would choose what
 * runs here.
 */

import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, isAbsolute, join, relative } from 'node:path';
import * as vscode from 'vscode';
import { BIN, currentEnvironment, IS_WINDOWS, PROGRAM } from '../install/environment';
import { checkoutOf, type Installation } from '../install/origin';
import { listOf } from '../settings/configuration';

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
  /** Whether installing it would help. */
  readonly canInstall: boolean;
}

/** Looks for the server where it may be, in order. */
export async function findServer(installation: Installation): Promise<Found | Missing> {
  const named = listOf('server');
  if (named.length > 0) {
    return ofSetting(named);
  }
  for (const [where, folder] of await places(installation)) {
    const command = join(folder, PROGRAM);
    if (mayRun(command) && await isProgram(command)) {
      return { command, args: [], where };
    }
  }
  return { reason: 'the server is not installed', canInstall: true };
}

/** Returns the folders in which the server may be, with a name for each, in order. */
async function places(installation: Installation): Promise<[string, string][]> {
  const list = await ofActiveEnvironment();
  const own = await currentEnvironment(installation.storage);
  if (own !== undefined) {
    list.push(['the environment that this extension installed', join(own, BIN)]);
  }
  const { server } = installation;
  if (server !== undefined && basename(server) === PROGRAM) {
    list.push(['the installation that this extension comes from', dirname(server)]);
  }
  const checkout = await checkoutOf(installation);
  if (checkout !== undefined) {
    list.push(['the checkout that this extension was built from', join(checkout, '.venv', BIN)]);
  }
  list.push(...searchPath().map((folder): [string, string] => ['the PATH', folder]));
  return list;
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
    return undefined; // it reports its own problems
  }
}

async function ofActiveEnvironment(): Promise<[string, string][]> {
  const list: [string, string][] = [];
  const python = await activePython();
  if (python !== undefined) {
    list.push([`the environment of ${python}`, dirname(python)]);
  }
  const active = process.env['VIRTUAL_ENV'];
  if (active) {
    list.push([`the active environment ${active}`, join(active, BIN)]);
  }
  return list;
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
    reason: `'${first}' in the setting parrotlet.client.server is not a program that can be run;`
      + ' correct the setting, or clear it to let Parrotlet find the server',
    canInstall: false,
  };
}

function isInWorkspace(path: string): boolean {
  return (vscode.workspace.workspaceFolders ?? []).some(({ uri }) => {
    const way = relative(uri.fsPath, path);
    return !way.startsWith('..') && !isAbsolute(way);
  });
}
