/** The output channels, and the server's stderr in one of them. */

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as vscode from 'vscode';

/** "2026-01-31 12:00:00,123 WARNING server.worker.service: the engine died" */
const OF_SERVER = /^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/;

/** What the extension and the server say, and what they say to each other. */
export class Log implements vscode.Disposable {
  readonly main = vscode.window.createOutputChannel('Parrotlet', { log: true });
  readonly trace = vscode.window.createOutputChannel('Parrotlet Trace', { log: true });
  /** The last line that was no log record: of a server that dies, why. */
  lastWords = '';

  /** Reads a server's stderr to its end. */
  follow(stderr: Readable): void {
    this.lastWords = '';
    createInterface({ input: stderr }).on('line', (line) => {
      this.take(line);
    });
  }

  /** The server's `--log-level` that tells what this channel is set to show. */
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

  private take(line: string): void {
    const [, level, rest = line] = OF_SERVER.exec(line) ?? [];
    switch (level) {
      case 'DEBUG':
        this.main.debug(rest);
        break;
      case 'INFO':
        this.main.info(rest);
        break;
      case 'WARNING':
        this.main.warn(rest);
        break;
      case undefined:
        this.lastWords = line.trim() || this.lastWords;
        this.main.error(line);
        break;
      default:
        this.main.error(rest);
    }
  }
}
