//! Attributes that derivations of Nix have for the builder: variables and attributes in files, and what outputs may need.

use crate::harness::Scratch;

#[test]
fn long_variables_are_passed_as_files() {
    let scratch = Scratch::new(
        r#"rec {
      # Longer than a variable can be (128 KiB).
      text = builtins.concatStringsSep "\n" (builtins.genList toString 40000);
      variable = mini "variable" "write $out no" { inherit text; };
      file = mini "file" "copy $textPath $out" { inherit text; passAsFile = [ "text" ]; };
      gone = mini "gone" "write $out <$small> $smallPath" { small = "here"; passAsFile = [ "small" ]; };
      mentions = mini "mentions" "copy $textPath $out" { text = "see ${gone}"; passAsFile = [ "text" ]; };
    }"#,
    );
    scratch.larder("build .#variable").fails(1, &["more than a program can be started with", "passAsFile"]);
    let written = scratch.larder("build .#file").ok().line();
    let expected = (0..40000).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    assert_eq!(std::fs::read_to_string(scratch.physical(&written)).unwrap(), expected);
    scratch.larder("build .#mentions").ok();
    assert_eq!(scratch.larder("build .#gone").ok().line(), scratch.larder("query references .#mentions").ok().line());
    assert_eq!(scratch.larder("cat .#gone").ok().stdout, "<> /build/.attr-0\n");
    assert!(scratch.larder("show --sandbox .#gone").ok().stdout.contains("/build/.attr-0"));
    scratch.assert_sound();
}

#[test]
fn structured_attributes_are_files() {
    let scratch = Scratch::new(
        r#"rec {
      other = mini "other" "write $out other" { };
      script = name: "mkdir $out\ncopy $NIX_ATTRS_JSON_FILE $out/json\ncopy $NIX_ATTRS_SH_FILE $out/sh";
      made = mini "made" (script "made") {
        __structuredAttrs = true; list = [ 1 "it's" other ]; set = { a = true; }; deep = [ { } ]; long = builtins.genList (x: x) 40000;
      };
    }"#,
    );
    let made = scratch.larder("build .#made").ok().line();
    let other = scratch.larder("build .#other").ok().line();
    let json = std::fs::read_to_string(scratch.physical(&made).join("json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["list"], serde_json::json!([1, "it's", other]), "placeholders are paths");
    assert_eq!(json["outputs"], serde_json::json!({ "out": "/larder/out/out" }));
    // What bash makes of it.
    let show = "source \"$0\"; printf '%s|' \"${list[@]}\" \"${set[a]}\" \"${outputs[out]}\" \"${#long[@]}\" \"${deep-none}\" \"$name\"";
    let bash =
        std::process::Command::new("bash").arg("-euc").arg(show).arg(scratch.physical(&made).join("sh")).output();
    let bash = bash.expect("bash is installed");
    let shown = String::from_utf8(bash.stdout).unwrap();
    assert_eq!(shown, format!("1|it's|{other}|1|/larder/out/out|40000|none|made|"), "{:?}", bash.stderr);
}

#[test]
fn outputs_need_only_what_is_permitted() {
    let scratch = Scratch::new(
        r#"rec {
      low = mini "low" "write $out low" { };
      high = mini "high" "write $out see ${low}" { };
      declared = mini "declared" "write $out nothing" { runtime = [ low ]; };
      use = name: mini name "mkdir $out\nmkdir $out/etc\nwrite $out/etc/config see ${high}";
      none = use "none" { allowedReferences = [ ]; };
      other = use "other" { allowedReferences = [ low "out" ]; };
      named = use "named" { allowedReferences = [ high "out" ]; };
      not = use "not" { disallowedReferences = [ high ]; };
      shallow = use "shallow" { disallowedReferences = [ low ]; };
      deep = use "deep" { disallowedRequisites = [ low ]; };
      closed = use "closed" { allowedRequisites = [ high ]; };
      whole = use "whole" { allowedRequisites = [ high low ]; };
      free = mini "free" "write $out nothing" { allowedReferences = [ ]; allowedRequisites = [ ]; };
      runs = mini "runs" "write $out nothing" { runtime = [ declared ]; disallowedRequisites = [ low ]; };
      parts = mini "parts" "write $out see ${low}\nwrite $dev nothing" {
        outputs = [ "out" "dev" ]; __structuredAttrs = true; outputChecks.dev.allowedReferences = [ ];
        outputChecks.out.disallowedReferences = [ low ];
      };
      # One tree of two names, which the derivation does not name itself.
      again = mini "again" "write $out see ${low}" { };
      copies = write "copies" { copy = { text = "see ${high}\n"; }; };
      indirect = mini "indirect" "copy /copy $out" { root = [ seed copies ]; disallowedRequisites = [ low ]; };
    }"#,
    );
    let [low, high] = ["low", "high"].map(|name| scratch.larder(&format!("build .#{name}")).ok().line());
    for (name, rule) in [("none", "allowedReferences"), ("other", "allowedReferences"), ("not", "disallowedReferences")]
    {
        let told = format!("output `out` needs {high}, which `{rule}` does not permit; /etc/config mentions it");
        scratch.larder(&format!("build .#{name}")).fails(1, &[&told]);
    }
    for (name, rule) in [("deep", "disallowedRequisites"), ("closed", "allowedRequisites")] {
        let told = format!("needs {low}, which `{rule}` does not permit; /etc/config mentions {high}, that needs it");
        scratch.larder(&format!("build .#{name}")).fails(1, &[&told]);
    }
    let declared = scratch.larder("build .#declared").ok().line();
    scratch.larder("build .#runs").fails(1, &[&format!("it declares {declared}, that needs it")]);
    for name in ["named", "shallow", "whole", "free"] {
        scratch.larder(&format!("build .#{name}")).ok();
    }
    scratch.larder("build .#parts").fails(1, &["output `out` needs", "`disallowedReferences`"]);
    let again = scratch.larder("build .#again").ok().line();
    assert_eq!(again[..60], high[..60], "the same tree under another name");
    let told = format!(
        "needs {low}, which `disallowedRequisites` does not permit; the output itself mentions {again}, that needs it"
    );
    let other = told.replace(&again, &high);
    let refused = scratch.larder("build .#indirect");
    assert!(
        refused.code == Some(1) && (refused.stderr.contains(&told) || refused.stderr.contains(&other)),
        "{refused:?}"
    );
    let refused = |name: &String| ["none", "not", "deep", "parts"].iter().any(|wrong| name.ends_with(wrong));
    assert!(!scratch.entries("store").iter().any(refused), "nothing that is refused is published");
    scratch.assert_sound();
}

