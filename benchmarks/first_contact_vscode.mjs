// VS Code with the packaged extension on a machine whose home folder holds nothing but Ondol: types the beginning of a
// line until ghost text is there, and prints it. first_contact.py starts it: REPOSITORY FILE TEXT.
import { Workbench } from '../tests/editors/vscode/e2e/harness.mjs';

const [repository, file, text] = process.argv.slice(2);
const { FRESH_HOME: HOME, FRESH_PATH: PATH, PATIENCE_MS } = process.env;
const bench = await Workbench.start({ env: { HOME, PATH } });
try {
  const window = await bench.open(repository);
  await window.openFile(file);
  await window.type(text);
  console.log(await window.ghostAppears(undefined, Number(PATIENCE_MS)));
} finally {
  await bench.stop();
}
