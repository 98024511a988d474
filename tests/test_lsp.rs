//! The language server: scripted sessions over its standard input and output.

use crate::harness::Scratch;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// A client of a server, with the messages that nobody asked for.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    id: u64,
    told: Vec<Value>,
}

impl Client {
    fn start(scratch: &Scratch) -> Self {
        let mut command = scratch.command(["lsp", "--stdio"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, id: 0, told: Vec::new() }
    }

    fn initialized(scratch: &Scratch) -> Self {
        let mut client = Self::start(scratch);
        let answer = client.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], "utf-16");
        client.notify("initialized", json!({}));
        client
    }

    fn send(&mut self, text: &[u8]) {
        write!(self.input, "Content-Length: {}\r\n\r\n", text.len()).unwrap();
        self.input.write_all(text).unwrap();
        self.input.flush().unwrap();
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string().as_bytes());
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server is gone");
            match line.trim().split_once(": ") {
                Some((_, value)) => length = value.parse().unwrap(),
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Asks, and gives the whole answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string().as_bytes());
        loop {
            let message = self.receive();
            if message.get("method").is_none() && message["id"] == id {
                return message;
            }
            self.told.push(message);
        }
    }

    /// The next message about what is wrong with a text.
    fn diagnostics(&mut self) -> Value {
        let message = if self.told.is_empty() { self.receive() } else { self.told.remove(0) };
        assert_eq!(message["method"], "textDocument/publishDiagnostics");
        message["params"].clone()
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "nix", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Opens a text with a cursor at `@`, and asks about that place.
    fn at_cursor(&mut self, uri: &str, marked: &str, method: &str, more: Value) -> Value {
        self.open(uri, &marked.replacen('@', "", 1));
        let before = marked.split('@').next().unwrap();
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap().encode_utf16().count();
        let mut params =
            json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } });
        params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.ask(&format!("textDocument/{method}"), params)
    }

    /// As [`Self::at_cursor`], of one text that is opened again and again.
    fn about(&mut self, marked: &str, method: &str) -> Value {
        self.at_cursor("file:///nowhere/a.nix", marked, method, json!({}))["result"].clone()
    }

    fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        self.notify("exit", Value::Null);
        self.child.wait().unwrap().code()
    }
}

/// Ranges as `line:character-line:character`.
fn range(value: &Value) -> String {
    let at = |end: &str| format!("{}:{}", value[end]["line"], value[end]["character"]);
    format!("{}-{}", at("start"), at("end"))
}

fn ranges(locations: &Value) -> Vec<String> {
    locations.as_array().unwrap().iter().map(|location| range(&location["range"])).collect()
}

fn labels(completion: &Value) -> Vec<&str> {
    completion["items"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

#[test]
fn a_session_begins_and_ends_as_the_protocol_says() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::start(&scratch);
    assert_eq!(client.ask("textDocument/hover", json!({}))["error"]["code"], -32002);
    client.notify("textDocument/didOpen", json!({}));
    client.ask("initialize", json!({}));
    assert_eq!(client.ask("initialize", json!({}))["error"]["code"], -32600);
    assert_eq!(client.ask("shutdown", Value::Null)["result"], Value::Null);
    assert_eq!(client.ask("textDocument/hover", json!({}))["error"]["code"], -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.child.wait().unwrap().code(), Some(0));

    let mut client = Client::initialized(&scratch);
    client.notify("exit", Value::Null);
    assert_eq!(client.child.wait().unwrap().code(), Some(1), "without a shutdown");
    let mut client = Client::initialized(&scratch);
    drop(client.input);
    assert_eq!(client.child.wait().unwrap().code(), Some(1), "the client is gone");
    assert!(!scratch.home().exists(), "no store is made");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    client.send(b"{ no json");
    assert_eq!(client.receive()["error"]["code"], -32700);
    client.send(b"[1, 2]");
    assert_eq!(client.receive()["error"]["code"], -32600);
    client.send(b"{\"id\": 1, \"result\": null}");
    assert_eq!(client.ask("no/such/method", json!({}))["error"]["code"], -32601);
    for params in [
        json!(null),
        json!([]),
        json!({ "textDocument": 1 }),
        json!({ "textDocument": { "uri": "file:///not-open" }, "position": { "line": 0, "character": 0 } }),
    ] {
        for method in ["hover", "definition", "completion", "rename", "references", "codeAction", "documentSymbol"] {
            let answer = client.ask(&format!("textDocument/{method}"), params.clone());
            assert_eq!(answer["error"]["code"], -32602, "{method} {params}");
        }
    }
    client.open("file:///a.nix", "x: x");
    let position = json!({ "textDocument": { "uri": "file:///a.nix" }, "position": { "line": -1 } });
    assert_eq!(client.ask("textDocument/hover", position)["error"]["code"], -32602);
    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": "file:///b.nix" }, "contentChanges": [{}] }),
    );
    client.notify("textDocument/didChange", json!({ "textDocument": { "uri": "file:///a.nix" }, "contentChanges": 3 }));
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": "file:///b.nix" } }));
    client.notify("$/cancelRequest", json!({ "id": 1 }));
    client.notify("workspace/didChangeConfiguration", json!({ "settings": {} }));
    assert_eq!(client.end(), Some(0));
}

