/**
 * Whether suggestions are enabled in a document. Decisions are kept in settings, where they can be
 * seen and shared, and are changed by `toggles`; the snooze, which pauses suggestions for a while,
 * and those about unsaved files are kept here.
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
  private readonly listeners: readonly vscode.Disposable[];
  /** Unsaved files for which suggestions are off: settings could not tell them from later ones. */
  private readonly excludedUnsaved = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private snoozedUntilMs: number;
  readonly onDidChange = this.emitter.event;

  constructor(private readonly memento: vscode.Memento) {
    this.snoozedUntilMs = memento.get<number>(SNOOZED_UNTIL) ?? 0;
    this.applySnooze();
    this.listeners = [
      vscode.workspace.onDidCloseTextDocument(({ isClosed, uri }) => {
        if (isClosed) { // and has not just got another language
          this.excludedUnsaved.delete(uri.toString());
        }
      }),
      vscode.workspace.onDidCloseNotebookDocument(({ uri }) => {
        this.excludedUnsaved.delete(uri.toString());
      }),
    ];
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
    if (this.isUnsavedExcluded(document)) {
      return 'off for this unsaved file';
    }
    const glob = findExcludingGlob(document);
    return glob === undefined ? undefined : `off for files that match ${glob}`;
  }

  /** Checks whether suggestions are off for a file, wherever else they are off. */
  isFileExcluded(document: vscode.TextDocument): boolean {
    return this.isUnsavedExcluded(document) || findExcludingGlob(document) !== undefined;
  }

  /**
   * Turns suggestions on or off for a file until it is closed, if it has never been saved.
   *
   * @returns whether it has not
   */
  toggleUnsaved(document: vscode.TextDocument): boolean {
    const uri = getUnsavedUri(document);
    if (uri === undefined) {
      return false;
    }
    if (!this.excludedUnsaved.delete(uri)) {
      this.excludedUnsaved.add(uri);
    }
    this.emitter.fire();
    return true;
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
    vscode.Disposable.from(...this.listeners).dispose();
  }

  private isUnsavedExcluded(document: vscode.TextDocument): boolean {
    const uri = getUnsavedUri(document);
    return uri !== undefined && this.excludedUnsaved.has(uri);
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

/** Returns the URI of a file that has never been saved: a document, or the notebook of a cell. */
function getUnsavedUri(document: vscode.TextDocument): string | undefined {
  const notebook = vscode.workspace.notebookDocuments.find((one) => (
    one.isUntitled && one.getCells().some((cell) => cell.document === document)
  ));
  return document.isUntitled ? document.uri.toString() : notebook?.uri.toString();
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
