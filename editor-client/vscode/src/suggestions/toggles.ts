/**
 * Turns suggestions on and off in the settings: everywhere, for the workspace, the language or the
 * file of the active editor, or while typing. What is toggled is what applies to that editor, so
 * that the action menu's words for it come true.
 */

import { sep } from 'node:path';
import * as vscode from 'vscode';
import {
  changeSetting, enforceSetting, findDecidingLevel, getFlag, getList, getUserExcludedFiles,
  updateSetting,
} from '../settings/configuration';
import { getActiveEditor } from './activeEditor';
import { findExcludingGlob, isLanguageEnabled, type Enablement } from './enablement';

const ENABLED = 'client.enabled';
const USER_LEVEL = { target: vscode.ConfigurationTarget.Global, isForLanguage: false };

/** Turns suggestions on or off for the user, and in this workspace and language too. */
export async function toggleEverywhere(): Promise<void> {
  await toggleEnabled(vscode.ConfigurationTarget.Global);
}

/** Turns suggestions on or off for this workspace. */
export async function toggleWorkspace(): Promise<void> {
  await toggleEnabled(vscode.ConfigurationTarget.Workspace);
}

/** Turns automatic suggestions on or off, where the setting is set. */
export async function toggleAutomatic(): Promise<void> {
  const document = getActiveEditor()?.document;
  await changeSetting('client.automatic', !getFlag('automatic', document), document);
}

/** Turns suggestions on or off for the language of the active editor. */
export async function toggleLanguage(): Promise<void> {
  const document = getActiveEditor()?.document;
  if (document === undefined) {
    return;
  }
  const languages = getList('languages');
  const isEnabled = isLanguageEnabled(document);
  if (!isEnabled) {
    await removeLanguageOverride(document);
  }
  if (languages.includes(document.languageId) === isEnabled) {
    await changeSetting('client.languages', toggleItem(languages, document.languageId));
  }
}

/**
 * Turns suggestions on or off for the file of the active editor: in the user's own settings, or
 * until it is closed if it has never been saved.
 */
export async function toggleFile(enablement: Enablement): Promise<void> {
  const document = getActiveEditor()?.document;
  if (document === undefined) {
    return;
  }
  const glob = findExcludingGlob(document);
  const fileGlob = escapeGlob(document.uri.fsPath.replaceAll(sep, '/'));
  const userGlobs = getUserExcludedFiles();
  if (glob !== undefined && !(glob === fileGlob && userGlobs.includes(glob))) {
    void vscode.window.showInformationMessage(
      `Suggestions are off for this file because it matches ${glob}. Change the setting`
      + ' parrotlet.client.excludedFiles to turn them on.',
    );
    return;
  }
  if (glob === undefined && enablement.toggleUnsaved(document)) {
    return;
  }
  const globs = toggleItem(userGlobs, fileGlob);
  await updateSetting('client.excludedFiles', globs.length > 0 ? globs : undefined, USER_LEVEL);
}

async function toggleEnabled(target: vscode.ConfigurationTarget): Promise<void> {
  const document = getActiveEditor()?.document;
  await enforceSetting(ENABLED, !getFlag('enabled', document), target, document);
}

/** Turns suggestions on where `"[python]": {"parrotlet.client.enabled": false}` is set. */
async function removeLanguageOverride(document: vscode.TextDocument): Promise<void> {
  const level = findDecidingLevel(ENABLED, document);
  if (level?.isForLanguage === true && !getFlag('enabled', document)) {
    await updateSetting(ENABLED, undefined, level, document);
    if (!getFlag('enabled', document)) { // they are off elsewhere, too
      await updateSetting(ENABLED, true, level, document);
    }
  }
}

function toggleItem(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((other) => other !== item) : [...list, item];
}

/** Returns a glob that matches only one path. */
function escapeGlob(path: string): string {
  return path.replaceAll(/[*?[\]{}]/g, '[$&]');
}
