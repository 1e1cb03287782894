/**
 * The server's life: found, started, restarted when it crashes, and left alone when it crashes too
 * often. One restart runs at a time; of several that are waiting, only the last one runs.
 */

import * as vscode from 'vscode';
import type { Origin } from '../install/origin';
import { getList } from '../settings/configuration';
import { Client, type ClientContext } from './client';
import {
  findServer, SERVER_SETTING_QUERY, type ServerCommand, type ServerNotFound,
} from './discovery';

const MAX_CRASHES = 3; // within CRASH_WINDOW_MS; then the server is not restarted
const CRASH_WINDOW_MS = 180_000;
const RETRY_DELAY_MS = 1000; // times the number of recent crashes before this one

/** Owns the server. */
export class Lifecycle {
  private current: Client | undefined;
  private running: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;
  private crashes: number[] = [];
  private isClosed = false;
  /** The setting for the server's command, as of the last start. */
  private commandSetting: string[] = [];
  /** Whether a server has been needed so far. */
  isRequested = false;
  /** Why no server was found, or none that can be started. */
  notFound: ServerNotFound | undefined;
  /** The command of the server that is running or starting. */
  command: ServerCommand | undefined;

  constructor(
    private readonly context: ClientContext,
    private readonly origin: Origin,
  ) {}

  /** The newest client, if there is one; it may not have answered yet. */
  get client(): Client | undefined {
    return this.current;
  }

  /** Whether changed settings require another server process. */
  get needsRestart(): boolean {
    const commandSetting = JSON.stringify(getList('server'));
    const isOtherCommand = commandSetting !== JSON.stringify(this.commandSetting);
    const known = this.current?.languages;
    const hasNewLanguage = known && getList('languages').some((one) => !known.includes(one));
    return isOtherCommand || hasNewLanguage === true;
  }

  /** Starts the server, or replaces it by another process. */
  restart(): Promise<void> {
    this.crashes = [];
    if (this.current?.isRunning === false) {
      void this.current.stop(); // it may be hanging
    }
    return this.replace();
  }

  /** Restarts with another server, if one is now found in another place. */
  async rediscover(): Promise<void> {
    await (this.waiting ?? this.running);
    const found = await findServer(this.origin);
    if ('command' in found && found.command !== this.command?.command) {
      await this.restart();
    }
  }

  /** Stops the server for good. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.current?.stop();
  }

  private replace(): Promise<void> {
    this.isRequested = true;
    this.notFound = undefined;
    this.waiting ??= this.running.then(() => {
      this.waiting = undefined;
      this.running = this.start();
      return this.running;
    });
    return this.waiting;
  }

  private async start(): Promise<void> {
    const old = this.current;
    this.current = undefined;
    await old?.stop();
    if (this.isClosed) {
      return;
    }
    this.context.onStatus({ state: 'starting', reason: null });
    this.commandSetting = getList('server');
    const found = await findServer(this.origin);
    if ('reason' in found) {
      this.command = undefined;
      this.onNotFound(found);
      return;
    }
    this.command = found;
    await this.run(found);
  }

  private async run(command: ServerCommand): Promise<void> {
    const client: Client = new Client(command, this.context, (how) => {
      this.onExit(client, how);
    });
    this.current = client;
    try {
      await client.start();
      void vscode.commands.executeCommand('setContext', 'parrotlet.isRunning', true);
    } catch (error) {
      this.context.log.main.error(`the server did not start: ${String(error)}`);
      if (isSpawnError(error)) {
        this.onSpawnError(`${command.command} could not be started (${error.code})`);
      }
    }
  }

  private onSpawnError(reason: string): void {
    if (this.commandSetting.length > 0) {
      this.fail(`${reason}; set another server path`);
    } else {
      this.onNotFound({ reason: `${reason}; install the server again`, canInstall: true });
    }
  }

  private onExit(client: Client, how: string): void {
    if (this.current !== client || this.isClosed) {
      return;
    }
    void vscode.commands.executeCommand('setContext', 'parrotlet.isRunning', false);
    this.context.log.main.error(`the server ${how}`);
    const now = Date.now();
    this.crashes = [...this.crashes.filter((time) => now - time < CRASH_WINDOW_MS), now];
    const { length: nCrashes } = this.crashes;
    if (nCrashes > MAX_CRASHES) {
      this.fail(`the server ${how}, ${nCrashes} times within 3 minutes; fix the problem, then`
        + ' restart');
      return;
    }
    this.context.onStatus({ state: 'starting', reason: `the server ${how}` });
    if (nCrashes === 1) { // later ones appear in the status bar only
      this.showWarning(`The Parrotlet server ${how}. It is being restarted.`);
    }
    setTimeout(() => {
      if (this.current === client) { // it has not been replaced in the meantime
        void this.replace();
      }
    }, RETRY_DELAY_MS * (nCrashes - 1));
  }

  private fail(reason: string): void {
    this.context.onStatus({ state: 'error', reason });
    const buttons = ['Restart', 'Show Log'];
    const text = `Parrotlet has a problem: ${reason}.`;
    void vscode.window.showErrorMessage(text, ...buttons).then((choice) => {
      if (choice === 'Restart') {
        void this.restart();
      } else if (choice !== undefined) {
        this.context.log.main.show();
      }
    });
  }

  private showWarning(text: string): void {
    void vscode.window.showWarningMessage(text, 'Show Log').then((choice) => {
      if (choice !== undefined) {
        this.context.log.main.show();
      }
    });
  }

  /** Reports that there is no server, and offers remedies. */
  private onNotFound(notFound: ServerNotFound): void {
    this.notFound = notFound;
    const { reason, canInstall } = notFound;
    this.context.log.main.error(reason);
    this.context.onStatus({ state: 'error', reason });
    const commands: Record<string, readonly string[]> = {
      ...(canInstall && { 'Install Server…': ['parrotlet.installServer'] }),
      'Set Server Path…': ['parrotlet.setServerPath'],
      ...(!canInstall && { 'Open Settings': [
        'workbench.action.openSettings', SERVER_SETTING_QUERY,
      ] }),
    };
    const text = this.command === undefined && canInstall
      ? 'Parrotlet needs its server, which is not installed on this machine.'
      : `Parrotlet has a problem: ${reason}.`;
    void vscode.window.showErrorMessage(text, ...Object.keys(commands)).then((choice) => {
      const [command, ...args] = commands[choice ?? ''] ?? [];
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
