import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

// The bundled tests run from editors/vscode/out.
const root = path.join(__dirname, '..');
const json = <T>(file: string) => JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')) as T;
type Texts = Record<string, string>;

interface Manifest {
  capabilities: { untrustedWorkspaces: { supported: string } };
  contributes: {
    configuration: { properties: Record<string, { scope: string }> };
    keybindings: { command: string; key: string; when: string }[];
  };
}

const manifest = fs.readFileSync(path.join(root, 'package.json'), 'utf8');

test('every text of the manifest exists in English and in Korean, and no text is unused', () => {
  const keys = [...new Set([...manifest.matchAll(/"%([^%"]+)%"/g)].map((match) => match[1]))].sort();
  assert.deepEqual(Object.keys(json<Texts>('package.nls.json')).sort(), keys);
  assert.deepEqual(Object.keys(json<Texts>('package.nls.ko.json')).sort(), keys);
});

test('every message in the code has a Korean translation with the same placeholders, and none is unused', () => {
  const source = fs
    .readdirSync(path.join(root, 'src'))
    .map((name) => fs.readFileSync(path.join(root, 'src', name), 'utf8'))
    .join('\n');
  const used = [...new Set([...source.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)].map((match) => match[1]))].sort();
  const korean = json<Texts>('l10n/bundle.l10n.ko.json');
  assert.deepEqual(Object.keys(korean).sort(), used);
  const placeholders = (text: string) => [...text.matchAll(/\{\d\}/g)].map((match) => match[0]).sort();
  for (const [english, translated] of Object.entries(korean)) {
    assert.deepEqual(placeholders(translated), placeholders(english), english);
  }
});

test('every page of the walkthrough exists in English and in Korean', () => {
  for (const match of manifest.matchAll(/"media\/([a-z]+)\.md"/g)) {
    for (const name of [`${match[1]}.md`, `${match[1]}.nls.ko.md`]) {
      assert.ok(fs.existsSync(path.join(root, 'media', name)), name);
    }
  }
});

test('a workspace cannot set programs, arguments, folders, models and addresses', () => {
  const { capabilities, contributes } = json<Manifest>('package.json');
  const { properties } = contributes.configuration;
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
  assert.equal(capabilities.untrustedWorkspaces.supported, 'limited');
});

test('a key is bound only while something of Ondol is visible in the focused editor without a popup', () => {
  for (const { key, when } of json<Manifest>('package.json').contributes.keybindings) {
    const conditions = when.split(' && ');
    assert.ok(conditions.includes('editorTextFocus'), key);
    assert.ok(conditions.includes('!suggestWidgetVisible'), key);
    assert.ok(
      conditions.some((one) => /^ondol\.\w+Visible$/.test(one)),
      key,
    );
  }
});
