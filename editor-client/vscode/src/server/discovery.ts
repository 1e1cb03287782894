/**
 * Finds the server: by the user's setting, in the active virtual environment, where this extension
 * installed it, in the installation or checkout that the extension comes from, and on the PATH.
 *
 * Nothing in an untrusted workspace is used: otherwise the workspace could decide what runs here.
 */

import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, isAbsolute, join, relative } from 'node:path';
import * as vscode from 'vscode';
import { BIN, getCurrentEnvironment, IS_WINDOWS, PROGRAM } from '../install/environment';
import { findCheckout, type Origin } from '../install/origin';
import { getList } from '../settings/configuration';
import { findInterpreter } from './interpreter';

/** Finds the setting for the server in the settings editor. */
export const SERVER_SETTING_QUERY = '@id:parrotlet.client.server';

const PYTHON_EXTENSION = 'ms-python.python';

/** How to start the server. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it was found, as in "found in …". */
  readonly location: string;
}

/** Why there is no server. */
export interface ServerNotFound {
  readonly reason: string;
  /** Whether installing it would help. */
  readonly canInstall: boolean;
}

/** A folder that may contain the server. */
interface Candidate {
  readonly location: string;
  readonly folder: string;
}

/** Searches for the server. */
export async function findServer(origin: Origin): Promise<ServerCommand | ServerNotFound> {
  const commandSetting = getList('server');
  if (commandSetting.length > 0) {
    return resolveSetting(commandSetting);
  }
  for (const { location, folder } of await listCandidates(origin)) {
    const command = join(folder, PROGRAM);
    if (mayRun(command) && await isRunnable(command)) {
      return { command, args: [], location };
    }
  }
  return { reason: 'the server is not installed', canInstall: true };
}

/** Lists the folders that are searched, in this order. */
async function listCandidates(origin: Origin): Promise<Candidate[]> {
  const candidates = await listActiveEnvironments();
  const own = await getCurrentEnvironment(origin.storage);
  if (own !== undefined) {
    const location = 'the environment that this extension installed';
    candidates.push({ location, folder: join(own, BIN) });
  }
  const { server } = origin;
  if (server !== undefined && basename(server) === PROGRAM) {
    const location = 'the installation that this extension comes from';
    candidates.push({ location, folder: dirname(server) });
  }
  const checkout = await findCheckout(origin);
  if (checkout !== undefined) {
    const location = 'the checkout that this extension was built from';
    candidates.push({ location, folder: join(checkout, '.venv', BIN) });
  }
  candidates.push(...listPathFolders().map((folder) => ({ location: 'the PATH', folder })));
  return candidates;
}

/** Returns the path of the user's active Python; an untrusted workspace cannot set it. */
export async function getActivePython(): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) {
    return undefined;
  }
  const selected = (await getPythonEnvironments())?.getActiveEnvironmentPath().path;
  const settings = vscode.workspace.getConfiguration('python');
  const setting = settings.get<string>('defaultInterpreterPath');
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const resolved = setting?.replaceAll('${workspaceFolder}', folder?.uri.fsPath ?? '');
  return [selected, resolved].find((path) => path !== undefined && isAbsolute(path));
}

/**
 * Calls back when the user selects another Python; returns undefined if nothing can tell, which may
 * change with the workspace's trust and with the installed extensions.
 */
export async function onDidChangePython(
  callback: () => void,
): Promise<vscode.Disposable | undefined> {
  const environments = vscode.workspace.isTrusted ? await getPythonEnvironments() : undefined;
  return environments?.onDidChangeActiveEnvironmentPath(callback);
}

/** Returns the folders of the PATH, without relative ones. */
export function listPathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
}

/** Checks that a program is not part of an untrusted workspace. */
export function mayRun(path: string): boolean {
  return vscode.workspace.isTrusted || !isInWorkspace(path);
}

/** Checks that a file exists and is executable. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Checks that a program is executable, and so is the interpreter that it names. */
async function isRunnable(path: string): Promise<boolean> {
  if (!await isExecutable(path)) {
    return false;
  }
  const interpreter = await findInterpreter(path);
  return interpreter === undefined || isExecutable(interpreter);
}

/** The part of the Python extension's API that is used here. */
interface PythonEnvironments {
  getActiveEnvironmentPath(): { path: string };
  onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
}

async function getPythonEnvironments(): Promise<PythonEnvironments | undefined> {
  const extension = vscode.extensions.getExtension<{ environments?: PythonEnvironments }>(
    PYTHON_EXTENSION,
  );
  try {
    return (await extension?.activate())?.environments;
  } catch {
    return undefined; // it reports its own problems
  }
}

async function listActiveEnvironments(): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const python = await getActivePython();
  if (python !== undefined) {
    const folder = dirname(python);
    const location = `the environment of ${python}`;
    candidates.push({ location, folder });
    if (IS_WINDOWS) { // there, only virtual environments have Python beside its programs
      candidates.push({ location, folder: join(folder, BIN) });
    }
  }
  const active = process.env['VIRTUAL_ENV'];
  if (active) {
    candidates.push({ location: `the active environment ${active}`, folder: join(active, BIN) });
  }
  return candidates;
}

async function resolveSetting(
  [first = '', ...args]: string[],
): Promise<ServerCommand | ServerNotFound> {
  const path = first.startsWith('~/') ? join(homedir(), first.slice(2)) : first;
  const names = IS_WINDOWS && !/\.exe$/i.test(path) ? [`${path}.exe`, path] : [path];
  const candidates = isAbsolute(path)
    ? names
    : listPathFolders().flatMap((folder) => names.map((name) => join(folder, name)));
  for (const command of candidates) {
    if (await isExecutable(command)) {
      return { command, args, location: 'the setting parrotlet.client.server' };
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
    const relativePath = relative(uri.fsPath, path);
    return !relativePath.startsWith('..') && !isAbsolute(relativePath);
  });
}
