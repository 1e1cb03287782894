/**
 * One run of the server: its process, and the language client that is connected to it. Restarts are
 * decided by `lifecycle`.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import {
  CloseAction, ErrorAction, ExecuteCommandRequest, LanguageClient, MessageType,
  RevealOutputChannelOn, ShowMessageNotification,
  type LanguageClientOptions, type Middleware, type StaticFeature,
} from 'vscode-languageclient/node';
import { collectServerSettings, getList } from '../settings/configuration';
import { SECTION, translateSettingNames } from '../settings/settingNames';
import { SCHEMES } from '../suggestions/activeEditor';
import type { Suggestions } from '../suggestions/suggestions';
import type { ServerCommand } from './discovery';
import type { Log } from './log';
import type { AdaptationReport, ServerStatus } from './messages';

const STOP_TIMEOUT_MS = 2000;
const EXIT_TIMEOUT_MS = 500;

/** What a client needs of the rest of the extension. */
export interface ClientContext {
  readonly log: Log;
  /** The extension's own folder, in which the server runs: never the user's project. */
  readonly folder: string;
  readonly suggestions: Suggestions;
  readonly onStatus: (status: ServerStatus) => void;
  /** Called with each report on an adaptation; with undefined when nobody reports any more. */
  readonly onAdaptation: (report: AdaptationReport | undefined) => void;
}

/**
 * Makes known that the extension shows adaptations by itself, and always sends all settings: one
 * that is removed no longer applies.
 */
const OWN_CAPABILITIES: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const parrotlet = { shows: ['progress', 'messages'], sendsAllSettings: true };
    capabilities.experimental = { parrotlet };
  },
  initialize: () => undefined,
  getState: () => ({ kind: 'static' }),
  clear: () => undefined,
};

/** A language client that only logs its errors; `lifecycle` reports them once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** A run of the server. */
export class Client {
  /** The languages that the server is used for. */
  readonly languages = getList('languages');
  private readonly client: LanguageClient;
  private process: ChildProcess | undefined;
  private isStopping = false;

  /**
   * Does not start the server yet.
   *
   * @param onExit called once if the server exits without having been stopped
   */
  constructor(
    private readonly command: ServerCommand,
    private readonly context: ClientContext,
    onExit: (how: string) => void,
  ) {
    const options = this.createOptions(async () => {
      context.onAdaptation(undefined);
      const how = await this.describeExit();
      if (!this.isStopping) {
        onExit(how);
      }
    });
    this.client = new QuietClient(SECTION, 'Parrotlet', () => this.spawn(), options);
    this.client.onNotification('parrotlet/status', (status: ServerStatus) => {
      context.onStatus(status);
    });
    this.client.registerFeature(OWN_CAPABILITIES);
    this.client.onNotification('parrotlet/adaptation', (report: AdaptationReport) => {
      context.onAdaptation(report);
    });
  }

  /** Starts the server, and returns when it has answered. */
  async start(): Promise<void> {
    await this.client.start();
    // Replaces the language client's handler, which does not know VS Code's names of settings.
    this.client.onNotification(ShowMessageNotification.type, ({ type, message }) => {
      showMessage(type, translateSettingNames(message));
    });
  }

  /** Stops the server; kills it if it does not exit. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.context.onAdaptation(undefined);
    if (this.isRunning) {
      try {
        await this.client.dispose(STOP_TIMEOUT_MS);
      } catch (error) {
        this.context.log.main.warn(`the server did not shut down cleanly: ${String(error)}`);
      }
    } else {
      this.process?.kill();
    }
    await this.waitForExit(STOP_TIMEOUT_MS);
    this.process?.kill('SIGKILL');
  }

  /** Whether the server has answered and not exited. */
  get isRunning(): boolean {
    return this.client.isRunning();
  }

  /** The server's version, once it has answered. */
  get version(): string | undefined {
    return this.client.initializeResult?.serverInfo?.version;
  }

  /** Sends a notification, if the server is running. */
  notify(method: string, params: object): void {
    if (this.isRunning) {
      void this.client.sendNotification(method, params).catch(() => undefined); // it has exited
    }
  }

  /** Runs one of the server's commands; returns undefined for an empty result or no server. */
  async execute<T>(command: string, ...args: unknown[]): Promise<T | undefined> {
    if (!this.isRunning) {
      return undefined;
    }
    const params = { command, arguments: args };
    const result: unknown = await this.client.sendRequest(ExecuteCommandRequest.type, params);
    return (result ?? undefined) as T | undefined;
  }

  /** Returns how the server knows a document. */
  getUri(document: vscode.TextDocument): string {
    return this.client.code2ProtocolConverter.asUri(document.uri);
  }

  private async spawn(): Promise<ChildProcess> {
    const { command, args, location } = this.command;
    const { log, folder } = this.context;
    await vscode.workspace.fs.createDirectory(vscode.Uri.file(folder));
    const allArgs = [...args, '--log-level', log.serverLevel];
    log.main.info(`starting ${[command, ...allArgs].join(' ')} (found in ${location})`);
    const process = spawn(command, allArgs, { cwd: folder, stdio: 'pipe', windowsHide: true });
    await once(process, 'spawn'); // throws the process's error
    process.on('error', (error) => {
      log.main.error(`the server's process: ${error.message}`);
    });
    log.readStderr(process.stderr);
    this.process = process;
    return process;
  }

  private async describeExit(): Promise<string> {
    const { process } = this;
    if (process === undefined) {
      return 'did not start';
    }
    await this.waitForExit(EXIT_TIMEOUT_MS);
    if (process.signalCode !== null) {
      return `was terminated by ${process.signalCode}`;
    }
    const { lastOutput } = this.context.log;
    const detail = lastOutput && ` (${lastOutput})`;
    return `exited with code ${process.exitCode ?? 'unknown'}${detail}`;
  }

  private async waitForExit(timeoutMs: number): Promise<void> {
    const { process } = this;
    if (process?.exitCode === null && process.signalCode === null) {
      await Promise.race([once(process, 'exit'), sleep(timeoutMs)]);
    }
  }

  private createOptions(onClosed: () => Promise<void>): LanguageClientOptions {
    const { log } = this.context;
    return {
      documentSelector: this.languages.flatMap((language) => (
        SCHEMES.map((scheme) => ({ language, scheme }))
      )),
      outputChannel: log.main,
      traceOutputChannel: log.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      stdioOptions: { stdout: () => undefined, stderr: () => undefined },
      initializationOptions: () => collectServerSettings(),
      middleware: this.createMiddleware(),
      initializationFailedHandler: () => false, // reported by `closed` below
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          void onClosed();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
  }

  private createMiddleware(): Middleware {
    const { suggestions } = this.context;
    return {
      provideInlineCompletionItems: (document, position, context, token, next) => (
        suggestions.provide(document, position, context, token, () => (
          next(document, position, context, token)
        ))
      ),
      workspace: {
        configuration: ({ items }) => items.map(() => collectServerSettings()),
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