#[test]
fn diagnostics_follow_the_text() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let uri = "file:///nowhere/a.nix";
    client.open(uri, "{\n  é = \"😀\" + lenght;\n  b = https://x.org/;\n}\n");
    let told = client.diagnostics();
    assert_eq!((&told["uri"], &told["version"]), (&uri.into(), &1.into()));
    let found = told["diagnostics"].as_array().unwrap();
    assert_eq!(found[0]["code"], "E0001", "{found:?}");

    let whole = |text: &str, version: u64| json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "text": text }] });
    client.notify("textDocument/didChange", whole("{\n  e = \"😀\" + lenght;\n  b = https://x.org/;\n}\n", 2));
    let told = client.diagnostics();
    assert_eq!(told["version"], 2);
    let found = told["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0]["code"].as_str(), found[0]["severity"].as_u64()), (Some("E0005"), Some(1)));
    assert_eq!(range(&found[0]["range"]), "1:13-1:19");
    assert_eq!((found[1]["code"].as_str(), found[1]["severity"].as_u64()), (Some("L0010"), Some(2)));
    assert_eq!(range(&found[1]["range"]), "2:6-2:20");

    let change = |line: u64, from: u64, to: u64, text: &str| json!({ "range": { "start": { "line": line, "character": from }, "end": { "line": line, "character": to } }, "text": text });
    let changes = [change(1, 13, 19, "1"), change(2, 6, 20, "2")];
    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": uri, "version": 3 }, "contentChanges": changes }),
    );
    assert_eq!(client.diagnostics()["diagnostics"], json!([]));
    client.notify("textDocument/didChange", whole("{ a = ; b = [ 1; c = (2; }", 4));
    assert!(client.diagnostics()["diagnostics"].as_array().unwrap().len() >= 2, "several errors at once");
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(client.diagnostics()["diagnostics"], json!([]));
    assert_eq!(client.end(), Some(0));
}

