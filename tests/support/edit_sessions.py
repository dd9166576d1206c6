"""Small sessions as developers have them: an ending, the lines before, and what three of them become.

``~`` stands between the lines that a line becomes, ``-`` behind a line that is deleted.
"""

SESSIONS: dict[str, tuple[str, str, str]] = {
    "context argument first": (
        "go",
        """
        user, err := store.Find(id)
        log.Println(user)
        team, err := store.Team(id, true)
        _ = store.Close()
        err = store.Delete(team.ID)
        """,
        """
        user, err := store.Find(ctx, id)
        team, err := store.Team(ctx, id, true)
        err = store.Delete(ctx, team.ID)
        """,
    ),
    "helper replaces an idiom": (
        "ts",
        """
        const a = JSON.parse(JSON.stringify(config));
        run(a);
        const b = JSON.parse(JSON.stringify(options));
        run(b);
        const c = JSON.parse(JSON.stringify(state));
        """,
        """
        const a = structuredClone(config);
        const b = structuredClone(options);
        const c = structuredClone(state);
        """,
    ),
    "field renamed": (
        "java",
        """
        this.userName = name;
        int n = 0;
        return this.userName.length();
        void clear() {
            this.userName = "";
        """,
        """
        this.loginName = name;
        return this.loginName.length();
            this.loginName = "";
        """,
    ),
    "name in strings and comments": (
        "py",
        """
        # the walrus store
        walrus_count = 1
        total = walrus_count + 2
        log("walrus_count", walrus_count)
        """,
        """
        badger_count = 1
        total = badger_count + 2
        log("badger_count", badger_count)
        """,
    ),
    "enum members": (
        "c",
        """
        enum state {
            STATE_IDLE,
            STATE_BUSY,
            STATE_DONE,
        };
        """,
        """
            NODE_STATE_IDLE,
            NODE_STATE_BUSY,
            NODE_STATE_DONE,
        """,
    ),
    "ports of a module": (
        "sv",
        """
          input  logic        req_i,
          input  logic [31:0] addr_i,
          input  logic [31:0] wdata_i,
          output logic [31:0] rdata_o,
        """,
        """
          input  logic [Width-1:0] addr_i,
          input  logic [Width-1:0] wdata_i,
          output logic [Width-1:0] rdata_o,
        """,
    ),
    "connections of an instance": (
        "sv",
        """
            .clk_i   (clk),
            .rst_ni  (rst_n),
            .req_i   (req),
            .gnt_o   (gnt),
        """,
        """
            .rst_ni  (core_rst_n),
            .req_i   (core_req),
            .gnt_o   (core_gnt),
        """,
    ),
    "log call": (
        "py",
        """
        print("reading %s" % path)
        read()
        print("writing %s" % target)
        write()
        print("closing %s" % name)
        """,
        """
        log.info("reading %s", path)
        log.info("writing %s", target)
        log.info("closing %s", name)
        """,
    ),
    "null check inserted": (
        "c",
        """
            char *name = copy(user->name);
            use(name);
            char *mail = copy(user->mail);
            use(mail);
            char *city = copy(user->city);
        """,
        """
            char *name = copy(user->name);~    if (name == NULL) return -1;
            char *mail = copy(user->mail);~    if (mail == NULL) return -1;
            char *city = copy(user->city);~    if (city == NULL) return -1;
        """,
    ),
    "import path": (
        "ts",
        """
        import { open } from '../lib/files';
        import { get } from '../lib/http';
        import { list } from '../lib/lists';
        """,
        """
        import { open } from '@app/lib/files';
        import { get } from '@app/lib/http';
        import { list } from '@app/lib/lists';
        """,
    ),
    "type annotation": (
        "py",
        """
        def area(shape):
            return 1
        def edge(shape):
            return 2
        def name(shape):
            return 3
        """,
        """
        def area(shape: Shape):
        def edge(shape: Shape):
        def name(shape: Shape):
        """,
    ),
    "return type": (
        "py",
        """
        def area(shape, scale):
            return 1
        def edge(shape):
            return 2
        def name(self):
            return 3
        """,
        """
        def area(shape, scale) -> int:
        def edge(shape) -> int:
        def name(self) -> int:
        """,
    ),
    "await": (
        "ts",
        """
          const user = fetchUser(id);
          show(user);
          const team = fetchTeam(user.team);
          show(team);
          const pay = fetchPay(team, 2);
        """,
        """
          const user = await fetchUser(id);
          const team = await fetchTeam(user.team);
          const pay = await fetchPay(team, 2);
        """,
    ),
    "error wrapped": (
        "go",
        """
            return nil, err
        }
        b()
            return nil, err
        }
        c()
            return nil, err
        """,
        """
            return nil, wrap(err)
            return nil, wrap(err)
            return nil, wrap(err)
        """,
    ),
    "numbers that count": (
        "c",
        """
        #define FIRST 1
        #define SECOND 2
        #define THIRD 3
        #define FOURTH 4
        """,
        """
        #define SECOND 12
        #define THIRD 13
        #define FOURTH 14
        """,
    ),
    "optional chaining": (
        "ts",
        """
        const a = user.address.city;
        run();
        const b = user.address.street;
        run();
        const c = user.address.country;
        """,
        """
        const a = user.address?.city;
        const b = user.address?.street;
        const c = user.address?.country;
        """,
    ),
    "visibility": (
        "java",
        """
            public int size() {
            }
            public String name() {
            }
            public List<String> all(int n) {
        """,
        """
            protected int size() {
            protected String name() {
            protected List<String> all(int n) {
        """,
    ),
    "pointer access": (
        "c",
        """
        x = node.left;
        go(x);
        y = node.right;
        go(y);
        z = node.parent;
        """,
        """
        x = node->left;
        y = node->right;
        z = node->parent;
        """,
    ),
    "korean names": (
        "py",
        """
        합계 = 계산(가격)
        print(합계)
        평균 = 계산(수량)
        print(평균)
        최대 = 계산(목록[0])
        """,
        """
        합계 = 계산(가격, 세율)
        평균 = 계산(수량, 세율)
        최대 = 계산(목록[0], 세율)
        """,
    ),
    "parameter at calls with very different arguments": (
        "py",
        """
        total = compute(items, rate)
        print(total)
        first = compute(cart.items[0], {"de": 1, "kr": 2}, key=lambda one: one[1])
        print(first)
        return [compute(other) for other in carts if other]
        """,
        """
        total = compute(items, rate, tax=0)
        first = compute(cart.items[0], {"de": 1, "kr": 2}, key=lambda one: one[1], tax=0)
        return [compute(other, tax=0) for other in carts if other]
        """,
    ),
    "arguments that change places": (
        "java",
        """
        assertEquals(3, list.size());
        run();
        assertEquals("abc", parser.parse(text).name());
        run();
        assertEquals(Color.RED, new Car(1, 2).color());
        """,
        """
        assertThat(list.size()).isEqualTo(3);
        assertThat(parser.parse(text).name()).isEqualTo("abc");
        assertThat(new Car(1, 2).color()).isEqualTo(Color.RED);
        """,
    ),
    "method becomes an operator": (
        "py",
        """
        self.assertEqual(total, 3)
        run()
        self.assertEqual(f(1, 2), [3])
        run()
        self.assertEqual(user.name, "x")
        """,
        """
        assert total == 3
        assert f(1, 2) == [3]
        assert user.name == "x"
        """,
    ),
    "what a method is called on": (
        "java",
        """
        if (a.equals(b)) {
        }
        if (user.name().equals(other.get(1, 2))) {
        }
        return x || this.path.equals(that.path);
        """,
        """
        if (Objects.equals(a, b)) {
        if (Objects.equals(user.name(), other.get(1, 2))) {
        return x || Objects.equals(this.path, that.path);
        """,
    ),
    "constructor becomes a factory": (
        "java",
        """
        Money a = new Money(3, EUR);
        run();
        Money b = new Money(f(1), g.unit(2)).plus(a);
        run();
        return new Money(x.y, z[1]);
        """,
        """
        Money a = Money.of(3, EUR);
        Money b = Money.of(f(1), g.unit(2)).plus(a);
        return Money.of(x.y, z[1]);
        """,
    ),
    "line deleted": (
        "py",
        """
        debug(a)
        x = 1
        debug(b)
        y = 2
        debug(c)
        """,
        """
        debug(a)-
        debug(b)-
        debug(c)-
        """,
    ),
    "keys of a table": (
        "ts",
        """
          name: 'text',
          size: 'number',
          mail: 'text',
          when: 'date',
        """,
        """
          name: field('text'),
          size: field('number'),
          mail: field('text'),
        """,
    ),
    "result instead of a panic": (
        "rs",
        """
        let text = fs::read_to_string(path).unwrap();
        run(&text);
        let user = parse(&text, true).unwrap();
        run(&user);
        let team = find(user.id).unwrap();
        """,
        """
        let text = fs::read_to_string(path)?;
        let user = parse(&text, true)?;
        let team = find(user.id)?;
        """,
    ),
    "formatting macro": (
        "rs",
        """
        println!("start {}", name);
        work();
        println!("stop {} {}", name, code);
        rest();
        println!("ended {}", at.elapsed());
        """,
        """
        log::info!("start {}", name);
        log::info!("stop {} {}", name, code);
        log::info!("ended {}", at.elapsed());
        """,
    ),
    "string interpolation": (
        "rb",
        """
        puts "reading " + path
        read
        puts "writing " + target
        write
        puts "closing " + name
        """,
        """
        puts "reading #{path}"
        puts "writing #{target}"
        puts "closing #{name}"
        """,
    ),
    "array syntax": (
        "php",
        """
        $a = array(1, 2);
        run($a);
        $b = array('x', $y);
        run($b);
        $c = array($z);
        """,
        """
        $a = [1, 2];
        $b = ['x', $y];
        $c = [$z];
        """,
    ),
    "nullable type": (
        "kt",
        """
            val name: String,
            val mail: Mail,
            val team: Team,
        """,
        """
            val name: String? = null,
            val mail: Mail? = null,
            val team: Team? = null,
        """,
    ),
    "image tags": (
        "yaml",
        """
            image: registry.local/api:1.4.2
            ports: [80]
            image: registry.local/web:1.4.2
            ports: [81]
            image: registry.local/jobs:1.4.2
        """,
        """
            image: registry.local/api:1.5.0
            image: registry.local/web:1.5.0
            image: registry.local/jobs:1.5.0
        """,
    ),
    "column types": (
        "sql",
        """
          created_at timestamp not null,
          note text,
          updated_at timestamp not null,
          size int,
          deleted_at timestamp,
        """,
        """
          created_at timestamptz not null,
          updated_at timestamptz not null,
          deleted_at timestamptz,
        """,
    ),
    "signals of an entity": (
        "vhd",
        """
          req   : in  std_logic;
          addr  : in  std_logic_vector(31 downto 0);
          wdata : in  std_logic_vector(31 downto 0);
          rdata : out std_logic_vector(31 downto 0)
        """,
        """
          addr  : in  std_logic_vector(WIDTH - 1 downto 0);
          wdata : in  std_logic_vector(WIDTH - 1 downto 0);
          rdata : out std_logic_vector(WIDTH - 1 downto 0)
        """,
    ),
    "blocking becomes nonblocking": (
        "v",
        """
            count = count + 1;
            valid = 1'b1;
            state = NEXT;
        """,
        """
            count <= count + 1;
            valid <= 1'b1;
            state <= NEXT;
        """,
    ),
    "macro of a driver": (
        "sv",
        """
            uvm_report_info("drv", "start");
            wait_clk();
            uvm_report_info("drv", "sent");
            wait_clk();
            uvm_report_info("mon", $sformatf("%0d", n));
        """,
        """
            `uvm_info("drv", "start", UVM_LOW)
            `uvm_info("drv", "sent", UVM_LOW)
            `uvm_info("mon", $sformatf("%0d", n), UVM_LOW)
        """,
    ),
    "quoted variables": (
        "sh",
        """
        cp $SRC/a.txt $DST
        echo done
        cp $SRC/b.txt $DST
        echo done
        cp $SRC/c.txt $DST
        """,
        """
        cp "$SRC/a.txt" "$DST"
        cp "$SRC/b.txt" "$DST"
        cp "$SRC/c.txt" "$DST"
        """,
    ),
    "colours as variables": (
        "css",
        """
          color: #336699;
          margin: 0;
          border-color: #336699;
          padding: 0;
          background: #336699;
        """,
        """
          color: var(--accent);
          border-color: var(--accent);
          background: var(--accent);
        """,
    ),
    "index in a loop": (
        "lua",
        """
        local name = list[1]
        print(name)
        local mail = list[2]
        print(mail)
        local size = list[3]
        """,
        """
        local name <const> = list[1]
        local mail <const> = list[2]
        local size <const> = list[3]
        """,
    ),
    "guard and unwrap": (
        "swift",
        """
        let name = user.name!
        show(name)
        let mail = user.mail!
        show(mail)
        let city = user.address.city!
        """,
        """
        guard let name = user.name else { return }
        guard let mail = user.mail else { return }
        guard let city = user.address.city else { return }
        """,
    ),
    "static cast": (
        "cpp",
        """
        int a = (int)x;
        use(a);
        int b = (int)y;
        use(b);
        int c = (int)z;
        """,
        """
        int a = static_cast<int>(x);
        int b = static_cast<int>(y);
        int c = static_cast<int>(z);
        """,
    ),
    "decorator inserted": (
        "py",
        """
        def test_a():
            run(1)
        def test_b():
            run(2)
        def test_c():
        """,
        """
        @slow~def test_a():
        @slow~def test_b():
        @slow~def test_c():
        """,
    ),
    "trailing comma": (
        "go",
        """
            Name string
            Mail string
            City string
        """,
        """
            Name string `json:"name"`
            Mail string `json:"mail"`
            City string `json:"city"`
        """,
    ),
    "korean table": (
        "py",
        """
            "이름": 값(이름),
            "나이": 값(나이),
            "주소": 값(주소),
        """,
        """
            "이름": 값(이름, 기본=None),
            "나이": 값(나이, 기본=None),
            "주소": 값(주소, 기본=None),
        """,
    ),
    "unknown language": (
        "zzz",
        """
        move up by 3
        wait
        move left by 4
        wait
        move down by 5
        """,
        """
        move up by 3 steps
        move left by 4 steps
        move down by 5 steps
        """,
    ),
    "condition turned": (
        "c",
        """
        if (NULL == user) {
        }
        if (NULL == team->lead) {
        }
        if (NULL == next) {
        """,
        """
        if (user == NULL) {
        if (team->lead == NULL) {
        if (next == NULL) {
        """,
    ),
    "default in a getter": (
        "js",
        """
        const a = options.a || 1;
        use(a);
        const b = options.b || 'x';
        use(b);
        const c = options.c || [];
        """,
        """
        const a = options.a ?? 1;
        const b = options.b ?? 'x';
        const c = options.c ?? [];
        """,
    ),
    "type wrapped": (
        "cs",
        """
        public User Load(int id)
        {
        }
        public Team LoadTeam(int id, bool deep)
        {
        }
        public List<Mail> LoadMail(string key)
        """,
        """
        public async Task<User> Load(int id)
        public async Task<Team> LoadTeam(int id, bool deep)
        public async Task<List<Mail>> LoadMail(string key)
        """,
    ),
    "optional fields": (
        "rs",
        """
            name: String,
            size: u32,
            tags: Vec<String>,
            code: u8,
            mails: HashMap<String, u32>,
        """,
        """
            name: Option<String>,
            tags: Option<Vec<String>>,
            mails: Option<HashMap<String, u32>>,
        """,
    ),
    "promise of a type": (
        "ts",
        """
        export function load(id: number): User {
          read();
        }
        export function loadTeams(deep: boolean, id: number): Team[] {
          read();
        }
        export function loadMail(): Map<string, Mail> {
        """,
        """
        export function load(id: number): Promise<User> {
        export function loadTeams(deep: boolean, id: number): Promise<Team[]> {
        export function loadMail(): Promise<Map<string, Mail>> {
        """,
    ),
    "list comprehension": (
        "py",
        """
        names = list(map(lambda user: user.name, users))
        run()
        mails = list(map(lambda user: user.mail.lower(), users))
        run()
        sizes = list(map(lambda file: file.size + 1, files.of(root)))
        """,
        """
        names = [user.name for user in users]
        mails = [user.mail.lower() for user in users]
        sizes = [file.size + 1 for file in files.of(root)]
        """,
    ),
    "import instead of a call": (
        "js",
        """
        const path = require('path');
        const load = require('./load');
        const { a, b } = read();
        const tools = require('../common/tools.js');
        """,
        """
        import path from 'path';
        import load from './load';
        import tools from '../common/tools.js';
        """,
    ),
    "keys of a hash": (
        "rb",
        """
        validates :name, :presence => true
        check
        validates :mail, :length => 3
        check
        belongs_to :team, :class_name => 'Group', :optional => true
        """,
        """
        validates :name, presence: true
        validates :mail, length: 3
        belongs_to :team, class_name: 'Group', optional: true
        """,
    ),
    "owned pointer": (
        "cpp",
        """
        Frame *frame = new Frame(size);
        run(frame);
        Window *window = new Window();
        run(window);
        Font *font = new Font(name, 12);
        """,
        """
        auto frame = std::make_unique<Frame>(size);
        auto window = std::make_unique<Window>();
        auto font = std::make_unique<Font>(name, 12);
        """,
    ),
    "method becomes an index": (
        "php",
        """
        $name = $row->get('name');
        run();
        $mail = $this->row->get('mail');
        run();
        $size = $rows[0]->get('size');
        """,
        """
        $name = $row['name'];
        $mail = $this->row['mail'];
        $size = $rows[0]['size'];
        """,
    ),
}
