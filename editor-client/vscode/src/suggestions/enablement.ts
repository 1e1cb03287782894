/**
 * Says whether anything is suggested in a document, and turns it on and off: everywhere, for a
 * workspace, a language, a file, or for a while.
 *
 * All but the snooze are settings, so that they can be seen and shared where settings are.
 */

import { isAbsolute, sep } from 'node:path';
import * as vscode from 'vscode';
import { currentEditor } from './activeEditor';
import {
  excludedByUser, excludedFiles, isTrue, listOf, SECTION, update as updateSetting,
} from '../settings/configuration';

const SNOOZED_UNTIL = 'snoozedUntil';
const MINUTE_MS = 60_000;
const MINUTES = [5, 15, 30, 60, 240];

/** Whether suggestions are made. */
export class Switch implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private timer: NodeJS.Timeout | undefined;
  private until: number;
  readonly onDidChange = this.changed.event;

  constructor(private readonly memory: vscode.Memento) {
    this.until = memory.get<number>(SNOOZED_UNTIL) ?? 0;
    this.sleep();
  }

  /**
   * Returns why nothing is ever suggested in a document, as "off …"; undefined if something is.
   *
   * @param document undefined for none in particular
   */
  whyOff(document: vscode.TextDocument | undefined): string | undefined {
    if (!isTrue('enabled', document)) {
      return whereOff(document);
    }
    if (document === undefined) {
      return undefined;
    }
    const language = document.languageId;
    if (!listOf('languages').includes(language)) {
      return `off for the language ${language}`;
    }
    const glob = globOf(document);
    return glob === undefined ? undefined : `off for files that match ${glob}`;
  }

  /** Returns why nothing is suggested automatically, undefined if something is. */
  whySilent(document: vscode.TextDocument): string | undefined {
    if (this.isSnoozing) {
      return this.untilWhen;
    }
    return isTrue('automatic', document) ? undefined : 'showing suggestions only on request';
  }

  /** The end of the snooze that is on, as "snoozed until …". */
  get untilWhen(): string {
    const time = new Date(this.until).toLocaleTimeString([], { timeStyle: 'short' });
    return `snoozed until ${time}`;
  }

  /** Whether a snooze is on. */
  get isSnoozing(): boolean {
    return Date.now() < this.until;
  }

  /** Asks for how long to be quiet, and is. */
  async snooze(): Promise<void> {
    const items = MINUTES.map((minutes) => ({ label: told(minutes), minutes }));
    const chosen = await vscode.window.showQuickPick(items, {
      title: 'Snooze Suggestions',
      placeHolder: 'Pause automatic suggestions for…',
    });
    if (chosen !== undefined) {
      await this.sleepUntil(Date.now() + chosen.minutes * MINUTE_MS);
    }
  }

  /** Ends a snooze. */
  async wake(): Promise<void> {
    await this.sleepUntil(0);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }

  private async sleepUntil(time: number): Promise<void> {
    this.until = time;
    this.sleep();
    await this.memory.update(SNOOZED_UNTIL, time);
  }

  private sleep(): void {
    clearTimeout(this.timer);
    if (this.isSnoozing) {
      this.timer = setTimeout(() => {
        this.sleep();
      }, this.until - Date.now());
    }
    void vscode.commands.executeCommand('setContext', `${SECTION}.isSnoozing`, this.isSnoozing);
    this.changed.fire();
  }
}

/** Turns suggestions on or off for the user, in every workspace that says nothing else. */
export async function toggleEverywhere(): Promise<void> {
  const isOn = isTrue('enabled');
  await update('enabled', !isOn, vscode.ConfigurationTarget.Global);
  if (isTrue('enabled') === isOn) { // the workspace says otherwise
    await update('enabled', undefined, vscode.ConfigurationTarget.Workspace);
  }
}

/** Turns suggestions on or off for this workspace. */
export async function toggleWorkspace(): Promise<void> {
  const isOn = isTrue('enabled');
  await update('enabled', !isOn, vscode.ConfigurationTarget.Workspace);
}

/** Turns automatic suggestions on or off. */
export async function toggleAutomatic(): Promise<void> {
  await update('automatic', !isTrue('automatic'), vscode.ConfigurationTarget.Global);
}

/** Turns suggestions on or off for the language of the active editor. */
export async function toggleLanguage(): Promise<void> {
  const language = currentEditor()?.document.languageId;
  if (language !== undefined) {
    const languages = toggled(listOf('languages'), language);
    await update('languages', languages, vscode.ConfigurationTarget.Global);
  }
}

/** Turns suggestions on or off for the file of the active editor, in the user's own settings. */
export async function toggleFile(): Promise<void> {
  const document = currentEditor()?.document;
  if (document === undefined) {
    return;
  }
  const glob = globOf(document);
  const path = escaped(document.uri.fsPath.replaceAll(sep, '/'));
  if (glob !== undefined && glob !== path) {
    void vscode.window.showInformationMessage(
      `Suggestions are off for this file because it matches ${glob}. Change the setting`
      + ' parrotlet.client.excludedFiles to turn them on.',
    );
    return;
  }
  const globs = toggled(excludedByUser(), path);
  const value = globs.length > 0 ? globs : undefined;
  await update('excludedFiles', value, vscode.ConfigurationTarget.Global);
}

function update(name: string, value: unknown, target: vscode.ConfigurationTarget): Promise<void> {
  return updateSetting(`client.${name}`, value, target);
}

function toggled(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((one) => one !== item) : [...list, item];
}

/** Returns the glob that excludes a document, if one does. */
function globOf(document: vscode.TextDocument): string | undefined {
  return excludedFiles(document).find((glob) => {
    const isWhole = isAbsolute(glob) || glob.startsWith('**');
    const pattern = isWhole ? glob : `**/${glob}`;
    return vscode.languages.match({ pattern }, document) > 0;
  });
}

/** Returns a path as a glob that only it matches. */
function escaped(path: string): string {
  return path.replaceAll(/[*?[\]{}]/g, '[$&]');
}

function whereOff(document: vscode.TextDocument | undefined): string {
  const found = vscode.workspace.getConfiguration(SECTION, document).inspect('client.enabled');
  const ofLanguage = [found?.globalLanguageValue, found?.workspaceLanguageValue];
  if (document !== undefined && ofLanguage.includes(false)) {
    return `off for the language ${document.languageId}`;
  }
  const isOfWorkspace = [found?.workspaceValue, found?.workspaceFolderValue].includes(false);
  return isOfWorkspace ? 'off for this workspace' : 'off everywhere';
}

function told(minutes: number): string {
  return minutes < 60 ? `${minutes} minutes` : minutes === 60 ? '1 hour' : `${minutes / 60} hours`;
}
