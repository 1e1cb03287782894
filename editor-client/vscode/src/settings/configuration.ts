/**
 * The extension's settings: its own (`parrotlet.client.*`), and the others, which are the server's.
 *
 * Defaults and texts are the server's; package.json has them from there, and nothing here repeats
 * them. Identifiers are in camel case here and in snake case in the server: `settingNames` in
 * package.json is the map. What a user has set under a name of the server's, as the extension had
 * them once, still holds where nothing is set under the new one.
 */

import * as vscode from 'vscode';
import { settingNames } from '../../package.json';

export const SECTION = 'parrotlet';
const OWN = 'client.';
/** "the configuration: remote: timeout_s" is how the server names a setting. */
const OF_SERVER = /(?:the configuration|initializationOptions): (?:(\w+): )?(\w+)/g;
const NAMES: Readonly<Record<string, string>> = settingNames;

/** Settings as the server takes them: objects in objects. */
export type Nested = Record<string, unknown>;

/** What each level of the settings says of one; undefined where a level says nothing. */
interface Levels {
  readonly user: unknown;
  readonly workspace: unknown;
  readonly folder: unknown;
}

/** Reads one of the extension's own settings, which is on or off, as it holds for a document. */
export function isTrue(name: 'enabled' | 'automatic', scope?: vscode.ConfigurationScope): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope).get(OWN + name) === true;
}

/** Reads one of the extension's own settings, which is a list. */
export function listOf(name: 'languages' | 'server'): string[] {
  const value = vscode.workspace.getConfiguration(SECTION).get(OWN + name);
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * Returns what every level of the settings says of the globs of excluded files, all of it
 * together: a workspace can add to the user's list and cannot take from it.
 */
export function excludedFiles(scope?: vscode.ConfigurationScope): string[] {
  const { user, workspace, folder } = levels('client.excludedFiles', scope);
  return [user, workspace, folder].flatMap(strings);
}

/** Returns the globs of excluded files that the user's own settings have. */
export function excludedByUser(): string[] {
  return strings(levels('client.excludedFiles').user);
}

/** Returns what the user has set of the server's settings, by its names; it knows the rest. */
export function serverSettings(): Nested {
  const nested: Nested = {};
  for (const [id, name] of Object.entries(NAMES)) {
    const value = name.startsWith(OWN) ? undefined : valueOf(id);
    if (value !== undefined) {
      put(nested, name.split('.'), value);
    }
  }
  return nested;
}

/** Reads a setting that is a text; empty if it is not set. */
export function textOf(id: string): string {
  return String(vscode.workspace.getConfiguration(SECTION).get(id) ?? '');
}

/** Says whether the server counts what is shown and accepted. */
export function isCounting(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('statistics') === true;
}

/**
 * Changes a setting at the level that decides it now: the workspace's if it has it, else the
 * user's.
 */
export async function change(id: string, value: unknown): Promise<void> {
  const isOfWorkspace = levels(id).workspace !== undefined;
  const target = isOfWorkspace
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await update(id, value, target);
}

/** Changes a setting at a level, and removes what that level has under its former name. */
export async function update(
  id: string, value: unknown, target: vscode.ConfigurationTarget,
): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  await configuration.update(id, value, target);
  const former = formerOf(id);
  if (former !== undefined && valueAt(configuration.inspect(former), target) !== undefined) {
    await configuration.update(former, undefined, target);
  }
}

/** Returns the former names that the user's settings still have, with the new name of each. */
export function formerNames(): [former: string, id: string][] {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return Object.keys(NAMES).flatMap((id): [string, string][] => {
    const former = formerOf(id);
    const isSet = former !== undefined && configuration.inspect(former)?.globalValue !== undefined;
    return isSet ? [[`${SECTION}.${former}`, `${SECTION}.${id}`]] : [];
  });
}

/** Returns what the server says of a setting, with the name that it has in VS Code. */
export function withOwnNames(text: string): string {
  return text.replace(OF_SERVER, (all, group: string | undefined, name: string) => {
    const whole = group === undefined ? name : `${group}.${name}`;
    const [id] = Object.entries(NAMES).find(([, one]) => one === whole) ?? [];
    return id === undefined ? all : `${SECTION}.${id}`;
  });
}

function formerOf(id: string): string | undefined {
  const name = NAMES[id];
  return name === id ? undefined : name;
}

/** Returns what holds of a setting if anybody has set it. */
function valueOf(id: string): unknown {
  const { user, workspace, folder } = levels(id);
  return folder ?? workspace ?? user;
}

function levels(id: string, scope?: vscode.ConfigurationScope): Levels {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  const now = configuration.inspect(id);
  const former = formerOf(id);
  const before = former === undefined ? undefined : configuration.inspect(former);
  // VS Code holds back what an untrusted workspace sets, but not under names it does not know.
  const ofWorkspace = vscode.workspace.isTrusted ? before : undefined;
  return {
    user: now?.globalValue ?? before?.globalValue,
    workspace: now?.workspaceValue ?? ofWorkspace?.workspaceValue,
    folder: now?.workspaceFolderValue ?? ofWorkspace?.workspaceFolderValue,
  };
}

type Inspected = ReturnType<vscode.WorkspaceConfiguration['inspect']>;

function valueAt(found: Inspected, target: vscode.ConfigurationTarget): unknown {
  switch (target) {
    case vscode.ConfigurationTarget.Global:
      return found?.globalValue;
    case vscode.ConfigurationTarget.Workspace:
      return found?.workspaceValue;
    case vscode.ConfigurationTarget.WorkspaceFolder:
      return found?.workspaceFolderValue;
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function put(nested: Nested, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    nested[first] = value;
  } else {
    const inner = (nested[first] ??= {}) as Nested;
    put(inner, rest, value);
  }
}
