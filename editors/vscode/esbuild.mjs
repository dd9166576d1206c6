// Builds the two bundles of the extension, or with --tests the unit tests into out/.
// extension.js is loaded at every start of the editor and stays small. client.js contains the language client (some
// 400 kB) and is loaded when the first server starts.
import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
  absWorkingDir: here,
};

// The licences of the bundled packages. The licences require that their text is distributed with the code.
function licences(inputs) {
  const names = new Set(
    inputs.flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(input)?.[0] ?? []),
  );
  return [...names]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(fs.readFileSync(path.join(here, folder, 'package.json'), 'utf8'));
      const file = fs.readdirSync(path.join(here, folder)).find((one) => /^licen[cs]e/i.test(one));
      if (file === undefined) {
        throw new Error(`${name} has no licence file`);
      }
      return `${name} ${version} (${license})\n\n${fs.readFileSync(path.join(here, folder, file), 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

if (process.argv.includes('--tests')) {
  const unit = path.join(here, '../../tests/editors/vscode/unit');
  fs.rmSync(path.join(here, 'out'), { recursive: true, force: true });
  await build({
    ...common,
    outdir: 'out',
    sourcemap: 'inline',
    external: ['vscode'],
    entryPoints: fs
      .readdirSync(unit)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => path.join(unit, name)),
  });
} else {
  fs.rmSync(path.join(here, 'dist'), { recursive: true, force: true });
  await build({
    ...common,
    minify: true,
    external: ['vscode', './client.js'],
    entryPoints: ['src/extension.ts'],
    outfile: 'dist/extension.js',
  });
  const client = await build({
    ...common,
    minify: true,
    metafile: true,
    external: ['vscode'],
    entryPoints: ['src/client.ts'],
    outfile: 'dist/client.js',
  });
  fs.writeFileSync(path.join(here, 'dist/THIRD-PARTY.txt'), licences(Object.keys(client.metafile.inputs)));
  // The extension's page in the editor cannot show the pictures of the repository.
  fs.writeFileSync(
    path.join(here, 'dist/README.md'),
    fs.readFileSync(path.join(here, 'README.md'), 'utf8').replace(/^!\[.*\n\n/gm, ''),
  );
  for (const name of fs.readdirSync(path.join(here, 'dist'))) {
    console.log(`dist/${name}: ${Math.round(fs.statSync(path.join(here, 'dist', name)).size / 1024)} KiB`);
  }
}
