//! Random programs that mostly make sense: grown from types, so that few of them fail for a dull reason.
//!
//! The same seed gives the same programs, everywhere.

use std::fmt::Write as _;

/// What an expression is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    Bool,
    Text,
    Ints,
    Texts,
    /// A set with the attributes `a`, an integer, and `b`, a text.
    Set,
    /// A function from integers to integers.
    Function,
}

const KINDS: [Kind; 8] =
    [Kind::Int, Kind::Float, Kind::Bool, Kind::Text, Kind::Ints, Kind::Texts, Kind::Set, Kind::Function];

/// Productions that the older Nix does not know or computes differently.
pub const NEWER: &[&str] =
    &["number formats of toJSON", "order of //", "division of floats by zero", "warn", "convertHash"];

/// Grows programs.
#[derive(Debug)]
pub struct Programs {
    state: u64,
    /// Whether what only the newer Nix has may be used.
    newer: bool,
    /// How many productions were left out because they are newer.
    pub left_out: usize,
    scope: Vec<(String, Kind)>,
}

impl Programs {
    /// Programs of a seed.
    pub fn new(seed: u64, newer: bool) -> Self {
        Self { state: seed.wrapping_mul(2).wrapping_add(1), newer, left_out: 0, scope: Vec::new() }
    }

