import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortName } from '../../../../editors/vscode/src/shortName';

test('a file is named without its folders, unless the file it is seen from has the same name', () => {
  assert.equal(shortName('/shop/src/main/Order.java', '/shop/src/main/Cart.java'), 'Order.java');
  assert.equal(shortName('/shop/web/orders/index.ts', '/shop/web/carts/index.ts'), 'orders/index.ts');
  assert.equal(shortName('/index.ts', '/web/index.ts'), '/index.ts');
});