#[test]
fn names_are_explained() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let mut hover = |marked: &str| {
        let answer = client.about(marked, "hover");
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    assert!(hover("ma@p").contains("builtins.map"));
    assert!(hover("builtins.m@ap").contains("builtins.map"));
    assert!(hover("let inherit (builtins) map; in m@ap").contains("builtins.map"));
    assert!(
        hover("let\n  /** Twice. */\n  f = x: 2 * x;\nin @f 1")
            .contains("f = x: 2 * x;\n```\n\nvariable: a function of `x`\n\nTwice.")
    );
    assert!(hover("let f = /** Twice. */ x: 2 * x; in f@ 1").contains("Twice."));
    assert!(hover("let s = {\n /** Of a. */ a = 1; }; in \"😀\" + s.@a").contains("Of a."));
    assert!(hover("{ pkgs ? 1 }: p@kgs").contains("argument"));
    assert!(hover("x: @x").contains("argument"));
    assert!(hover("with { /** Of a. */ a = 1; }; @a").contains("Of a."));
    for (marked, shape) in [
        ("let s = { b.c = 1; a = 2; }; in @s", "variable: a set with `a`, `b`"),
        ("let s = { b.c = 1; a = 2; }; in s.@b", "attribute: a set with `c`"),
        ("{ f = { x, y ? 1, ... }:\n x; g@g = [ ]; }", "attribute: a list"),
        ("let f = { x, y ? 1, ... }:\n x; in @f", "variable: a function of `{ x, y ? 1, ... }`"),
        ("let a = if x then 1 else \"s\"; x = true; in @a", "variable: a number, or a string"),
        ("let m = map; in @m", "variable: the builtin `map`"),
        ("let a = b c; b = c: c; c = 1; in @a", "variable"),
    ] {
        let shown = hover(marked);
        assert!(shown.ends_with(shape), "{marked}: {shown}");
    }
    assert_eq!(hover("1 @+ 1"), "");
    assert_eq!(hover("@undefined"), "");
    assert_eq!(hover("@"), "");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn definitions_are_found() {
    let scratch = Scratch::new("{ }");
    std::fs::create_dir(scratch.path("lib")).unwrap();
    scratch.write("lib/default.nix", "{ x }: rec {\n  inherit (import ./more.nix) deep;\n  f = a: a;\n}\n");
    scratch.write("lib/more.nix", "{\n  deep.er = 1;\n}\n");
    let uri = format!("file://{}", scratch.path("main.nix").display());
    let mut client = Client::initialized(&scratch);
    let mut definition = |marked: &str| {
        let answer = client.at_cursor(&uri, marked, "definition", json!({}))["result"].clone();
        let shown = |location: &Value| {
            let file = location["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            format!("{file} {}", range(&location["range"]))
        };
        answer.as_array().map(|found| found.iter().map(shown).collect::<Vec<_>>().join("; ")).unwrap_or_default()
    };
    for (marked, expected) in [
        ("let /* 😀 */ x = 1; in @x", "main.nix 0:13-0:14"),
        ("let x = 1; in { inherit @x; }", "main.nix 0:4-0:5"),
        ("let x.a = 1; x.b = 2; in x@", "main.nix 0:4-0:5; main.nix 0:13-0:14"),
        ("let x.a = 1; x.b = 2; in x.@b", "main.nix 0:15-0:16"),
        ("{ a, b ? @a }: b", "main.nix 0:2-0:3"),
        ("rec { a = { b = 1; }; c = a.@b; }", "main.nix 0:12-0:13"),
        ("let a = { b = 1; }; in a ? @b", "main.nix 0:10-0:11"),
        ("let a = { b = 1; }; in { inherit (a) @b; }", "main.nix 0:10-0:11"),
        ("with { b = 1; }; @b", "main.nix 0:7-0:8"),
        ("import @./lib", "default.nix 0:0-0:0"),
        ("import ./lib/more.n@ix", "more.nix 0:0-0:0"),
        ("let lib = import ./lib { x = 1; }; in lib.@f", "default.nix 2:2-2:3"),
        ("let lib = import ./lib { x = 1; }; in lib.deep.@er", "more.nix 1:7-1:9"),
        ("let inherit (import ./lib { x = 1; }) f; in @f", "default.nix 2:2-2:3"),
        ("@map", ""),
        ("import ./@missing.nix", ""),
        ("@nothing", ""),
    ] {
        assert_eq!(definition(marked), expected, "{marked}");
    }
    // What is open counts, not what is on the disk.
    client.open(&format!("file://{}", scratch.path("lib/more.nix").display()), "# edited\n{ deep.er = 1; }");
    let marked = "(import ./lib { x = 1; }).deep.@er";
    let answer = client.at_cursor(&uri, marked, "definition", json!({}))["result"].clone();
    assert_eq!(ranges(&answer), ["1:7-1:9"]);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn selections_of_attributes_are_found() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let of = |lib: &str, body: &str| format!("let\n  lib = {{ {lib} }};\nin [ {body} {{ fn = 2; }}.fn ]");
    let (lib, body) = ("a.b = 1; fn = x: x;", "(lib.fn 1) lib.a.b lib.fn");
    for marked in [of("a.b = 1; f@n = x: x;", body), of(lib, "(lib.@fn 1) lib.a.b lib.fn")] {
        let found = ranges(&client.about(&marked, "references"));
        assert_eq!(found, ["1:19-1:21", "2:10-2:12", "2:28-2:30"], "{marked}");
    }
    let marked = of(lib, "(lib.fn 1) lib.a.@b lib.fn");
    assert_eq!(ranges(&client.about(&marked, "references")), ["1:12-1:13", "2:22-2:23"]);
    // What is defined within reach of its own name is found by that name, too.
    let marked = "let r = rec { a@a = 1; b = aa; }; in r.aa";
    assert_eq!(ranges(&client.about(marked, "references")), ["0:14-0:16", "0:26-0:28", "0:38-0:40"]);
    // However it is written, it is one name.
    let of = |body: &str| format!("let\n  lib = {{ \"a b\" = 1; c = 2; }};\nin [ {body} ]");
    for marked in [of("lib.\"a@ b\" (lib ? \"a b\") lib.c"), of("lib.\"a b\" (lib ? \"a @b\") lib.c")] {
        assert_eq!(ranges(&client.about(&marked, "references")), ["1:10-1:15", "2:9-2:14", "2:22-2:27"], "{marked}");
    }
    for marked in [of("lib.c@ lib.\"c\" lib.\"a b\""), of("lib.c lib.\"@c\" lib.\"a b\"")] {
        assert_eq!(ranges(&client.about(&marked, "references")), ["1:21-1:22", "2:9-2:10", "2:15-2:18"], "{marked}");
    }
    scratch.write("lib.nix", "{ here = 1; }");
    let uri = format!("file://{}", scratch.path("default.nix").display());
    let answer = client.at_cursor(&uri, "(import ./lib.nix).@here", "references", json!({}))["result"].clone();
    assert_eq!(ranges(&answer), ["0:2-0:6", "0:19-0:23"]);
    assert_eq!(client.end(), Some(0));
}

/// None is left out, and finding them takes about as long for each.
#[test]
fn thousands_of_selections_are_found() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let others: String = (0..2000).map(|number| format!("a{number} = 1; ")).collect();
    let marked = format!("let lib = {{ f@n = 1; {others}}}; in [\n{}]", "  lib.fn\n".repeat(20_000));
    let start = Instant::now();
    let found = ranges(&client.about(&marked, "references"));
    assert_eq!((found.len(), found[20_000].as_str()), (20_001, "20000:6-20000:8"));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(client.end(), Some(0));
}

#[test]
fn uses_are_found_and_renamed() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let marked = "let\n  x = \"😀\";\nin [ x { inherit @x; } (x: x) ]";
    assert_eq!(ranges(&client.about(marked, "references")), ["1:2-1:3", "2:5-2:6", "2:17-2:18"]);
    assert_eq!(ranges(&client.about(marked, "documentHighlight")), ["1:2-1:3", "2:5-2:6", "2:17-2:18"]);
    let prepared = client.about(marked, "prepareRename");
    assert_eq!((range(&prepared["range"]).as_str(), &prepared["placeholder"]), ("2:17-2:18", &"x".into()));
    // What others name keeps its name.
    for marked in ["ma@p", "{ @x, ... }@args: x + args.x", "rec { x = 1; y = @x; }", "let { @body = 1; }"] {
        assert_eq!(client.about(marked, "prepareRename"), Value::Null, "{marked}");
    }
    let uri = "file:///nowhere/a.nix";
    let mut rename = |marked: &str, new: &str| client.at_cursor(uri, marked, "rename", json!({ "newName": new }));
    let edits = rename(marked, "y")["result"]["changes"][uri].clone();
    let edits: Vec<_> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (range(&edit["range"]), edit["newText"].as_str().unwrap()))
        .collect();
    assert_eq!(edits, [("1:2-1:3".into(), "y"), ("2:5-2:6".into(), "y"), ("2:9-2:19".into(), "x = y;")]);
    let captured = ("y: let @x = 1; in y", "y");
    for (marked, new) in [(marked, "a b"), captured, ("{ a.@b = 1; }", "c"), ("m@ap", "c"), ("{ @x }: x", "y")] {
        let answer = rename(marked, new);
        assert_eq!(answer["error"]["code"], -32803, "{marked}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn what_is_typed_is_completed() {
    let scratch = Scratch::new("{ }");
    scratch.write("one.nix", "{ hello = 1; help = x: x; }");
    let uri = format!("file://{}", scratch.path("main.nix").display());
    let mut client = Client::initialized(&scratch);
    let mut complete = |marked: &str| client.at_cursor(&uri, marked, "completion", json!({}))["result"].clone();
    for (marked, expected, missing) in [
        ("let abc = 1; in \"😀\" + a@", &["abc", "abort", "assert"][..], &["a"][..]),
        ("let s = { a = 1; \"b c\".d = 2; }; in s.@", &["a", "\"b c\""], &["s", "map"]),
        ("let s = { a.b = 1; }; in [ s.a.@", &["b"], &["a"]),
        ("{ x = builtins.m@; }", &["map", "mapAttrs"], &["x"]),
        ("let p = import ./one.nix; in p.he@ + 1", &["hello", "help"], &["p"]),
        ("let inherit (import ./one.nix) h@; in 1", &["hello", "help"], &[]),
        ("with import ./one.nix; [ he@ ]", &["hello", "help", "map"], &[]),
        ("{ arg ? 1, ... }: a@", &["arg"], &[]),
        ("let f = { first, second ? 1 }: first; in f { f@ }", &["first", "second"], &["map"]),
        ("let f = a: { first }: first; in f 1 { f@ = 1; }", &["first"], &[]),
        ("import ./o@", &["one.nix"], &["map"]),
        ("rec { abc = 1; d = ab@", &["abc"], &[]),
        ("let abc = 1; in { inherit a@; }", &["abc"], &[]),
    ] {
        let completion = complete(marked);
        let labels = labels(&completion);
        for label in expected {
            assert!(labels.contains(label), "{marked}: {label} is not in {labels:?}");
        }
        for label in missing {
            assert!(!labels.contains(label), "{marked}: {label} is in {labels:?}");
        }
    }
    for marked in ["\"a @ b\"", "# a@", "./a/${\"x@\"}", "1@"] {
        let completion = complete(marked);
        assert!(completion.is_null() || labels(&completion).is_empty(), "{marked}: {completion}");
    }
    let item = &complete("let abc = 1; in \"😀\" + ab@c")["items"][0];
    assert_eq!(
        (range(&item["textEdit"]["range"]).as_str(), &item["textEdit"]["newText"]),
        ("0:23-0:26", &"abc".into())
    );
    assert_eq!(client.end(), Some(0));
}

#[test]
fn outlines_and_fixes() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let uri = "file:///nowhere/a.nix";
    client.open(uri, "{ lib }:\nlet f = x: x; in\n{\n  a.b = lib.g { c = 1; };\n}\n");
    let document = json!({ "uri": uri });
    let outline = client.ask("textDocument/documentSymbol", json!({ "textDocument": document }))["result"].clone();
    let names: Vec<_> = outline.as_array().unwrap().iter().map(|symbol| symbol["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["f", "a.b"]);
    assert_eq!((outline[1]["children"][0]["name"].as_str(), outline[0]["kind"].as_u64()), (Some("c"), Some(12)));

    client.open(uri, "rec { a = \"😀\"; b = (1); }");
    let params = |only: Value| {
        json!({
            "textDocument": document,
            "range": { "start": { "line": 0, "character": 22 }, "end": { "line": 0, "character": 22 } },
            "context": { "diagnostics": [], "only": only },
        })
    };
    let actions = client.ask("textDocument/codeAction", params(json!(null)))["result"].clone();
    let titles: Vec<_> = actions.as_array().unwrap().iter().map(|action| action["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Remove the parentheses", "Put right all that changes no value"]);
    assert_eq!(range(&actions[0]["edit"]["changes"][uri][0]["range"]), "0:20-0:21");
    let all = client.ask("textDocument/codeAction", params(json!(["source.fixAll"])))["result"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["edit"]["changes"][uri][0]["newText"], "{ a = \"😀\"; b = 1; }");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn texts_are_formatted() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let uri = "file:///nowhere/a.nix";
    let params = json!({ "textDocument": { "uri": uri }, "options": { "tabSize": 8, "insertSpaces": false } });
    client.open(uri, "{\n  a = \"😀\";\n      b=1;\n}\n");
    let edits = client.ask("textDocument/formatting", params.clone())["result"].clone();
    assert_eq!((range(&edits[0]["range"]).as_str(), &edits[0]["newText"]), ("2:0-3:0", &"  b = 1;\n".into()));
    client.open(uri, "{\n  a = 1;\n}\n");
    assert_eq!(client.ask("textDocument/formatting", params.clone())["result"], json!([]));
    client.open(uri, "{ a = ");
    assert_eq!(client.ask("textDocument/formatting", params)["result"], Value::Null);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn large_and_deep_and_broken_texts_are_survived() {
    let scratch = Scratch::new("{ }");
    let mut client = Client::initialized(&scratch);
    let large: String = (0..10_000).map(|number| format!("  a{number} = \"é\" + a0;\n")).collect();
    let texts = [
        format!("rec {{\n{large}}}"),
        "(".repeat(200_000),
        "a.".repeat(500),
        "a + ".repeat(100_000) + "a",
        "x: ".repeat(9_000) + "x",
        "{ a = ".repeat(9_000),
        "\u{0}\u{feff}''${\r\n\"${''".repeat(2_000),
        String::new(),
    ];
    for text in &texts {
        let uri = "file:///nowhere/a.nix";
        client.open(uri, text);
        let middle = json!({ "line": 0, "character": text.len() / 2 });
        for method in ["hover", "definition", "completion", "references", "documentSymbol", "prepareRename"] {
            let params = json!({ "textDocument": { "uri": uri }, "position": middle });
            let answer = client.ask(&format!("textDocument/{method}"), params);
            let shown: String = text.chars().take(20).collect();
            assert!(answer.get("error").is_none(), "{method} {shown}: {}", answer["error"]);
        }
    }
    assert_eq!(client.end(), Some(0));
}
