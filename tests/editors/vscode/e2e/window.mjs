// One window of the workbench: its keys, its editor, its ghost text, its status bar and its notifications.
import fs from 'node:fs';
import path from 'node:path';
import { until } from './until.mjs';

/** A window of the workbench. */
export class Window {
  constructor(page, artifacts) {
    this.page = page;
    this.artifacts = artifacts;
  }

  key(...keys) {
    return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }
  type(text, delay = 30) {
    return this.page.keyboard.type(text, { delay });
  }
  insert(text) {
    return this.page.keyboard.insertText(text);
  }
  pause(ms) {
    return this.page.waitForTimeout(ms);
  }

  /** The ghost text on the page: the part on the cursor's line, then the lines below it. */
  ghost() {
    return this.page.evaluate(() => {
      const texts = (selector) =>
        [...document.querySelectorAll(`.editor-instance ${selector}, .notebookOverlay ${selector}`)].map((element) =>
          element.textContent.replaceAll('\u00a0', ' '),
        );
      return [
        texts('.ghost-text-decoration, .ghost-text-decoration-preview').join(''),
        ...texts('.suggest-preview-text .view-line, .suggest-preview-text > div'),
      ]
        .join('\n')
        .replace(/\n+$/, '');
    });
  }

  /** Waits for ghost text that begins with `start` and no longer changes, and returns it. */
  async ghostAppears(start = '', ms) {
    let last = '';
    return until(
      async () => {
        const before = last;
        last = await this.ghost();
        await this.pause(100);
        return last !== '' && last === before && last.startsWith(start) && last;
      },
      `ghost text that begins with ${JSON.stringify(start)}`,
      ms,
    ).catch((error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(last)}`);
    });
  }
  async ghostIs(text) {
    await until(async () => (await this.ghost()) === text, `the ghost text ${JSON.stringify(text)}`).catch(
      async (error) => {
        throw new Error(`${error.message}; there is ${JSON.stringify(await this.ghost())}`);
      },
    );
  }
  async noGhost(ms = 1200) {
    await this.pause(ms);
    const text = await this.ghost();
    if (text !== '') {
      throw new Error(`there should be no ghost text, but there is ${JSON.stringify(text)}`);
    }
  }

  /**
   * The editor's line with a text, as it is drawn with all decorations. The content of a decoration is that of a
   * pseudo-element, so it is read from the style.
   */
  drawnLine(text) {
    return this.page.evaluate((wanted) => {
      const plain = (one) => one.replaceAll('\u00a0', ' ');
      const content = (node) => {
        if (node.nodeType === Node.TEXT_NODE) {
          return node.textContent;
        }
        const [before, after] = ['::before', '::after'].map((part) => {
          const drawn = getComputedStyle(node, part).content;
          return /^".*"$/.test(drawn) ? `[${drawn.slice(1, -1)}]` : '';
        });
        const struck = getComputedStyle(node).textDecorationLine.includes('line-through');
        const inner = [...node.childNodes].map(content).join('');
        return before + (struck && inner !== '' ? `~${inner}~` : inner) + after;
      };
      const lines = [...document.querySelectorAll('.editor-instance .view-line')];
      return lines.map((line) => plain(content(line))).find((line) => line.replaceAll('~', '').includes(wanted));
    }, text);
  }
  async drawnLineIs(text, drawn) {
    let last;
    await until(
      async () => {
        last = await this.drawnLine(text);
        return last === drawn;
      },
      `the line ${JSON.stringify(drawn)}`,
    ).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
  }

  /** Text, icon, label and warning colour of the status bar item. */
  status() {
    return this.page.evaluate(() => {
      const item =
        document.getElementById('ondol.ondol.ondol.status') ??
        [...document.querySelectorAll('.statusbar-item')].find((one) => /ondol\.status$/.test(one.id));
      if (!item) {
        return undefined;
      }
      const icon = [...item.querySelectorAll('.codicon')]
        .flatMap((one) => [...one.classList])
        .filter((name) => name.startsWith('codicon-') && !name.startsWith('codicon-modifier'))
        .map((name) => name.slice(8))[0];
      return {
        text: item.textContent.trim(),
        icon,
        label: item.querySelector('a')?.getAttribute('aria-label') ?? item.getAttribute('aria-label') ?? '',
        warning: item.classList.contains('warning-kind'),
      };
    });
  }
  async statusIs(predicate, what, ms = 90_000) {
    let last;
    await until(
      async () => {
        last = await this.status();
        return last && predicate(last);
      },
      `the status ${what}`,
      ms,
    ).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
    return last;
  }
  /** Waits until the server is ready. It indexes at the lowest priority, so this may take long. */
  ready(ms = 300_000) {
    return this.statusIs((status) => status.icon === 'flame', 'ready', ms);
  }

  /** Opens a file by its path in the explorer. In a workspace of several folders the path begins with the folder. */
  async openFile(name) {
    const parts = name.split('/');
    for (const [index, part] of parts.entries()) {
      const level = index + 1;
      const label = JSON.stringify(part);
      const row = this.page
        .locator(`.explorer-folders-view .monaco-list-row[aria-level="${level}"][aria-label=${label}]`)
        .first();
      await row.waitFor({ timeout: 90_000 });
      if (index === parts.length - 1) {
        await row.dblclick();
      } else if ((await row.getAttribute('aria-expanded')) === 'false') {
        await row.click();
      }
    }
    await this.page.waitForSelector(`.tab.active[data-resource-name="${parts.at(-1)}"]`, { timeout: 90_000 });
    await this.focusEditor();
    await this.key('Control+End');
  }
  focusEditor() {
    return this.page
      .locator('.editor-instance .overflow-guard')
      .first()
      .click({ position: { x: 150, y: 12 } });
  }
  /** Saves the active file and returns its content on disk. */
  async saved(file) {
    await this.key('Control+s');
    await this.page.waitForFunction(() => document.querySelector('.tab.active.dirty') === null, null, {
      timeout: 60_000,
    });
    return fs.readFileSync(file, 'utf8');
  }
  /** Runs a command from the command palette; `list`: the command opens a list in the palette's place. */
  async palette(title, { list = false } = {}) {
    const palette = this.page.locator('.quick-input-widget');
    const input = palette.locator('input.input[placeholder^="Type the name of a command"]');
    await until(async () => {
      // The key can get lost while another view opens or closes.
      if (!(await input.isVisible())) {
        await this.key('F1');
      }
      return input.fill(`>${title}`, { timeout: 2000 }).then(
        () => true,
        () => false,
      );
    }, 'the command palette');
    // Another entry may contain the title as well, so the whole name must match.
    await palette
      .locator('.label-name')
      .filter({ hasText: new RegExp(`^(File: )?${title}$`) })
      .click();
    if (!list) {
      await palette.waitFor({ state: 'hidden' });
    }
  }
  /** The texts of all notifications since `clear`. */
  notifications() {
    return this.page.evaluate(() => window.ondolNotifications);
  }
  /** Waits for a notification that matches `pattern`, and returns its text. */
  async notification(pattern) {
    return until(
      async () => (await this.notifications()).find((text) => pattern.test(text)),
      `a notification that matches ${pattern}`,
    );
  }
  async clearNotifications() {
    await this.palette('Notifications: Clear All Notifications');
    await until(
      async () => (await this.page.$$('.notification-toast')).length === 0,
      'the screen without notifications',
    );
    await this.page.evaluate(() => {
      window.ondolNotifications.length = 0;
    });
  }
  /** Writes a screenshot into the artefacts. */
  async shot(name) {
    await this.screenshot(path.join(this.artifacts, `${name}.png`));
  }
  async screenshot(file) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await this.page.screenshot({ path: file });
  }
  /** Reloads the window. */
  async reload() {
    await this.page.reload({ waitUntil: 'commit', timeout: 180_000 });
    await this.page.waitForSelector('.monaco-workbench', { timeout: 180_000 });
    await this.page.waitForSelector('.statusbar-item', { timeout: 180_000 });
  }
  close() {
    return this.page.close();
  }
}
