/**
 * Whether suggestions are enabled in a document, and the snooze, which pauses them for a while. All
 * else is kept in settings, where it can be seen and shared; `toggles` changes them.
 */

import { isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import { findDecidingLevel, getExcludedFiles, getFlag, getList } from '../settings/configuration';
import { SECTION } from '../settings/settingNames';

const ENABLED_SETTING = 'client.enabled';
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

/** Checks whether suggestions are on for a document's language, wherever else they are off. */
export function isLanguageEnabled(document: vscode.TextDocument): boolean {
  const isOff = !getFlag('enabled', document)
    && findDecidingLevel(ENABLED_SETTING, document)?.isForLanguage === true;
  return !isOff && getList('languages').includes(document.languageId);
}

/** Returns the glob that excludes a document, if there is one. */
export function findExcludingGlob(document: vscode.TextDocument): string | undefined {
  return getExcludedFiles(document).find((glob) => {
    const isFullPath = isAbsolute(glob) || glob.startsWith('**');
    const pattern = isFullPath ? glob : `**/${glob}`;
    return vscode.languages.match({ pattern }, document) > 0;
  });
}

/** Returns where suggestions are turned off, as "off …". */
function describeDisabledScope(document: vscode.TextDocument | undefined): string {
  const level = findDecidingLevel(ENABLED_SETTING, document);
  if (document !== undefined && level?.isForLanguage === true) {
    return `off for the language ${document.languageId}`;
  }
  const isForUser = level === undefined || level.target === vscode.ConfigurationTarget.Global;
  return isForUser ? 'off everywhere' : 'off for this workspace';
}

function formatDuration(minutes: number): string {
  return minutes < 60 ? `${minutes} minutes` : minutes === 60 ? '1 hour' : `${minutes / 60} hours`;
}
