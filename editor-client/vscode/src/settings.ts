/**
 * The extension's settings: its own (`parrotlet.client.*`), and the others, which are the server's.
 *
 * Defaults and texts are the server's; package.json has them from there, and nothing here repeats
 * them.
 */

import * as vscode from 'vscode';

export const SECTION = 'parrotlet';
const OWN = 'client.';

/** Settings as the server takes them: objects in objects. */
export type Nested = Record<string, unknown>;

/** Reads one of the extension's own settings, which is on or off, as it holds for a document. */
export function isTrue(name: 'enabled' | 'automatic', scope?: vscode.ConfigurationScope): boolean {
  return own(name, scope) === true;
}

/** Reads one of the extension's own settings, which is a list. */
export function listOf(name: 'languages' | 'server'): string[] {
  const value = own(name);
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * Returns what every level of the settings says of one that is a list, all of it together: a
 * workspace can add to the user's list and cannot take from it.
 */
export function everyOwn(name: string, scope?: vscode.ConfigurationScope): string[] {
  const found = vscode.workspace.getConfiguration(SECTION, scope).inspect<string[]>(OWN + name);
  const levels = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue];
  return levels.flatMap((level) => level ?? []);
}

/** Returns what the user has set of the server's settings; the rest is the server's to know. */
export function serverSettings(manifest: unknown): Nested {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const nested: Nested = {};
  for (const name of serverNames(manifest)) {
    if (isSet(configuration.inspect(name))) {
      put(nested, name.split('.'), configuration.get(name));
    }
  }
  return nested;
}

/** Reads one of the server's settings that is a text; empty if it is not set. */
export function textOf(name: string): string {
  return String(vscode.workspace.getConfiguration(SECTION).get(name) ?? '');
}

/** Says whether the server counts what is shown and taken. */
export function isCounting(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('statistics') === true;
}

/**
 * Changes a setting at the level that decides it now: the workspace's if it has it, else the
 * user's.
 */
export async function change(name: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const isOfWorkspace = configuration.inspect(name)?.workspaceValue !== undefined;
  const target = isOfWorkspace
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await configuration.update(name, value, target);
}

function own(name: string, scope?: vscode.ConfigurationScope): unknown {
  return vscode.workspace.getConfiguration(SECTION, scope).get(OWN + name);
}

interface Manifest {
  contributes: { configuration: { properties: Record<string, unknown> }[] };
}

function serverNames(manifest: unknown): string[] {
  const pages = (manifest as Manifest).contributes.configuration;
  return pages
    .flatMap((page) => Object.keys(page.properties))
    .map((key) => key.slice(SECTION.length + 1))
    .filter((name) => !name.startsWith(OWN));
}

function isSet(found: ReturnType<vscode.WorkspaceConfiguration['inspect']>): boolean {
  const levels = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue];
  return levels.some((level) => level !== undefined);
}

function put(nested: Nested, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    nested[first] = value;
  } else {
    const inner = (nested[first] ??= {}) as Nested;
    put(inner, rest, value);
  }
}
