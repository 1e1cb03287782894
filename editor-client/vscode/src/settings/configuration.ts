/**
 * Reads and changes settings: the extension's own (`parrotlet.client.*`) and the server's.
 *
 * Their defaults and descriptions are defined by the server and copied into package.json; nothing
 * here repeats them.
 */

import * as vscode from 'vscode';
import { CLIENT_PREFIX, getFormerName, SECTION, SERVER_NAMES, USER_SETTINGS } from './settingNames';

/** Settings as the server expects them: objects in objects. */
export type NestedSettings = Record<string, unknown>;

/** The values of a setting at each level; undefined where it is not set. */
interface Levels {
  readonly user: unknown;
  readonly workspace: unknown;
  readonly folder: unknown;
}

/** Reads one of the extension's own settings that is on or off, as it applies to a document. */
export function getFlag(
  name: 'enabled' | 'automatic', scope?: vscode.ConfigurationScope,
): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope).get(CLIENT_PREFIX + name) === true;
}

/** Reads one of the extension's own settings that is a list. */
export function getList(name: 'languages' | 'server'): string[] {
  const value = vscode.workspace.getConfiguration(SECTION).get(CLIENT_PREFIX + name);
  return Array.isArray(value) ? value.map(String) : [];
}

/** Reads a setting that is a string; returns an empty one if it is not set. */
export function getText(id: string): string {
  return String(vscode.workspace.getConfiguration(SECTION).get(id) ?? '');
}

/** Returns whether the server counts shown and accepted suggestions. */
export function isCountingEnabled(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('statistics') === true;
}

/**
 * Returns the globs of excluded files from all levels together: a workspace can add to the user's
 * list, but not remove anything from it.
 */
export function getExcludedFiles(scope?: vscode.ConfigurationScope): string[] {
  const { user, workspace, folder } = inspectLevels('client.excludedFiles', scope);
  return [user, workspace, folder].flatMap(toStrings);
}

/** Returns the globs of excluded files in the user's own settings. */
export function getUserExcludedFiles(): string[] {
  return toStrings(inspectLevels('client.excludedFiles').user);
}

/** Returns the server's settings that differ from its defaults, by the server's names. */
export function collectServerSettings(): NestedSettings {
  const nested: NestedSettings = {};
  for (const [id, name] of Object.entries(SERVER_NAMES)) {
    const value = name.startsWith(CLIENT_PREFIX) ? undefined : getSetValue(id);
    if (value !== undefined) {
      setNested(nested, name.split('.'), value);
    }
  }
  return nested;
}

/** Changes a setting in the workspace if it is set there, and in the user's settings otherwise. */
export async function changeSetting(id: string, value: unknown): Promise<void> {
  const isSetInWorkspace = inspectLevels(id).workspace !== undefined;
  const target = isSetInWorkspace
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await updateSetting(id, value, target);
}

/** Changes a setting at a level, and removes a value under its former name from that level. */
export async function updateSetting(
  id: string, value: unknown, target: vscode.ConfigurationTarget,
): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  await configuration.update(id, value, target);
  const former = getFormerName(id);
  if (former !== undefined && getValueAt(configuration.inspect(former), target) !== undefined) {
    await configuration.update(former, undefined, target);
  }
}

/** Returns the value of a setting; undefined if only its default applies. */
function getSetValue(id: string): unknown {
  const { user, workspace, folder } = inspectLevels(id);
  return folder ?? workspace ?? user;
}

function inspectLevels(id: string, scope?: vscode.ConfigurationScope): Levels {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  const current = configuration.inspect(id);
  const formerName = getFormerName(id);
  const former = formerName === undefined ? undefined : configuration.inspect(formerName);
  // VS Code ignores what a workspace may not set only under the current names.
  const mayWorkspaceSet = vscode.workspace.isTrusted && !USER_SETTINGS.has(id);
  const formerInWorkspace = mayWorkspaceSet ? former : undefined;
  return {
    user: current?.globalValue ?? former?.globalValue,
    workspace: current?.workspaceValue ?? formerInWorkspace?.workspaceValue,
    folder: current?.workspaceFolderValue ?? formerInWorkspace?.workspaceFolderValue,
  };
}

type Inspection = ReturnType<vscode.WorkspaceConfiguration['inspect']>;

function getValueAt(inspection: Inspection, target: vscode.ConfigurationTarget): unknown {
  switch (target) {
    case vscode.ConfigurationTarget.Global:
      return inspection?.globalValue;
    case vscode.ConfigurationTarget.Workspace:
      return inspection?.workspaceValue;
    case vscode.ConfigurationTarget.WorkspaceFolder:
      return inspection?.workspaceFolderValue;
  }
}

function toStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function setNested(nested: NestedSettings, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    nested[first] = value;
  } else {
    const inner = (nested[first] ??= {}) as NestedSettings;
    setNested(inner, rest, value);
  }
}
