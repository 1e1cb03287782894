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

/** Where a setting can be set. */
export interface Level {
  readonly target: vscode.ConfigurationTarget;
  /** Whether only for the language of a document, as in `"[python]": {…}`. */
  readonly isForLanguage: boolean;
}

const { Global, Workspace, WorkspaceFolder } = vscode.ConfigurationTarget;
/** All levels; each overrides those before it. */
const LEVELS: readonly Level[] = [false, true].flatMap((isForLanguage) => (
  [Global, Workspace, WorkspaceFolder].map((target) => ({ target, isForLanguage }))
));

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
  return mergeLevels(inspectLevels('client.excludedFiles', scope));
}

/** Returns the globs of excluded files in the user's own settings. */
export function getUserExcludedFiles(): string[] {
  return toStrings(inspectLevels('client.excludedFiles').user);
}

/**
 * Returns the server's settings that differ from its defaults, by the server's names. A workspace
 * can add to the user's private globs, but not remove anything from them.
 */
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

/**
 * Changes a setting where it is set, so that the change takes effect; in the user's settings if it
 * is not set.
 *
 * @param document undefined for a setting that is the same for all documents
 */
export async function changeSetting(
  id: string, value: unknown, document?: vscode.TextDocument,
): Promise<void> {
  const level = findDecidingLevel(id, document) ?? { target: Global, isForLanguage: false };
  await updateSetting(id, value, level, document);
}

/**
 * Changes a setting for the user or for the workspace, and sees to it that the new value applies to
 * a document: other values within that level are removed, those beyond it are overridden.
 *
 * @param document undefined for what applies where none is open
 */
export async function enforceSetting(
  id: string, value: unknown, target: vscode.ConfigurationTarget, document?: vscode.TextDocument,
): Promise<void> {
  const isEffective = (): boolean => (
    vscode.workspace.getConfiguration(SECTION, document).get(id) === value
  );
  if (getInheritedValue(id, target, document) !== value) {
    await updateSetting(id, value, { target, isForLanguage: false }, document);
  }
  for (const level of LEVELS.filter((one) => one.target >= target).reverse()) {
    if (!isEffective() && isSetAt(id, level, document)) {
      await updateSetting(id, undefined, level, document);
    }
  }
  if (!isEffective()) { // because of the user's setting for the language
    await updateSetting(id, value, { target, isForLanguage: true }, document);
  }
}

/** Changes a setting at a level, and removes a value under its former name from that level. */
export async function updateSetting(
  id: string, value: unknown, level: Level, document?: vscode.TextDocument,
): Promise<void> {
  const { target, isForLanguage } = level;
  const configuration = vscode.workspace.getConfiguration(SECTION, document);
  await configuration.update(id, value, target, isForLanguage);
  const former = getFormerName(id);
  if (former !== undefined && getValueAt(configuration.inspect(former), level) !== undefined) {
    await configuration.update(former, undefined, target, isForLanguage);
  }
}

/** Returns the level whose value of a setting applies to a document; undefined if none is set. */
export function findDecidingLevel(id: string, document?: vscode.TextDocument): Level | undefined {
  return LEVELS.filter((level) => isSetAt(id, level, document)).at(-1);
}

/** Checks whether a setting has a value at a level, under its current name or its former one. */
function isSetAt(id: string, level: Level, document?: vscode.TextDocument): boolean {
  const configuration = vscode.workspace.getConfiguration(SECTION, document);
  const former = getFormerName(id);
  const names = former !== undefined && isFormerNameUsed(id, level) ? [id, former] : [id];
  return names.some((name) => getValueAt(configuration.inspect(name), level) !== undefined);
}

/** Returns the value that a setting has, or inherits, at a level for all languages. */
function getInheritedValue(
  id: string, target: vscode.ConfigurationTarget, document?: vscode.TextDocument,
): unknown {
  const inspection = vscode.workspace.getConfiguration(SECTION, document).inspect(id);
  const values = LEVELS
    .filter((level) => !level.isForLanguage && level.target <= target)
    .map((level) => getValueAt(inspection, level));
  return values.reduce((inherited, value) => value ?? inherited, inspection?.defaultValue);
}

/** Returns the value of a setting; undefined if only its default applies. */
function getSetValue(id: string): unknown {
  const levels = inspectLevels(id);
  const value = levels.folder ?? levels.workspace ?? levels.user;
  return id === 'privateGlobs' && value !== undefined ? mergeLevels(levels) : value;
}

/** Returns a list that is set at several levels: the strings of all of them, each once. */
function mergeLevels({ user, workspace, folder }: Levels): string[] {
  return [...new Set([user, workspace, folder].flatMap(toStrings))];
}

function inspectLevels(id: string, scope?: vscode.ConfigurationScope): Levels {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  const current = configuration.inspect(id);
  const formerName = getFormerName(id);
  const former = formerName === undefined ? undefined : configuration.inspect(formerName);
  const getAt = (target: vscode.ConfigurationTarget): unknown => {
    const level = { target, isForLanguage: false };
    const formerValue = isFormerNameUsed(id, level) ? getValueAt(former, level) : undefined;
    return getValueAt(current, level) ?? formerValue;
  };
  return { user: getAt(Global), workspace: getAt(Workspace), folder: getAt(WorkspaceFolder) };
}

/**
 * Checks whether a value under a setting's former name applies. VS Code ignores what a workspace
 * may not set only under the current names.
 */
function isFormerNameUsed(id: string, { target }: Level): boolean {
  return target === Global || (vscode.workspace.isTrusted && !USER_SETTINGS.has(id));
}

type Inspection = ReturnType<vscode.WorkspaceConfiguration['inspect']>;

function getValueAt(inspection: Inspection, { target, isForLanguage }: Level): unknown {
  switch (target) {
    case Global:
      return isForLanguage ? inspection?.globalLanguageValue : inspection?.globalValue;
    case Workspace:
      return isForLanguage ? inspection?.workspaceLanguageValue : inspection?.workspaceValue;
    case WorkspaceFolder:
      return isForLanguage
        ? inspection?.workspaceFolderLanguageValue
        : inspection?.workspaceFolderValue;
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
