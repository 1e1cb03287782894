// For the tests: runs code that they send over the loopback interface, with VS Code's API.
const { writeFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { join } = require('node:path');
const vscode = require('vscode');

const AsyncFunction = (async () => undefined).constructor;

exports.activate = (context) => {
  const server = createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', async () => {
      try {
        const { body, given } = JSON.parse(Buffer.concat(pieces).toString());
        const answer = await new AsyncFunction('vscode', 'given', body)(vscode, given);
        response.end(JSON.stringify({ answer: answer ?? null }));
      } catch (error) {
        response.end(JSON.stringify({ error: String(error?.stack ?? error) }));
      }
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const folder = process.env.PARROTLET_TEST_DRIVERS;
    writeFileSync(join(folder, `${process.pid}`), `${server.address().port}`);
  });
  context.subscriptions.push({ dispose: () => server.close() });
};
