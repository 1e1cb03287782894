/**
 * The server's life: found, started, started again when it dies, and left alone when it dies too
 * often. One restart at a time, and of those that wait only the last.
 */

import * as vscode from 'vscode';
import { Client, type Surroundings } from './client';
import { findServer, type Found, type Missing } from './discovery';
import type { Installation } from '../install/origin';
import { listOf } from '../settings/configuration';

const MOST_DEATHS = 3; // within so many milliseconds; after them it is left alone
const DEATHS_MS = 180_000;
const SETTING = '@id:parrotlet.client.server';
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
  /** Why there is none, if it was looked for and is nowhere. */
  missing: Missing | undefined;
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
    this.missing = undefined;
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
      this.miss(found);
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
        const reason = `${found.command} could not be started (${error.code});`
          + ' set another server path';
        this.around.report({ state: 'error', reason });
        this.complain(`Parrotlet has a problem: ${reason}.`);
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
      const reason = `the server ${how}, ${often} within 3 minutes; fix the problem, then restart`;
      this.around.report({ state: 'error', reason });
      this.complain(`Parrotlet has a problem: ${reason}.`);
      return;
    }
    this.around.report({ state: 'starting', reason: `the server ${how}` });
    if (this.deaths.length === 1) { // the next ones are in the status bar
      this.warn(`The Parrotlet server ${how}. It is being restarted.`);
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

  /** Says in one sentence that there is no server, and offers to get it. */
  private miss(missing: Missing): void {
    this.missing = missing;
    const { reason, canInstall } = missing;
    this.around.log.main.error(reason);
    this.around.report({ state: 'error', reason });
    const commands: Record<string, readonly string[]> = {
      ...(canInstall && { 'Install Server…': ['parrotlet.installServer'] }),
      'Set Server Path…': ['parrotlet.setServerPath'],
      ...(!canInstall && { 'Open Settings': ['workbench.action.openSettings', SETTING] }),
    };
    const sentence = canInstall
      ? 'Parrotlet needs its server, which is not installed on this machine.'
      : `Parrotlet has a problem: ${reason}.`;
    void vscode.window.showErrorMessage(sentence, ...Object.keys(commands)).then((chosen) => {
      const [command, ...args] = commands[chosen ?? ''] ?? [];
      if (command !== undefined) {
        void vscode.commands.executeCommand(command, ...args);
      }
    });
  }
}

function isSpawnError(error: unknown): error is NodeJS.ErrnoException {
  const { syscall = '' } = error as NodeJS.ErrnoException;
  return error instanceof Error && syscall.startsWith('spawn');
}
