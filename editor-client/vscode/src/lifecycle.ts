/**
 * The server's life: found, started, started again when it dies, and left alone when it dies too
 * often. One restart at a time, and of those that wait only the last.
 */

import * as vscode from 'vscode';
import { Client, type Surroundings } from './client';
import { findServer, type Found, type Installation } from './finding';
import { listOf } from './settings';

const MOST_DEATHS = 3; // within so many milliseconds; after them it is left alone
const DEATHS_MS = 180_000;
const RETRY_MS = 1000; // from the second on, once more for each

/** Owns the server. */
export class Lifecycle {
  private client: Client | undefined;
  private now: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private deaths: number[] = [];
  private isClosed = false;
  /** Whether it has been asked for yet. */
  isWanted = false;
  /** Whether it was looked for and is nowhere. */
  isMissed = false;
  /** The command of the settings that the last server was looked for by. */
  private named: string[] = [];
  /** What runs, or is about to. */
  found: Found | undefined;

  constructor(
    private readonly around: Surroundings,
    private readonly installation: Installation,
  ) {}

  /** What runs, if anything does. */
  get running(): Client | undefined {
    return this.client;
  }

  /** Whether the settings want a server that is started otherwise than the one that runs. */
  get needsAnother(): boolean {
    const isNamed = JSON.stringify(listOf('server')) !== JSON.stringify(this.named);
    const known = this.client?.languages;
    return isNamed || (known && listOf('languages').some((one) => !known.includes(one))) === true;
  }

  /** Starts the server, or another in its place, at the user's wish. */
  restart(): Promise<void> {
    this.deaths = [];
    if (this.client?.isRunning === false) {
      void this.client.stop(); // it may never have got anywhere
    }
    return this.replace();
  }

  /** Starts another server if one is found in another place than the one that runs. */
  async lookAgain(): Promise<void> {
    await (this.next ?? this.now);
    const found = await findServer(this.installation);
    if ('command' in found && found.command !== this.found?.command) {
      await this.restart();
    }
  }

  /** Ends the server for good. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.client?.stop();
  }

  private replace(): Promise<void> {
    this.isWanted = true;
    this.isMissed = false;
    this.next ??= this.now.then(() => {
      this.next = undefined;
      this.now = this.start();
      return this.now;
    });
    return this.next;
  }

  private async start(): Promise<void> {
    const old = this.client;
    this.client = undefined;
    await old?.stop();
    if (this.isClosed) {
      return;
    }
    this.around.report({ state: 'starting', reason: null });
    this.named = listOf('server');
    const found = await findServer(this.installation);
    if ('reason' in found) {
      this.found = undefined;
      this.missed(found.reason);
      return;
    }
    this.found = found;
    await this.run(found);
  }

  private async run(found: Found): Promise<void> {
    const client: Client = new Client(found, this.around, (how) => {
      this.ended(client, how);
    });
    this.client = client;
    try {
      await client.start();
      void vscode.commands.executeCommand('setContext', 'parrotlet.isRunning', true);
    } catch (error) {
      this.around.log.main.error(`the server did not start: ${String(error)}`);
      if (isSpawnError(error)) {
        const reason = `${found.command} cannot be run (${error.code});`
          + ' name another command in the setting parrotlet.client.server';
        this.around.report({ state: 'error', reason });
        this.complain(`Parrotlet: ${reason}.`);
      }
    }
  }

  private ended(client: Client, how: string): void {
    if (this.client !== client || this.isClosed) {
      return;
    }
    void vscode.commands.executeCommand('setContext', 'parrotlet.isRunning', false);
    this.around.log.main.error(`the server ${how}`);
    const now = Date.now();
    this.deaths = [...this.deaths.filter((at) => now - at < DEATHS_MS), now];
    if (this.deaths.length > MOST_DEATHS) {
      const often = `${this.deaths.length} times`;
      const reason = `the server ${how}, ${often}; restart it when that is mended`;
      this.around.report({ state: 'error', reason });
      this.complain(`Parrotlet: ${reason}.`);
      return;
    }
    const reason = `the server ${how} and is started again`;
    this.around.report({ state: 'starting', reason });
    if (this.deaths.length === 1) { // the next ones are in the status bar
      this.warn(`Parrotlet: ${reason}.`);
    }
    setTimeout(() => {
      if (this.client === client) { // nobody else has taken care of it
        void this.replace();
      }
    }, RETRY_MS * (this.deaths.length - 1));
  }

  private warn(sentence: string): void {
    void vscode.window.showWarningMessage(sentence, 'Show Log').then((chosen) => {
      if (chosen !== undefined) {
        this.around.log.main.show();
      }
    });
  }

  private complain(sentence: string): void {
    const buttons = ['Restart', 'Show Log'];
    void vscode.window.showErrorMessage(sentence, ...buttons).then((chosen) => {
      if (chosen === 'Restart') {
        void this.restart();
      } else if (chosen !== undefined) {
        this.around.log.main.show();
      }
    });
  }

  /** Says in one line how to get the server, and offers to do it. */
  private missed(reason: string): void {
    this.isMissed = true;
    const folder = this.installation.checkout ?? 'FOLDER-OF-PARROTLET';
    const line = `python3 -m pip install ${folder}`;
    this.around.log.main.error(reason);
    this.around.report({ state: 'error', reason: `${reason}; install it with: ${line}` });
    const buttons = ['Install It', 'Name Its Command'];
    void vscode.window.showErrorMessage(
      `Parrotlet: ${reason}; install it with: ${line}`, ...buttons,
    ).then((chosen) => {
      if (chosen === buttons[0]) {
        void vscode.commands.executeCommand('parrotlet.installServer');
      } else if (chosen !== undefined) {
        void vscode.commands.executeCommand(
          'workbench.action.openSettings', 'parrotlet.client.server',
        );
      }
    });
  }
}

function isSpawnError(error: unknown): error is NodeJS.ErrnoException {
  const { syscall = '' } = error as NodeJS.ErrnoException;
  return error instanceof Error && syscall.startsWith('spawn');
}
