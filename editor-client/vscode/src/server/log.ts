/** The output channels. One of them includes the server's stderr. */

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as vscode from 'vscode';

/** "2026-01-31 12:00:00,123 WARNING server.service: the engine died" */
const SERVER_RECORD = /^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/;

/** The log of the extension and the server, and the trace of the messages between them. */
export class Log implements vscode.Disposable {
  readonly main = vscode.window.createOutputChannel('Parrotlet', { log: true });
  readonly trace = vscode.window.createOutputChannel('Parrotlet Trace', { log: true });
  /** The server's last output that was no log record: after a crash, usually its cause. */
  lastOutput = '';

  /** Copies a server's stderr to the log until it ends. */
  readStderr(stderr: Readable): void {
    this.lastOutput = '';
    createInterface({ input: stderr }).on('line', (line) => {
      this.writeLine(line);
    });
  }

  /** The server's `--log-level` that corresponds to this channel's level. */
  get serverLevel(): string {
    switch (this.main.logLevel) {
      case vscode.LogLevel.Trace:
      case vscode.LogLevel.Debug:
        return 'debug';
      case vscode.LogLevel.Info:
        return 'info';
      case vscode.LogLevel.Warning:
        return 'warning';
      case vscode.LogLevel.Error:
      case vscode.LogLevel.Off:
        return 'error';
    }
  }

  dispose(): void {
    this.main.dispose();
    this.trace.dispose();
  }

  private writeLine(line: string): void {
    const [, level, message] = SERVER_RECORD.exec(line) ?? [];
    switch (level) {
      case 'DEBUG':
        this.main.debug(message ?? '');
        break;
      case 'INFO':
        this.main.info(message ?? '');
        break;
      case 'WARNING':
        this.main.warn(message ?? '');
        break;
      case undefined:
        this.lastOutput = line.trim() || this.lastOutput;
        this.main.error(line);
        break;
      default:
        this.main.error(message ?? '');
    }
  }
}
