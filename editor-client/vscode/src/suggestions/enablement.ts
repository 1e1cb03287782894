/**
 * Whether suggestions are enabled in a document, and how they are turned on and off: everywhere,
 * for a workspace, a language or a file, or for a while.
 *
 * All of this but the snooze is kept in settings, where it can be seen and shared.
 */

import { isAbsolute, sep } from 'node:path';
import * as vscode from 'vscode';
import {
  getExcludedFiles, getFlag, getList, getUserExcludedFiles, updateSetting,
} from '../settings/configuration';
import { SECTION } from '../settings/settingNames';
import { getActiveEditor } from './activeEditor';

const SNOOZED_UNTIL = 'snoozedUntil';
const MINUTE_MS = 60_000;
const SNOOZE_MINUTES = [5, 15, 30, 60, 240];

/** Whether suggestions are shown. */
export class Enablement implements vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<void>();
  private timer: NodeJS.Timeout | undefined;
  private snoozedUntilMs: number;
  readonly onDidChange = this.emitter.event;

  constructor(private readonly memento: vscode.Memento) {
    this.snoozedUntilMs = memento.get<number>(SNOOZED_UNTIL) ?? 0;
    this.applySnooze();
  }

  /**
   * Returns why a document has no suggestions, not even on request, as "off …"; undefined if it
   * has.
   *
   * @param document undefined for the settings that apply everywhere
   */
  getDisabledReason(document: vscode.TextDocument | undefined): string | undefined {
    if (!getFlag('enabled', document)) {
      return describeDisabledScope(document);
    }
    if (document === undefined) {
      return undefined;
    }
    const language = document.languageId;
    if (!getList('languages').includes(language)) {
      return `off for the language ${language}`;
    }
    const glob = findExcludingGlob(document);
    return glob === undefined ? undefined : `off for files that match ${glob}`;
  }

  /** Returns why there are no automatic suggestions, although suggestions are enabled. */
  getPauseReason(document: vscode.TextDocument): string | undefined {
    if (this.isSnoozed) {
      return this.describeSnooze();
    }
    return getFlag('automatic', document) ? undefined : 'showing suggestions only on request';
  }

  /** Returns why suggestions are off or snoozed, for the status bar. */
  describePause(document: vscode.TextDocument | undefined): string | undefined {
    return this.getDisabledReason(document) ?? (this.isSnoozed ? this.describeSnooze() : undefined);
  }

  get isSnoozed(): boolean {
    return Date.now() < this.snoozedUntilMs;
  }

  /** Asks for how long to pause automatic suggestions, and pauses them. */
  async snooze(): Promise<void> {
    const items = SNOOZE_MINUTES.map((minutes) => ({ label: formatDuration(minutes), minutes }));
    const choice = await vscode.window.showQuickPick(items, {
      title: 'Snooze Suggestions',
      placeHolder: 'Pause automatic suggestions for…',
    });
    if (choice !== undefined) {
      await this.setSnooze(Date.now() + choice.minutes * MINUTE_MS);
    }
  }

  async endSnooze(): Promise<void> {
    await this.setSnooze(0);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.emitter.dispose();
  }

  /** Returns the end of the snooze, as "snoozed until …". */
  private describeSnooze(): string {
    const time = new Date(this.snoozedUntilMs).toLocaleTimeString([], { timeStyle: 'short' });
    return `snoozed until ${time}`;
  }

  private async setSnooze(untilMs: number): Promise<void> {
    this.snoozedUntilMs = untilMs;
    this.applySnooze();
    await this.memento.update(SNOOZED_UNTIL, untilMs);
  }

  private applySnooze(): void {
    clearTimeout(this.timer);
    if (this.isSnoozed) {
      this.timer = setTimeout(() => {
        this.applySnooze();
      }, this.snoozedUntilMs - Date.now());
    }
    void vscode.commands.executeCommand('setContext', `${SECTION}.isSnoozing`, this.isSnoozed);
    this.emitter.fire();
  }
}

/** Turns suggestions on or off for the user, in every workspace that does not override it. */
export async function toggleEverywhere(): Promise<void> {
  const isEnabled = getFlag('enabled');
  await update('enabled', !isEnabled, vscode.ConfigurationTarget.Global);
  if (getFlag('enabled') === isEnabled) { // the workspace overrides it
    await update('enabled', undefined, vscode.ConfigurationTarget.Workspace);
  }
}

/** Turns suggestions on or off for this workspace. */
export async function toggleWorkspace(): Promise<void> {
  await update('enabled', !getFlag('enabled'), vscode.ConfigurationTarget.Workspace);
}

/** Turns automatic suggestions on or off. */
export async function toggleAutomatic(): Promise<void> {
  await update('automatic', !getFlag('automatic'), vscode.ConfigurationTarget.Global);
}

/** Turns suggestions on or off for the language of the active editor. */
export async function toggleLanguage(): Promise<void> {
  const language = getActiveEditor()?.document.languageId;
  if (language !== undefined) {
    const languages = toggleItem(getList('languages'), language);
    await update('languages', languages, vscode.ConfigurationTarget.Global);
  }
}

/** Turns suggestions on or off for the file of the active editor, in the user's own settings. */
export async function toggleFile(): Promise<void> {
  const document = getActiveEditor()?.document;
  if (document === undefined) {
    return;
  }
  const glob = findExcludingGlob(document);
  const fileGlob = escapeGlob(document.uri.fsPath.replaceAll(sep, '/'));
  if (glob !== undefined && glob !== fileGlob) {
    void vscode.window.showInformationMessage(
      `Suggestions are off for this file because it matches ${glob}. Change the setting`
      + ' parrotlet.client.excludedFiles to turn them on.',
    );
    return;
  }
  const globs = toggleItem(getUserExcludedFiles(), fileGlob);
  const value = globs.length > 0 ? globs : undefined;
  await update('excludedFiles', value, vscode.ConfigurationTarget.Global);
}

function update(name: string, value: unknown, target: vscode.ConfigurationTarget): Promise<void> {
  return updateSetting(`client.${name}`, value, target);
}

function toggleItem(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((other) => other !== item) : [...list, item];
}

/** Returns the glob that excludes a document, if there is one. */
function findExcludingGlob(document: vscode.TextDocument): string | undefined {
  return getExcludedFiles(document).find((glob) => {
    const isFullPath = isAbsolute(glob) || glob.startsWith('**');
    const pattern = isFullPath ? glob : `**/${glob}`;
    return vscode.languages.match({ pattern }, document) > 0;
  });
}

/** Returns a glob that matches only one path. */
function escapeGlob(path: string): string {
  return path.replaceAll(/[*?[\]{}]/g, '[$&]');
}

/** Returns where suggestions are turned off, as "off …". */
function describeDisabledScope(document: vscode.TextDocument | undefined): string {
  const levels = vscode.workspace.getConfiguration(SECTION, document).inspect('client.enabled');
  const languageLevels = [levels?.globalLanguageValue, levels?.workspaceLanguageValue];
  if (document !== undefined && languageLevels.includes(false)) {
    return `off for the language ${document.languageId}`;
  }
  const workspaceLevels = [levels?.workspaceValue, levels?.workspaceFolderValue];
  return workspaceLevels.includes(false) ? 'off for this workspace' : 'off everywhere';
}

function formatDuration(minutes: number): string {
  return minutes < 60 ? `${minutes} minutes` : minutes === 60 ? '1 hour' : `${minutes / 60} hours`;
}
