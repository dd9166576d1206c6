"""Sessions that are typed key by key: an ending, and the document with the new text of its lines.

Lines with ``-`` become those with ``+`` behind them; ``|`` ends a change that another one follows at once.
"""

TYPED: dict[str, tuple[str, str]] = {
    "argument of calls over several lines": (
        "py",
        """
         def sync(store, user, team):
        -    store.put(user.id, user.as_dict())
        +    store.put(user.id, user.as_dict(), ttl=60)
             log.debug("user written")
             payload = build(team)
        -    store.put(
        -        team.id,
        -        payload,
        -    )
        +    store.put(
        +        team.id,
        +        payload,
        +        ttl=60,
        +    )
             for member in team.members:
        -        store.put(member.id, {"name": member.name})
        +        store.put(member.id, {"name": member.name}, ttl=60)
             audit(team)
        """,
    ),
    "first argument of calls over several lines": (
        "go",
        """
         func wire(s *Server) {
        -    s.Register(
        -        "users",
        -        users.New(s.db),
        -    )
        +    s.Register(
        +        ctx,
        +        "users",
        +        users.New(s.db),
        +    )
             log.Print("a")
        -    s.Register("teams", teams.New(s.db, true))
        +    s.Register(ctx, "teams", teams.New(s.db, true))
             log.Print("b")
        -    s.Register(
        -        "mails",
        -        mails.New(s.smtp),
        -    )
        +    s.Register(
        +        ctx,
        +        "mails",
        +        mails.New(s.smtp),
        +    )
             log.Print("c")
        """,
    ),
    "argument of calls over several lines removed": (
        "ts",
        """
        -    render(
        -      page,
        -      { title: 'A' },
        -      legacy,
        -    );
        +    render(
        +      page,
        +      { title: 'A' },
        +    );
             step();
        -    render(
        -      card,
        -      { title: 'B', size: 3 },
        -      legacy,
        -    );
        +    render(
        +      card,
        +      { title: 'B', size: 3 },
        +    );
             step();
        -    render(list, {}, legacy);
        +    render(list, {});
             step();
        """,
    ),
    "call without brackets": (
        "rb",
        """
         class CartTest
           def test_sum
        -    assert_equal 3, cart.size
        +    expect(cart.size).to eq(3)
             cart.add(item)
        -    assert_equal 4, cart.size
        +    expect(cart.size).to eq(4)
           end
           def test_name
        -    assert_equal "Ann", user.name
        +    expect(user.name).to eq("Ann")
             user.rename("Bob")
        """,
    ),
    "format string": (
        "py",
        """
         def status(job, host):
        -    log.info("job %s" % job)
        +    log.info(f"job {job}")
             job.start()
        -    log.info("host %s" % host)
        +    log.info(f"host {host}")
             host.ping()
        -    log.warning("late %s" % job.name)
        +    log.warning(f"late {job.name}")
             job.stop()
        """,
    ),
    "arguments that move into a string": (
        "py",
        """
         def status(job, host):
        -    log.info("job %s", job)
        +    log.info(f"job {job}")
             job.start()
        -    log.info("host %s", host)
        +    log.info(f"host {host}")
             host.ping()
        -    log.info("late %s", job.name)
        +    log.info(f"late {job.name}")
             job.stop()
        """,
    ),
    "columns of a row": (
        "c",
        """
         static const struct reg regs[] = {
        -    { 0x00, "ID",     RO, 4 },
        +    { 0x1000, REG_ID,     RO, 32 },
        |
        -    { 0x04, "CTRL",   RW, 4 },
        +    { 0x1004, REG_CTRL,   RW, 32 },
        |
        -    { 0x08, "STAT",   RO, 4 },
        +    { 0x1008, REG_STAT,   RO, 32 },
        """,
    ),
    "line below each lock": (
        "c",
        """
         int a_read(struct dev *d)
         {
             mutex_lock(&d->lock);
        +    d->users++;
             return d->a;
         }
         int b_read(struct dev *d)
         {
             mutex_lock(&d->lock);
        +    d->users++;
             return d->b;
         }
         int c_read(struct port *p)
         {
             int x = 0;
             mutex_lock(&p->lock);
        +    p->users++;
             return p->c + x;
         }
         int e_read(struct dev *d)
         {
             return d->e;
        """,
    ),
    "call deleted, whatever its arguments": (
        "java",
        """
         class Service {
           void a(Order order) {
        -    System.out.println("a " + order);
             store.save(order);
           }
           void b(Order order) {
        -    System.out.println("b " + order.id());
             store.drop(order);
           }
           void c(User user) {
        -    System.out.println("c " + user.name());
             users.add(user);
           }
           void d(User user) {
             users.check(user);
        """,
    ),
    "decorator typed above functions": (
        "py",
        """
         import api

        +@api.route
         def list_users(request):
             return 1

        +@api.route
         def get_user(request, id):
             return 2

        +@api.route
         def drop_user(request, id, force=False):
             return 3
        """,
    ),
    "annotation below the line above": (
        "java",
        """
         class Shape implements Drawable {
        +  @Override
           public int width() {
             return 1;
           }

        +  @Override
           public int height() {
             return 2;
           }

        +  @Override
           public void draw(Canvas canvas) {
             canvas.box(this);
           }
        """,
    ),
    "attribute typed above functions": (
        "rs",
        """
         impl Point {
        +    #[must_use]
             pub fn x(&self) -> i32 {
                 self.x
             }

        +    #[must_use]
             pub fn y(&self) -> i32 {
                 self.y
             }

        +    #[must_use]
             pub fn scaled(&self, by: i32) -> Point {
                 Point { x: self.x * by, y: self.y * by }
             }
        """,
    ),
    "error checks": (
        "go",
        """
         func load(path string) (*Config, error) {
        -    f := open(path)
        +    f, err := open(path)
        +    if err != nil {
        +        return nil, err
        +    }
             log.Print(f)
        -    body := readAll(f)
        +    body, err := readAll(f)
        +    if err != nil {
        +        return nil, err
        +    }
             log.Print(body)
        -    config := parse(body, strict)
        +    config, err := parse(body, strict)
        +    if err != nil {
        +        return nil, err
        +    }
             log.Print(config)
        """,
    ),
    "snake case to camel case": (
        "ts",
        """
         const row = {
        -  user_name: read('user_name'),
        +  userName: read('user_name'),
        |
        -  mail_address: read('mail_address'),
        +  mailAddress: read('mail_address'),
        |
        -  birth_date: read('birth_date'),
        +  birthDate: read('birth_date'),
        """,
    ),
    "camel case to snake case": (
        "py",
        """
        -def getUser(id):
        +def get_user(id):
             return 1

        -def dropUser(id):
        +def drop_user(id):
             return 2

        -def findAllTeams(user):
        +def find_all_teams(user):
             return 3
        """,
    ),
    "other spelling with a prefix": (
        "cpp",
        """
        -const int max_rows = 10;
        +constexpr int kMaxRows = 10;
        |
        -const int min_cols = 2;
        +constexpr int kMinCols = 2;
        |
        -const int page_size = 4096;
        +constexpr int kPageSize = 4096;
        """,
    ),
    "names in tags": (
        "go",
        """
         type User struct {
        -    Name  string
        +    Name  string `json:"name"`
        |
        -    Email string
        +    Email string `json:"email"`
        |
        -    Age   int
        +    Age   int `json:"age"`
        """,
    ),
    "prefix of one part of names": (
        "vhd",
        """
         begin
        -  data_valid <= fifo_valid and not busy;
        +  data_valid <= i_fifo_valid and not busy;
        |
        -  data_out <= fifo_data when sel = '1' else (others => '0');
        +  data_out <= i_fifo_data when sel = '1' else (others => '0');
           led <= '1';
        -  ready <= fifo_ready;
        +  ready <= i_fifo_ready;
        """,
    ),
    "name made of another one": (
        "cpp",
        """
         void f() {
        -  for (int i = 0; i < names.size(); i++)
        +  for (const auto& name : names)
             use(1);
        -  for (int i = 0; i < mails.size(); i++)
        +  for (const auto& mail : mails)
             use(2);
        -  for (int i = 0; i < teams.size(); i++)
        +  for (const auto& team : teams)
             use(3);
        """,
    ),
    "number within a word": (
        "xml",
        """
         <layout>
        -  <view id="a" width="10dp" />
        +  <view id="a" width="@dimen/w10" />
        |
        -  <view id="b" width="20dp" />
        +  <view id="b" width="@dimen/w20" />
        |
        -  <text id="c" width="30dp" />
        +  <text id="c" width="@dimen/w30" />
        """,
    ),
    "rows that share nothing": (
        "py",
        """
         class Colors:
        -    RED = 1
        +    RED = auto()
        |
        -    GREEN = 2
        +    GREEN = auto()
        |
        -    BLUE = 3
        +    BLUE = auto()
        """,
    ),
    "expression that stands twice": (
        "cs",
        """
        -        var a = x.Name != null ? x.Name : "none";
        +        var a = x.Name ?? "none";
                 Use(a);
        -        var b = x.Mail != null ? x.Mail : Default;
        +        var b = x.Mail ?? Default;
                 Use(b);
        -        var c = y.Team != null ? y.Team : new Team();
        +        var c = y.Team ?? new Team();
                 Use(c);
        """,
    ),
    "line below the head, of its name": (
        "py",
        '''
         def load(path):
        +    """Load."""
             return open(path)

         def save(path, text):
        +    """Save."""
             write(path, text)

         def drop(path):
        +    """Drop."""
             remove(path)

         def copy(source, path):
        ''',
    ),
    "numbers that go on": (
        "c",
        """
         enum {
        -    A_OPEN,
        +    A_OPEN = 1,
        |
        -    A_CLOSE,
        +    A_CLOSE = 2,
        |
        -    A_READ,
        +    A_READ = 3,
        """,
    ),
    "type by the name": (
        "java",
        """
        -    List users = new ArrayList();
        +    List<User> users = new ArrayList<>();
             run();
        -    List teams = new ArrayList();
        +    List<Team> teams = new ArrayList<>();
             run();
        -    List mails = new ArrayList();
        +    List<Mail> mails = new ArrayList<>();
        """,
    ),
    "brackets within brackets": (
        "py",
        """
        -def a(x: Optional[int]) -> int:
        +def a(x: int | None) -> int:
             pass
        -def b(y: Optional[str], z: int) -> int:
        +def b(y: str | None, z: int) -> int:
             pass
        -def c(x: Optional[list[int]] = None):
        +def c(x: list[int] | None = None):
             pass
        """,
    ),
    "port of instances whose line above is the same": (
        "sv",
        """
         module m;
         fifo u_fifo (
             .clk(clk),
             .rst(rst),
        +    .clk_en(en),
             .d(d_fifo),
             .q(q_fifo)
         );

         arb u_arb (
             .clk(clk),
             .rst(rst),
        +    .clk_en(en),
             .d(d_arb),
             .q(q_arb)
         );

         mux u_mux (
             .clk(clk),
             .rst(rst),
        +    .clk_en(en),
             .d(d_mux),
             .q(q_mux)
         );

         endmodule
        """,
    ),
    "field of classes whose line above is the same": (
        "py",
        """
         class User:
             name: str
        +    owner: str
             User_id: int

         class Team:
             name: str
        +    owner: str
             Team_id: int

         class Mail:
             name: str
        +    owner: str
             Mail_id: int

        """,
    ),
    "a deleted line that is the same everywhere": (
        "py",
        """
         def load_users(db):
             rows = db.all("users")
        -    db.close()
             return rows

         def load_teams(db):
             rows = db.all("teams")
        -    db.close()
             return rows

         def load_mails(db):
             rows = db.all("mails")
        -    db.close()
             return rows

        """,
    ),
}
