import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

// The bundled tests run from editors/vscode/out.
const root = path.join(__dirname, '..');
const json = (file: string) => JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
const manifest = fs.readFileSync(path.join(root, 'package.json'), 'utf8');

test('every text of the manifest is there in English and in Korean, and none is left over', () => {
  const keys = [...new Set([...manifest.matchAll(/"%([^%"]+)%"/g)].map((match) => match[1]))].sort();
  assert.deepEqual(Object.keys(json('package.nls.json')).sort(), keys);
  assert.deepEqual(Object.keys(json('package.nls.ko.json')).sort(), keys);
});

test('every text in the code is there in Korean with the same places to fill, and none is left over', () => {
  const source = fs
    .readdirSync(path.join(root, 'src'))
    .map((name) => fs.readFileSync(path.join(root, 'src', name), 'utf8'))
    .join('\n');
  const used = [
    ...new Set([...source.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)].map((match) => match[1] as string)),
  ].sort();
  const korean = json('l10n/bundle.l10n.ko.json') as Record<string, string>;
  assert.deepEqual(Object.keys(korean).sort(), used);
  const places = (text: string) => [...text.matchAll(/\{\d\}/g)].map((match) => match[0]).sort();
  for (const [english, translated] of Object.entries(korean)) {
    assert.deepEqual(places(translated), places(english), english);
  }
});

test('every page of the walkthrough is there in English and in Korean', () => {
  for (const match of manifest.matchAll(/"media\/([a-z]+)\.md"/g)) {
    for (const name of [`${match[1]}.md`, `${match[1]}.nls.ko.md`]) {
      assert.ok(fs.existsSync(path.join(root, 'media', name)), name);
    }
  }
});

test('programs, arguments, folders, models and addresses are settings of the machine', () => {
  const properties = json('package.json').contributes.configuration.properties as Record<string, { scope: string }>;
  for (const key of [
    'server.path',
    'server.arguments',
    'dataDirectory',
    'workers',
    'backend',
    'baseModel',
    'remoteUrl',
    'remoteModel',
    'traceText',
  ]) {
    assert.equal(properties[`ondol.${key}`]?.scope, 'machine', key);
  }
  assert.equal(json('package.json').capabilities.untrustedWorkspaces.supported, 'limited');
  assert.equal(json('package.json').contributes.keybindings, undefined);
});