    fn number(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.number(from.len())]
    }

    /// Whether something newer may be used.
    fn newer(&mut self) -> bool {
        self.left_out += usize::from(!self.newer);
        self.newer
    }

    /// The next program.
    pub fn program(&mut self) -> String {
        self.scope.clear();
        let kind = KINDS[self.number(KINDS.len())];
        let depth = 2 + self.number(4);
        self.expr(kind, depth)
    }

    fn variable(&mut self, kind: Kind) -> Option<String> {
        let known: Vec<_> = self.scope.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect();
        if known.is_empty() { None } else { Some(known[self.number(known.len())].clone()) }
    }

    fn expr(&mut self, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.number(6) == 0 {
            return match self.variable(kind) {
                Some(name) if self.number(4) > 0 => name,
                _ => self.leaf(kind),
            };
        }
        let depth = depth - 1;
        match self.number(14) {
            0 => self.let_in(kind, depth),
            1 => self.conditional(kind, depth),
            2 => self.applied(kind, depth),
            3 => self.selected(kind, depth),
            4 => self.common(kind, depth),
            5 => self.pattern_call(kind, depth),
            _ => self.specific(kind, depth),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Int => self.pick(&["0", "1", "2", "3", "7", "(-1)", "(-5)", "10", "100"]).to_owned(),
            Kind::Float => self.pick(&["0.5", "1.0", "2.25", "(-1.5)", "3.0", "100.0", "0.125"]).to_owned(),
            Kind::Bool => self.pick(&["true", "false"]).to_owned(),
            Kind::Text => self
                .pick(&["\"\"", "\"a\"", "\"ab\"", "\"b-1.2\"", "\"x y\"", "\"\\n\\t\"", "''a''", "\"1.10\"", "\"é\""])
                .to_owned(),
            Kind::Ints => self.pick(&["[ ]", "[ 1 ]", "[ 1 2 3 ]", "[ 3 1 2 1 ]", "[ (-1) 0 ]"]).to_owned(),
            Kind::Texts => self.pick(&["[ ]", "[ \"a\" ]", "[ \"b\" \"a\" ]", "[ \"a\" \"\" \"ab\" ]"]).to_owned(),
            Kind::Set => self.pick(&["{ a = 1; b = \"x\"; }", "rec { a = 2; b = toString a; }"]).to_owned(),
            Kind::Function => {
                self.pick(&["(x: x)", "(x: x + 1)", "(x: 2 * x)", "(_: 0)", "(builtins.add 3)"]).to_owned()
            }
        }
    }

    fn fresh(&mut self, kind: Kind) -> String {
        // Few names, so that they shadow each other.
        let name = self.pick(&["a", "b", "x", "y", "f'", "g-h", "_z", "or'"]).to_owned();
        self.scope.push((name.clone(), kind));
        name
    }

    /// Something in which a name is known.
    fn inside(&mut self, names: usize, grow: impl FnOnce(&mut Self) -> String) -> String {
        let text = grow(self);
        self.scope.truncate(self.scope.len() - names);
        text
    }

    fn let_in(&mut self, kind: Kind, depth: usize) -> String {
        let of = KINDS[self.number(KINDS.len())];
        let value = self.expr(of, depth);
        // The name is not known in its own value, which would be infinite recursion: it is hidden there.
        let name = format!("v{}", self.scope.len());
        self.scope.push((name.clone(), of));
        let body = self.inside(1, |programs| programs.expr(kind, depth));
        match self.number(4) {
            0 => format!("(let inherit ({{ {name} = {value}; }}) {name}; in {body})"),
            1 => format!("(with {{ {name} = {value}; }}; {body})"),
            2 => format!("(let {{ {name} = {value}; body = {body}; }})"),
            _ => format!("(let {name} = {value}; in {body})"),
        }
    }

    fn conditional(&mut self, kind: Kind, depth: usize) -> String {
        let (condition, yes, no) = (self.expr(Kind::Bool, depth), self.expr(kind, depth), self.expr(kind, depth));
        format!("(if {condition} then {yes} else {no})")
    }

    fn applied(&mut self, kind: Kind, depth: usize) -> String {
        let of = KINDS[self.number(KINDS.len())];
        let argument = self.expr(of, depth);
        let name = self.fresh(of);
        let body = self.inside(1, |programs| programs.expr(kind, depth));
        format!("(({name}: {body}) {argument})")
    }

    fn pattern_call(&mut self, kind: Kind, depth: usize) -> String {
        let (first, second) = (self.expr(Kind::Int, depth), self.expr(Kind::Text, depth));
        self.scope.push(("p".to_owned(), Kind::Int));
        self.scope.push(("q".to_owned(), Kind::Text));
        let body = self.inside(2, |programs| programs.expr(kind, depth));
        match self.number(4) {
            0 => format!("(({{ p, q ? {second} }}: {body}) {{ p = {first}; }})"),
            1 => format!("(({{ p ? {first}, q, ... }}@all: {body}) {{ q = {second}; z = 1; }})"),
            2 => format!("((all@{{ p, q }}: {body}) {{ p = {first}; q = {second}; }})"),
            _ => format!("(({{ p, q }}: {body}) {{ inherit ({{ p = {first}; q = {second}; }}) p q; }})"),
        }
    }

    fn selected(&mut self, kind: Kind, depth: usize) -> String {
        let (value, other) = (self.expr(kind, depth), self.expr(kind, depth));
        match self.number(8) {
            0 => format!("{{ a = {value}; }}.a"),
            // Sets in parts: the name is that of the set, not the one around it.
            6 => format!("(let own = {other}; in {{ s = rec {{ own = {value}; }}; s.b = own; }}).s.b"),
            7 => format!(
                "(let own = {other}; in {{ s.t = {{ u = rec {{ own = {value}; }}; }}; s.t.u.b = own; }}).s.t.u.b"
            ),
            1 => format!("({{ a.b = {value}; }}.a.b)"),
            2 => format!("({{ a.b = {value}; a.c = 1; }}.a.d or {other})"),
            3 => format!("({{ \"a b\" = {value}; }}.${{\"a b\"}} or {other})"),
            4 => format!("({{ a = {value}; }} // {{ b = {other}; }}).b"),
            _ => format!("(rec {{ a = b; b = {value}; }}).a"),
        }
    }

    /// What gives a value of any kind.
    fn common(&mut self, kind: Kind, depth: usize) -> String {
        let (value, other) = (self.expr(kind, depth), self.expr(kind, depth));
        let (condition, index) = (self.expr(Kind::Bool, depth), self.number(3));
        match self.number(11) {
            0 => format!("(builtins.head [ {value} {other} ])"),
            1 => format!("(builtins.elemAt [ {value} {other} ] {index})"),
            2 => format!("(builtins.seq {other} {value})"),
            3 => format!("(builtins.deepSeq {other} {value})"),
            4 => format!("(assert {condition}; {value})"),
            5 => format!("(let t = builtins.tryEval {value}; in if t.success then t.value else {other})"),
            6 => format!("(builtins.getAttr \"k\" {{ k = {value}; }})"),
            7 => format!("(if {condition} then {value} else throw \"no\")"),
            8 => format!("(builtins.foldl' (l: r: r) {other} [ {value} ])"),
            9 => format!("(let f = {{ __functor = self: n: self.v; v = {value}; }}; in f 1)"),
            _ if self.newer() => format!("(builtins.warn \"w\" {value})"),
            _ => value,
        }
    }

    fn specific(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Int => self.int(depth),
            Kind::Float => self.float(depth),
            Kind::Bool => self.bool(depth),
            Kind::Text => self.text(depth),
            Kind::Ints => self.ints(depth),
            Kind::Texts => self.texts(depth),
            Kind::Set => self.set(depth),
            Kind::Function => self.function(depth),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Int, depth), self.expr(Kind::Int, depth));
        match self.number(15) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 => format!("(-{a})"),
            3 => format!("({a} / {b})"),
            4 => format!("(builtins.bitXor {a} {b})"),
            5 => format!("(builtins.stringLength {})", self.expr(Kind::Text, depth)),
            6 => format!("(builtins.length {})", self.expr(Kind::Ints, depth)),
            7 => format!("({} {a})", self.expr(Kind::Function, depth)),
            8 => format!("(builtins.foldl' (l: r: l - r) {a} {})", self.expr(Kind::Ints, depth)),
            9 => format!("({}.a)", self.expr(Kind::Set, depth)),
            10 => format!("(builtins.floor {})", self.expr(Kind::Float, depth)),
            11 => {
                format!("(builtins.compareVersions {} {})", self.expr(Kind::Text, depth), self.expr(Kind::Text, depth))
            }
            12 => format!("(builtins.head {})", self.expr(Kind::Ints, depth)),
            13 => format!("(builtins.fromJSON (builtins.toJSON {a}))"),
            _ => format!("(builtins.bitAnd {a} {b})"),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Float, depth), self.expr(Kind::Int, depth));
        match self.number(6) {
            0 => format!("({a} + {b})"),
            1 => format!("({b} * {a})"),
            2 => format!("({a} - {})", self.expr(Kind::Float, depth)),
            3 if self.newer() => format!("({a} / {b})"),
            4 => format!("(-{a})"),
            _ => format!("({a} / 4)"),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let kind = KINDS[self.number(KINDS.len())];
        let (a, b) = (self.expr(Kind::Bool, depth), self.expr(Kind::Bool, depth));
        match self.number(14) {
            0 => format!("({a} && {b})"),
            1 => format!("({a} || {b})"),
            2 => format!("({a} -> {b})"),
            3 => format!("(!{a})"),
            4 => format!("({} == {})", self.expr(kind, depth), self.expr(kind, depth)),
            5 => format!("({} != {})", self.expr(kind, depth), self.expr(kind, depth)),
            6 => {
                let operator = self.pick(&["<", "<=", ">", ">="]);
                let kind = [Kind::Int, Kind::Float, Kind::Text, Kind::Ints, Kind::Texts][self.number(5)];
                format!("({} {operator} {})", self.expr(kind, depth), self.expr(kind, depth))
            }
            7 => format!("({} ? {})", self.expr(Kind::Set, depth), self.pick(&["a", "c", "a.b", "${\"b\"}"])),
            8 => format!("(builtins.elem {} {})", self.expr(Kind::Int, depth), self.expr(Kind::Ints, depth)),
            9 => format!("(builtins.any (x: {a}) {})", self.expr(Kind::Ints, depth)),
            10 => format!("(builtins.all (x: x < 2) {})", self.expr(Kind::Ints, depth)),
            11 => format!("(builtins.isAttrs {})", self.expr(kind, depth)),
            12 => format!("({} < {})", self.expr(Kind::Int, depth), self.expr(Kind::Float, depth)),
            _ => format!("(builtins.typeOf {} == \"list\")", self.expr(kind, depth)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Text, depth), self.expr(Kind::Text, depth));
        match self.number(16) {
            0 => format!("({a} + {b})"),
            1 => format!("\"<${{{a}}}$>${{{b}}}\""),
            2 => format!("''\n    ${{{a}}}\n      ''$x ${{{b}}}\n  ''"),
            3 => format!("(toString {})", self.expr(Kind::Ints, depth)),
            4 => format!("(builtins.substring {} 3 {a})", self.number(3)),
            5 => format!("(builtins.concatStringsSep {a} {})", self.expr(Kind::Texts, depth)),
            6 => format!("(builtins.replaceStrings [ \"a\" \"\" ] [ {a} \"-\" ] {b})"),
            7 => format!("(baseNameOf {a})"),
            8 => format!("({}.b)", self.expr(Kind::Set, depth)),
            9 => format!("(builtins.hashString \"sha256\" {a})"),
            10 => format!("(builtins.toJSON {})", self.expr(Kind::Texts, depth)),
            11 => format!("(toString {})", self.expr(Kind::Float, depth)),
            12 if self.newer() => format!("(builtins.toJSON {})", self.expr(Kind::Float, depth)),
            13 => format!("(toString {})", self.expr(Kind::Bool, depth)),
            14 => format!("(builtins.toXML {})", self.expr(Kind::Set, depth)),
            _ => format!("(builtins.head (builtins.split \"([a-b]+)|( )\" {a}))"),
        }
    }

    fn ints(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Ints, depth), self.expr(Kind::Int, depth));
        match self.number(12) {
            0 => format!("({a} ++ {})", self.expr(Kind::Ints, depth)),
            1 => format!("(map {} {a})", self.expr(Kind::Function, depth)),
            2 => format!("(builtins.filter (x: x > {b}) {a})"),
            3 => format!("(builtins.sort builtins.lessThan {a})"),
            4 => format!("(builtins.sort (l: r: l > r) {a})"),
            5 => format!("(builtins.genList {} {})", self.expr(Kind::Function, depth), self.number(5)),
            6 => format!("(builtins.tail {a})"),
            7 => format!("(builtins.concatMap (x: [ x {b} ]) {a})"),
            8 => format!("[ {b} {} ]", self.expr(Kind::Int, depth)),
            9 => format!("(builtins.catAttrs \"a\" [ {} {{ }} ])", self.expr(Kind::Set, depth)),
            10 => format!("(builtins.partition (x: x > 1) {a}).wrong"),
            _ => format!(
                "(map (x: x.key) (builtins.genericClosure {{ startSet = [ {{ key = {b}; }} ]; \
                 operator = x: if x.key < 3 && x.key > (-9) then [ {{ key = x.key + 2; }} ] else [ ]; }}))"
            ),
        }
    }

    fn texts(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Texts, depth), self.expr(Kind::Text, depth));
        match self.number(9) {
            0 => format!("({a} ++ [ {b} ])"),
            1 => format!("(map (t: t + {b}) {a})"),
            2 => format!("(builtins.filter builtins.isString (builtins.split \"a*\" {b}))"),
            3 => format!("(builtins.splitVersion {b})"),
            4 => format!("(builtins.attrNames {})", self.expr(Kind::Set, depth)),
            5 => format!("(builtins.sort (l: r: l < r) {a})"),
            6 => format!(
                "(let m = builtins.match \"{}\" {b}; in if m == null then [ ] else map toString m)",
                self.pick(&["(a*)(b?).*", "([a-z]+)-([0-9.]+)", "(a|ab)(b|)", "(.)(.*)", "((a)|(b))*"])
            ),
            7 => format!("[ {b} (toString {}) ]", self.expr(Kind::Int, depth)),
            _ => format!("(builtins.attrValues (builtins.parseDrvName {b}))"),
        }
    }

    fn set(&mut self, depth: usize) -> String {
        let (a, b) = (self.expr(Kind::Int, depth), self.expr(Kind::Text, depth));
        let set = self.expr(Kind::Set, depth);
        match self.number(10) {
            0 => format!("{{ a = {a}; b = {b}; }}"),
            1 => format!("({set} // {{ a = {a}; }})"),
            2 => format!("({{ a = {a}; b = {b}; c = 1; }} // {set})"),
            3 => {
                format!("(builtins.listToAttrs [ {{ name = \"a\"; value = {a}; }} {{ name = \"b\"; value = {b}; }} ])")
            }
            4 => format!("(removeAttrs ({set} // {{ c = {a}; }}) [ \"c\" \"d\" ])"),
            5 => format!("(builtins.intersectAttrs {{ a = 1; b = 2; }} {set})"),
            6 => format!("(builtins.mapAttrs (n: v: if n == \"a\" then {a} else v) {set})"),
            7 => format!("(rec {{ b = {b}; a = builtins.stringLength b; }})"),
            8 => format!("{{ ${{\"a\"}} = {a}; \"b\" = {b}; ${{null}} = 1; }}"),
            _ => {
                let mut text = String::from("(builtins.zipAttrsWith (n: vs: builtins.head vs) [ ");
                write!(text, "{set} {{ a = {a}; c = 2; }} ])").expect("strings take everything");
                text
            }
        }
    }

    fn function(&mut self, depth: usize) -> String {
        let name = self.fresh(Kind::Int);
        let body = self.inside(1, |programs| programs.expr(Kind::Int, depth));
        match self.number(4) {
            0 => format!("(n: ({name}: {body}) (n + 1))"),
            1 => format!("(({name}: o: {body} + o) 2)"),
            2 => format!("{{ __functor = self: {name}: {body}; }}"),
            _ => format!("({name}: {body})"),
        }
    }
}
