/**
 * One run of the server: its process, and the language client that talks to it.
 *
 * How often it may be started again is `lifecycle`'s to say.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import {
  CloseAction, ErrorAction, ExecuteCommandRequest, LanguageClient, MessageType,
  RevealOutputChannelOn, ShowMessageNotification,
  type LanguageClientOptions, type Middleware,
} from 'vscode-languageclient/node';
import { SCHEMES } from '../suggestions/activeEditor';
import type { Found } from './discovery';
import type { Log } from './log';
import { listOf, SECTION, serverSettings, withOwnNames } from '../settings/configuration';
import type { StatusOfServer } from '../ui/status';
import type { Suggestions } from '../suggestions/suggestions';

const STOP_MS = 2000;
const GRACE_MS = 500;

/** What a run needs of the rest of the extension. */
export interface Surroundings {
  readonly log: Log;
  /** A folder of this extension's own, to run in: never the user's project. */
  readonly folder: string;
  readonly suggestions: Suggestions;
  readonly report: (status: StatusOfServer) => void;
}

/** A language client whose errors `lifecycle` reports once; the log has them in full. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** A server that has been started. */
export class Client {
  /** Those in which it is asked. */
  readonly languages = listOf('languages');
  private readonly client: LanguageClient;
  private process: ChildProcess | undefined;
  private isStopping = false;

  /**
   * Starts nothing yet.
   *
   * @param ended called once if the server ends without having been told to, with how it ended
   */
  constructor(
    private readonly found: Found,
    private readonly around: Surroundings,
    ended: (how: string) => void,
  ) {
    const options = this.options(async () => {
      const how = await this.howItEnded();
      if (!this.isStopping) {
        ended(how);
      }
    });
    this.client = new QuietClient(SECTION, 'Parrotlet', () => this.spawn(), options);
    this.client.onNotification('parrotlet/status', (status: StatusOfServer) => {
      around.report(status);
    });
  }

  /** Starts the server, and returns when it answers. */
  async start(): Promise<void> {
    await this.client.start();
    this.client.onNotification(ShowMessageNotification.type, ({ type, message }) => {
      showMessage(type, withOwnNames(message)); // instead of the language client, which knows none
    });
  }

  /** Ends the server; it is killed if it does not leave. */
  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.isRunning) {
      try {
        await this.client.dispose(STOP_MS);
      } catch (error) {
        this.around.log.main.warn(`the server did not shut down cleanly: ${String(error)}`);
      }
    } else {
      this.process?.kill();
    }
    await this.exited(STOP_MS);
    this.process?.kill('SIGKILL');
  }

  /** Whether it answers. */
  get isRunning(): boolean {
    return this.client.isRunning();
  }

  /** The server's version, once it has answered. */
  get version(): string | undefined {
    return this.client.initializeResult?.serverInfo?.version;
  }

  /** Tells the server something, if it runs. */
  tell(method: string, params: object): void {
    if (this.isRunning) {
      void this.client.sendNotification(method, params).catch(() => undefined); // it is gone
    }
  }

  /** Asks the server by one of its commands; undefined if it does not answer. */
  async ask<T>(command: string): Promise<T | undefined> {
    if (!this.isRunning) {
      return undefined;
    }
    const answer: unknown = await this.client.sendRequest(ExecuteCommandRequest.type, { command });
    return (answer ?? undefined) as T | undefined;
  }

  private async spawn(): Promise<ChildProcess> {
    const { command, args } = this.found;
    const { log, folder } = this.around;
    await vscode.workspace.fs.createDirectory(vscode.Uri.file(folder));
    const all = [...args, '--log-level', log.serverLevel];
    log.main.info(`starting ${[command, ...all].join(' ')} (found in ${this.found.where})`);
    const process = spawn(command, all, { cwd: folder, stdio: 'pipe', windowsHide: true });
    await once(process, 'spawn'); // or its error
    process.on('error', (error) => {
      log.main.error(`the server's process: ${error.message}`);
    });
    log.follow(process.stderr);
    this.process = process;
    return process;
  }

  private async howItEnded(): Promise<string> {
    const { process } = this;
    if (process === undefined) {
      return 'did not start';
    }
    await this.exited(GRACE_MS);
    const words = this.around.log.lastWords;
    if (process.signalCode !== null) {
      return `was terminated by ${process.signalCode}`;
    }
    return `exited with code ${process.exitCode ?? 'unknown'}${words && ` (${words})`}`;
  }

  private async exited(patience: number): Promise<void> {
    const { process } = this;
    if (process?.exitCode === null && process.signalCode === null) {
      await Promise.race([once(process, 'exit'), sleep(patience)]);
    }
  }

  private options(closed: () => Promise<void>): LanguageClientOptions {
    const { log } = this.around;
    return {
      documentSelector: this.languages.flatMap((language) => (
        SCHEMES.map((scheme) => ({ language, scheme }))
      )),
      outputChannel: log.main,
      traceOutputChannel: log.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      stdioOptions: { stdout: () => undefined, stderr: () => undefined },
      initializationOptions: () => serverSettings(),
      middleware: this.middleware(),
      initializationFailedHandler: () => false, // `closed` below reports it
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          void closed();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
  }

  private middleware(): Middleware {
    const { suggestions } = this.around;
    return {
      provideInlineCompletionItems: (document, position, context, token, next) => (
        suggestions.provide(document, position, context, token, () => (
          next(document, position, context, token)
        ))
      ),
      workspace: {
        configuration: ({ items }) => items.map(() => serverSettings()),
      },
    };
  }
}

function showMessage(type: MessageType, text: string): void {
  if (type === MessageType.Error) {
    void vscode.window.showErrorMessage(text);
  } else if (type === MessageType.Warning) {
    void vscode.window.showWarningMessage(text);
  } else {
    void vscode.window.showInformationMessage(text);
  }
}