#[test]
fn long_chains_are_told_in_short() {
    let scratch = Scratch::new(
        r#"let
      step = number: if number == 0 then mini "step-0" "write $out low" { } else mini "step-${toString number}" "write $out see ${step (number - 1)}" { };
      use = name: mini name "write $out see ${step 29}";
    in {
      none = use "none" { allowedRequisites = [ ]; };
      lowest = use "lowest" { disallowedRequisites = [ (step 0) ]; };
    }"#,
    );
    let none = scratch
        .larder("build .#none")
        .fails(1, &["-step-29, which `allowedRequisites` does not permit", "and 10 more"]);
    assert_eq!(none.stderr.matches("does not permit").count(), 20, "{}", none.stderr);
    let lowest = scratch.larder("build .#lowest").fails(1, &["-step-0, which `disallowedRequisites` does not permit"]);
    assert!(lowest.stderr.contains("-step-23, that needs it through 22 more"), "{}", lowest.stderr);
}

#[test]
fn lists_that_are_malformed_are_told_before_the_build() {
    let scratch = Scratch::new(
        r#"rec {
      low = mini "low" "write $out low" { };
      wrong = mini "wrong" "write $out nothing" { allowedReferences = "dev"; };
      graph = mini "graph" "write $out nothing" { exportReferencesGraph = [ "closure" low ]; };
      unknown = mini "unknown" "write $out nothing" { __structuredAttrs = true; outputChecks.out.allowed = [ ]; };
      nobody = mini "nobody" "write $out nothing" { __structuredAttrs = true; outputChecks.ouut.allowedReferences = [ ]; };
      no-set = mini "no-set" "write $out nothing" { __structuredAttrs = true; outputChecks = [ ]; };
      misplaced = mini "misplaced" "write $out nothing" { __structuredAttrs = true; allowedReferences = [ ]; };
    }"#,
    );
    scratch.larder("build .#wrong").fails(1, &["`allowedReferences`: `dev` is neither a store path nor an output"]);
    scratch.larder("build .#unknown").fails(1, &["`outputChecks.out`: larder does not know `allowed`"]);
    scratch.larder("build .#nobody").fails(1, &["`outputChecks`: there is no output `ouut`"]);
    scratch.larder("build .#no-set").fails(1, &["`outputChecks`: it is not a set"]);
    scratch.larder("build .#misplaced").fails(1, &["`allowedReferences`: where attributes are structured"]);
    for name in ["wrong", "unknown", "nobody", "no-set", "misplaced"] {
        scratch.larder(&format!("log .#{name}")).fails(1, &["no log"]);
    }
    scratch.larder("build .#graph").fails(1, &["`exportReferencesGraph`", "larder query closure"]);
}
