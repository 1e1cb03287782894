// Prints what the extension's source says and calls, as JSON, for tests and tools: all string
// literals and, for each call with string arguments, the function and these arguments. Placeholders
// in templates become "…"; import specifiers are omitted.
// usage: node scripts/export-source.mjs
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const extension = dirname(dirname(fileURLToPath(import.meta.url)));
const texts = [];
const calls = [];

function textOf(node) {
  if (ts.isStringLiteralLike(node)) {
    return node.text;
  }
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }
  return null;
}

function visit(file, node) {
  if (ts.isImportDeclaration(node)) {
    return;
  }
  const text = textOf(node);
  if (text !== null) {
    texts.push({ file, text });
  }
  if (ts.isCallExpression(node)) {
    const args = node.arguments.map(textOf);
    if (args.some((arg) => arg !== null)) {
      calls.push({ file, function: node.expression.getText(), arguments: args });
    }
  }
  node.forEachChild((child) => visit(file, child));
}

const source = join(extension, 'src');
const files = readdirSync(source, { recursive: true }).filter((file) => file.endsWith('.ts'));
for (const file of files.sort()) {
  const text = readFileSync(join(source, file), 'utf8');
  visit(file, ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
}
console.log(JSON.stringify({ texts, calls }));
