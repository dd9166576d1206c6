// VS Code with the packaged extension on a machine whose home folder holds nothing but Ondol: types lines until ghost
// text is there, and prints it. first_contact.py starts it: REPOSITORY FILE LINES.
import { Workbench } from '../tests/editors/vscode/e2e/harness.mjs';

const [repository, file, lines] = process.argv.slice(2);
const { FRESH_HOME: HOME, FRESH_PATH: PATH, KEY_MS } = process.env;
const bench = await Workbench.start({ env: { HOME, PATH } });
try {
  const window = await bench.open(repository);
  await window.openFile(file);
  let text = '';
  for (const character of lines) {
    await window.type(character, Number(KEY_MS));
    text = await window.ghost();
    if (text) {
      break;
    }
  }
  if (!text) {
    throw new Error('no ghost text');
  }
  console.log(text);
} finally {
  await bench.stop();
}
