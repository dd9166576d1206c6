"""Sessions in which lines are inserted or deleted at like places: an ending, and the document, as in ``typed_sessions``.

Behind the second change the third is offered as the next place in those of ``ELSEWHERE``; in all of them but those of
``UNKNOWN`` it is offered with the cursor there.
"""

INSERTED: dict[str, tuple[str, str]] = {
    "null check at the top": (
        "java",
        """
         class Orders {
           void place(Order order) {
        +    Objects.requireNonNull(order);
             Receipt receipt = store.save(order);
             mail.send(receipt);
           }

           int count() {
             return store.size();
           }

           void cancel(Order order) {
        +    Objects.requireNonNull(order);
             store.drop(order.id());
           }

           String name() {
             return "orders";
           }

           void refund(Order order) {
        +    Objects.requireNonNull(order);
             bank.transfer(order.total(), order.account());
             store.mark(order);
           }
         }
        """,
    ),
    "throw at the top": (
        "ts",
        """
         export function width(box: Box | null): number {
        +  if (!box) {
        +    throw new Error('no box');
        +  }
           return box.right - box.left;
         }

         export function twice(n: number): number {
           return 2 * n;
         }

         export function height(box: Box | null): number {
        +  if (!box) {
        +    throw new Error('no box');
        +  }
           const size = box.bottom - box.top;
           return size;
         }

         export function draw(canvas: Canvas, box: Box | null): void {
        +  if (!box) {
        +    throw new Error('no box');
        +  }
           canvas.rect(box.left, box.top, width(box), height(box));
         }
        """,
    ),
    "null check in C": (
        "c",
        """
         int dev_open(struct dev *d)
         {
        +    if (!d)
        +        return -EINVAL;
             d->users++;
             return 0;
         }

         static int twice(int n)
         {
             return 2 * n;
         }

         int dev_close(struct dev *d)
         {
        +    if (!d)
        +        return -EINVAL;
             d->users--;
             flush(d);
             return 0;
         }

         int dev_reset(struct dev *d)
         {
        +    if (!d)
        +        return -EINVAL;
             memset(d->regs, 0, sizeof(d->regs));
             return dev_wait(d);
         }
        """,
    ),
    "log before returns of different names": (
        "py",
        """
         def load(path):
             data = read(path)
        +    log.debug("done")
             return data

         def save(path, data):
             size = write(path, data)
             sync(path)
        +    log.debug("done")
             return size

         def double(n):
             n *= 2
             print(n)

         def drop(path):
             ok = remove(path)
        +    log.debug("done")
             return ok

        """,
    ),
    "log before like returns": (
        "go",
        """
         func (s *Store) Get(id string) (*User, error) {
             u, err := s.db.Find(id)
             if err != nil {
        +        log.Println("failed", err)
                 return nil, err
             }
             return u, nil
         }

         func (s *Store) Put(u *User) (*User, error) {
             old, err := s.db.Swap(u.ID, u)
             if err != nil {
        +        log.Println("failed", err)
                 return nil, err
             }
             return old, nil
         }

         func (s *Store) Drop(id string) (*User, error) {
             u, err := s.db.Delete(id)
             if err != nil {
        +        log.Println("failed", err)
                 return nil, err
             }
             return u, nil
         }
        """,
    ),
    "defer below lock": (
        "go",
        """
         func (c *Cache) Get(key string) string {
             c.mu.Lock()
        +    defer c.mu.Unlock()
             return c.items[key]
         }

         func (c *Cache) Name() string {
             return c.name
         }

         func (c *Cache) Put(key, value string) {
             c.mu.Lock()
        +    defer c.mu.Unlock()
             c.items[key] = value
         }

         func (c *Cache) Drop(key string) {
             c.mu.Lock()
        +    defer c.mu.Unlock()
             delete(c.items, key)
         }
        """,
    ),
    "defer close below open": (
        "go",
        """
         func lines(path string) int {
             f := open(path)
        +    defer f.Close()
             return count(f)
         }

         func words(path string) int {
             in := open(path)
        +    defer in.Close()
             return split(in)
         }

         func size(name string, unit int) int {
             file := open(name)
        +    defer file.Close()
             return file.Size() / unit
         }
        """,
    ),
    "decorator above functions": (
        "py",
        """
         import api

        +@api.cached
         def users(db):
             return db.all("users")

        +@api.cached
         def teams(db):
             rows = db.all("teams")
             return rows

         LIMIT = 10

        +@api.cached
         def mails(db, since):
             return [one for one in db.all("mails") if one.date > since]

        """,
    ),
    "decorator above test methods": (
        "py",
        """
         class TestStore:
        +    @slow
             def test_put(self):
                 assert store.put(1)

        +    @slow
             def test_get(self):
                 store.put(2)
                 assert store.get(2) == 2

             def helper(self):
                 return 5

        +    @slow
             def test_drop(self):
                 store.drop(3)
                 assert not store.has(3)

        """,
    ),
    "annotation above fields": (
        "java",
        """
         class User {
        +  @Column
           private String name;

        +  @Column
           private String mail;

           static final int MAX = 10;

        +  @Column
           private int age;

           User() {
           }
         }
        """,
    ),
    "attribute below tags": (
        "html",
        """
         <form>
           <input
             name="user"
        +    required
             type="text">
           <p>Some words</p>
           <input
             name="mail"
        +    required
             type="email">
           <p>More words</p>
           <input
             name="age"
        +    required
             type="number">
         </form>
        """,
    ),
    "attribute of JSX": (
        "tsx",
        """
         export const Page = () => (
           <div>
             <Button
               label="Save"
        +      size="small"
               onClick={save}
             />
             <p>words</p>
             <Button
               label="Drop"
        +      size="small"
               onClick={drop}
             />
             <Link to="/">home</Link>
             <Button
               label="Back"
        +      size="small"
               onClick={() => history.back()}
             />
           </div>
         );
        """,
    ),
    "port in instances": (
        "sv",
        """
         module top(input clk, input rst, input en);
           fifo u_rx (
             .clk_i(clk),
        +    .en_i(en),
             .data_i(rx_data),
             .data_o(rx_out)
           );

           assign led = rx_out[0];

           fifo u_tx (
             .clk_i(clk),
        +    .en_i(en),
             .data_i(tx_data),
             .data_o(tx_out)
           );

           arbiter u_arb (
             .clk_i(clk),
        +    .en_i(en),
             .req_i(req),
             .gnt_o(gnt)
           );
         endmodule
        """,
    ),
    "reset of registers": (
        "sv",
        """
         module a;
           always_ff @(posedge clk) begin
        +    if (rst) cnt_q <= '0; else
             cnt_q <= cnt_d;
           end

           always_ff @(posedge clk) begin
        +    if (rst) sum_q <= '0; else
             sum_q <= sum_d;
           end

           assign led = sum_q[0];

           always_ff @(posedge clk) begin
        +    if (rst) max_q <= '0; else
             max_q <= max_d;
           end
         endmodule
        """,
    ),
    "further field below a like field": (
        "rs",
        """
         struct User {
             id: u64,
        +    created: DateTime,
             name: String,
         }

         struct Team {
             id: u64,
        +    created: DateTime,
             members: Vec<User>,
         }

         enum Kind { A, B }

         struct Mail {
             id: u64,
        +    created: DateTime,
             text: String,
         }
        """,
    ),
    "derive above structs": (
        "rs",
        """
         use std::fmt;

        +#[derive(Debug, Clone)]
         pub struct User {
             id: u64,
         }

        +#[derive(Debug, Clone)]
         pub struct Team {
             members: Vec<User>,
         }

         pub fn add(a: u64, b: u64) -> u64 {
             a + b
         }

        +#[derive(Debug, Clone)]
         pub struct Mail<'a> {
             text: &'a str,
         }
        """,
    ),
    "key of YAML": (
        "yaml",
        """
         services:
           web:
             image: web:1
        +    restart: always
             ports:
               - 80
           db:
             image: postgres:15
        +    restart: always
             volumes:
               - data:/var
           queue:
             image: rabbit:3
        +    restart: always
             environment:
               A: b
        """,
    ),
    "timeout of jobs": (
        "yaml",
        """
         jobs:
           lint:
             runs-on: ubuntu-latest
        +    timeout-minutes: 10
             steps:
               - run: make lint
           test:
             runs-on: ubuntu-latest
        +    timeout-minutes: 10
             steps:
               - run: make test
           docs:
             runs-on: ubuntu-latest
        +    timeout-minutes: 10
             steps:
               - uses: actions/checkout@v4
        """,
    ),
    "field of JSON objects": (
        "json",
        """
         [
           {
             "name": "a",
        +    "active": true,
             "size": 1
           },
           {
             "name": "b",
        +    "active": true,
             "size": 2
           },
           {
             "name": "c",
        +    "active": true,
             "size": 3
           }
         ]
        """,
    ),
    "CSS property": (
        "css",
        """
         .button {
           color: red;
        +  border: none;
           padding: 4px;
         }

         .title {
           font-size: 20px;
         }

         .link {
           color: blue;
        +  border: none;
           margin: 2px;
         }

         .card {
           color: black;
        +  border: none;
           width: 200px;
         }
        """,
    ),
    "counter after call in C++": (
        "cpp",
        """
         void Server::get(const Request& r) {
           auto body = store_.read(r.path());
        +  metrics_.add("request");
           reply(r, body);
         }

         int Server::port() const { return port_; }

         void Server::put(const Request& r) {
           auto body = store_.write(r.path(), r.body());
        +  metrics_.add("request");
           reply(r, body);
         }

         void Server::drop(const Request& r, bool force) {
           auto body = store_.drop(r.path(), force);
        +  metrics_.add("request");
           reply(r, body);
         }
        """,
    ),
    "error check after call in C": (
        "c",
        """
         int setup(struct dev *d)
         {
             ret = clk_enable(d->clk);
        +    if (ret)
        +        return ret;
             ret = regulator_enable(d->vcc);
        +    if (ret)
        +        return ret;
             msleep(10);
             ret = reset_deassert(d->rst, 5);
        +    if (ret)
        +        return ret;
             d->ready = true;
             return 0;
         }
        """,
    ),
    "case of switches": (
        "cs",
        """
         class Names {
           string Name(Kind kind) {
             switch (kind) {
               case Kind.A: return "a";
        +      case Kind.C: return null;
               default: throw new ArgumentException();
             }
           }

           int Size(Kind kind) {
             switch (kind) {
               case Kind.A: return 1;
        +      case Kind.C: return null;
               default: throw new ArgumentException();
             }
           }

           bool Big(Kind kind) {
             switch (kind) {
               case Kind.A: return true;
        +      case Kind.C: return null;
               default: throw new ArgumentException();
             }
           }
         }
        """,
    ),
    "setup in tests": (
        "js",
        """
         describe('store', () => {
           it('puts', () => {
             const store = makeStore();
        +    store.clear();
             store.put(1);
             expect(store.size).toBe(1);
           });

           it('gets', () => {
             const store = makeStore();
        +    store.clear();
             expect(store.get(1)).toBe(undefined);
           });

           it('drops', () => {
             const store = makeStore();
        +    store.clear();
             store.drop(1);
             expect(store.size).toBe(0);
           });
         });
        """,
    ),
    "SQL columns": (
        "sql",
        """
         CREATE TABLE users (
           id BIGINT PRIMARY KEY,
        +  created_at TIMESTAMP NOT NULL,
           name TEXT
         );

         CREATE TABLE teams (
           id BIGINT PRIMARY KEY,
        +  created_at TIMESTAMP NOT NULL,
           owner BIGINT REFERENCES users
         );

         CREATE TABLE mails (
           id BIGINT PRIMARY KEY,
        +  created_at TIMESTAMP NOT NULL,
           body TEXT
         );
        """,
    ),
    "deleted debug print": (
        "py",
        """
         def load(path):
             data = read(path)
        -    print("loaded", path)
             return data

         def save(path, data):
             size = write(path, data)
        -    print("saved", size)
             return size

         def count(n):
             return n + 1

         def drop(path):
             ok = remove(path)
        -    print("dropped", ok)
             return ok

        """,
    ),
    "deleted annotation": (
        "java",
        """
         class A {
        -  @Deprecated
           void one() {
           }

        -  @Deprecated
           int two() {
             return 2;
           }

           void four() {
           }

        -  @Deprecated
           String three(int n) {
             return "3";
           }
         }
        """,
    ),
    "deleted block": (
        "c",
        """
         int a_open(struct dev *d)
         {
        -    if (debug)
        -        trace(d);
             d->users++;
             return 0;
         }

         int b_open(struct dev *d)
         {
        -    if (debug)
        -        trace(d);
             d->clients++;
             return 0;
         }

         int c_open(struct dev *d)
         {
        -    if (debug)
        -        trace(d);
             d->files++;
             return c_wait(d);
         }
        """,
    ),
    "deleted YAML key": (
        "yaml",
        """
         services:
           web:
             image: web:1
        -    restart: always
             ports:
               - 80
           db:
             image: postgres:15
        -    restart: always
             volumes:
               - data:/var
           queue:
             image: rabbit:3
        -    restart: always
             environment:
               A: b
        """,
    ),
    "deleted port": (
        "sv",
        """
         module top;
           fifo u_rx (
             .clk_i(clk),
        -    .test_i(1'b0),
             .data_i(rx_data)
           );

           fifo u_tx (
             .clk_i(clk),
        -    .test_i(1'b0),
             .data_i(tx_data)
           );

           arb u_arb (
             .clk_i(clk),
        -    .test_i(1'b0),
             .req_i(req)
           );
         endmodule
        """,
    ),
    "deleted log": (
        "ts",
        """
         async function one() {
           const a = await get('/a');
        -  console.log('a', a);
           return a;
         }

         async function two() {
           const b = await get('/b');
        -  console.log('b', b);
           return b.items;
         }

         async function three(id: string) {
           const c = await get(`/c/${id}`);
        -  console.log('c', c);
           return c;
         }
        """,
    ),
    "deleted attribute": (
        "rs",
        """
         impl P {
        -    #[inline]
             fn x(&self) -> i32 {
                 self.x
             }

        -    #[inline]
             fn y(&self) -> i32 {
                 self.y
             }

             fn other(&self) {}

        -    #[inline]
             fn z(&self, by: i32) -> i32 {
                 self.z * by
             }
         }
        """,
    ),
    "check at the top of functions": (
        "kt",
        """
         class A {
             fun load(id: String): User {
        +        checkOpen()
                 return db.find(id)
             }

             val size = 10

             fun save(user: User): Boolean {
        +        checkOpen()
                 return db.put(user.id, user)
             }

             fun drop(id: String) {
        +        checkOpen()
                 db.delete(id)
             }
         }
        """,
    ),
}

ELSEWHERE = {
    "null check in C",
    "log before like returns",
    "defer below lock",
    "attribute below tags",
    "attribute of JSX",
    "port in instances",
    "further field below a like field",
    "timeout of jobs",
    "counter after call in C++",
    "case of switches",
    "setup in tests",
    "SQL columns",
    "deleted debug print",
    "deleted annotation",
    "deleted block",
    "deleted YAML key",
    "deleted port",
    "deleted log",
    "deleted attribute",
    "check at the top of functions",
}
UNKNOWN = {"reset of registers"}
